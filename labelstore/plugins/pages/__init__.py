"""A kit for converters of files that one function reads and another one writes.

A `PageFormat` says how the text of a file becomes items and labels, and how these become text
again. All the rest follows: rows of the model, ids, classes, tracks, the way back byte for byte,
and what an export would lose, found by reading what it would write.
"""

from __future__ import annotations

from labelstore.plugins.pages.format import PageFormat
from labelstore.plugins.pages.page import Page, edges, sides_of, window

__all__ = ["Page", "PageFormat", "edges", "sides_of", "window"]
