"""Rows that both sides touched, as they are after the merge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from labelstore.changes.merging.cells import Cells, Changes, cells_of
from labelstore.changes.merging.conflicts import WHOLE
from labelstore.changes.merging.sources import SOURCES, with_united
from labelstore.storage.parquet import conform
from labelstore.storage.rewriting import Edits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.changes.merging.conflicts import Context

    Flags = NDArray[np.bool_]


def composed(
    cells: Cells, theirs: Mapping[str, Flags], context: Context, activity_id: int
) -> dict[str, Edits]:
    """Return the edits of ours that make the merged rows, by table.

    Args:
        cells: rows that both sides touched.
        theirs: by cell which rows take theirs, of those in conflict.
        context: tells which side's activity was earlier.
        activity_id: the merge, which is what last wrote rows that have something of both.
    """
    whole = theirs.get(WHOLE, np.zeros(cells.count, bool))
    rows, changed = _merged(cells, theirs, context, activity_id)
    back = ~cells.in_ours & cells.in_theirs & cells.in_base & whole
    gone = cells.in_ours & ~cells.in_theirs & cells.in_base & (~cells.any_of("ours") | whole)
    written = pa.concat_tables([rows.filter(pa.array(changed)),
                                cells.theirs.filter(pa.array(back))])  # fmt: skip
    moved = changed & _elsewhere(cells, rows)
    edits = {}
    for table in cells.unit.tables:
        own = conform(written.select(table.schema.names), table)
        edits[table.name] = Edits(own, cells.ours.filter(pa.array(gone | moved)).select(
            list(table.key)))  # fmt: skip
    return edits


def _elsewhere(cells: Cells, rows: pa.Table) -> Flags:
    """Return which rows have another key now, such as labels on another item."""
    found = np.zeros(cells.count, bool)
    for key in cells.unit.key:
        before, after = (np.asarray(r.column(key).fill_null(-1).combine_chunks())
                         for r in (cells.ours, rows))  # fmt: skip
        found |= before != after
    return found


def _merged(
    cells: Cells, theirs: Mapping[str, Flags], context: Context, activity_id: int
) -> tuple[pa.Table, Flags]:
    """Return all rows merged, and which of them, of those that both have, are not ours."""
    unit, nowhere = cells.unit, np.zeros(cells.count, bool)
    source: dict[str, Flags] = {}
    other, same = nowhere.copy(), nowhere.copy()  # has something of theirs, of ours
    for cell, columns in cells_of(unit).items():
        changes = cells.content[cell]
        taken = changes.taken | changes.both & theirs.get(cell, nowhere)
        source |= dict.fromkeys(columns, taken)
        other |= taken & changes.apart
        same |= ~taken & changes.apart
    leading = np.where(other == same, ~other & _earlier(cells, context), other)
    for column, changes in cells.rest.items():
        source[column] = _rest(changes, leading)
        other |= source[column] & changes.apart
    mixed = same & other
    rows = pa.table({c: _chosen(cells, c, source.get(c, nowhere)) for c in unit.columns})
    if SOURCES in cells.rest:
        rows, more = with_united(cells, rows, leading)
        other |= more
    if "changed_in" in unit.columns:
        last = pa.array(np.where(mixed, activity_id, 0))
        column = pa.chunked_array([rows.column("changed_in").combine_chunks(), last])
        at = np.where(mixed, cells.count, 0) + np.arange(cells.count)
        rows = rows.set_column(rows.schema.get_field_index("changed_in"), "changed_in",
                               column.take(pa.array(at)))  # fmt: skip
    return rows, other & cells.in_ours & cells.in_theirs


def _rest(changes: Changes, leading: Flags) -> Flags:
    """Return which rows have theirs of a column that says nothing of the label."""
    flags: Flags = changes.taken | changes.both & leading
    return flags


def _chosen(cells: Cells, column: str, theirs: Flags) -> pa.ChunkedArray:
    both = [rows.column(column).combine_chunks() for rows in (cells.ours, cells.theirs)]
    at = np.where(theirs, cells.count, 0) + np.arange(cells.count)
    return pa.chunked_array(both).take(pa.array(at))


def _earlier(cells: Cells, context: Context) -> Flags:
    """Return which rows theirs wrote before ours did."""
    found = np.zeros(cells.count, bool)
    if "changed_in" not in cells.unit.columns:
        return found
    sides = [rows.column("changed_in").to_pylist() for rows in (cells.ours, cells.theirs)]
    authors = (context.ours.activities, context.theirs.activities)
    for row, pair in enumerate(zip(*sides, strict=True)):
        own = [known.get(n) for known, n in zip(authors, pair, strict=True)]
        if pair[0] != pair[1] and own[0] and own[1]:
            found[row] = _when(own[1]) < _when(own[0])
    return found


def _when(activity: Mapping[str, object]) -> tuple[str, int]:
    """Return what orders activities, the same on both sides."""
    return str(activity["started_at"]), int(str(activity["activity_id"]))
