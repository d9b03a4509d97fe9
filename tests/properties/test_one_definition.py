"""pydantic accepts a row exactly when the column rules do."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from labelstore.model.rules import check_table
from labelstore.model.shape import Shape, shapes
from labelstore.model.tables import TABLES

TEXTS = ["", "a", "f" * 64, "f" * 64 + "\n", "é", "{}", '{"a": 1}', "[1]", "null", "{", "NaN"]
ODD_FLOATS = [0.0, -0.0, 1.0, -1.0, 1.5, math.nan, math.inf, -math.inf]


def values(shape: Shape) -> st.SearchStrategy[Any]:
    """Return values of the shape's Arrow type, good and bad."""
    if shape.choices:
        return st.sampled_from([*shape.choices, "nonsense"])
    if shape.children:
        members = {n: _maybe_null(s) for n, s in shape.children}
        return st.fixed_dictionaries(members)
    if shape.item is not None:
        lengths = [
            getattr(limit, n)
            for limit in shape.limits
            for n in ("min_length",)
            if hasattr(limit, n)
        ]
        size = max(lengths, default=0)
        return st.lists(values(shape.item), min_size=max(0, size - 1), max_size=size + 2)
    return _scalars(shape)


def _scalars(shape: Shape) -> st.SearchStrategy[Any]:
    kind = shape.type
    if pa.types.is_map(kind):
        return st.dictionaries(st.text(max_size=3), st.sampled_from(TEXTS), max_size=2)
    if pa.types.is_boolean(kind):
        return st.booleans()
    if pa.types.is_floating(kind):
        return st.sampled_from(ODD_FLOATS) | st.floats(-2, 2)
    if pa.types.is_timestamp(kind):
        return st.just(datetime(2026, 1, 1, tzinfo=UTC))
    if pa.types.is_binary(kind):
        return st.binary(max_size=3)
    if pa.types.is_string(kind):
        return st.sampled_from(TEXTS)
    bits = kind.bit_width
    low, high = (0, 2**bits - 1) if pa.types.is_unsigned_integer(kind) else (
        -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)  # fmt: skip
    near = [n for n in (-2, -1, 0, 1, 2, 3, 4, 8, 9, 255, 256, 4095, 4096) if low <= n <= high]
    return st.sampled_from([*near, low, high])


def _maybe_null(shape: Shape) -> st.SearchStrategy[Any]:
    return st.none() | values(shape)


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_pydantic_and_column_rules_accept_the_same_rows(name: str, data: st.DataObject) -> None:
    table = TABLES[name]
    fields = shapes(table.model)
    good = st.fixed_dictionaries({n: _maybe_null(s) for n, s in fields.items()})
    row = data.draw(good)
    batch = pa.Table.from_pylist([row], schema=table.schema)
    violations = check_table(table.model, batch)
    (back,) = batch.to_pylist(maps_as_pydicts="strict")
    try:
        table.model.model_validate(back)
        accepted = True
    except ValidationError:
        accepted = False
    assert accepted == (not violations), violations


def test_a_row_with_one_fault_is_refused_by_both() -> None:
    table = TABLES["splits"]
    row = {"scheme": "", "item_id": 1, "subset": "train", "row_hash": 0}
    batch = pa.Table.from_pylist([row], schema=table.schema)
    assert [v.code for v in check_table(table.model, batch)] == ["scheme:too-short"]
