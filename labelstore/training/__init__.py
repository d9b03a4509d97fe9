"""Reading a pinned version for training."""
