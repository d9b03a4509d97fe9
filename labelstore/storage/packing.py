"""Lists of numbers as bytes, so that sorting rows copies memory instead of rebuilding lists.

Arrow's `take` on nested lists visits every number; on binary columns it copies. A list column
becomes one binary column per level, its lengths, and one of its numbers, all without a copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

if TYPE_CHECKING:
    from numpy.typing import NDArray

MARK = "\x1f"


def pack(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows with each list of numbers as binary columns."""
    arrays: list[pa.Array] = []
    names: list[str] = []
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        if _is_packable(column.type):
            packed = _packed(column)
            arrays += packed
            names += [f"{name}{MARK}{level}" for level in range(len(packed))]
        else:
            arrays.append(column)
            names.append(name)
    return pa.RecordBatch.from_arrays(arrays, names=names)


def unpack(rows: pa.RecordBatch, schema: pa.Schema) -> pa.Table:
    """Return packed rows with their list columns again.

    Args:
        rows: what `pack` gave, perhaps sorted, sliced or concatenated.
        schema: types of the columns by name.
    """
    columns: dict[str, list[pa.Array]] = {}
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        columns.setdefault(name.split(MARK)[0], []).append(column)
    arrays = [
        _unpacked(levels, schema.field(name).type) if len(levels) > 1 else levels[0]
        for name, levels in columns.items()
    ]
    fields = [schema.field(name) for name in columns]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _is_packable(kind: pa.DataType) -> bool:
    if not pat.is_list(kind):
        return False
    while pat.is_list(kind):
        kind = kind.value_type
    return bool(pat.is_integer(kind) or pat.is_floating(kind))


def _packed(column: pa.Array) -> list[pa.Array]:
    bounds = np.arange(len(column) + 1, dtype=np.int64)
    valid = column.is_valid() if column.null_count else None
    levels = []
    values = column
    while pat.is_list(values.type):
        offsets = np.asarray(values.offsets).astype(np.int64)
        sizes = np.diff(offsets).astype(np.int32)
        levels.append(_binary(sizes, bounds * 4, None))
        bounds = offsets[bounds]
        values = values.values
    numbers = np.asarray(values)
    levels.append(_binary(numbers, bounds * numbers.itemsize, valid))
    return levels


def _binary(
    data: NDArray[np.generic], bounds: NDArray[np.int64], valid: pa.Array | None
) -> pa.Array:
    mask = None if valid is None else _bitmap(valid)
    buffers = [mask, pa.py_buffer(bounds), pa.py_buffer(np.ascontiguousarray(data))]
    return pa.Array.from_buffers(pa.large_binary(), len(bounds) - 1, buffers)


def _bitmap(valid: pa.Array) -> pa.Buffer:
    """Return a boolean array without nulls as a validity bitmap from bit zero."""
    bits = np.packbits(np.asarray(valid), bitorder="little")
    return pa.py_buffer(bits.tobytes())


def _unpacked(levels: list[pa.Array], kind: pa.DataType) -> pa.Array:
    leaf = kind
    kinds = []
    while pat.is_list(leaf):
        kinds.append(leaf)
        leaf = leaf.value_type
    array = pa.array(_numbers(levels[-1], leaf.to_pandas_dtype()))
    for level, own in zip(levels[-2::-1], kinds[::-1], strict=True):
        sizes = _numbers(level, np.int32)
        array = pa.ListArray.from_arrays(_offsets(sizes), array, type=own)
    if levels[-1].null_count:  # which rows are null is kept at the innermost level
        mask = np.asarray(levels[-1].is_null())
        array = pa.ListArray.from_arrays(
            array.offsets, array.values, type=kind, mask=pa.array(mask)
        )
    return array


def _numbers(level: pa.Array, dtype: type) -> NDArray[np.generic]:
    """Return the numbers of all rows of a packed level, one after another."""
    bounds = np.frombuffer(level.buffers()[1], np.int64, level.offset + len(level) + 1)
    begin, end = int(bounds[level.offset]), int(bounds[-1])
    data = level.buffers()[2]
    if data is None or begin == end:
        return np.empty(0, dtype)
    width = np.dtype(dtype).itemsize
    return np.frombuffer(data, dtype, (end - begin) // width, begin)


def _offsets(sizes: NDArray[np.generic]) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))
