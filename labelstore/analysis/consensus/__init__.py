"""Consensus: one layer of labels made of those of several authors."""
