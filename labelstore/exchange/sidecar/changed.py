"""Labels that somebody changed in an exported file: which ones they were, and what is left.

A label of the source that is not as it was, and one of the sidecar on the same item that the
source no longer has, are the same where their covering boxes share half of their union or more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labelstore.exchange.completing import completed
from labelstore.exchange.sidecar.records import CALLED, PLAIN
from labelstore.geometry.assignment import assigned
from labelstore.geometry.boxes import iou
from labelstore.geometry.candidates import candidates
from labelstore.geometry.covering import COLUMNS
from labelstore.model.arrow import with_column
from labelstore.model.tables import TABLES
from labelstore.storage.compare import differing

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    Ids = NDArray[np.int64]
    Boxes = NDArray[np.float64]

SAME = 0.5
"""Least intersection over union of a label and what it was."""
BY_HAND = 0
"""Stands for the activity of rows that are to be completed."""


def same_labels(before: pa.Table, after: pa.Table) -> list[tuple[int, int]]:
    """Return pairs of rows, of `before` and of `after`, that are one label.

    Args:
        before: annotations of the sidecar that the source no longer has, with local numbers.
        after: annotations of the source that are not as they were, with the same numbers.
    """
    items = [np.asarray(rows.column("item_id")) for rows in (before, after)]
    boxes = [_boxes(before), _boxes(after)]
    a, b = candidates((items[0], items[1]), (boxes[0], boxes[1]))
    score = iou(boxes[0][a], boxes[1][b])
    enough = score >= SAME
    a, b = a[enough], b[enough]
    chosen = assigned(a, b, score[enough])
    return list(zip(a[chosen].tolist(), b[chosen].tolist(), strict=True))


def _boxes(rows: pa.Table) -> Boxes:
    columns = [rows.column(n).fill_null(np.nan) for n in COLUMNS]
    return np.stack([np.asarray(c, np.float64) for c in columns], axis=1)


def merged(
    before: dict[str, pa.Table],
    after: dict[str, pa.Table],
    said: tuple[pa.Table, pa.Table],
    held: Collection[str],
) -> dict[str, pa.Table]:
    """Return labels as they were, with all that the source says otherwise than it did.

    Args:
        before: rows of both families, of the sidecar.
        after: the same labels' rows, of the source.
        said: what the source said of them when it was written, and what it says now.
        held: columns that the format has in which they came first.
    """
    changed = differing(*said, [*PLAIN, *CALLED])
    none = np.zeros(said[0].num_rows, bool)
    reshaped = changed.get("shape", none)
    notes, new = before["annotations"], after["annotations"]
    for name, column in (("category", "category_id"), ("track", "track_id")):
        notes = _with(notes, new, [column], changed.get(name, none))
    for name in PLAIN:
        notes = _with(notes, new, [name], changed.get(name, none))
    notes = _with(notes, new, ["kind", *COLUMNS], reshaped)
    notes = _with(notes, new, ["number_style"], reshaped | changed.get("score", none))
    notes = with_column(notes, "changed_in", np.where(reshaped, BY_HAND, BY_HAND + 1))
    keys = {"layer", "item_id", "annotation_id"}
    columns = [c for c in TABLES["geometries"].columns("content") if c not in keys]
    shapes = _with(before["geometries"], after["geometries"], columns, reshaped)
    return finished({"annotations": notes, "geometries": shapes}, held)


def finished(rows: dict[str, pa.Table], held: Collection[str]) -> dict[str, pa.Table]:
    """Return labels of another format with box, area and crowd flag, where theirs states them."""
    edits = pa.array([BY_HAND], pa.int64())
    notes, shapes, _ = completed(rows["annotations"], rows["geometries"], edits, held)
    return {"annotations": notes, "geometries": shapes}


def _with(rows: pa.Table, other: pa.Table, columns: list[str], where: Any) -> pa.Table:
    """Return rows with some columns of others, in some places; styles of numbers go there."""
    chosen = np.asarray(where, bool)
    at = np.where(chosen, len(chosen) + np.arange(len(chosen)), np.arange(len(chosen)))
    for name in columns:
        pair = [rows.column(name).combine_chunks(), other.column(name).combine_chunks()]
        if name == "number_style":
            pair[1] = pa.nulls(len(chosen), pair[0].type)
        both = pa.concat_arrays([pair[0], pair[1].cast(pair[0].type)])
        rows = with_column(rows, name, both.take(pa.array(at)))
    return rows
