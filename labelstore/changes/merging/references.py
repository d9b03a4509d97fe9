"""Rows of one side that refer to what the other removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import SHOWN_FAULTS, Conflict
from labelstore.model.tables import TABLES

if TYPE_CHECKING:
    from labelstore.changes.delta import Delta
    from labelstore.changes.merging.conflicts import Context
    from labelstore.versions.editing import Place
    from labelstore.versions.manifest import Manifest

REFERENCES = (
    ("annotations", "item_id", "items"), ("annotations", "category_id", "categories"),
    ("annotations", "category_scores", "categories"),
    ("annotations", "track_id", "tracks"), ("annotations", "parent_annotation_id", "annotations"),
    ("relations", "from_id", "annotations"), ("relations", "to_id", "annotations"),
    ("tracks", "category_id", "categories"), ("tracks", "item_id", "items"),
    ("splits", "item_id", "items"), ("items", "parent_id", "items"),
    ("categories", "parent_id", "categories"),
)  # fmt: skip
"""Table and column that refer, and the table whose ids they name."""


def refuse_dangling(changes: Mapping[Place, Delta], context: Context) -> None:
    """Refuse a merge in which a row refers to one that is gone.

    Args:
        changes: from the base to the merged version.
        context: knows names of classes and items, and who wrote what.

    Raises:
        Conflict: with such rows.
    """
    gone: dict[str, pa.Array] = {}
    for target in {target for *_, target in REFERENCES}:
        ids = [own.removed for (name, _), own in changes.items() if name == target]
        gone[target] = pa.array(np.concatenate([np.empty(0, np.int64), *ids]))
    found = []
    for name, column, target in REFERENCES:
        for (table, _), own in changes.items():
            if table == name and len(gone[target]):
                rows = _of_gone(own.after, column, gone[target])
                found += [_told(own, row, column, target, context) for row in rows]
    if found:
        more = [f"and {len(found) - SHOWN_FAULTS:,} more"] if found[SHOWN_FAULTS:] else []
        raise Conflict(
            "one side refers to what the other removed:\n  "
            + "\n  ".join([*found[:SHOWN_FAULTS], *more])
            + "\nBring it back on one branch, or remove the reference on the other; then merge.",
            code="merge-refers",
        )


def _of_gone(rows: pa.Table, column: str, gone: pa.Array) -> list[dict[str, Any]]:
    """Return the rows that refer to what is gone, each with the id in the column."""
    values = rows.column(column).combine_chunks()
    if not pa.types.is_list(values.type):
        return list(rows.filter(pc.is_in(values, value_set=gone)).to_pylist())
    ids = values.flatten().field("category_id")
    lost = pc.is_in(ids, value_set=gone)
    found = rows.take(pc.list_parent_indices(values).filter(lost)).to_pylist()
    return [{**row, column: n} for row, n in zip(found, ids.filter(lost).to_pylist(), strict=True)]


def refuse_circles(manifest: Manifest) -> None:
    """Refuse classes of which each is below the other, as two sides may have put them.

    Raises:
        Conflict: with one of them.
    """
    rows = manifest.table(TABLES["categories"], ["category_id", "parent_id", "name"]).to_pylist()
    parents = {row["category_id"]: row["parent_id"] for row in rows}
    for row in rows:
        seen, at = set[int](), row["category_id"]
        while at is not None and at not in seen:
            seen.add(at)
            at = parents.get(at)
        if at is not None:
            raise Conflict(
                f"class {row['name']} would be below itself: each side has put it elsewhere. "
                "Move it on one branch, then merge.",
                code="merge-circle",
            )


def _told(own: Delta, row: Mapping[str, Any], column: str, target: str, context: Context) -> str:
    """Return which row refers to what, by names where there are some."""
    number = row[column]
    name = str(number)
    if target == "categories":
        name = f"class {context.names.get(number, number)} ({number})"
    elif target == "items":
        name = f"item {context.items(pa.array([number]))[number]} ({number})"
    item = row.get("item_id")
    on = f" on {context.items(pa.array([item]))[item]}" if item and column != "item_id" else ""
    by = context.author(row)
    said = f" (by {by})" if by else ""
    return f"{own.table.name} {row[own.table.id_column]}{on}{said}, {column}: {name}"
