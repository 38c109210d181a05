"""Faults made on purpose, and what is left after them: ``make faults``."""
