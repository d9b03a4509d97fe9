"""What one version has and another has not, as whole rows: what makes the one of the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.rows import differences
from labelstore.model.tables import TABLES, Table
from labelstore.storage.rewriting import Edits
from labelstore.versions.editing import Place, edited
from labelstore.versions.manifest import Manifest, assemble

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Delta:
    """Rows of one table and partition in which two versions differ.

    Attributes:
        table: the table.
        before: whole rows that went or changed, as they were.
        after: whole rows that came or changed, as they are.
    """

    table: Table
    before: pa.Table
    after: pa.Table

    @cached_property
    def ids(self) -> Ids:
        """Return the ids of all of them, rising."""
        return np.union1d(self.ids_of(self.before), self.ids_of(self.after))

    @cached_property
    def removed(self) -> Ids:
        """Return the ids of rows that are gone, rising."""
        return np.setdiff1d(self.ids_of(self.before), self.ids_of(self.after))

    def ids_of(self, rows: pa.Table) -> Ids:
        """Return the ids of rows."""
        return np.asarray(rows.column(self.table.id_column).combine_chunks())

    def without(self, ids: Ids) -> Delta:
        """Return the rows with other ids than these."""
        known, column = pa.array(ids), self.table.id_column
        sides = (rows.filter(pc.invert(pc.is_in(rows.column(column), value_set=known)))
                 for rows in (self.before, self.after))  # fmt: skip
        return Delta(self.table, *sides)

    @property
    def edits(self) -> Edits:
        """Return the edits that make the later version of the earlier one."""
        keys = list(self.table.key)
        before, after = (rows.select(keys) for rows in (self.before, self.after))
        return Edits(self.after, before.join(after, keys, join_type="left anti"))


def places(*manifests: Manifest) -> list[Place]:
    """Return every table and partition that versions have, in the order of the tables."""
    return [
        (name, partition)
        for name in TABLES
        for partition in sorted({p for m in manifests for p in m.partitions(name)})
    ]


def delta(before: Manifest, after: Manifest, place: Place) -> Delta:
    """Return in which rows two versions differ; parts with equal digests are not opened."""
    table = TABLES[place[0]]
    empty = table.schema.empty_table()
    old, new = [empty], [empty]
    for area in differences(table, before, after, place[1]):
        old.append(area.rows(0, np.concatenate([area.removed, area.changed[:, 0]])))
        new.append(area.rows(1, np.concatenate([area.added, area.changed[:, 1]])))
    return Delta(table, pa.concat_tables(old), pa.concat_tables(new))


def deltas(before: Manifest, after: Manifest) -> dict[Place, Delta]:
    """Return in which rows two versions differ, by table and partition."""
    found = {place: delta(before, after, place) for place in places(before, after)}
    return {place: own for place, own in found.items() if len(own.ids)}


def apply(changes: Mapping[Place, Delta], manifest: Manifest, objects: Path) -> Manifest:
    """Return a version with changes made to it.

    Args:
        changes: as `deltas` gives them; rows of theirs take the place of those of their ids.
        manifest: the version.
        objects: folder that takes new parts.
    """
    edits = {place: own.edits for place, own in changes.items()}
    return assemble(*edited(manifest, edits, objects), manifest, objects)
