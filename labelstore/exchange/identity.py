"""Items and classes of a source, matched with the store's: which they are, and what changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.exchange.recognising import positions
from labelstore.exchange.selections import numbered_apart, refuse_ambiguous
from labelstore.exchange.stating import merged, with_sources
from labelstore.model.arrow import with_column
from labelstore.model.tables import Table
from labelstore.storage.parquet import conform

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass
class Matched:
    """Items or classes of one source, matched with the store's.

    Attributes:
        ids: id in the store of each of the source's rows, by local number.
        new: which of them the store did not have.
        rows: rows to write.
        notices: what is unusual, by stable code.
    """

    ids: NDArray[np.int64]
    new: NDArray[np.bool_]
    rows: pa.Table
    notices: Counter[str] = field(default_factory=Counter)


def match(
    table: Table,
    existing: pa.Table,
    incoming: pa.Table,
    *,
    dataset_id: int,
    activity_id: int,
    take_ids: Callable[[int], NDArray[np.int64]],
    keep_origin: bool,
    holds: Collection[str],
    selection: bool = False,
) -> Matched:
    """Match a source's items or classes with the store's.

    Args:
        table: `items` or `categories`.
        existing: all rows of the store.
        incoming: rows of the source, numbered from 0.
        dataset_id: the source's data set.
        activity_id: who writes.
        take_ids: gives ids to new rows.
        keep_origin: leave the order of rows that are there as it is; new ones come after them.
        holds: content columns that the format can hold; others are left as the store has them.
        selection: whether the source is of some rows, beside which its numbers mean nothing.

    Raises:
        InvalidInput: a selection has a name that several rows have, and no number tells which.
    """
    incoming = conform(incoming, table)
    incoming = with_sources(table, incoming, {"dataset_id": dataset_id})
    at = positions(table, existing, incoming, dataset_id)
    new = at < 0
    if selection:
        refuse_ambiguous(table, existing, incoming, at, dataset_id)
        incoming = numbered_apart(table, existing, incoming, new, dataset_id)
    if keep_origin:
        after = 1 + _last_seq(existing, dataset_id)
        seqs = np.where(new, after + np.arange(len(at)), np.arange(len(at)))
        incoming = with_sources(table, incoming, {"seq": seqs})
    ids = np.empty(len(at), np.int64)
    ids[new] = take_ids(int(new.sum()))
    if (~new).any():
        ids[~new] = np.asarray(existing.column(table.id_column).combine_chunks())[at[~new]]
    incoming = _with_parents(incoming, ids)
    notices: Counter[str] = Counter()
    fresh = _fresh(table, existing, incoming.filter(pa.array(new)), ids[new], activity_id)
    pairs = existing.take(pa.array(at[~new])), incoming.filter(pa.array(~new))
    changed = merged(table, *pairs, dataset_id, activity_id, keep_origin, holds, notices,
                      selection=selection)  # fmt: skip
    return Matched(ids, new, pa.concat_tables([fresh, changed]), notices)


def _with_parents(rows: pa.Table, ids: NDArray[np.int64]) -> pa.Table:
    """Return rows whose parents are ids, where they were local numbers."""
    numbers = rows.column("parent_id").combine_chunks()
    if numbers.null_count == len(numbers):
        return rows
    parents = ids[np.asarray(numbers.fill_null(0))]
    return with_column(rows, "parent_id", pa.array(parents, mask=np.asarray(numbers.is_null())))


def _last_seq(existing: pa.Table, dataset_id: int) -> int:
    """Return the highest place that a data set gives to a row, -1 where it has none."""
    entries = existing.column("sources").combine_chunks().flatten()
    own = entries.filter(pc.equal(entries.field("dataset_id"), dataset_id))
    return int(np.asarray(own.field("seq")).max(initial=-1))


def _fresh(
    table: Table, existing: pa.Table, rows: pa.Table, ids: NDArray[np.int64], activity_id: int
) -> pa.Table:
    columns: dict[str, Any] = {
        table.id_column: ids,
        "changed_in": np.full(len(ids), activity_id, np.int64),
    }
    if "position" in table.schema.names:
        first = 1 + max(existing.column("position").to_pylist(), default=-1)
        columns["position"] = np.arange(first, first + len(ids), dtype=np.int32)
    for name, values in columns.items():
        rows = with_column(rows, name, values)
    return rows
