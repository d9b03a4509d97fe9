"""Edits by hand: what cannot be stored, or says two things, is refused with its place."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pytest

from labelstore.errors import InvalidInput, LabelstoreError
from labelstore.model.tables import FAMILY, TABLES
from labelstore.store import Store

URI = "000000397133.jpg"
BOX = [{"v0": 1.0, "v1": 2.0, "v2": 3.0, "v3": 4.0}]


def rows(**columns: list[Any]) -> pa.Table:
    schemas = [TABLES[name].schema for name in FAMILY]
    types = {field.name: field.type for schema in schemas for field in schema}
    return pa.table({n: pa.array(values, types.get(n)) for n, values in columns.items()})


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"box": BOX, "attributes": [[("a", "{oops")]]}, "row 0, attributes: not-json"),
        ({"box": BOX, "leftovers": ["[1]"]}, "row 0, leftovers: not-json"),
        ({"box": BOX, "source_key": ["{oops"]}, "row 0, source_key: not-json"),
        ({"keypoints": [[1.0, 2.0]], "visibility": [[2, 2]]}, "row 0, visibility: needs one"),
        ({"visibility": [[2, 2]]}, "row 0, visibility: needs one"),
        ({"polygons": [[None, [1.0, 2.0]]]}, "'polygons': a list holds null"),
        ({"polygons": [[[1.0, None]]]}, "'polygons': a list holds null"),
        ({"box": [{**BOX[0], "v1": None}]}, "row 0, box.v1: null"),
        ({"box": [{**BOX[0], "v1": float("nan")}]}, "row 0, box.v1: not-finite"),
        ({"category_id": [5]}, "given twice: category and category_id"),
        ({"item_id": [5]}, "given twice: uri and item_id"),
        ({"nonsense": [5]}, "unknown columns: nonsense"),
        ({"annotation_id": [5]}, "the store fills annotation_id itself"),
        ({"box": BOX, "xmin": [5.0]}, "the store fills xmin itself"),
    ],
)
def test_rows_that_cannot_be_stored_are_refused(
    v1: Store, columns: dict[str, list[Any]], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said), v1.edit() as edit:
        edit.add(rows(uri=[URI], category=["car"], **columns))
    assert v1.staged() is None


@pytest.mark.parametrize("unknown", ["item_id", "category_id"])
def test_unknown_ids_are_refused(v1: Store, unknown: str) -> None:
    other = {"item_id": "category", "category_id": "uri"}[unknown]
    known: dict[str, list[Any]] = {"category": ["car"], "uri": [URI]}
    columns = {unknown: [5], other: known[other], "box": BOX}
    with (
        pytest.raises(LabelstoreError, match="the store has no"),
        v1.edit() as edit,
    ):
        edit.add(rows(**columns))


def test_a_record_batch_is_rows_too(v1: Store) -> None:
    (batch,) = rows(uri=[URI], category=["car"], box=BOX).to_batches()
    with v1.edit() as edit:
        assert len(edit.add(batch)) == 1


def test_a_box_has_four_numbers(v1: Store) -> None:
    boxes: Any = [(1, 2, 3, 4), (1, 2, 3, 4, 5)]
    with pytest.raises(InvalidInput, match="box 1: has 5 numbers"), v1.edit() as edit:
        edit.add_boxes(uri=URI, category="car", boxes=boxes)


@pytest.mark.parametrize(
    "sql",
    [
        "true) LIMIT (1",
        "true) UNION SELECT layer, item_id, annotation_id FROM annotations WHERE (true",
        "true) ORDER BY (1",
        "",
        "  -- nothing",
        "true; DELETE FROM labels",
    ],
)
def test_a_condition_is_one_expression(v1: Store, sql: str) -> None:
    with pytest.raises(InvalidInput), v1.edit() as edit:
        edit.delete(where=sql)
    assert v1.staged() is None


@pytest.mark.parametrize("sql", ["unnest([1, 2])", "*", "COLUMNS(*)", "1, 2", "avg(xmin)", "'x'"])
def test_a_new_value_is_one_value_a_row(v1: Store, sql: str) -> None:
    with pytest.raises(InvalidInput), v1.edit() as edit:
        edit.update(where="true", set={"score": sql})
    assert v1.staged() is None


def test_a_condition_may_end_in_a_comment(v1: Store) -> None:
    with v1.edit() as edit:
        assert edit.update(where="score IS NULL -- all", set={"score": "0.5 -- half"}) == 382


@pytest.mark.parametrize(
    "value", [datetime(2026, 1, 2, 3, 4, 5), date(2026, 1, 2), b"\0", None, 1, 0.5, "x", [1, 2]]
)
def test_parameters_of_any_type_reach_the_query(v1: Store, value: Any) -> None:
    found = v1.query("SELECT $x AS x", parameters={"x": value}).to_pylist()
    assert found == [{"x": value}]


def test_a_parameter_that_is_no_value_is_named(v1: Store) -> None:
    with pytest.raises(InvalidInput, match="parameter 'x' is a value of object"):
        v1.query("SELECT $x AS x", parameters={"x": object()})
