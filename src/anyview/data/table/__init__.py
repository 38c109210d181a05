"""Columns of tables as numbers and categories."""
