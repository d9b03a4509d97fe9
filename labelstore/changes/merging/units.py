"""What is merged as one: a label with its shapes, or a row of another table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.delta import Delta, delta, places
from labelstore.changes.pairing import Side
from labelstore.model.tables import FAMILY, TABLES, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.versions.manifest import Manifest

    Ids = NDArray[np.int64]

Deltas = Mapping[str, Delta]


@dataclass(frozen=True)
class Unit:
    """Tables in which the rows of one id are one thing, in one partition.

    Attributes:
        tables: the two families of a layer, or one table.
        partition: layer or scheme, or empty.
    """

    tables: tuple[Table, ...]
    partition: str

    @property
    def key(self) -> tuple[str, ...]:
        """Return the columns that order the rows."""
        return self.tables[0].key

    @property
    def id_column(self) -> str:
        """Return the column that names a row."""
        return self.tables[0].id_column

    @cached_property
    def columns(self) -> dict[str, Table]:
        """Return every column, once, with the table that it is of first."""
        found: dict[str, Table] = {}
        for table in self.tables:
            for name in table.schema.names:
                found.setdefault(name, table)
        return found

    def deltas(self, before: Manifest, after: Manifest) -> Deltas:
        """Return in which rows two versions differ, by table."""
        return {t.name: delta(before, after, (t.name, self.partition)) for t in self.tables}

    def joined(self, rows: Mapping[str, pa.Table]) -> pa.Table:
        """Return aligned rows of all tables as one table."""
        return pa.table({c: rows[table.name].column(c) for c, table in self.columns.items()})


def units(*manifests: Manifest) -> list[Unit]:
    """Return everything that is merged by itself."""
    found = []
    for name, partition in places(*manifests):
        if name == FAMILY[0]:
            found.append(Unit(tuple(TABLES[n] for n in FAMILY), partition))
        elif name not in FAMILY:
            found.append(Unit((TABLES[name],), partition))
    return found


def ids_of(changes: Deltas) -> Ids:
    """Return the ids of all rows that differ in any table, rising."""
    return np.unique(np.concatenate([own.ids for own in changes.values()]))


def three_sides(
    unit: Unit, sides: Sequence[Manifest], changes: tuple[Deltas, Deltas], ids: Ids
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Return rows of base, ours and theirs, aligned with ids; a row that is not there is null.

    Args:
        unit: what is merged.
        sides: base, ours, theirs.
        changes: of ours and of theirs, against the base.
        ids: what both sides touched.
    """
    ours, theirs = changes
    known = [
        [own.before for side in changes for own in side.values()],
        [own.after for own in ours.values()],
        [own.after for own in theirs.values()],
    ]
    base, mine, other = (
        _aligned(unit, _rows(unit, manifest, tables, ids), ids)
        for manifest, tables in zip(sides, known, strict=True)
    )
    return base, mine, other


def _rows(unit: Unit, manifest: Manifest, known: Sequence[pa.Table], ids: Ids) -> pa.Table:
    """Return the rows of some ids on one side, of those that are there."""
    wanted = pa.array(ids)
    chosen = [rows.filter(pc.is_in(rows.column(unit.id_column), value_set=wanted))
              for rows in known]  # fmt: skip
    if len(unit.tables) == 1:
        return pa.concat_tables(chosen)
    keys = pa.concat_tables([rows.select(list(unit.key)) for rows in chosen])
    keys = keys.group_by(list(unit.key)).aggregate([])
    items = np.unique(np.asarray(keys.column("item_id")))
    return unit.joined(Side(manifest, unit.partition, keys).rows(items))


def _aligned(unit: Unit, rows: pa.Table, ids: Ids) -> pa.Table:
    """Return rows in the order of ids; every column may be null, for a row may not be there."""
    known = rows.column(unit.id_column).combine_chunks()
    at = pc.index_in(pa.array(ids), value_set=known)
    taken = rows.combine_chunks().take(at).combine_chunks()
    return pa.table({name: taken.column(name) for name in taken.column_names})
