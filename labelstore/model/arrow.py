"""Row model to Arrow schema."""

from __future__ import annotations

import pyarrow as pa

from labelstore.model.columns import Row
from labelstore.model.shape import shapes


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
