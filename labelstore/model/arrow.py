"""Row model to Arrow schema, and tables with a column set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from labelstore.model.columns import Row
from labelstore.model.shape import shapes

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


def reordered(rows: pa.Table, order: NDArray[np.int64]) -> pa.Table:
    """Return rows in another order; lists whose members stay in theirs are not copied.

    Args:
        rows: table of n rows.
        order: shape (n,), the place of each row of the answer in these.
    """
    columns = [_reordered(column.combine_chunks(), order) for column in rows.columns]
    return pa.Table.from_arrays(columns, schema=rows.schema)


def _reordered(column: pa.Array, order: NDArray[np.int64]) -> pa.Array:
    """Return a column in another order.

    A list's members stay where they are if rows that have any come in the order in which members
    lie, and nothing lies between them, as below a null; then new offsets say it all.
    """
    places = pa.array(order)
    if not pat.is_list(column.type):
        return column.take(places)
    offsets = np.asarray(column.offsets)
    begins, sizes = offsets[:-1][order], np.diff(offsets)[order]
    missing = column.is_null().take(places)
    filled = sizes > 0
    firsts, ends = begins[filled], (begins + sizes)[filled]
    if (firsts[1:] != ends[:-1]).any() or sizes[np.asarray(missing)].any():
        return column.take(places)
    bounds = np.append(0, np.cumsum(sizes)) + (firsts[0] if len(firsts) else 0)
    mask = missing if column.null_count else None
    kept = pa.array(bounds.astype(np.int32))
    return pa.ListArray.from_arrays(kept, column.values, type=column.type, mask=mask)
