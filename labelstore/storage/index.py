"""The part index: one row per part, kept beside the parts as `_parts.parquet`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from labelstore.errors import Corrupt
from labelstore.model.canonical import with_hashes
from labelstore.model.tables import Table
from labelstore.storage.digests import digest, merkle_root, part_leaf
from labelstore.storage.parquet import conform, encode, write

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEMA = pa.schema(
    [
        pa.field("table", pa.string(), False),
        pa.field("partition", pa.string(), False),
        pa.field("name", pa.string(), False),
        pa.field("first_key", pa.int64(), False),
        pa.field("first_id", pa.int64(), False),
        pa.field("last_key", pa.int64(), False),
        pa.field("last_id", pa.int64(), False),
        pa.field("min_id", pa.int64(), False),
        pa.field("max_id", pa.int64(), False),
        pa.field("rows", pa.int64(), False),
        pa.field("columns", pa.int32(), False),
        pa.field("digest", pa.binary(16), False),
        pa.field("root", pa.binary(32), False),
        pa.field("size", pa.int64(), False),
        pa.field("classes", pa.list_(pa.field("element", pa.int64(), False)), False),
        pa.field("class_rows", pa.list_(pa.field("element", pa.int64(), False)), False),
    ]
)
UNCLASSED = -1
"""Stands for rows without a class in `classes`."""


@dataclass(frozen=True)
class Part:
    """What the index says of one part.

    Attributes:
        first_key, last_key: range of the key that parts are cut along (an item, or an id).
        first_id, last_id: id within the item of the first and last row.
        min_id, max_id: range of the ids of all rows.
        columns: how many columns the file has; fewer than today's in a part of an older schema.
        digest: order-free 128-bit digest; the part's identity.
        root: BLAKE2b-256 Merkle root over the rows.
        size: bytes of the file.
        class_counts: rows per category id, `UNCLASSED` for none; annotations only.
    """

    table: str
    partition: str
    name: str
    first_key: int
    first_id: int
    last_key: int
    last_id: int
    min_id: int
    max_id: int
    rows: int
    columns: int
    digest: bytes
    root: bytes
    size: int
    class_counts: Mapping[int, int] = field(default_factory=dict, hash=False)

    @property
    def path(self) -> str:
        """Return the part's place below `labels/`."""
        return part_path(self.table, self.partition, self.name)

    @property
    def order(self) -> tuple[str, str, int, int]:
        """Return what parts are sorted by."""
        return (self.table, self.partition, self.first_key, self.first_id)


def part_path(table: str, partition: str, name: str) -> str:
    """Return the place of a part below `labels/`."""
    folder = f"{table}/{partition}" if partition else table
    return f"{folder}/{name}.parquet"


def build(
    table: Table, partition: str, rows: pa.Table, *, continued: bool = False
) -> tuple[Part, pa.Buffer]:
    """Return a part's index row and its file.

    Args:
        table: the rows' table.
        partition: the layer or scheme, or empty.
        rows: the part's rows, sorted by key; their hashes are computed here.
        continued: whether the part before ends within the same item.
    """
    (batch,) = conform(rows, table).combine_chunks().to_batches()
    batch, leaf = with_hashes(table, batch)
    file = encode(table, batch)
    keys = [np.asarray(batch.column(k)) for k in table.key]
    name = part_name(int(keys[0][0]), int(keys[-1][0]) if continued else None)
    return described(table, partition, name, batch, leaf, len(table.schema), file.size), file


def described(
    table: Table, partition: str, name: str, rows: pa.RecordBatch, leaf: NDArray[np.uint8],
    columns: int, size: int,
) -> Part:  # fmt: skip
    """Return what the index says of a part.

    Args:
        table: the rows' table.
        partition: the layer or scheme, or empty.
        name: of the part.
        rows: sorted by key, with their hashes.
        leaf: shape (n, 32), leaves of the rows.
        columns: how many its file has.
        size: bytes of its file.
    """
    keys = [np.asarray(rows.column(k)) for k in table.key]
    ids = keys[-1]
    return Part(
        table=table.name,
        partition=partition,
        name=name,
        first_key=int(keys[0][0]),
        first_id=int(ids[0]),
        last_key=int(keys[0][-1]),
        last_id=int(ids[-1]),
        min_id=int(ids.min()),
        max_id=int(ids.max()),
        rows=len(rows),
        columns=columns,
        digest=digest(keys, np.asarray(rows.column(table.hash_column))),
        root=merkle_root(leaf),
        size=size,
        class_counts=_class_counts(rows) if table.name == "annotations" else {},
    )


def part_name(first_key: int, within: int | None = None) -> str:
    """Return the file name of a part: 16 hex digits of its first key, so edits inside keep it."""
    text = f"{first_key}" if within is None else f"{first_key}/{within}"
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _class_counts(rows: pa.RecordBatch) -> dict[int, int]:
    counted = pc.value_counts(rows.column("category_id").fill_null(UNCLASSED))
    pairs = zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True)
    return dict(sorted(pairs))


def encode_index(parts: Iterable[Part]) -> pa.Buffer:
    """Return `_parts.parquet` for the parts."""
    ordered = sorted(parts, key=lambda p: p.order)
    columns = {f.name: [getattr(p, f.name) for p in ordered] for f in list(SCHEMA)[:14]}
    columns["classes"] = [list(p.class_counts) for p in ordered]
    columns["class_rows"] = [list(p.class_counts.values()) for p in ordered]
    return write(pa.table(columns, schema=SCHEMA).combine_chunks())


def read_index(data: bytes, where: str) -> pa.Table:
    """Return the rows of `_parts.parquet`.

    Raises:
        Corrupt: the bytes are no part index.
    """
    try:
        with pq.ParquetFile(pa.BufferReader(data)) as file:
            return file.read(use_threads=False)
    except (pa.ArrowInvalid, OSError) as error:
        raise Corrupt(f"{where}: is no part index ({error})") from error


def decode_index(index: pa.Table, where: str, table: str | None = None) -> list[Part]:
    """Return the parts that an index lists, in order.

    Args:
        index: its rows.
        where: names it, for errors.
        table: only the parts of this table.

    Raises:
        Corrupt: it is no part index.
    """
    try:
        if table is not None:
            index = index.filter(pc.equal(index.column("table"), table))
        rows = index.to_pydict()
        names = [f.name for f in list(SCHEMA)[:14]]
        values = zip(*(rows[n] for n in names), strict=True)
        counts = zip(rows["classes"], rows["class_rows"], strict=True)
        return [
            Part(*(*row, dict(zip(*pair, strict=True))))
            for row, pair in zip(values, counts, strict=True)
        ]
    except (pa.ArrowInvalid, KeyError, ValueError) as error:
        raise Corrupt(f"{where}: is no part index ({error})") from error


def version_root(parts: Iterable[Part]) -> bytes:
    """Return the root of a version: the Merkle root over its parts in index order."""
    listed = [
        part_leaf(table=p.table, partition=p.partition, name=p.name, rows=p.rows, root=p.root)
        for p in sorted(parts, key=lambda p: p.order)
    ]
    return merkle_root(np.frombuffer(b"".join(listed), np.uint8).reshape(-1, 32))
