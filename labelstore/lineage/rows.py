"""Single rows of a version, by id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from labelstore.model.tables import FAMILY, TABLES

if TYPE_CHECKING:
    from labelstore.storage.index import Part
    from labelstore.versions.manifest import Manifest

Row = dict[str, Any]
DIGITS = 20
"""Longer numbers are no ids."""


def label_parts(manifest: Manifest, annotation_id: int) -> list[Part]:
    """Return the parts of both families that may hold a label, by the ids that they hold."""
    return [part for name in FAMILY for part in manifest.parts_holding(name, id=annotation_id)]


def label_row(manifest: Manifest, parts: Sequence[Part], annotation_id: int) -> Row | None:
    """Return a label's two rows as one, or None where these parts do not have it."""
    found: Row = {}
    for part in parts:
        rows = manifest.read(part)
        mine = pc.equal(rows.column("annotation_id"), annotation_id)
        for row in rows.filter(mine).to_pylist(maps_as_pydicts="strict"):
            found.update(row)
    return found or None


def by_id(manifest: Manifest, name: str, number: int | None) -> Row | None:
    """Return the row of a small table that has this id, or None."""
    if number is None:
        return None
    table = TABLES[name]
    rows: pa.Table = manifest.table(table)
    chosen = rows.filter(pc.equal(rows.column(table.id_column), number)).to_pylist()
    return dict(chosen[0]) if chosen else None


def item_row(manifest: Manifest, item: int | str) -> Row | None:
    """Return the row of an item, by its id or its URI; None where there is none."""
    column = "item_id" if isinstance(item, int) else "uri"
    for part in manifest.parts_of("items"):
        if column == "uri" or part.min_id <= int(item) <= part.max_id:
            rows = manifest.read(part)
            chosen = rows.filter(pc.equal(rows.column(column), item))
            for row in chosen.to_pylist():
                return dict(row)
    return None


def item_named(manifest: Manifest, item: str) -> Row | None:
    """Return the row of an item by what people give: its URI, else its id."""
    found = item_row(manifest, item)
    if found is None and item.isascii() and item.isdecimal() and len(item) < DIGITS:
        found = item_row(manifest, int(item))
    return found


def item_parts(manifest: Manifest, item_id: int, tables: Iterable[str]) -> list[Part]:
    """Return the parts of tables that are sorted by item and may hold one."""
    return [part for name in tables for part in manifest.parts_holding(name, key=item_id)]
