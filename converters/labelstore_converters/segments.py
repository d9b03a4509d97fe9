"""Words for what formats of segments lose, each pixel of one label."""

from __future__ import annotations

WORDS = {
    "outlines-as-pixels": "outlines that are pixels now",
    "overlaps": "labels of which others cover a part; it is left out",
    "shapes-left-out": "labels without pixels and without an outline; left out",
    "size-unknown": "labels whose image's size nobody knows; left out",
}
"""What is lost, by the end of a code."""
