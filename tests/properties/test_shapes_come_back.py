"""Any value of any kind comes back bit for bit: Arrow, Parquet, DuckDB, Python."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelstore.model.canonical import row_bytes
from labelstore.model.rules import check_table
from labelstore.model.shape import Shape, shapes
from labelstore.model.tables import TABLES
from labelstore.storage.parquet import encode, read

TABLE = TABLES["geometries"]
KEYS = {"layer": "l", "item_id": 1, "geometry_hash": 0}
SHAPES = [n for n in TABLE.columns("content") if n not in TABLE.key]
EXTREMES = [-0.0, 5e-324, 1.7976931348623157e308, 0.1, 1 / 3, 2.0**53 + 2, -1e-300]
floats = st.sampled_from(EXTREMES) | st.floats(allow_nan=False, allow_infinity=False)


def values(shape: Shape) -> st.SearchStrategy[Any]:
    """Return values that a column may hold; null where it may be null."""
    return _present(shape) if not shape.nullable else st.none() | _present(shape)


def _present(shape: Shape) -> st.SearchStrategy[Any]:
    if shape.choices:
        return st.sampled_from(list(shape.choices))
    if shape.children:
        return st.fixed_dictionaries({name: values(child) for name, child in shape.children})
    if shape.item is not None:
        least = max((getattr(x, "min_length", 0) for x in shape.limits), default=0)
        most = min((getattr(x, "max_length", least + 5) for x in shape.limits), default=least + 5)
        return st.lists(values(shape.item), min_size=least, max_size=most)
    return _scalars(shape)


def _scalars(shape: Shape) -> st.SearchStrategy[Any]:
    kind = shape.type
    if pa.types.is_map(kind):
        return st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2)
    if pa.types.is_boolean(kind):
        return st.booleans()
    if pa.types.is_floating(kind):
        return floats
    if pa.types.is_binary(kind):
        return st.binary(max_size=40)
    if pa.types.is_string(kind):
        return st.text(min_size=1, max_size=8)
    low = max((x.ge for x in shape.limits if hasattr(x, "ge")), default=-(2**31))
    high = min((x.le for x in shape.limits if hasattr(x, "le")), default=2 ** (kind.bit_width - 1))
    return st.integers(low, min(high, 2 ** (kind.bit_width - 1) - 1))


@pytest.mark.parametrize("name", SHAPES)
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_value_comes_back(
    name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shape = shapes(TABLE.model)[name]
    given_ = data.draw(st.lists(values(shape), min_size=1, max_size=6))
    rows = [{**KEYS, "annotation_id": i, name: value} for i, value in enumerate(given_)]
    table = pa.Table.from_pylist(rows, schema=TABLE.schema)
    assert check_table(TABLE.model, table) == []
    path = Path(tmp_path_factory.mktemp("parts") / "part.parquet")
    path.write_bytes(encode(TABLE, table))
    wanted = _bits(table)
    assert _bits(read(path, TABLE)) == wanted
    sql = "SELECT * FROM read_parquet($path) ORDER BY annotation_id"
    by_duckdb: Any = duckdb.connect().sql(sql, params={"path": str(path)}).to_arrow_table()
    assert _bits(by_duckdb.cast(TABLE.schema)) == wanted
    python = by_duckdb.to_pylist(maps_as_pydicts="strict")
    assert _bits(pa.Table.from_pylist(python, schema=TABLE.schema)) == wanted


def _bits(table: pa.Table) -> list[bytes]:
    """Return every bit of the rows: unlike `==`, 0.0 and -0.0 differ."""
    (batch,) = table.combine_chunks().to_batches()
    found: list[bytes] = row_bytes(TABLE, batch).to_pylist()
    return found


def test_bits_tell_zeros_apart() -> None:
    rows = [{**KEYS, "annotation_id": 1, "area": zero} for zero in (0.0, -0.0)]
    one, other = (_bits(pa.Table.from_pylist([row], schema=TABLE.schema)) for row in rows)
    assert math.copysign(1, -0.0) == -1
    assert one != other


def test_columns_of_empty_values_are_no_columns_without_values() -> None:
    """A reader leaves out columns that are null throughout; empty lists and members are not."""
    mask = dict.fromkeys(("encoding", "h", "w", "x0", "y0", "counts"))
    own = {"polygons": [], "mask": mask, "keypoints": [], "text": "", "blobs": []}
    rows = [{**KEYS, "annotation_id": i, **own} for i in range(3)]
    table = pa.Table.from_pylist(rows, schema=TABLE.schema)
    found = read(encode(TABLE, table), TABLE)
    assert _bits(found) == _bits(table)
    assert [found.column(name).null_count for name in own] == [0] * len(own)
    assert found.column("cuboid3d").null_count == 3
