"""Identity on import: which item or class of the store a source means.

Items match by their normalised URI and that of the video they are frames of (one that says no
video matches any), classes by (name, supercategory) where that is unique; of
several that bear a name those that their data set also gives the same id, then the k-th with the
k-th. A row without a name, or a class that only this data set lists, then matches by its source id
within the data set: so a class can be renamed. Everything else is new. A source that is silent
about a column, or says another thing than the row, keeps what it said under `stated`, so that its
own file can be written again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import InvalidInput
from labelstore.exchange.leftovers import without_order
from labelstore.model.arrow import with_column
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
    at = _positions(table, existing, incoming, dataset_id)
    new = at < 0
    if selection:
        _refuse_ambiguous(table, existing, incoming, at, dataset_id)
        incoming = _numbered_apart(table, existing, incoming, new, dataset_id)
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
    changed = _merged(table, *pairs, dataset_id, activity_id, keep_origin, holds, notices,
                      selection=selection)  # fmt: skip
    return Matched(ids, new, pa.concat_tables([fresh, changed]), notices)


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


def _with_parents(rows: pa.Table, ids: NDArray[np.int64]) -> pa.Table:
    """Return rows whose parents are ids, where they were local numbers."""
    numbers = rows.column("parent_id").combine_chunks()
    if numbers.null_count == len(numbers):
        return rows
    parents = ids[np.asarray(numbers.fill_null(0))]
    return with_column(rows, "parent_id", pa.array(parents, mask=np.asarray(numbers.is_null())))


def _refuse_ambiguous(
    table: Table, existing: pa.Table, incoming: pa.Table, at: NDArray[np.int64], dataset_id: int
) -> None:
    """Refuse rows of a name that several have, where no number tells which of them is meant."""
    names = [_names(table, rows, dataset_id) for rows in (existing, incoming)]
    called = [_called(rows, dataset_id)[0] for rows in (existing, incoming)]
    count = Counter(name for name, own in zip(names[0], called[0], strict=True) if own)
    unclear = [
        names[1][i] for i, place in enumerate(at.tolist())
        if place >= 0 and count[names[1][i]] > 1 and not _is_same(called[1][i], called[0][place])
    ]  # fmt: skip
    if unclear:
        told = (unclear[0] or ("?",))[0]
        raise InvalidInput(
            f"{len(unclear)} of the selection's {table.name} have names that others have, such "
            f"as {told!r}, and no number tells which is meant. Export all of them, or in a format "
            "with ids, such as coco.",
            code="selection-names",
        )


def _is_same(one: Key | None, other: Key | None) -> bool:
    """Say whether a source calls two rows the same, by a number or a key."""
    return one is not None and one == other and any(part is not None for part in one)


def _numbered_apart(
    table: Table, existing: pa.Table, incoming: pa.Table, new: NDArray[np.bool_], dataset_id: int
) -> pa.Table:
    """Return rows of which new ones have source ids after all others, if they have any."""
    entries = existing.column("sources").combine_chunks().flatten()
    own = entries.filter(pc.equal(entries.field("dataset_id"), dataset_id))
    last = max(pc.max(own.field("source_id")).as_py() or 0, 0)
    given = incoming.column("sources").combine_chunks().flatten().field("source_id")
    chosen = pc.and_(pa.array(new), given.is_valid())
    numbers = pc.if_else(chosen, pa.array(last + np.cumsum(new)), given)
    return with_sources(table, incoming, {"source_id": numbers})


def _last_seq(existing: pa.Table, dataset_id: int) -> int:
    """Return the highest place that a data set gives to a row, -1 where it has none."""
    entries = existing.column("sources").combine_chunks().flatten()
    own = entries.filter(pc.equal(entries.field("dataset_id"), dataset_id))
    return int(np.asarray(own.field("seq")).max(initial=-1))


def source_of(sources: Sequence[Row] | None, dataset_id: int) -> Row | None:
    """Return the entry of one data set among a row's sources."""
    return next((s for s in sources or () if s["dataset_id"] == dataset_id), None)


def _positions(
    table: Table, existing: pa.Table, incoming: pa.Table, dataset_id: int
) -> NDArray[np.int64]:
    """Return the place among the existing rows of each incoming one, -1 where it is new."""
    found = np.full(incoming.num_rows, -1)
    if not existing.num_rows:
        return found
    names = [_names(table, rows, dataset_id) for rows in (existing, incoming)]
    called, order = _called(existing, dataset_id)
    source = [called, _called(incoming, dataset_id)[0]]
    free = np.ones(existing.num_rows, bool)
    renamable = _renamable(table, existing)
    inside = [_parents(table, rows) for rows in (existing, incoming)]
    within = [[n and (*n, p) for n, p in zip(*side, strict=True)]
              for side in zip(names, inside, strict=True)]  # fmt: skip
    both = [[n and s and (n, s) for n, s in zip(*side, strict=True)]
            for side in zip(within, source, strict=True)]  # fmt: skip
    for keys in (both, within, names, source):
        left = np.flatnonzero(found < 0).tolist()
        for i, at in _paired(keys, left, [i for i in order if free[i]]):
            if keys is names and inside[0][at] is not None and inside[1][i] is not None:
                continue  # frames of different videos
            if keys is not source or renamable[at] or not (names[0][at] and names[1][i]):
                found[i], free[at] = at, False
    return found


def _parents(table: Table, rows: pa.Table) -> list[str | None]:
    """Return the URI of what each item is part of; None where it is of nothing, and of classes.

    Parents are ids in rows of the store, and places in rows of a source.
    """
    column = rows.column("parent_id") if table.name == "items" else None
    if column is None or column.null_count == len(column):
        return [None] * rows.num_rows
    uris = dict(zip(rows.column("item_id").to_pylist(), rows.column("uri").to_pylist(),
                    strict=True))  # fmt: skip
    return [None if parent is None else uris.get(parent) or "" for parent in column.to_pylist()]


def _renamable(table: Table, existing: pa.Table) -> NDArray[np.bool_]:
    """Return which rows its one source may give another name: classes that no other lists.

    An image of another name is another image, whatever number it has: it must not inherit a split.
    """
    if table.name == "items":
        return np.zeros(existing.num_rows, bool)
    return np.asarray(pc.equal(pc.list_value_length(existing.column("sources")), 1))


def _paired(
    keys: Sequence[Sequence[Key | None]], left: list[int], free: list[int]
) -> Iterator[tuple[int, int]]:
    """Yield pairs (incoming, existing) of the same key, the k-th of a key by the k-th."""
    there = dict(zip(numbered(keys[0][i] for i in free), free, strict=True))
    for i, key in zip(left, numbered(keys[1][i] for i in left), strict=True):
        if key[0] and key in there:
            yield i, there[key]


def numbered(keys: Iterable[Any]) -> list[Key]:
    """Return keys with how many equal ones came before."""
    seen: Counter[Any] = Counter()
    found = []
    for key in keys:
        found.append((key, seen[key]))
        seen[key] += 1
    return found


def _called(rows: pa.Table, dataset_id: int) -> tuple[list[Key | None], list[int]]:
    """Return what a data set calls each row, None where it does not list it, and its order."""
    column = rows.column("sources").combine_chunks()
    entries, parents = column.flatten(), np.asarray(pc.list_parent_indices(column))
    own = np.flatnonzero(np.asarray(pc.equal(entries.field("dataset_id"), dataset_id)))
    called: list[Key | None] = [None] * rows.num_rows
    ids = (entries.field(n).take(pa.array(own)).to_pylist() for n in SOURCE_IDS)
    for at, key in zip(parents[own].tolist(), zip(*ids, strict=True), strict=True):
        called[at] = key
    seqs = np.full(rows.num_rows, np.iinfo(np.int64).max)
    seqs[parents[own]] = np.asarray(entries.field("seq"))[own]
    return called, np.argsort(seqs, kind="stable").tolist()


def _names(table: Table, rows: pa.Table, dataset_id: int) -> list[Key | None]:
    """Return the URI or the names of each row, None where it has none.

    Names that several classes bear say nothing of the classes of another data set.
    """
    columns = ["uri", "modality"] if table.name == "items" else ["name", "supercategory"]
    plain = list(zip(*(rows.column(n).to_pylist() for n in columns), strict=True))
    if table.name == "categories":  # no parent and one without a name are the same
        plain = [(name, parent or None) for name, parent in plain]
    if table.name == "items":
        return [(uri, what == "video") if uri is not None else None for uri, what in plain]
    count = Counter(plain)
    return [
        None if key[0] is None else key if count[key] == 1 else (*key, dataset_id) for key in plain
    ]


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


def _merged(
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
