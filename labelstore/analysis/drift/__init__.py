"""Drift: how far classes, sizes, places, authors and the like moved from one side to another."""
