"""Rows as JSON values, exactly: what comes back has the same canonical bytes."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as pat

if TYPE_CHECKING:
    from labelstore.model.tables import Table


def plain_row(table: Table, rows: pa.RecordBatch, index: int) -> dict[str, Any]:
    """Return one row's fields that are not null, as JSON values; its own hash is left out."""
    (row,) = rows.slice(index, 1).to_pylist()
    return {
        field.name: _told(row[field.name], field.type)
        for field in table.schema
        if row[field.name] is not None and field.name != table.hash_column
    }


def row_of(table: Table, said: dict[str, Any]) -> pa.RecordBatch:
    """Return a row that was told by `plain_row`, with 0 for its hash.

    Raises:
        ValueError: a field is unknown or has another type.
    """
    unknown = sorted(said.keys() - set(table.schema.names) | said.keys() & {table.hash_column})
    if unknown:
        raise ValueError(f"{table.name} has no field {', '.join(unknown)}")
    columns = []
    for field in table.schema:
        value = 0 if field.name == table.hash_column else said.get(field.name)
        try:
            columns.append(pa.array([_read(value, field.type)], field.type))
        except (pa.ArrowException, ValueError, TypeError, KeyError, OverflowError) as error:
            raise ValueError(f"{table.name}.{field.name}: is no {field.type}") from error
    row = pa.RecordBatch.from_arrays(columns, schema=table.schema)
    again = plain_row(table, row, 0)
    for name, value in said.items():  # what only looks like it: "ab" for a list, a time otherwise
        if value is None or not _same(again.get(name), value):
            raise ValueError(f"{table.name}.{name}: is not as it is written")
    return row


def _same(one: Any, other: Any) -> bool:
    """Say whether JSON values are the same, types included: 1, 1.0 and true are three."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(v, other[k]) for k, v in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and repr(one) == repr(other)


def _told(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pat.is_timestamp(kind):
        return value.isoformat()
    if pat.is_binary(kind) or pat.is_large_binary(kind):
        return base64.b64encode(value).decode()
    if pat.is_struct(kind):
        return {f.name: _told(value[f.name], f.type) for f in kind if value[f.name] is not None}
    if pat.is_map(kind):
        return [[_told(k, kind.key_type), _told(v, kind.item_type)] for k, v in value]
    if pat.is_list(kind):
        return [_told(v, kind.value_type) for v in value]
    return value


def _read(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pat.is_timestamp(kind):
        return datetime.fromisoformat(value)
    if pat.is_binary(kind) or pat.is_large_binary(kind):
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error as error:
            raise ValueError("no base64") from error
    if pat.is_struct(kind):
        if value.keys() - {f.name for f in kind}:
            raise ValueError("unknown member")
        return {f.name: _read(value.get(f.name), f.type) for f in kind}
    if pat.is_map(kind):
        return [(_read(k, kind.key_type), _read(v, kind.item_type)) for k, v in value]
    if pat.is_list(kind):
        return [_read(v, kind.value_type) for v in value]
    if type(value) is not _python(kind):
        raise TypeError(f"{value!r} is no {kind}")
    return value


def _python(kind: pa.DataType) -> type:
    if pat.is_boolean(kind):
        return bool
    if pat.is_integer(kind):
        return int
    return float if pat.is_floating(kind) else str
