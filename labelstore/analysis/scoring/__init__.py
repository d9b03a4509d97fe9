"""Scores: labels of a layer or an author against a gold set."""
