"""Questions about a version: balance, splits, drift, rules."""
