"""labelstore: a typed, versioned store for machine-learning labels."""
