"""Systems that learn from a teacher or from themselves, without negatives."""
