"""Pins: small files that name a version by its hashes, and what is read of it."""
