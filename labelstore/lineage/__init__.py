"""Lineage: where a label came from and who changed it."""
