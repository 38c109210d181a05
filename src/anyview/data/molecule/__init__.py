"""Molecules in memory: as graphs of atoms and bonds, and as SMILES in several ways of writing."""
