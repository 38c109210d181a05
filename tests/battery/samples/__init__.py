"""One file a modality: ``samples()`` gives a labelled dataset of a few, small enough for a step in milliseconds."""
