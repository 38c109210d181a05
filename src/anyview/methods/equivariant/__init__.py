"""Systems whose embeddings move with what is done to a sample, in a known way."""
