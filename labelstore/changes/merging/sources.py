"""What sources say of an item or a class: an entry of each data set, merged by data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labelstore.model.arrow import with_column

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.changes.merging.cells import Cells

    Flags = NDArray[np.bool_]

SOURCES = "sources"
Entry = dict[str, Any]


def with_united(cells: Cells, rows: pa.Table, leading: Flags) -> tuple[pa.Table, Flags]:
    """Return merged rows that have the entries of both sides, and which are not ours by that.

    Args:
        cells: rows of three sides.
        rows: merged otherwise.
        leading: where theirs leads; it does where both sides changed one entry.
    """
    both = np.flatnonzero(cells.rest[SOURCES].both & cells.in_ours & cells.in_theirs)
    more = np.zeros(cells.count, bool)
    if not len(both):
        return rows, more
    at = pa.array(both)
    sides = [table.column(SOURCES).take(at).to_pylist()
             for table in (cells.base, cells.ours, cells.theirs)]  # fmt: skip
    united = [_united(*own, theirs_leads=bool(lead))
              for *own, lead in zip(*sides, leading[both], strict=True)]  # fmt: skip
    more[both] = [new != own for new, own in zip(united, sides[1], strict=True)]
    column = rows.column(SOURCES).combine_chunks()
    values = pa.chunked_array([column, pa.array(united, column.type)])
    places = np.arange(cells.count)
    places[both] = cells.count + np.arange(len(both))
    return with_column(rows, SOURCES, values.take(pa.array(places)).combine_chunks()), more


def _united(
    base: list[Entry] | None, ours: list[Entry], theirs: list[Entry], *, theirs_leads: bool
) -> list[Entry]:
    """Return the entries of both sides, by data set; of one that a side alone changed that one."""
    was, one, other = ({e["dataset_id"]: e for e in own or []} for own in (base, ours, theirs))
    found = []
    for dataset in sorted({*one, *other}):
        a, b, old = one.get(dataset), other.get(dataset), was.get(dataset)
        chosen = b if a == old or (theirs_leads and b != old) else a
        if chosen is not None:
            found.append(chosen)
    return found
