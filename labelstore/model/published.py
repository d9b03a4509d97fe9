"""The published contract in `schemas/v1`: schemas, examples and hash vectors as text."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from labelstore.model.canonical import HASH_DEFINITION, leaves, row_bytes
from labelstore.model.columns import Json
from labelstore.model.documents import DiffDocument
from labelstore.model.examples import LABELS, family_rows
from labelstore.model.ontology import Ontology
from labelstore.model.shape import Shape, shapes
from labelstore.model.tables import FORMAT_VERSION, TABLES, Table


def published_files() -> dict[str, str]:
    """Return path and text of each file of `schemas/v1`, in name order."""
    files = {}
    for table in TABLES.values():
        files[f"{table.name}.schema.json"] = _text(table.model.model_json_schema())
        files[f"{table.name}.arrow.json"] = _text(arrow_description(table))
    files["ontology.schema.json"] = _text(Ontology.model_json_schema())
    files["diff.schema.json"] = _text(DiffDocument.model_json_schema())
    files["examples.json"] = _text({kind: family_rows(kind) for kind in LABELS})
    files["hash_vectors.json"] = _text([hash_vector(t) for t in TABLES.values()])
    return dict(sorted(files.items()))


def arrow_description(table: Table) -> dict[str, Any]:
    """Return the table's columns: number, type, nullability, role, unit and meaning."""
    columns = [
        {"name": name, **_column(shape), "nullable": shape.nullable}
        for name, shape in shapes(table.model).items()
    ]
    return {
        "format_version": FORMAT_VERSION,
        "table": table.name,
        "key": list(table.key),
        "partition": table.partition or None,
        "columns": columns,
    }


def _column(shape: Shape) -> dict[str, Any]:
    column = shape.column
    unit = shape.unit or (shape.item.unit if shape.item else None)
    return {
        "number": column.number if column else None,
        "type": str(shape.type),
        "role": column.role if column else None,
        "unit": unit.name if unit else None,
        "frame": unit.frame or None if unit else None,
        "description": shape.description or None,
    }


def hash_vector(table: Table) -> dict[str, Any]:
    """Return a golden vector: one row that fills every column, its canonical bytes and leaf."""
    row = {name: example(shape, i) for i, (name, shape) in enumerate(shapes(table.model).items())}
    row[table.hash_column] = 0
    batch = pa.RecordBatch.from_pylist([row], schema=table.schema)
    return {
        "table": table.name,
        "definition": HASH_DEFINITION,
        "row": json.loads(table.model.model_validate(row).model_dump_json()),
        "canonical_bytes": row_bytes(table, batch)[0].as_py().hex(),
        "leaf": leaves(table, batch)[0].tobytes().hex(),
    }


def example(shape: Shape, salt: int) -> Any:
    """Return a value that fits the shape, the same every time."""
    if shape.choices:
        return shape.choices[salt % len(shape.choices)]
    if shape.children:
        return {name: example(child, salt + i) for i, (name, child) in enumerate(shape.children)}
    if shape.item is not None:
        lengths = [getattr(limit, "min_length", 0) for limit in shape.limits]
        return [example(shape.item, salt + i) for i in range(max([2, *lengths]))]
    if any(isinstance(limit, Json) for limit in shape.limits):
        return f'{{"tëxt": {salt}}}'
    value = _scalar(shape.type, salt)
    least = [limit.ge for limit in shape.limits if hasattr(limit, "ge")]
    return max([value, *least]) if least else value


def _scalar(kind: pa.DataType, salt: int) -> Any:
    if pa.types.is_map(kind):
        return {"colour": '"red"', "ü": "1.50"}
    if pa.types.is_boolean(kind):
        return salt % 2 == 0
    if pa.types.is_floating(kind):
        return -0.0 if salt % 5 == 0 else salt / 64
    if pa.types.is_timestamp(kind):
        return datetime(2026, 1, 2, 3, 4, 5, 678901 + salt, tzinfo=UTC)
    if pa.types.is_binary(kind):
        return bytes([0, 255, salt % 256])
    if pa.types.is_string(kind):
        return f"{salt:02x}" * 32 if salt % 64 == 4 else f"tëxt {salt}"
    return 1 + salt % 2


def _text(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
