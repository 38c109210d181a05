"""Graphs in memory: many small ones packed, or the nodes of one; made clean, and given coordinates."""
