"""Python values to columns of the model's tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa

from labelstore.model.tables import Table


def batch(table: Table, columns: Mapping[str, Any]) -> pa.RecordBatch:
    """Return a record batch of some columns of a table, in its order; others are null.

    Args:
        table: the table.
        columns: lists or arrays by column name.
    """
    fields = [field for field in table.schema if field.name in columns]
    arrays = []
    for field in fields:
        values = columns[field.name]
        if not isinstance(values, pa.Array):
            values = pa.array(values, field.type)
        arrays.append(values if values.type == field.type else values.cast(field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def json_text(value: Any) -> str:
    """Return JSON text that reads back as the same value, key order included."""
    return msgspec.json.encode(value).decode()
