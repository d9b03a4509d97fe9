"""Opening a version for training: where its objects come from, and its samples."""
