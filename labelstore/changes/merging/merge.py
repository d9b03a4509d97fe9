"""Two versions that began from one, made into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.delta import deltas
from labelstore.changes.merging.cells import Cells
from labelstore.changes.merging.composing import composed
from labelstore.changes.merging.conflicts import CONFLICTS, Context, conflicts_of
from labelstore.changes.merging.references import refuse_circles, refuse_dangling
from labelstore.changes.merging.twins import twins
from labelstore.changes.merging.units import ids_of, three_sides, units
from labelstore.errors import Conflict
from labelstore.model.arrow import with_column
from labelstore.model.tables import TABLES
from labelstore.storage.parquet import conform
from labelstore.storage.rewriting import Edits
from labelstore.versions.editing import Place, edited
from labelstore.versions.manifest import Manifest, assemble
from labelstore.versions.stage import additions

if TYPE_CHECKING:
    from pathlib import Path

    from labelstore.changes.merging.policies import Decide


@dataclass(frozen=True)
class Merged:
    """What came of a merge.

    Attributes:
        manifest: the merged version; None while conflicts are open.
        conflicts: see `conflicts.CONFLICTS`; also those that were decided.
        twins: classes and items that both sides added under one name, and that are two now.
    """

    manifest: Manifest | None
    conflicts: pa.Table
    twins: Sequence[str] = ()

    @property
    def open(self) -> pa.Table:
        """Return the conflicts that nobody has decided."""
        return self.conflicts.filter(self.conflicts.column("take").is_null())


@dataclass
class _Plan:
    """What is to be done to ours: edits, partitions of theirs taken whole, rows of both."""

    edits: dict[Place, list[Edits]] = field(default_factory=dict)
    whole: list[Place] = field(default_factory=list)
    shared: list[Cells] = field(default_factory=list)


def merge(
    base: Manifest, ours: Manifest, theirs: Manifest, *, objects: Path, activity_id: int,
    decide: Decide, known: Mapping[str, str] | None = None,
) -> Merged:  # fmt: skip
    """Return what two versions are together.

    What one side alone changed is as that side has it: whole tables and layers without being
    read, then rows, then cells. What both changed alike is so; of who wrote it the earlier is
    kept. What both changed otherwise is a conflict.

    Args:
        base: the version that both began from.
        ours: one side.
        theirs: the other.
        objects: folder that takes new parts.
        activity_id: the merge; it is what last wrote rows that have something of both.
        decide: who wins a conflict.
        known: names of people by pseudonym.

    Raises:
        Conflict: ids of both sides have met by chance, or a row refers to one that is gone.
    """
    for side, other in ((base, ours), (ours, theirs)):
        if side.root == other.root:
            return Merged(theirs, CONFLICTS.empty_table())
    if base.root == theirs.root:
        return Merged(ours, CONFLICTS.empty_table())
    plan, context = _plan(base, ours, theirs), Context.of(base, ours, theirs, known or {})
    told = [conflicts_of(cells, context) for cells in plan.shared]
    conflicts = pa.concat_tables([CONFLICTS.empty_table(), *told])
    takes = pa.array(list(decide(conflicts)), pa.string())
    conflicts = with_column(conflicts, "take", takes)
    if takes.null_count:
        return Merged(None, conflicts)
    _compose(plan, told, takes, context, activity_id)
    manifest = _built(plan, ours, theirs, objects)
    refuse_dangling(deltas(base, manifest), context)
    refuse_circles(manifest)
    return Merged(manifest, conflicts, twins(base, ours, theirs))


def _plan(base: Manifest, ours: Manifest, theirs: Manifest) -> _Plan:
    plan = _Plan()
    for unit in units(base, ours, theirs):
        places = [(table.name, unit.partition) for table in unit.tables]
        if _same(base, theirs, places):
            continue
        if _same(base, ours, places):
            plan.whole += places
            continue
        changes = unit.deltas(base, ours), unit.deltas(base, theirs)
        shared = np.intersect1d(ids_of(changes[0]), ids_of(changes[1]))
        for place in places:
            plan.edits[place] = [changes[1][place[0]].without(shared).edits]
        if len(shared):
            rows = three_sides(unit, (base, ours, theirs), changes, shared)
            cells = Cells(unit, *rows)
            if places == [("activities", "")]:
                plan.edits[places[0]].append(_earlier(cells))
            else:
                plan.shared.append(cells)
    return plan


def _same(one: Manifest, other: Manifest, places: Sequence[Place]) -> bool:
    """Say whether two versions have the same rows in some places."""
    digests = ([[p.digest for p in m.parts_of(*place)] for place in places] for m in (one, other))
    return next(digests) == next(digests)


def _earlier(cells: Cells) -> Edits:
    """Return the activities that both sides have, as the one that began first has them.

    Both may have read one delivery, or made one edit: its id is the same, its time is not.

    Raises:
        Conflict: two activities have one id, and are not of one doing.
    """
    sides = [rows.select(ACTIVITY).to_pylist() for rows in (cells.ours, cells.theirs)]
    times = [[(str(r["started_at"]), str(r)) for r in rows.to_pylist()]
             for rows in (cells.ours, cells.theirs)]  # fmt: skip
    for one, other in zip(*sides, strict=True):
        if _doing(one) != _doing(other):
            raise Conflict(
                f"activities of both sides have the same id {one['activity_id']} by chance, and "
                "so may their rows. Repeat the edit of one side on the other branch.",
                code="merge-ids",
            )
    later = pa.array([theirs < ours for ours, theirs in zip(*times, strict=True)], pa.bool_())
    return additions(
        TABLES["activities"], conform(cells.theirs, TABLES["activities"]).filter(later)
    )


ACTIVITY = ("activity_id", "kind", "parameters", "inputs")


def _doing(activity: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what tells an activity from others: what it did, and with which bytes."""
    digests = sorted(i["sha256"] for i in activity["inputs"] or [])
    return activity["kind"], activity["parameters"], digests


def _compose(
    plan: _Plan, told: Sequence[pa.Table], takes: pa.Array, context: Context, activity_id: int
) -> None:
    """Add the edits of rows that both sides touched."""
    begin = 0
    for cells, own in zip(plan.shared, told, strict=True):
        chosen = own.filter(pc.equal(takes.slice(begin, own.num_rows), "theirs"))
        begin += own.num_rows
        ids = _ids(cells)
        theirs = {
            cell: np.isin(ids, chosen.filter(pc.equal(chosen.column("cell"), cell)).column("id"))
            for cell in pc.unique(chosen.column("cell")).to_pylist()
        }
        for name, edits in composed(cells, theirs, context, activity_id).items():
            plan.edits[name, cells.unit.partition].append(edits)


def _ids(cells: Cells) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the ids of rows that both sides touched, whichever side has them."""
    sides = (cells.base, cells.ours, cells.theirs)
    return np.asarray(pc.coalesce(*(rows.column(cells.unit.id_column) for rows in sides)))


def _built(plan: _Plan, ours: Manifest, theirs: Manifest, objects: Path) -> Manifest:
    edits = {
        place: Edits(pa.concat_tables([e.rows for e in own]),
                     pa.concat_tables([e.dropped for e in own], promote_options="default"))
        for place, own in plan.edits.items()
    }  # fmt: skip
    parts, files = edited(ours, edits, objects)
    parts = [p for p in parts if (p.table, p.partition) not in plan.whole]
    taken = [p for place in plan.whole for p in theirs.parts_of(*place)]
    files |= {p.path: theirs.md5(p.path) for p in taken}
    return assemble([*parts, *taken], files, ours, objects)
