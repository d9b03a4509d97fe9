"""Objects that were one and are several, or the other way round."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.pairing import KEY_COLUMNS, Side
from labelstore.geometry.agreement import agreement
from labelstore.geometry.area import areas
from labelstore.geometry.candidates import candidates
from labelstore.geometry.columns import column
from labelstore.geometry.covering import covering_boxes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.versions.manifest import Manifest

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Flags = NDArray[np.bool_]

REGROUPED = pa.schema(
    [
        ("layer", pa.string()),
        ("item_id", pa.int64()),
        ("change", pa.string()),
        ("annotation_id", pa.int64()),
        ("pieces", pa.list_(pa.int64())),
    ]
)
"""A row for each object that was split, or merged, with the ids of its pieces."""
INSIDE, COVERED = 0.8, 0.7
"""Least share of a piece that lies in the whole, and of the whole that its pieces cover."""
AREAL = ("box", "rotated_box", "corners", "polygon", "mask", "segment", "ellipse")


def regrouped(labels: pa.Table, before: Manifest, after: Manifest) -> pa.Table:
    """Return the objects that were split into several of their class, or merged from several.

    A piece is a label that came (or, of a merge, went), or what is left of the whole itself. Of
    shapes with an area and of intervals; only items on which labels both went and came are read.

    Args:
        labels: a difference by number, see `diff.LABELS`.
        before: the older version.
        after: the newer.
    """
    found = [REGROUPED.empty_table()]
    for layer in pc.unique(labels.column("layer")).to_pylist():
        own = labels.filter(pc.equal(labels.column("layer"), layer))
        found += _splits(own, "split", ("removed", "added"), (before, after), layer)
        found += _splits(own, "merged", ("added", "removed"), (after, before), layer)
    return pa.concat_tables(found)


def _splits(
    labels: pa.Table, word: str, words: tuple[str, str], sides: tuple[Manifest, Manifest],
    layer: str,
) -> Iterator[pa.Table]:  # fmt: skip
    """Yield the wholes of one side that are several on the other."""
    change = labels.column("change")
    pieces = labels.filter(pc.equal(change, words[1]))
    wholes = labels.filter(pc.or_(pc.equal(change, words[0]), pc.equal(change, "changed")))
    own, other = (np.asarray(rows.column("item_id")) for rows in (wholes, pieces))
    items = np.intersect1d(own, other)
    wholes, pieces = (
        rows.filter(pc.is_in(rows.column("item_id"), value_set=pa.array(items)))
        for rows in (wholes, pieces)
    )
    if not len(items):
        return
    kept = wholes.filter(pc.equal(wholes.column("change"), "changed"))
    several = pa.concat_tables([rows.select(KEY_COLUMNS) for rows in (pieces, kept)])
    one, many = (_Labels(Side(manifest, layer, keys.select(KEY_COLUMNS)), items)
                 for manifest, keys in zip(sides, (wholes, several), strict=True))  # fmt: skip
    yield _told(one, many, word, layer, np.asarray(kept.column("annotation_id")))


class _Labels:
    """Labels with what says whether one is a piece of another."""

    def __init__(self, side: Side, items: Ints) -> None:
        rows = side.rows(items)
        notes, self.shapes = rows["annotations"], rows["geometries"]
        self.items, self.ids = (np.asarray(notes.column(n)) for n in KEY_COLUMNS)
        self.classes = np.asarray(notes.column("category_id").fill_null(-1))
        self.kinds = np.array(notes.column("kind").to_pylist(), object)
        self.sizes = _sizes(self.kinds, self.shapes)
        self.reach = _reach(self.kinds, self.shapes)


def _sizes(kinds: NDArray[np.object_], shapes: pa.Table) -> Floats:
    """Return the area of each shape, or the length of an interval; NaN of others."""
    found = np.where(np.isin(kinds, AREAL), areas(shapes), np.nan)
    first, last = _ends(shapes)
    return np.where(kinds == "interval", last - first, found)


def _reach(kinds: NDArray[np.object_], shapes: pa.Table) -> Floats:
    first, last = _ends(shapes)
    flat = np.stack([first, np.zeros(len(first)), last, np.ones(len(first))], axis=1)
    return np.where((kinds == "interval")[:, None], flat, covering_boxes(shapes))


def _ends(shapes: pa.Table) -> tuple[Floats, Floats]:
    first, last = (
        np.asarray(pc.struct_field(column(shapes, "interval"), n).fill_null(np.nan), np.float64)
        for n in ("start", "end")
    )
    return first, last


def _told(one: _Labels, many: _Labels, word: str, layer: str, kept: Ints) -> pa.Table:
    """Return the wholes that have several pieces."""
    a, b = candidates((one.items, many.items), (one.reach, many.reach))
    may = (one.classes[a] == many.classes[b]) & (one.sizes[a] > 0) & (many.sizes[b] > 0)
    may &= ~np.isin(many.ids[b], kept) | (one.ids[a] == many.ids[b])
    a, b = a[may], b[may]
    share = _overlap(one, many, a, b)
    inside = share / many.sizes[b] >= INSIDE
    a, b, share = a[inside], b[inside], share[inside] / one.sizes[a[inside]]
    count, covered = np.bincount(a), np.bincount(a, share)
    own = (count > 1) & (covered >= COVERED)
    chosen = own[a] if len(a) else np.zeros(0, bool)
    wholes = np.flatnonzero(own)
    offsets = np.concatenate([[0], np.cumsum(count[wholes])]).astype(np.int32)
    columns: dict[str, Any] = {
        "layer": pa.repeat(layer, len(wholes)), "change": pa.repeat(word, len(wholes)),
        "item_id": one.items[wholes], "annotation_id": one.ids[wholes],
        "pieces": pa.ListArray.from_arrays(pa.array(offsets), pa.array(many.ids[b[chosen]])),
    }  # fmt: skip
    return pa.table([columns[f.name] for f in REGROUPED], schema=REGROUPED)


def _overlap(one: _Labels, many: _Labels, a: Ints, b: Ints) -> Floats:
    """Return the area that pairs of labels share, by how far they agree."""
    rows = one.shapes.take(pa.array(a)), many.shapes.take(pa.array(b))
    agree = np.nan_to_num(agreement((one.kinds[a], many.kinds[b]), rows, asked=0)[0])
    shared: Floats = agree * (one.sizes[a] + many.sizes[b]) / (1 + agree)
    return shared
