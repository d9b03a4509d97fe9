"""What changed about a label, in words that suit its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.classes import MERGED
from labelstore.geometry.motion import NEEDED, POINTS, motions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[np.uint32]

WORD_OF = {
    "category_id": "reclassified",
    "category_scores": "reclassified",
    "kind": "kind changed",
    "attributes": "attributes",
    "tags": "tags",
    **dict.fromkeys(
        ("is_crowd", "occluded", "occluded_scale", "truncated", "difficult", "ignore", "keyframe",
         "outside", "flag"), "flags"),
    **dict.fromkeys(("score", "confidence", "keypoint_scores"), "score"),
    "review_state": "reviewed",
    "track_id": "track relinked",
    "group_id": "regrouped",
    "parent_annotation_id": "regrouped",
    "frame": "frame changed",
    "keypoint_dims": "reshaped",
    "holes_of": "reshaped",
    "polylines_closed": "reshaped",
    "visibility": "visibility",
    "raster": "segment changed",
    "velocity": "velocity",
    "point_labels": "points relabelled",
    "spans": "span shifted",
    "surface": "text edited",
    "text": "text edited",
    "interval": "interval shifted",
}  # fmt: skip
"""By column, where the column alone says it; any other is `restated`."""
SHAPES = ("box", "rotated_box", "ellipse", "cuboid3d", *POINTS, "spline", "mask", "mesh",
          "raster", "point_labels", "spans", "interval")  # fmt: skip
"""Columns of which the values say what happened."""
SHAPE = "shape changed"
RESTATED = "restated"
WORDS = tuple(
    dict.fromkeys(
        ("moved", "resized", "rotated", "reshaped", "shape added", "shape dropped",
         *WORD_OF.values(), SHAPE, MERGED, RESTATED)
    )
)  # fmt: skip
"""Every word; `restated` is what the source says beside the shape (area, order of keys) alone."""


def bit(word: str) -> np.uint32:
    """Return the bit that stands for a word."""
    return np.uint32(1 << WORDS.index(word))


class Changed(Protocol):
    """Rows that differ, side by side."""

    @property
    def count(self) -> int:
        """Return how many there are."""

    @property
    def changed_columns(self) -> Mapping[str, NDArray[np.bool_]]:
        """Return of each column that differs anywhere in which rows it does."""

    def values(self, names: Sequence[str], chosen: NDArray[np.bool_]) -> tuple[pa.Table, pa.Table]:
        """Return columns of chosen rows on both sides."""


def meanings(area: Changed) -> Words:
    """Return what changed about each of some rows, as bits; shape (n,)."""
    found = np.zeros(area.count, np.uint32)
    for name, flags in area.changed_columns.items():
        if name in SHAPES or name == "box_form":
            found[flags] |= _motion(area, name.removesuffix("_form"), flags)
        elif name == "frame":
            found[flags] |= _framed(area, flags)
        else:
            found[flags] |= bit(WORD_OF.get(name, RESTATED))
    return found


def _motion(area: Changed, name: str, flags: NDArray[np.bool_]) -> Words:
    """Return what changed about a shape, for the rows in which it differs."""
    old, new = area.values(NEEDED.get(name, (name,)), flags)
    found = np.zeros(int(flags.sum()), np.uint32)
    for word, mask in motions(name, old, new).items():
        found[mask] |= bit(WORD_OF.get(name, word) if word == "reshaped" else word)
    found[found == 0] = bit(RESTATED)
    return found


def _framed(area: Changed, flags: NDArray[np.bool_]) -> Words:
    """Return what changed where a frame differs: no frame is that of pixels."""
    sides = [rows.column("frame").fill_null("pixel") for rows in area.values(("frame",), flags)]
    same = np.asarray(pc.equal(*sides))
    return np.where(same, bit(RESTATED), bit(WORD_OF["frame"])).astype(np.uint32)


def plain(words: Words) -> Words:
    """Return the bits without `restated` where something else changed too."""
    alone = bit(RESTATED)
    return np.where(words == alone, words, words & ~alone).astype(np.uint32)


def as_lists(words: Words) -> pa.Array:
    """Return the words of each row as a list of texts, shape (n,)."""
    different, at = np.unique(words, return_inverse=True)
    lists: list[Any] = [[w for w in WORDS if bits & bit(w)] for bits in different]
    return pa.array(lists, pa.list_(pa.string())).take(pa.array(at))


def counts(words: Words) -> dict[str, int]:
    """Return how many rows each word is true of, the most frequent first."""
    found = {word: int(np.count_nonzero(words & bit(word))) for word in WORDS}
    ranked = sorted(found.items(), key=lambda entry: -entry[1])
    return {word: count for word, count in ranked if count}
