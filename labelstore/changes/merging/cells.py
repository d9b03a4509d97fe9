"""Cells: what is changed as one, and what each side made of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from labelstore.storage.compare import unequal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labelstore.changes.merging.units import Unit

    Flags = NDArray[np.bool_]

TOGETHER = {
    "shape": (
        "kind", "xmin", "ymin", "xmax", "ymax", "frame", "box", "box_form", "rotated_box",
        "corners", "polygons", "holes_of", "polylines", "polylines_closed", "spline", "keypoints",
        "keypoint_dims", "visibility", "keypoint_scores", "ellipse", "mask", "raster", "cuboid2d",
        "cuboid3d", "yaw_stated", "alpha", "mesh", "point_labels", "area", "num_keypoints",
    ),
    "spans": ("spans", "surface"),
    "occluded": ("occluded", "occluded_scale"),
}  # fmt: skip
"""Columns that mean something together: half of one side and half of the other is neither's."""
CELL_OF = {column: cell for cell, columns in TOGETHER.items() for column in columns}


def cells_of(unit: Unit) -> dict[str, list[str]]:
    """Return the columns of each cell of a row."""
    found: dict[str, list[str]] = {}
    content = {c for table in unit.tables for c in table.columns("content")}
    together = CELL_OF if unit.id_column == "annotation_id" else {}
    for column in unit.columns:
        if column in content and column != unit.id_column:
            found.setdefault(together.get(column, column), []).append(column)
    return found


@dataclass(frozen=True)
class Changes:
    """What became of one cell, or column; each of shape (n,).

    Attributes:
        ours, theirs: where that side is not as the base.
        apart: where the sides differ.
    """

    ours: Flags
    theirs: Flags
    apart: Flags

    @property
    def both(self) -> Flags:
        """Return where both sides changed it, each otherwise."""
        return self.ours & self.theirs & self.apart

    @property
    def taken(self) -> Flags:
        """Return where theirs alone changed it."""
        return self.theirs & ~self.ours


class Cells:
    """Rows of three sides, aligned, and what became of their cells.

    Args:
        unit: what they are rows of.
        base, ours, theirs: rows; null where one is not there.
    """

    def __init__(self, unit: Unit, base: pa.Table, ours: pa.Table, theirs: pa.Table) -> None:
        self.unit, self.base, self.ours, self.theirs = unit, base, ours, theirs
        there = (rows.column(unit.id_column).is_valid() for rows in (base, ours, theirs))
        self.in_base, self.in_ours, self.in_theirs = (np.asarray(flags) for flags in there)
        self.count = base.num_rows

    @cached_property
    def content(self) -> dict[str, Changes]:
        """Return what became of each cell."""
        return {cell: self._changes(columns) for cell, columns in cells_of(self.unit).items()}

    @cached_property
    def rest(self) -> dict[str, Changes]:
        """Return what became of each column that says who wrote a row, or where it stood."""
        roles = {c for table in self.unit.tables for c in table.columns("provenance", "origin")}
        return {column: self._changes([column]) for column in roles}

    def any_of(self, side: str) -> Flags:
        """Return the rows of which a side changed what they say, or in which sides differ."""
        found = np.zeros(self.count, bool)
        for changes in self.content.values():
            found |= getattr(changes, side)
        return found

    @cached_property
    def removed_and_changed(self) -> Flags:
        """Return the rows that one side removed and the other changed."""
        ours = self.in_base & ~self.in_ours & self.in_theirs & self.any_of("theirs")
        theirs = self.in_base & ~self.in_theirs & self.in_ours & self.any_of("ours")
        flags: Flags = ours | theirs
        return flags

    def _changes(self, columns: Sequence[str]) -> Changes:
        base, ours, theirs = ([rows.column(c).combine_chunks() for c in columns]
                              for rows in (self.base, self.ours, self.theirs))  # fmt: skip
        return Changes(self._any(base, ours), self._any(base, theirs), self._any(ours, theirs))

    def _any(self, before: Sequence[pa.Array], after: Sequence[pa.Array]) -> Flags:
        found = np.zeros(self.count, bool)
        for old, new in zip(before, after, strict=True):
            found |= unequal(old, new)
        return found
