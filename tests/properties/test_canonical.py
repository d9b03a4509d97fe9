"""Canonical bytes built by column equal those that the definition gives row by row."""

from __future__ import annotations

import json
import struct
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelstore.model.canonical import leaves, row_bytes, short_hashes, value_bytes
from labelstore.model.plain import plain_row, row_of
from labelstore.model.published import example
from labelstore.model.shape import shapes
from labelstore.model.tables import TABLES, Table


def reference(table: Table, row: dict[str, Any]) -> bytes:
    """Return a row's bytes by the words of the definition, value by value."""
    columns = sorted(
        (s.column.number, n) for n, s in shapes(table.model).items()
        if s.column and s.column.role != "hash"
    )  # fmt: skip
    found = b""
    for number, name in columns:
        if row[name] is not None:
            kind = table.schema.field(name).type
            found += struct.pack("<H", number) + _sequence(kind, [row[name]])
    return found


def _sequence(kind: pa.DataType, values: list[Any]) -> bytes:
    if pa.types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        return b"".join(_members(f.type, [v[f.name] for v in values]) for f in fields)
    if pa.types.is_map(kind):
        pairs = [p for v in values for p in (v.items() if isinstance(v, dict) else v)]
        keys, inner = [k for k, _ in pairs], [x for _, x in pairs]
        counts = b"".join(struct.pack("<I", len(v)) for v in values)
        return counts + _sequence(pa.string(), keys) + _sequence(pa.string(), inner)
    if pa.types.is_list(kind):
        counts = b"".join(struct.pack("<I", len(v)) for v in values)
        return counts + _sequence(kind.value_type, [x for v in values for x in v])
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        raw = [v.encode() if isinstance(v, str) else v for v in values]
        return b"".join(struct.pack("<I", len(v)) for v in raw) + b"".join(raw)
    return b"".join(_fixed(kind, v) for v in values)


def _members(kind: pa.DataType, values: list[Any]) -> bytes:
    marks = bytes(v is not None for v in values)
    return marks + _sequence(kind, [v for v in values if v is not None])


def _fixed(kind: pa.DataType, value: Any) -> bytes:
    if isinstance(value, datetime):
        return struct.pack("<q", pa.scalar(value, kind).value)
    if pa.types.is_floating(kind):
        return struct.pack("<d", value)
    size = 1 if pa.types.is_boolean(kind) else kind.bit_width // 8
    return int(value).to_bytes(size, "little", signed=not pa.types.is_boolean(kind))


def rows(table: Table, salts: list[int], blanks: list[list[bool]]) -> list[dict[str, Any]]:
    """Return rows of examples in which some nullable columns are null."""
    found = []
    for salt, blank in zip(salts, blanks, strict=True):
        row = {}
        for i, (name, shape) in enumerate(shapes(table.model).items()):
            hole = shape.nullable and blank[i % len(blank)]
            row[name] = None if hole else example(shape, salt + i)
        found.append(row)
    return found


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    salts=st.lists(st.integers(0, 40), min_size=1, max_size=6),
    data=st.data(),
    cut=st.integers(0, 3),
)
def test_columns_give_the_bytes_of_the_definition(
    name: str, salts: list[int], data: st.DataObject, cut: int
) -> None:
    table = TABLES[name]
    blanks = [data.draw(st.lists(st.booleans(), min_size=7, max_size=7)) for _ in salts]
    listed = rows(table, salts, blanks)
    batch = pa.RecordBatch.from_pylist(listed, schema=table.schema)
    begin = min(cut, len(listed) - 1)
    got = row_bytes(table, batch.slice(begin)).to_pylist()
    back = batch.slice(begin).to_pylist(maps_as_pydicts="strict")
    assert got == [reference(table, row) for row in back]
    for index, leaf in enumerate(leaves(table, batch)):
        said = json.loads(json.dumps(plain_row(table, batch, index)))
        assert (leaves(table, row_of(table, said)) == leaf).all()  # as proofs tell rows


def test_zero_and_minus_zero_differ() -> None:
    column = pa.array([0.0, -0.0])
    first, second = value_bytes(column).to_pylist()
    assert first != second


def test_a_null_column_changes_no_hash() -> None:
    table = TABLES["splits"]
    row = {"scheme": "a", "item_id": 1, "subset": "b", "row_hash": 0}
    batch = pa.RecordBatch.from_pylist([row], schema=table.schema)
    assert row_bytes(table, batch)[0].as_py() == (
        b"\x01\x00\x01\x00\x00\x00a\x02\x00"
        + (1).to_bytes(8, "little")
        + b"\x03\x00\x01\x00\x00\x00b"
    )
    leaf = leaves(table, batch)
    assert int(short_hashes(leaf)[0]) == int.from_bytes(leaf[0, :8].tobytes(), "little")
