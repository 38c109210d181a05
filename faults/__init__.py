"""Faults made on purpose, and what is left after them: ``make faults``."""

import os

# before NumPy is there: it would start threads, and a process that has some cannot be forked safely
os.environ["OMP_NUM_THREADS"] = "1"
