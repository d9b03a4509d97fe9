"""Splits: which subset each item is in, and what would leak between them."""
