"""Rows set by hand: types, kinds and covering boxes follow from what is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.editing.casting import cast
from labelstore.errors import FormatError
from labelstore.geometry.covering import COLUMNS as COVERING
from labelstore.geometry.covering import covering_boxes
from labelstore.model.arrow import with_column
from labelstore.model.kinds import SHAPES
from labelstore.model.tables import Table
from labelstore.storage.compare import unequal

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONSEQUENCES = {
    "box": ("polygons", "mask", "area"),
    "box_form": ("polygons", "mask", "area"),
    "polygons": ("box", "box_form", "area"),
    "mask": ("box", "box_form", "area"),
    "keypoints": ("num_keypoints",),
}
"""What a source said of a shape and no longer holds when another is set by hand."""


def changed(table: Table, rows: pa.Table, values: Mapping[str, Any]) -> pa.Table:
    """Return rows with new values, and without what these make untrue.

    A value that is the same as before, or null, makes nothing untrue.
    """
    own = [name for name in table.schema.names if name in values]
    new = {name: cast(values[name], table.schema.field(name)) for name in own}
    untrue: dict[str, Any] = {}
    for name in CONSEQUENCES.keys() & new.keys():
        other = unequal(_whole(rows.column(name)), _whole(new[name]))
        other &= np.asarray(_whole(new[name]).is_valid())
        for column in set(CONSEQUENCES[name]) & set(table.schema.names) - values.keys():
            untrue[column] = other | untrue.get(column, False)
    for name, flags in untrue.items():
        kept = pa.array(~flags)
        rows = with_column(rows, name, _whole(rows.column(name)).filter(kept).take(_places(flags)))
    for name in own:
        rows = with_column(rows, name, new[name])
    return with_forms(rows) if "box" in new else rows


def _places(absent: NDArray[np.bool_]) -> pa.Array:
    """Return where each row's value is among those that stay; null where it is absent."""
    return pa.array(np.cumsum(~absent) - 1, mask=absent)


def _whole(column: Any) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def with_forms(shapes: pa.Table) -> pa.Table:
    """Return shapes in which each box has a form: `xywh` where nobody says another."""
    bare = pc.and_(shapes.column("box").is_valid(), shapes.column("box_form").is_null())
    forms = pc.if_else(bare, "xywh", shapes.column("box_form"))
    return with_column(shapes, "box_form", forms)


def filled(table: Table, rows: pa.Table) -> pa.Table:
    """Return rows of a table from whatever columns there are; hashes are zero for now."""
    columns = []
    for field in table.schema:
        if field.name == table.hash_column:
            columns.append(pa.array(np.zeros(rows.num_rows, np.uint64)))
        elif field.name in rows.column_names:
            columns.append(cast(rows.column(field.name), field))
        else:
            columns.append(pa.nulls(rows.num_rows, field.type))
    return pa.Table.from_arrays(columns, schema=table.schema).combine_chunks()


def with_kinds(annotations: pa.Table, shapes: pa.Table) -> pa.Table:
    """Return annotations whose kind follows the shape where its own is gone or never was."""
    kinds = annotations.column("kind").combine_chunks()
    lost = pc.equal(kinds, "tag")
    for kind, names in SHAPES.items():
        gone = pc.equal(kinds, kind)
        for name in names:
            gone = pc.and_(gone, shapes.column(name).combine_chunks().is_null())
        lost = pc.or_(lost, gone)
    return with_column(annotations, "kind", pc.if_else(lost, kinds_of(shapes), kinds))


def kinds_of(shapes: pa.Table) -> pa.Array:
    """Return what each row seems to be: its richest shape."""
    kinds = pa.repeat("tag", shapes.num_rows)
    for kind, names in SHAPES.items():
        kinds = pc.if_else(shapes.column(names[0]).is_valid().combine_chunks(), kind, kinds)
    return kinds


def with_covering(annotations: pa.Table, shapes: pa.Table) -> pa.Table:
    """Return annotations with the covering boxes of their shapes."""
    boxes = covering_boxes(shapes)
    for i, name in enumerate(COVERING):
        annotations = with_column(annotations, name, pa.array(boxes[:, i], from_pandas=True))
    return annotations


LENGTHS = (
    ("visibility", "keypoints", "one number for each point"),
    ("keypoint_scores", "keypoints", "one number for each point"),
    ("holes_of", "polygons", "one number for each ring"),
    ("polylines_closed", "polylines", "one flag for each line"),
)
"""Lists that run along another."""


def refuse_lengths(shapes: pa.Table) -> None:
    """Refuse rows in which lists that run along each other differ in length.

    Raises:
        FormatError: with every such fault.
    """
    faults = []
    for name, along, what in LENGTHS:
        length, wanted = (pc.list_value_length(shapes.column(n)) for n in (name, along))
        if along == "keypoints":
            dims = pc.fill_null(shapes.column("keypoint_dims").cast(pa.int32()), 2)
            length = pc.multiply(length, dims)
        differs = pc.or_kleene(pc.not_equal(length, wanted), wanted.is_null())
        bad = pc.and_(shapes.column(name).is_valid(), pc.fill_null(differs, False))
        rows = np.flatnonzero(np.asarray(bad)).tolist()
        faults += [f"row {i}, {name}: needs {what} of `{along}`" for i in rows]
    if faults:
        raise FormatError("geometries", faults, code="length-differs")
