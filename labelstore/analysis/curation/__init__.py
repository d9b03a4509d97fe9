"""Curation: what to label or review next, and why."""
