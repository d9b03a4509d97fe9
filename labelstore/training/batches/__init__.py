"""Batches of samples as NumPy arrays: what is in them, and in which order they come."""
