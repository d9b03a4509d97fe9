"""Columnar arithmetic on shapes; pure functions on Arrow and NumPy."""
