"""Canonical bytes of rows and their hashes. Format version 1, definition 1.

A row is the concatenation, in order of field number, of `number (uint16) value` for its non-null
fields; the hash columns themselves are left out. A value is written as a sequence of one element:

- numbers, booleans, timestamps: their little-endian bytes (float bits as they are: 0.0 and -0.0
  differ), one after another;
- text and bytes: all lengths (uint32), then all bytes;
- lists and maps: all counts (uint32), then the members of all lists as one sequence (a map as its
  keys, then its values);
- structs: the sequence of the first child, then of the second, and so on;
- the members of structs, which may be null: a byte each, 1 for present, then those present.

The leaf of a row is BLAKE2b-256 of these bytes, personalised; its first eight bytes,
little-endian, are `row_hash`. A new nullable column therefore changes no hash of rows that do not
use it. The bytes of many rows are built column by column; the only step per row is the hash call.
"""

from __future__ import annotations

import hashlib
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from labelstore.model.arrow import with_column
from labelstore.model.shape import shapes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.model.tables import Table

    Bytes = NDArray[np.uint8]
    Bounds = NDArray[np.int64]
    Piece = tuple[Bytes, Bounds]

HASH_DEFINITION = 1
LEAF_PERSON = b"labelstore.row1"


def leaves(table: Table, rows: pa.RecordBatch) -> Bytes:
    """Return the leaf hash of each row.

    Args:
        table: the rows' table.
        rows: record batch of n rows in the table's schema.

    Returns:
        Shape (n, 32), uint8.
    """
    joined = row_bytes(table, rows)
    data = memoryview(joined.buffers()[2] or b"")
    ends = np.frombuffer(joined.buffers()[1], np.int64, len(joined) + 1).tolist()
    begun = hashlib.blake2b(digest_size=32, person=LEAF_PERSON).copy  # cheaper than to begin anew
    digests = []
    for a, b in pairwise(ends):
        leaf = begun()
        leaf.update(data[a:b])
        digests.append(leaf.digest())
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)


def short_hashes(leaf: Bytes) -> NDArray[np.uint64]:
    """Return the 64-bit hash that is stored in each row, shape (n,)."""
    return np.ascontiguousarray(leaf[:, :8]).view("<u8").reshape(-1).astype(np.uint64)


def with_hashes(table: Table, rows: pa.RecordBatch) -> tuple[pa.RecordBatch, Bytes]:
    """Return the rows with their hash column filled, and their leaves."""
    leaf = leaves(table, rows)
    return with_column(rows, table.hash_column, short_hashes(leaf)), leaf


def row_bytes(table: Table, rows: pa.RecordBatch) -> pa.Array:
    """Return the canonical bytes of each row, as a large binary array of n values."""
    pieces: list[Piece] = []
    for number, name in _numbered(table):
        column = rows.column(name)
        if column.null_count < len(column):
            _append_column(pieces, number, column)
    if not pieces:
        return pa.array([b""] * len(rows), pa.large_binary())
    return _join(_merged(pieces, len(rows)), len(rows))


def value_bytes(column: pa.Array) -> pa.Array:
    """Return the canonical bytes of each value of one column, null where it is null.

    Two values are equal exactly when their bytes are; this compares nested types row by row.
    """
    pieces: list[Piece] = []
    _append_column(pieces, 0, column)
    return pc.if_else(column.is_valid(), _join(pieces, len(column)), None)


def _numbered(table: Table) -> list[tuple[int, str]]:
    columns = [(s.column, n) for n, s in shapes(table.model).items() if s.column]
    return sorted((c.number, n) for c, n in columns if c.role != "hash")


def _append_column(pieces: list[Piece], number: int, column: pa.Array) -> None:
    """Add a top-level column; a null row takes no bytes at all."""
    bounds, present = _present(column)
    header = np.frombuffer(np.uint16(number).astype("<u2").tobytes(), np.uint8)
    fixed = _fixed(present)
    if fixed is None:
        pieces.append((np.tile(header, len(present)), bounds * 2))
        _append_sequence(pieces, present, bounds)
        return
    record = np.empty((len(present), 2 + fixed.shape[1]), np.uint8)
    record[:, :2] = header
    record[:, 2:] = fixed
    pieces.append((record.reshape(-1), bounds * record.shape[1]))


def _merged(pieces: list[Piece], rows: int) -> list[Piece]:
    """Return fewer pieces: neighbours of which each row has the same number of bytes are one."""
    found: list[Piece] = []
    for same, run in groupby(pieces, lambda piece: _is_record(piece[1])):
        members = list(run)
        if same and len(members) > 1:
            parts = [data[ends[0] : ends[-1]].reshape(rows, -1) for data, ends in members]
            record = np.concatenate(parts, axis=1)
            members = [(record.reshape(-1), np.arange(rows + 1) * record.shape[1])]
        found += members
    return found


def _is_record(bounds: Bounds) -> bool:
    """Say whether each row has the same number of bytes."""
    width, odd = divmod(int(bounds[-1] - bounds[0]), max(len(bounds) - 1, 1))
    return width > 0 and not odd and bool((np.diff(bounds) == width).all())


def _append_sequence(pieces: list[Piece], values: pa.Array, bounds: Bounds) -> None:
    """Add the members of one list per row; row i owns values[bounds[i]:bounds[i + 1]]."""
    kind = values.type
    fixed = _fixed(values)
    if fixed is not None:
        pieces.append((fixed.reshape(-1), bounds * fixed.shape[1]))
    elif pat.is_struct(kind):
        for i in range(kind.num_fields):
            _append_member(pieces, kind.field(i), values.field(i), bounds)
    elif pat.is_map(kind) or pat.is_list(kind):
        inner = _offsets(values)
        _append_lengths(pieces, inner, bounds)
        within = inner[bounds]
        if pat.is_map(kind):
            _append_sequence(pieces, values.keys, within)
            _append_sequence(pieces, values.items, within)
        else:
            _append_member(pieces, kind.value_field, values.values, within)
    else:
        inner = _offsets(values)
        _append_lengths(pieces, inner, bounds)
        data = values.buffers()[2]
        text = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
        pieces.append((text, inner[bounds]))


def _append_member(pieces: list[Piece], field: pa.Field, values: pa.Array, bounds: Bounds) -> None:
    if not field.nullable:
        _append_sequence(pieces, values, bounds)
        return
    valid = np.asarray(values.is_valid())
    pieces.append((valid.astype(np.uint8), bounds))
    kept, present = _present(values)
    _append_sequence(pieces, present, kept[bounds])


def _append_lengths(pieces: list[Piece], offsets: Bounds, bounds: Bounds) -> None:
    lengths = np.diff(offsets).astype("<u4")
    pieces.append((lengths.view(np.uint8), bounds * 4))


def _present(column: pa.Array) -> tuple[Bounds, pa.Array]:
    """Return where each row's value begins among the non-null ones, and these."""
    if column.null_count == 0:
        return np.arange(len(column) + 1, dtype=np.int64), column
    valid = np.asarray(column.is_valid())
    bounds = np.zeros(len(column) + 1, np.int64)
    np.cumsum(valid, out=bounds[1:])
    if pat.is_list(column.type):
        offsets = _offsets(column)
        if not np.diff(offsets)[~valid].any():  # then no member has to be moved
            kept = pa.array(offsets[np.append(valid, True)].astype(np.int32))
            return bounds, pa.ListArray.from_arrays(kept, column.values, type=column.type)
    return bounds, column.drop_null()


def _fixed(values: pa.Array) -> Bytes | None:
    """Return the little-endian bytes of fixed-width values, shape (n, width), or None."""
    kind = values.type
    if pat.is_boolean(kind):
        numbers: NDArray[Any] = np.asarray(values).astype(np.uint8)
    elif pat.is_timestamp(kind):
        numbers = np.asarray(values.cast(pa.int64()))
    elif pat.is_integer(kind) or pat.is_floating(kind):
        numbers = np.asarray(values)
    else:
        return None
    little = np.ascontiguousarray(numbers, numbers.dtype.newbyteorder("<"))
    return little.view(np.uint8).reshape(len(values), numbers.itemsize)


def _offsets(values: pa.Array) -> Bounds:
    """Return the offsets of a list, map, text or binary array as int64, shape (n + 1,)."""
    raw = np.frombuffer(values.buffers()[1], np.int32, values.offset + len(values) + 1)
    return raw[values.offset :].astype(np.int64)


def _join(pieces: list[Piece], rows: int) -> pa.Array:
    columns = [
        pa.Array.from_buffers(
            pa.large_binary(),
            rows,
            [None, pa.py_buffer(np.ascontiguousarray(bounds)), pa.py_buffer(data)],
        )
        for data, bounds in pieces
    ]
    joined = pc.binary_join_element_wise(*columns, pa.scalar(b"", pa.large_binary()))
    return joined if isinstance(joined, pa.Array) else pa.array([joined.as_py()])
