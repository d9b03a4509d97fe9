"""Labels and other Python values as tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from labelstore.errors import InvalidInput
from labelstore.model.labels.label import Label
from labelstore.model.tables import FAMILY, TABLES

SHARED = tuple(n for n in Label.model_fields if n not in ("item", "category", "attributes"))


def rows(labels: Sequence[Label]) -> pa.Table:
    """Return labels as a table, with the columns that any of them fills.

    Raises:
        InvalidInput: some name their item or class and others give an id.
    """
    filled = [_row(label) for label in labels]
    for name, key in (("uri", "item_id"), ("category", "category_id")):
        if any(name in row for row in filled) and any(key in row for row in filled):
            raise InvalidInput(
                f"some labels have `{name}` and others `{key}`: add them in two calls",
                code="edit-column",
            )
    names = list(dict.fromkeys(name for row in filled for name in row))
    types = {"uri": pa.string(), "category": pa.string()}
    types |= {f.name: f.type for table in FAMILY for f in TABLES[table].schema}
    columns = {n: array(n, [row.get(n) for row in filled], types[n]) for n in names}
    return pa.table(columns)


def array(name: str, values: Sequence[Any], kind: pa.DataType | None = None) -> pa.Array:
    """Return Python values as a column.

    Raises:
        InvalidInput: they do not fit its type, or each other.
    """
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError, TypeError) as error:
        said = f"is {kind}" if kind is not None else "has values that fit no one type"
        raise InvalidInput(f"column {name!r} {said}: {error}", code="edit-type") from error


def as_pairs(attributes: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return attributes by name as pairs of name and JSON text.

    Raises:
        InvalidInput: a value cannot be written as JSON.
    """
    return [(name, _as_json(name, value)) for name, value in attributes.items()]


def _as_json(name: str, value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(
            f"attribute {name!r} cannot be written as JSON: {error}", code="edit-type"
        ) from error


def _row(label: Label) -> dict[str, Any]:
    """Return the columns that a label fills."""
    row: dict[str, Any] = {"uri" if isinstance(label.item, str) else "item_id": label.item}
    if label.category is not None:
        row["category" if isinstance(label.category, str) else "category_id"] = label.category
    row["kind"] = label.kind
    if label.attributes is not None:
        row["attributes"] = as_pairs(label.attributes)
    own = label.model_dump(include=set(SHARED))
    return row | {k: v for k, v in {**own, **label.shape()}.items() if v is not None}
