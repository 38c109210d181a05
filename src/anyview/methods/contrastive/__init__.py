"""Contrastive systems: views of one sample agree, views of different samples do not."""
