"""Forgetting: what belongs to a person, an item or a source goes from every version."""
