"""Row model to Arrow schema, and tables with a column set."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from labelstore.model.columns import Row
from labelstore.model.shape import shapes

Rows = TypeVar("Rows", pa.Table, pa.RecordBatch)


def arrow_schema(model: type[Row]) -> pa.Schema:
    """Return the Arrow schema of a row model: types, nullability, Parquet field ids.

    Example:
        >>> from labelstore.model.links import Split
        >>> arrow_schema(Split).field("item_id").type
        DataType(int64)
    """
    fields = []
    for name, shape in shapes(model).items():
        if shape.column is None:
            raise TypeError(f"{model.__name__}.{name} has no Column number")
        number = str(shape.column.number)
        fields.append(
            pa.field(name, shape.type, shape.nullable, metadata={"PARQUET:field_id": number})
        )
    return pa.schema(fields)


def with_column(rows: Rows, name: str, values: Any) -> Rows:
    """Return rows with a column set, at its place or as the last.

    Args:
        rows: table or record batch of n rows.
        name: the column; where it is there with this type, its field stays.
        values: shape (n,), Arrow or NumPy.
    """
    column = pa.array(values) if isinstance(values, np.ndarray) else values
    at = rows.schema.get_field_index(name)
    if at < 0:
        return rows.append_column(name, column)
    field = rows.schema.field(at)
    return rows.set_column(at, field if field.type == column.type else name, column)
