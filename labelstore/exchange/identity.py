"""Identity on import: which item or class of the store a source means.

Items match by their normalised URI (the k-th of that name with the k-th), else by their source id
within the same data set. Classes match by (name, supercategory) where that is unique. Everything
else is new. A source that is silent about a column, or says another thing than the row, keeps what
it said under `stated`, so that its own file can be written again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.model.tables import Table
from labelstore.storage.compare import differing
from labelstore.storage.parquet import conform

if TYPE_CHECKING:
    from numpy.typing import NDArray

Key = tuple[Any, ...]
Row = dict[str, Any]
SOURCE_IDS = ("source_id", "source_key")


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
) -> Matched:
    """Match a source's items or classes with the store's.

    Args:
        table: `items` or `categories`.
        existing: all rows of the store.
        incoming: rows of the source, numbered from 0.
        dataset_id: the source's data set.
        activity_id: who writes.
        take_ids: gives ids to new rows.
        keep_origin: leave order and source ids of rows that are otherwise equal.
    """
    incoming = conform(incoming, table)
    incoming = incoming.set_column(
        incoming.schema.get_field_index("sources"),
        table.schema.field("sources"),
        with_dataset(incoming.column("sources"), dataset_id),
    )
    at = _positions(table, existing, incoming, dataset_id)
    new = at < 0
    ids = np.empty(len(at), np.int64)
    ids[new] = take_ids(int(new.sum()))
    if (~new).any():
        ids[~new] = np.asarray(existing.column(table.id_column).combine_chunks())[at[~new]]
    notices: Counter[str] = Counter()
    fresh = _fresh(table, existing, incoming.filter(pa.array(new)), ids[new], activity_id)
    pairs = existing.take(pa.array(at[~new])), incoming.filter(pa.array(~new))
    changed = _merged(table, *pairs, dataset_id, activity_id, keep_origin, notices)
    return Matched(ids, new, pa.concat_tables([fresh, changed]), notices)


def with_dataset(sources: pa.ChunkedArray, dataset_id: int) -> pa.Array:
    """Return a `sources` column whose entries name a data set."""
    column = sources.combine_chunks()
    entries = column.values
    names = [f.name for f in entries.type]
    ids = pa.array(np.full(len(entries), dataset_id, np.int64))
    fields = [ids if name == "dataset_id" else entries.field(name) for name in names]
    replaced = pa.StructArray.from_arrays(fields, fields=list(entries.type))
    return pa.ListArray.from_arrays(column.offsets, replaced, type=column.type)


def source_of(sources: Sequence[Row] | None, dataset_id: int) -> Row | None:
    """Return the entry of one data set among a row's sources."""
    return next((s for s in sources or () if s["dataset_id"] == dataset_id), None)


def _positions(
    table: Table, existing: pa.Table, incoming: pa.Table, dataset_id: int
) -> NDArray[np.int64]:
    """Return the place among the existing rows of each incoming one, -1 where it is new."""
    if not existing.num_rows:
        return np.full(incoming.num_rows, -1)
    known = {key: i for i, key in enumerate(_keys(table, existing, dataset_id)) if key}
    by_source = _by_source(existing, dataset_id)
    taken: set[int] = set()
    found = []
    own = incoming.column("sources").combine_chunks().values
    stated = list(zip(*(own.field(n).to_pylist() for n in SOURCE_IDS), strict=True))
    for key, source in zip(_keys(table, incoming, dataset_id), stated, strict=True):
        at = known.get(key, -1) if key else by_source.get(source, -1)
        if at < 0 and source in by_source and table.name == "categories":
            at = by_source[source] if _nameless(existing, by_source[source]) else -1
        found.append(-1 if at in taken else at)
        taken.add(at)
    return np.array(found, np.int64)


def _nameless(categories: pa.Table, at: int) -> bool:
    """Say whether a class is a placeholder, which its source may now have listed."""
    return bool(categories.column("unlisted")[at].as_py())


def _by_source(existing: pa.Table, dataset_id: int) -> dict[Key, int]:
    """Return the place of rows by what one data set calls them."""
    column = existing.column("sources").combine_chunks()
    entries = column.flatten()
    rows = np.asarray(pc.list_parent_indices(column))
    own = np.flatnonzero(np.asarray(pc.equal(entries.field("dataset_id"), dataset_id)))
    values = [entries.field(n).take(pa.array(own)).to_pylist() for n in SOURCE_IDS]
    return dict(zip(zip(*values, strict=True), rows[own].tolist(), strict=True))


def _keys(table: Table, rows: pa.Table, dataset_id: int) -> list[Key]:
    """Return what identifies each row: its URI or names, and how many of them came before."""
    names = ["uri"] if table.name == "items" else ["name", "supercategory"]
    plain = list(zip(*(rows.column(n).to_pylist() for n in names), strict=True))
    seen: Counter[Key] = Counter()
    keys: list[Key] = []
    for key in plain:
        keys.append((*key, seen[key]) if key[0] is not None else ())
        seen[key] += 1
    if table.name == "items":
        return keys
    return [key if seen[plain[i]] == 1 else (*key, dataset_id) for i, key in enumerate(keys)]


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
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, table.schema.field(name), pa.array(values))
    return rows


def _merged(
    table: Table,
    before: pa.Table,
    after: pa.Table,
    dataset_id: int,
    activity_id: int,
    keep_origin: bool,
    notices: Counter[str],
) -> pa.Table:
    """Return the existing rows that the source changes, changed."""
    if not before.num_rows:
        return table.schema.empty_table()
    content = [c for c in table.columns("content") if c not in (table.id_column, "position")]
    alike = _alike(before, after, content, keep_origin)
    rows = []
    for i in np.flatnonzero(~alike).tolist():
        (old,), (new,) = before.slice(i, 1).to_pylist(), after.slice(i, 1).to_pylist()
        merged = _merge_one(old, new, content, dataset_id, keep_origin, notices)
        if merged != old:
            rows.append({**merged, "changed_in": activity_id})
    return pa.Table.from_pylist(rows, schema=table.schema)


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
    ignored = {"seq", *SOURCE_IDS} if keep_origin else set()
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
        entry.update({n: before[n] for n in ("seq", *SOURCE_IDS)})
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
    at = rows.schema.get_field_index("sources")
    chosen = chosen.set_column(at, table.schema.field("sources"), singles)
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
