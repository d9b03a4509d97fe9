"""Tables whose columns are named as typed labels name their fields."""

from __future__ import annotations

from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import InvalidInput

FORMS = {
    "box": {"x": "v0", "y": "v1", "width": "v2", "height": "v3"},
    "rotated_box": {"cx": "cx", "cy": "cy", "width": "w", "height": "h", "angle": "angle"},
    "ellipse": {"cx": "cx", "cy": "cy", "rx": "rx", "ry": "ry", "angle": "angle"},
}
"""Columns of `geometries`, with the fields that make them: the name given, and the member's."""
REFERENCES = {"item": ("uri", "item_id"), "category": ("category", "category_id")}
"""Fields that name something or give its id, with the column for each."""


def gathered(rows: pa.Table) -> pa.Table:
    """Return rows with the store's columns in place of the fields of typed labels.

    A shape is made where all its fields are there; `item`, and `category` where it is a number,
    become what they are. Anything else stays.

    Raises:
        InvalidInput: they make several shapes.
    """
    for field, columns in REFERENCES.items():
        if field in rows.column_names:
            own = columns[pa.types.is_integer(rows.column(field).type)]
            rows = _renamed(rows, field, own)
    names = set(rows.column_names)
    made = [n for n, fields in FORMS.items() if fields.keys() <= names and n not in names]
    if len(made) > 1:
        raise InvalidInput(
            f"the columns make a {made[0]} and a {made[1]} of each row: add them in two calls",
            code="edit-column",
        )
    for column in made:
        rows = rows.append_column(column, _struct(rows, FORMS[column]))
        rows = rows.drop_columns(list(FORMS[column]))
    return rows


def _renamed(rows: pa.Table, old: str, new: str) -> pa.Table:
    return rows.rename_columns([new if name == old else name for name in rows.column_names])


def _struct(rows: pa.Table, fields: dict[str, str]) -> pa.Array:
    """Return members as one column; null where all of them are."""
    members = [rows.column(name).combine_chunks() for name in fields]
    absent = reduce(pc.and_, (member.is_null() for member in members))
    return pa.StructArray.from_arrays(members, list(fields.values()), mask=absent)
