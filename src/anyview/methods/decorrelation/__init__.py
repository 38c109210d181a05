"""Systems that keep embeddings spread by their statistics."""
