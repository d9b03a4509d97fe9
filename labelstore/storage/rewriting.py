"""Edits applied to the parts of one partition: only parts near an edit are read or written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.model.tables import Table
from labelstore.storage.cutting import cut
from labelstore.storage.index import Part, build

ReadPart = Callable[[Part], pa.Table]
KeepFile = Callable[[Part, pa.Buffer], None]


@dataclass(frozen=True)
class Edits:
    """Rows to write and rows to drop, of one partition.

    Attributes:
        rows: rows in the table's schema, hashes not yet filled in; a row whose id is there
            already replaces that row.
        dropped: the key columns of the rows to drop.
    """

    rows: pa.Table
    dropped: pa.Table

    def __bool__(self) -> bool:
        """Say whether there is anything to do."""
        return bool(self.rows.num_rows or self.dropped.num_rows)


def rewrite(
    table: Table,
    partition: str,
    parts: list[Part],
    edits: Edits,
    *,
    target: int,
    read: ReadPart,
    keep: KeepFile,
) -> list[Part]:
    """Return the partition's parts after the edits, in order.

    Args:
        table: the table.
        partition: layer or scheme, or empty.
        parts: the partition's parts, in order.
        edits: what to change.
        target: rows a part should have.
        read: returns the rows of a part.
        keep: takes the file of each new part.
    """
    before = {p.order: p for p in parts}
    result: list[Part] = []
    for entry in _walk(table, parts, edits, target, read):
        if isinstance(entry, Part):
            result.append(entry)
            continue
        continued = bool(result) and result[-1].last_key == entry.column(table.key[0])[0].as_py()
        part, file = build(table, partition, entry, continued=continued)
        old = before.get(part.order)
        if old is not None and (old.digest, old.name) == (part.digest, part.name):
            result.append(old)
        else:
            keep(part, file)
            result.append(part)
    return result


@dataclass
class Rest:
    """Rows of a part that is not finished.

    Attributes:
        rows: the rows so far, or None.
        inside: whether they begin within an item that a boundary has cut.
    """

    rows: pa.Table | None = None
    inside: bool = False

    def split(self, table: Table, more: pa.Table, target: int, *, last: bool) -> list[pa.Table]:
        """Take more rows and return those of each part that is now finished."""
        rows = more if self.rows is None else pa.concat_tables([self.rows, more])
        keys = [np.asarray(rows.column(k).combine_chunks()) for k in table.key]
        second = keys[1] if len(keys) > 1 else None
        ends = cut(keys[0], second, target, last=last, inside=self.inside)
        starts = [0, *ends]
        begin = starts[-1]
        if 0 < begin < rows.num_rows:
            self.inside = bool(keys[0][begin] == keys[0][begin - 1])
        self.rows = rows.slice(begin) if begin < rows.num_rows else None
        self.inside = self.inside and self.rows is not None
        return [rows.slice(a, b - a) for a, b in zip(starts, ends, strict=False)]


def _walk(
    table: Table, parts: list[Part], edits: Edits, target: int, read: ReadPart
) -> Iterator[Part | pa.Table]:
    """Yield parts that stay as they are, and the rows of parts to write, in key order."""
    grouped = blocks(parts)
    shares = _share_out(table, grouped, edits)
    rest = Rest()
    for i, block in enumerate(grouped):
        if rest.rows is None and not shares[i]:
            yield from block
            continue
        rows = pa.concat_tables([read(p) for p in block])
        if shares[i]:
            rows = _apply(table, rows, shares[i])
        yield from rest.split(table, rows, target, last=i == len(grouped) - 1)
    if not grouped:
        rows = _apply(table, edits.rows.slice(0, 0), edits)
        yield from rest.split(table, rows, target, last=True)


def blocks(parts: list[Part]) -> list[list[Part]]:
    """Group parts that share an item, so that no item lies in two groups."""
    grouped: list[list[Part]] = []
    for part in parts:
        if grouped and grouped[-1][-1].last_key == part.first_key:
            grouped[-1].append(part)
        else:
            grouped.append([part])
    return grouped


def _share_out(table: Table, grouped: list[list[Part]], edits: Edits) -> list[Edits]:
    """Return the edits of each block: a key lies in the first block that ends at or after it."""
    last_keys = np.array([block[-1].last_key for block in grouped], np.int64)
    rows, row_ends = _by_block(edits.rows, table.key[0], last_keys)
    dropped, drop_ends = _by_block(edits.dropped, table.key[0], last_keys)
    return [
        Edits(rows.slice(a, b - a), dropped.slice(c, d - c))
        for (a, b), (c, d) in zip(row_ends, drop_ends, strict=True)
    ]


def _by_block(
    rows: pa.Table, key: str, last_keys: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> tuple[pa.Table, list[tuple[int, int]]]:
    ordered = rows.sort_by(key)
    values = np.asarray(ordered.column(key).combine_chunks())
    ends = np.searchsorted(values, last_keys, side="right")
    if len(ends):
        ends[-1] = len(values)
    starts = [0, *ends.tolist()]
    return ordered, list(pairwise(starts))


def _apply(table: Table, rows: pa.Table, edits: Edits) -> pa.Table:
    """Return the rows after the edits, sorted by key."""
    gone = pa.concat_arrays(
        [t.column(table.id_column).combine_chunks() for t in (edits.rows, edits.dropped)]
    )
    kept = rows.filter(pc.invert(pc.is_in(rows.column(table.id_column), value_set=gone)))
    merged = pa.concat_tables([kept, edits.rows]).combine_chunks()
    keys = [np.asarray(merged.column(k).combine_chunks()) for k in table.key]
    order = np.lexsort(keys[::-1])
    if (order[1:] > order[:-1]).all():
        return merged
    return merged.take(pa.array(order))
