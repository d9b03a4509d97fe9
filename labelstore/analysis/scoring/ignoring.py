"""Objects of a gold set that do not count: crowds, and what is to be ignored or too difficult."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.analysis.agreement.units import NONE, Units
from labelstore.model.tables import TABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.analysis.agreement.units import Author

    Flags = NDArray[np.bool_]
    Ids = NDArray[np.int64]

FLAGS = ("is_crowd", "ignore", "difficult")
"""A crowd stands for objects of its class; the others for whatever is there."""
BOX = ("xmin", "ymin", "xmax", "ymax")
INSIDE = 0.5
"""Share of a label's covering box within that of an ignored object from which it is that's."""


def ignored(units: Units, gold: Author, other: Author) -> Flags:
    """Return which objects do not count, shape (u,).

    These are objects of the gold set that are flagged so, with what was found there; and labels
    that no object has, of which half lies within such a one (within a crowd: of its class).
    """
    rows = _rows(gold, [*FLAGS, *BOX])
    flagged = rows.filter(are_flagged(rows))
    found = np.isin(units.labels[:, 0], np.asarray(flagged.column("annotation_id")))
    alone = np.flatnonzero((units.labels[:, 0] == NONE) & (units.labels[:, 1] != NONE))
    alone = alone[np.isin(units.items[alone], np.asarray(flagged.column("item_id")))]
    if len(alone):
        there = _rows(other, list(BOX))
        at = pc.index_in(pa.array(units.labels[alone, 1]),
                         value_set=there.column("annotation_id").combine_chunks())  # fmt: skip
        found[alone] = _within(there.take(at), flagged)
    return found


def are_flagged(rows: pa.Table) -> pa.ChunkedArray:
    """Return which labels are crowds, to be ignored or too difficult."""
    crowd, ignore, difficult = (rows.column(n).fill_null(False) for n in FLAGS)
    return pc.or_(pc.or_(crowd, ignore), difficult)


def _rows(author: Author, columns: list[str]) -> pa.Table:
    side = author.side
    names = ["item_id", "annotation_id", "category_id", *columns]
    rows = side.manifest.table(TABLES["annotations"], names, side.layer)
    own = side.keys.column("annotation_id").combine_chunks()
    return rows.filter(pc.is_in(rows.column("annotation_id"), value_set=own))


def _within(labels: pa.Table, regions: pa.Table) -> Flags:
    """Return which labels lie by half within one of the regions of their item, shape (n,)."""
    items = np.asarray(labels.column("item_id"))
    order = np.argsort(np.asarray(regions.column("item_id")), kind="stable")
    of = np.asarray(regions.column("item_id"))[order]
    first, last = np.searchsorted(of, items), np.searchsorted(of, items, "right")
    label = np.repeat(np.arange(len(items)), last - first)
    begins = np.concatenate([[0], np.cumsum(last - first)[:-1]])
    region = order[np.arange(len(label)) - np.repeat(begins - first, last - first)]
    a, b = _boxes(labels)[label], _boxes(regions)[region]
    shared = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    inner = np.where((shared > 0).all(axis=1), shared.prod(axis=1), 0.0)
    inner = np.where(_alike(labels, regions, label, region), inner, 0.0)
    size = (a[:, 2:] - a[:, :2]).prod(axis=1)
    found = np.zeros(len(items), bool)
    found[label[(inner > 0) & (inner >= INSIDE * size)]] = True
    return found


def _alike(labels: pa.Table, regions: pa.Table, label: Ids, region: Ids) -> Flags:
    """Return which pairs are of one class, or of a region that stands for any; shape (k,)."""
    own, other = (
        np.asarray(rows.column("category_id").fill_null(-1)) for rows in (labels, regions)
    )
    any_ = ~np.asarray(regions.column("is_crowd").fill_null(False))
    return np.asarray((own[label] == other[region]) | any_[region], bool)


def _boxes(rows: pa.Table) -> NDArray[np.float64]:
    return np.stack([np.asarray(rows.column(n).fill_null(np.nan)) for n in BOX], axis=1)
