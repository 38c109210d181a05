"""Volumes: how they are found, brought to bytes and put on a canvas."""
