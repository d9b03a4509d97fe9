"""A delivery whose numbers are not those of the last one: its labels are found by what they are.

Where numbers lead to the same shapes they are believed, and only labels that they do not lead to
are looked for; where they do not, as when a tool counted anew, all labels are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from labelstore.changes.matching import Labels, matched
from labelstore.changes.said import digests
from labelstore.geometry.covering import COLUMNS
from labelstore.model.tables import FAMILY, TABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.exchange.spill import Spill

    Ids = NDArray[np.int64]
    Rows = dict[str, pa.Table]

LOOKED_AT = ("item_id", "category_id", *COLUMNS)
"""Columns by which labels are taken for the same at a glance."""
MIX = np.uint64(0x9E3779B97F4A7C15)


def are_renumbered(before: pa.Table, after: pa.Table, old_of_new: Ids) -> bool:
    """Say whether numbers lead to other labels than what these look like.

    Args:
        before: n labels of the last delivery, with `LOOKED_AT`.
        after: m labels of this one.
        old_of_new: shape (m,), place of the label with the same number, or -1.
    """
    old, new = _looks(before), _looks(after)
    known = old_of_new >= 0
    by_number = int((old[old_of_new[known]] == new[known]).sum())
    codes = [np.unique(own, return_counts=True) for own in (old, new)]
    _, i, j = np.intersect1d(codes[0][0], codes[1][0], return_indices=True)
    by_looks = int(np.minimum(codes[0][1][i], codes[1][1][j]).sum())
    return 2 * by_number < by_looks


def _looks(rows: pa.Table) -> NDArray[np.uint64]:
    """Return a number for each row, the same for rows of one item, class and box."""
    found = np.zeros(rows.num_rows, np.uint64)
    for name in LOOKED_AT:
        column = rows.column(name).fill_null(-1).combine_chunks()
        values = np.ascontiguousarray(column.to_numpy(zero_copy_only=False))
        found = (found ^ values.view(np.uint64)) * MIX
        found ^= found >> np.uint64(29)
    return found


def rematched(
    old_of_new: Ids,
    before: pa.Table,
    source: Spill,
    blocks: Callable[[Ids], Iterable[tuple[int, int, Rows]]],
    stated: Collection[str],
) -> Ids:
    """Return for each new row the place of the label that it is, found by what it is.

    Args:
        old_of_new: shape (m,), those that are known, -1 for others.
        before: `item_id` and `annotation_id` of n old labels.
        source: the delivery.
        blocks: gives ranges of items that hold some, with the old labels on them.
        stated: columns of which the delivery speaks.
    """
    keys = source.keys
    found = old_of_new.copy()
    items, ids = (np.asarray(before.column(n).combine_chunks())
                  for n in ("item_id", "annotation_id"))  # fmt: skip
    free = np.ones(len(ids), bool)
    free[found[found >= 0]] = False
    wanted = np.intersect1d(items[free], keys[found < 0])
    if not len(wanted):
        return found
    order = np.argsort(ids)
    ordered = ids[order]
    unstated = {c for n in FAMILY for c in TABLES[n].columns("content") if c not in stated}
    for first, last, old in blocks(wanted):
        a, b = np.searchsorted(keys, first), np.searchsorted(keys, last, side="right")
        own = np.asarray(old["annotations"].column("annotation_id").combine_chunks())
        at = order[np.minimum(np.searchsorted(ordered, own), len(ids) - 1)]
        known = ids[at] == own  # others are on items between those that are wanted
        left = np.flatnonzero(known & free[at] & np.isin(items[at], wanted))
        new = np.flatnonzero((found[a:b] < 0) & np.isin(keys[a:b], wanted))
        rows = {name: source.rows_of_items(name, first, last) for name in FAMILY}
        pairs = matched(_labels(old, left, unstated), _labels(rows, new, unstated))
        found[a + new[pairs.after]] = at[left[pairs.before]]
    return found


def _labels(rows: Rows, at: Ids, unstated: Collection[str]) -> Labels:
    chosen = {name: table.take(pa.array(at)) for name, table in rows.items()}
    notes = chosen["annotations"]
    return Labels(
        np.asarray(notes.column("item_id").combine_chunks()),
        np.asarray(notes.column("category_id").fill_null(-1).combine_chunks()),
        np.array(notes.column("kind").to_pylist(), object),
        chosen["geometries"],
        digests(chosen, unstated),
    )
