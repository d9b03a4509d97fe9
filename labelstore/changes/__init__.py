"""What differs between two versions, and edits that make a difference."""
