"""Python values to columns of the model's tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from labelstore.model.tables import Table


def batch(table: Table, columns: Mapping[str, Any], rows: int) -> pa.RecordBatch:
    """Return a record batch of a table from some columns; the others are null, hashes zero.

    Args:
        table: the table.
        columns: lists or Arrow arrays by column name.
        rows: how many rows.
    """
    arrays = []
    for field in table.schema:
        values = columns.get(field.name)
        if field.name == table.hash_column:
            values = np.zeros(rows, np.uint64)
        if values is None:
            arrays.append(pa.nulls(rows, field.type))
        elif isinstance(values, pa.Array):
            arrays.append(values if values.type == field.type else values.cast(field.type))
        else:
            arrays.append(pa.array(values, field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=table.schema)


def json_text(value: Any) -> str:
    """Return JSON text that reads back as the same value, key order included."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def leftovers(
    found: Mapping[str, Any], carried: Sequence[str], default_order: Sequence[str]
) -> dict[str, Any]:
    """Return what columns do not carry of an object: unknown keys, and an unusual key order.

    Args:
        found: the object as parsed.
        carried: keys whose values columns hold exactly.
        default_order: usual order of keys; a subset in the same order needs no record.
    """
    kept: dict[str, Any] = {}
    rest = {key: value for key, value in found.items() if key not in carried}
    if rest:
        kept["keys"] = rest
    if not _in_order(list(found), default_order):
        kept["order"] = list(found)
    return kept


def _in_order(keys: Sequence[str], default_order: Sequence[str]) -> bool:
    places = {key: i for i, key in enumerate(default_order)}
    at = [places.get(key, -1) for key in keys]
    return -1 not in at and at == sorted(at)
