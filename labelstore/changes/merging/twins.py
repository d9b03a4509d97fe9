"""Classes and items that both sides added under one name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc

from labelstore.changes.delta import delta

if TYPE_CHECKING:
    from labelstore.versions.manifest import Manifest

NAMED = {"categories": ("name", "class"), "items": ("uri", "item")}
"""Tables whose rows have names, the column of these, and what such a row is."""


def twins(base: Manifest, ours: Manifest, theirs: Manifest) -> list[str]:
    """Return in words which classes and items are two now, for each side added its own."""
    found = []
    for table, (column, noun) in NAMED.items():
        names = [_added(base, side, table, column) for side in (ours, theirs)]
        both = [name for name, number in names[0].items() if names[1].get(name, number) != number]
        found += [f"{noun} {name}" for name in sorted(both)]
    return found


def _added(base: Manifest, side: Manifest, table: str, column: str) -> dict[str, int]:
    """Return the ids of rows that a side added or named, by name."""
    own = delta(base, side, (table, ""))
    rows = own.after.filter(pc.is_valid(own.after.column(column)))
    names, ids = (rows.column(n).to_pylist() for n in (column, own.table.id_column))
    return dict(zip(names, ids, strict=True))
