"""Sound: where recordings lie, how they are decoded, and what their spectrograms are."""
