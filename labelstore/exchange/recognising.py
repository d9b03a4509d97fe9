"""Which item or class of the store each row of a source means.

Items match by their normalised URI and that of the video they are frames of (one that says no
video matches any), classes by (name, supercategory) where that is unique; of several that bear a
name those that their data set also gives the same id, then the k-th with the k-th. A row without a
name, or a class that only this data set lists, then matches by its source id within the data set:
so a class can be renamed. Everything else is new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.model.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

Key = tuple[Any, ...]
SOURCE_IDS = ("source_id", "source_key")


def positions(
    table: Table, existing: pa.Table, incoming: pa.Table, dataset_id: int
) -> NDArray[np.int64]:
    """Return the place among the existing rows of each incoming one, -1 where it is new."""
    found = np.full(incoming.num_rows, -1)
    if not existing.num_rows:
        return found
    names = [names_of(table, rows, dataset_id) for rows in (existing, incoming)]
    called, order = called_by(existing, dataset_id)
    source = [called, called_by(incoming, dataset_id)[0]]
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


def called_by(rows: pa.Table, dataset_id: int) -> tuple[list[Key | None], list[int]]:
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


def names_of(table: Table, rows: pa.Table, dataset_id: int) -> list[Key | None]:
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
