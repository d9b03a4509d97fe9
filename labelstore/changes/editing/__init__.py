"""Edits by hand: rows added, changed or deleted where a SQL condition holds."""

from labelstore.changes.editing.edit import Edit

__all__ = ["Edit"]
