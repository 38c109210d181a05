"""One script a modality: what pretraining is worth there, beside the untrained encoder and raw features."""
