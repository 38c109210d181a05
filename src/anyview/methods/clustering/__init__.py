"""Methods whose targets are clusters: of the batch as it comes, or of the whole dataset before each epoch."""
