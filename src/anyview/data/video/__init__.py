"""Clips: how they are found, and how a fixed number of frames is taken of each."""
