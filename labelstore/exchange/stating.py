"""What each source states of an item or class, beside what the store has of it.

A source that is silent about a column, or says another thing than the row, keeps what it said
under `stated`, so that its own file can be written again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.exchange.leftovers import without_order
from labelstore.model.arrow import with_column
from labelstore.model.tables import Table
from labelstore.storage.compare import differing

if TYPE_CHECKING:
    from numpy.typing import NDArray

Row = dict[str, Any]


def with_sources(table: Table, rows: pa.Table, values: Mapping[str, Any]) -> pa.Table:
    """Return rows, each with one entry in `sources`, with members of the entries set."""
    column = rows.column("sources").combine_chunks()
    entries = column.values
    fields = [
        _spread(values[f.name], len(entries), f.type)
        if f.name in values
        else entries.field(f.name)
        for f in entries.type
    ]
    replaced = pa.StructArray.from_arrays(fields, fields=list(entries.type))
    lists = pa.ListArray.from_arrays(column.offsets, replaced, type=column.type)
    return with_column(rows, "sources", lists)


def _spread(value: Any, count: int, kind: pa.DataType) -> pa.Array:
    if isinstance(value, pa.Array):
        return value.cast(kind)
    return pa.array(np.broadcast_to(value, count), kind)


def source_of(sources: Sequence[Row] | None, dataset_id: int) -> Row | None:
    """Return the entry of one data set among a row's sources."""
    return next((s for s in sources or () if s["dataset_id"] == dataset_id), None)


def merged(
    table: Table,
    before: pa.Table,
    after: pa.Table,
    dataset_id: int,
    activity_id: int,
    keep_origin: bool,
    holds: Collection[str],
    notices: Counter[str],
    *,
    selection: bool,
) -> pa.Table:
    """Return the existing rows that the source changes, changed.

    A selection says nothing of where they stand in the file of all.
    """
    if selection and before.num_rows:
        after = with_column(after, "sources", _kept_entries(before, after, dataset_id))
    if not before.num_rows:
        return table.schema.empty_table()
    content = [c for c in table.columns("content") if c in holds]
    alike = _alike(before, after, content, keep_origin)
    rows = []
    for i in np.flatnonzero(~alike).tolist():
        (old,), (new,) = before.slice(i, 1).to_pylist(), after.slice(i, 1).to_pylist()
        merged = _merge_one(old, new, content, dataset_id, keep_origin, notices)
        if merged != old:
            rows.append({**merged, "changed_in": activity_id})
    return pa.Table.from_pylist(rows, schema=table.schema)


def _kept_entries(before: pa.Table, after: pa.Table, dataset_id: int) -> pa.Array:
    """Return what the data set said of each row, or what it says now where it did not list it."""
    pairs = zip(*(rows.column("sources").to_pylist() for rows in (before, after)), strict=True)
    found = [[source_of(old, dataset_id) or new[0]] for old, new in pairs]
    return pa.array(found, after.schema.field("sources").type)


def _alike(
    before: pa.Table, after: pa.Table, content: Iterable[str], keep_origin: bool
) -> NDArray[np.bool_]:
    """Return which pairs need no look: the same columns, and the same one source."""
    single = pc.equal(pc.list_value_length(before.column("sources")), 1)
    alike = np.array(single, bool)
    for flags in differing(before, after, content).values():
        alike &= ~flags
    chosen = [
        t.column("sources").filter(pa.array(alike)).combine_chunks() for t in (before, after)
    ]
    entries = [c.flatten() for c in chosen]
    names = [f.name for f in entries[0].type]
    ignored = {"seq"} if keep_origin else set()
    tables = [pa.Table.from_arrays([e.field(n) for n in names], names=names) for e in entries]
    places = np.flatnonzero(alike)
    for flags in differing(tables[0], tables[1], [n for n in names if n not in ignored]).values():
        alike[places[flags]] = False
    return alike


def _merge_one(
    old: Row,
    new: Row,
    content: Sequence[str],
    dataset_id: int,
    keep_origin: bool,
    notices: Counter[str],
) -> Row:
    """Return a row after one more source has spoken of it."""
    merged = dict(old)
    others = [dict(s) for s in old["sources"] if s["dataset_id"] != dataset_id]
    before = source_of(old["sources"], dataset_id)
    (entry,) = (dict(s) for s in new["sources"])
    if before is not None and keep_origin:
        entry["seq"] = before["seq"]
        said = without_order(pa.array([before["leftovers"], entry["leftovers"]], pa.string()))
        if said[0] == said[1]:
            entry["leftovers"] = before["leftovers"]
    stated: dict[str, Any] = {}
    for name in content:
        theirs, ours = new[name], old[name]
        if theirs == ours or (name == "labelled_state" and ours == "unlisted"):
            merged[name] = theirs
        elif not others or ours is None:
            merged[name] = theirs
            _mark_silent(others, name)
        else:
            stated[name] = theirs
            if theirs is not None:
                notices["value-differs-between-sources"] += 1
    if stated:
        entry["stated"] = json.dumps(stated)
    sources = [entry if s["dataset_id"] == dataset_id else s for s in old["sources"]]
    silent = {s["dataset_id"]: s for s in others}
    sources = [silent.get(s["dataset_id"], s) for s in sources]
    merged["sources"] = sources if before is not None else [*sources, entry]
    return merged


def _mark_silent(others: Iterable[Row], name: str) -> None:
    """Note in other sources that they say nothing of a column that is now filled."""
    for source in others:
        stated = json.loads(source["stated"]) if source["stated"] else {}
        if name not in stated:
            source["stated"] = json.dumps({**stated, name: None})


def as_stated(table: Table, rows: pa.Table, dataset_id: int) -> pa.Table:
    """Return the rows that a data set lists, as it stated them, in its order.

    Each row keeps only that data set's entry in `sources`.
    """
    column = rows.column("sources").combine_chunks()
    entries = column.flatten()
    parents = np.asarray(pc.list_parent_indices(column))
    own = np.asarray(pc.equal(entries.field("dataset_id"), dataset_id))
    entries, parents = entries.filter(pa.array(own)), parents[own]
    order = np.argsort(np.asarray(entries.field("seq")), kind="stable")
    entries, chosen = entries.take(pa.array(order)), rows.take(pa.array(parents[order]))
    singles = pa.ListArray.from_arrays(
        pa.array(np.arange(len(entries) + 1, dtype=np.int32)), entries, type=column.type
    )
    chosen = with_column(chosen, "sources", singles)
    return _overridden(table, chosen, entries.field("stated"))


def _overridden(table: Table, rows: pa.Table, stated: pa.Array) -> pa.Table:
    if stated.null_count == len(stated):
        return rows
    values: list[Row] = rows.to_pylist()
    for row, said in zip(values, stated.to_pylist(), strict=True):
        row.update(json.loads(said) if said else {})
    return pa.Table.from_pylist(values, schema=table.schema)


def placeholder(
    table: Table, key: str, row_id: int, *, dataset_id: int, seq: int, activity_id: int
) -> Mapping[str, Any]:
    """Return a row for an item or class that annotations use and the source does not list."""
    value = json.loads(key)
    whole = type(value) is int and -(2**63) <= value < 2**63
    source = {
        "dataset_id": dataset_id,
        "seq": seq,
        "source_id": value if whole else None,
        "source_key": None if whole else key,
    }
    marks: Row = (
        {"modality": "image", "labelled_state": "unlisted"}
        if table.name == "items"
        else {"unlisted": True, "position": seq}
    )
    own = {table.id_column: row_id, "changed_in": activity_id, table.hash_column: 0}
    return {**marks, **own, "sources": [source]}
