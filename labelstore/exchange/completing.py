"""Labels set by hand, given what files of their kind state of every label.

An edit clears what it makes untrue (area and outlines when a box moves), and a label made by hand
states only what it was given. Readers of a file expect the box, its area and the crowd flag; these
follow from the shape, so an export fills them in and says how often. The store keeps its nulls.
"""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from labelstore.geometry.area import areas
from labelstore.geometry.covering import COLUMNS as COVERING
from labelstore.model.arrow import with_column
from labelstore.model.tables import TABLES
from labelstore.versions.manifest import Manifest


def edit_activities(manifest: Manifest, *, every: bool = False) -> pa.Array:
    """Return the ids of the activities that were edits by hand or by program; or of all."""
    rows = manifest.table(TABLES["activities"], ["activity_id", "kind"])
    if not every:
        rows = rows.filter(pc.equal(rows.column("kind"), "edit"))
    return rows.column(0).combine_chunks()


def completed(
    annotations: pa.Table, geometries: pa.Table, edits: pa.Array, held: Collection[str]
) -> tuple[pa.Table, pa.Table, int]:
    """Return rows of both families, those of edits with box, area and crowd flag; and how many.

    Args:
        annotations: some rows.
        geometries: the same rows' shapes.
        edits: ids of edits; only rows last written by one are touched.
        held: columns that the format has; others are left as they are.
    """
    by_hand = pc.is_in(annotations.column("changed_in"), value_set=edits)
    boxed, masked = annotations.column("xmin").is_valid(), geometries.column("mask").is_valid()
    shaped = pc.and_(by_hand, pc.or_(boxed, masked)).combine_chunks()
    if not pc.any(shaped).as_py():
        return annotations, geometries, 0
    flag, area, box, form = (
        rows.column(name).combine_chunks()
        for rows, name in (
            (annotations, "is_crowd"), (geometries, "area"), (geometries, "box"),
            (geometries, "box_form"),
        )
    )  # fmt: skip
    no_flag = pc.and_(pc.and_(shaped, flag.is_null()), "is_crowd" in held)
    no_box = pc.and_(pc.and_(shaped, box.is_null()), boxed.combine_chunks())
    no_box = pc.and_(no_box, "box" in held)
    open_ = pc.and_(
        pc.and_(shaped, area.is_null()), "area" in held
    )  # filled from what is stated, before boxes are
    values = pa.array(areas(geometries.filter(open_)), from_pandas=True)
    known = pc.replace_with_mask(area, open_, values)
    no_area = pc.and_(open_, known.is_valid())
    annotations = with_column(annotations, "is_crowd", pc.if_else(no_flag, False, flag))
    geometries = with_column(geometries, "area", known)
    geometries = with_column(
        geometries, "box", pc.if_else(no_box, _covering(annotations, box.type), box)
    )
    geometries = with_column(geometries, "box_form", pc.if_else(no_box, "xywh", form))
    touched = pc.or_(no_flag, pc.or_(no_box, no_area))
    return annotations, geometries, int(pc.sum(touched).as_py())


def _covering(annotations: pa.Table, kind: pa.StructType) -> pa.Array:
    low_x, low_y, high_x, high_y = (annotations.column(n).combine_chunks() for n in COVERING)
    sides = [low_x, low_y, pc.subtract(high_x, low_x), pc.subtract(high_y, low_y)]
    return pa.StructArray.from_arrays(sides, fields=list(kind))
