"""Rows of `geometries` for tests."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from labelstore.model.tables import TABLES

SCHEMA = TABLES["geometries"].schema


def shapes(rows: list[dict[str, Any]]) -> pa.Table:
    keys = {"layer": "l", "item_id": 1, "annotation_id": 1, "geometry_hash": 0}
    return pa.Table.from_pylist([{**keys, **row} for row in rows], schema=SCHEMA)


def column(name: str, values: list[Any]) -> pa.Array:
    return pa.array(values, SCHEMA.field(name).type)
