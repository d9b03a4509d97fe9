"""Tracks of a delivery: which ones of the store they are.

Tracks of one data set match by the sequence they live in and the source's own id.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.exchange.leftovers import without_order
from labelstore.model.arrow import with_column
from labelstore.model.tables import TABLES
from labelstore.storage.compare import differing
from labelstore.storage.parquet import conform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

KEY = ("item_id", "source_id", "source_key")


def match_tracks(
    existing: pa.Table,
    incoming: pa.Table,
    *,
    items: Ids,
    categories: Ids,
    constants: dict[str, Any],
    take_ids: Callable[[int], Ids],
    keep_origin: bool,
) -> tuple[Ids, pa.Table]:
    """Match a source's tracks with those of its data set.

    Args:
        existing: all tracks of the store.
        incoming: tracks of the source, numbered from 0.
        items: id of each listed item, by local number.
        categories: id of each listed class, by local number.
        constants: `dataset_id` and `changed_in` of what is written.
        take_ids: gives ids to new tracks.
        keep_origin: leave the order of tracks that are there as it is; new ones come after them.

    Returns:
        The id of each incoming track, shape (n,), and the rows that are new or differ.
    """
    table = TABLES["tracks"]
    rows = conform(incoming, table)
    for name, ids in (("item_id", items), ("category_id", categories)):
        numbers = rows.column(name).combine_chunks()
        if numbers.null_count < len(numbers):
            found = ids[np.asarray(numbers.fill_null(0))]
            rows = with_column(rows, name, pa.array(found, mask=np.asarray(numbers.is_null())))
    own = existing.filter(pc.equal(existing.column("dataset_id"), constants["dataset_id"]))
    known = {key: at for at, key in enumerate(_keys(own))}
    at = np.array([known.get(key, -1) for key in _keys(rows)], np.int64)
    if keep_origin:
        known_seqs = np.asarray(own.column("seq").fill_null(-1).combine_chunks())
        seqs = np.append(known_seqs, -1)[at]  # the last is that of new ones
        after = 1 + known_seqs.max(initial=-1) + np.arange(len(at))
        rows = with_column(rows, "seq", np.where(seqs < 0, after, seqs))
    ids = np.empty(len(at), np.int64)
    ids[at < 0] = take_ids(int((at < 0).sum()))
    ids[at >= 0] = np.asarray(own.column("track_id").combine_chunks())[at[at >= 0]]
    rows = with_column(rows, "track_id", ids)
    for name, value in constants.items():
        rows = with_column(rows, name, np.full(len(ids), value))
    changed = at < 0
    before, after = own.take(pa.array(at[at >= 0])), rows.filter(pa.array(at >= 0))
    if keep_origin:  # how an object is written stays
        before, after = (with_column(r, "leftovers", without_order(r.column("leftovers")))
                         for r in (before, after))  # fmt: skip
    columns = [*table.columns("content"), *([] if keep_origin else ["seq"])]
    for flags in differing(before, after, columns).values():
        changed[np.flatnonzero(at >= 0)[flags]] = True
    return ids, rows.filter(pa.array(changed))


def _keys(rows: pa.Table) -> list[tuple[Any, ...]]:
    return list(zip(*(rows.column(name).to_pylist() for name in KEY), strict=True))
