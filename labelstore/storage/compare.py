"""Columns compared row by row, whatever their type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from labelstore.model.canonical import value_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]


def differing(before: pa.Table, after: pa.Table, columns: Iterable[str]) -> dict[str, Flags]:
    """Return for each column in which any row differs, which rows do.

    Two nulls are equal; floats are compared by their bits.

    Args:
        before: n rows.
        after: n rows, aligned with the others.
        columns: which columns to compare.
    """
    found = {}
    for name in columns:
        flags = unequal(_plain(before.column(name)), _plain(after.column(name)))
        if flags.any():
            found[name] = flags
    return found


def unequal(before: pa.Array, after: pa.Array) -> Flags:
    """Return which values of two columns of one type differ; shape (n,)."""
    rows = len(before)
    if before.null_count == rows and after.null_count == rows:
        return np.zeros(rows, bool)
    if pat.is_nested(before.type) or pat.is_floating(before.type):
        before, after = value_bytes(before), value_bytes(after)
    different = pc.not_equal(before, after)
    one_null = pc.xor(before.is_null(), after.is_null())
    return np.asarray(pc.or_(different.fill_null(False), one_null))


def _plain(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
