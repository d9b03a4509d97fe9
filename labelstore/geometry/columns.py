"""Columns of `geometries`, whether or not the rows at hand have them."""

from __future__ import annotations

import pyarrow as pa

from labelstore.model.tables import TABLES


def column(geometries: pa.RecordBatch | pa.Table, name: str) -> pa.Array:
    """Return a column in one chunk; all null where the rows do not have it."""
    if name not in geometries.schema.names:
        return pa.nulls(geometries.num_rows, TABLES["geometries"].schema.field(name).type)
    found = geometries.column(name)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
