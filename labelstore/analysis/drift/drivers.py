"""Who drives a change of class shares: what they would be had an activity not been."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from labelstore.analysis.drift.gathering import Sample, digests
from labelstore.analysis.drift.measures import jensen_shannon
from labelstore.analysis.drift.report import Driver
from labelstore.model.tables import TABLES
from labelstore.versions.agents import agent_names

if TYPE_CHECKING:
    Classes = Counter[int | None]

MOST = 10
REMOVED = "labels removed"
"""Stands for an activity where several may have removed them."""


def drivers(
    before: Sample, after: Sample, counts: tuple[Classes, Classes], known: Mapping[str, str]
) -> list[Driver]:
    """Return the activities, then the authors, without whom class shares would have moved less.

    Without an activity, labels that it made are not there, and those that it changed are as they
    were. Labels that are gone are those of the one activity that came, or else told apart: no row
    says who removed it.

    Args:
        before: the older labels.
        after: the newer.
        counts: labels per class on either side.
        known: names of people by pseudonym.
    """
    whole = _distance(*counts)
    if not whole:
        return []
    rows = _written(before, after, _only(before, after))
    activities = _activities(after, known)
    told: dict[tuple[str, str], list[pa.Table]] = {}
    for number in pc.unique(rows.column("activity")).to_pylist():
        own = rows.filter(pc.equal(rows.column("activity"), number))
        by, what = activities.get(number, ("", REMOVED if number == 0 else "unknown"))
        for key in ((by, what), (by, "")) if by or what != REMOVED else ((by, what),):
            told.setdefault(key, []).append(own)
    found = []
    for (by, what), blocks in told.items():
        own = pa.concat_tables(blocks)
        without = Counter(counts[1])
        without.subtract(_counted(own, "after", "here"))
        without.update(_counted(own, "before", "there"))
        share = 1 - _distance(counts[0], without) / whole
        found.append(Driver(by, what, own.num_rows, share))
    ranked = sorted(found, key=lambda d: (not d.what, -abs(d.share), d.by, d.what))
    return [d for d in ranked if d.what][:MOST] + [d for d in ranked if not d.what][:MOST]


def _distance(before: Classes, after: Classes) -> float:
    totals = before.total(), after.total()
    if not all(totals):
        return 0.0
    keys = {*before, *after}
    return jensen_shannon([before[k] / totals[0] for k in keys],
                          [after[k] / totals[1] for k in keys])  # fmt: skip


def _only(before: Sample, after: Sample) -> int:
    """Return the activity that came since, 0 where there are several."""
    ids = [set(side.manifest.table(TABLES["activities"], ["activity_id"]).column(0).to_pylist())
           for side in (before, after)]  # fmt: skip
    came = ids[1] - ids[0]
    return came.pop() if len(came) == 1 else 0


def _written(before: Sample, after: Sample, removing: int) -> pa.Table:
    """Return labels that activities wrote or removed since.

    Their activity, class before and after, and whether they were there and are here.

    Args:
        before: the older labels.
        after: the newer.
        removing: the activity that removed what is gone.
    """
    columns = ["item_id", "annotation_id", "category_id", "changed_in"]
    sides = []
    theirs = [{digests(p) for p in side.pairs()} for side in (after, before)]
    for side, other in zip((before, after), theirs, strict=True):
        blocks = [side.manifest.read(notes, columns) for notes, shapes in side.pairs()
                  if digests((notes, shapes)) not in other]  # fmt: skip
        rows = pa.concat_tables(blocks) if blocks else (
            TABLES["annotations"].schema.empty_table().select(columns))  # fmt: skip
        sides.append(side.chosen(rows, rows)[0])
    old, new = sides
    at = pc.index_in(new.column("annotation_id"),
                     value_set=old.column("annotation_id").combine_chunks())  # fmt: skip
    was = old.take(at)
    same = pc.equal(was.column("changed_in"), new.column("changed_in")).fill_null(False)
    found = pa.table({
        "activity": new.column("changed_in"), "before": was.column("category_id"),
        "after": new.column("category_id"), "there": at.is_valid(),
        "here": pa.repeat(True, new.num_rows),
    })  # fmt: skip
    left = new.column("annotation_id").combine_chunks()
    gone = old.filter(pc.invert(pc.is_in(old.column("annotation_id"), value_set=left)))
    count = gone.num_rows
    removed = pa.table({
        "activity": pa.repeat(removing, count), "before": gone.column("category_id"),
        "after": pa.nulls(count, pa.int64()), "there": pa.repeat(True, count),
        "here": pa.repeat(False, count),
    })  # fmt: skip
    return pa.concat_tables([found.filter(pc.invert(same)), removed.cast(found.schema)])


def _counted(rows: pa.Table, column: str, where: str) -> Classes:
    """Return labels per class, of those that were `there` or are `here`."""
    rows = rows.filter(rows.column(where))
    counted = pc.value_counts(rows.column(column)).to_pylist()
    return Counter({entry["values"]: entry["counts"] for entry in counted})


def _activities(after: Sample, known: Mapping[str, str]) -> dict[Any, tuple[str, str]]:
    names = agent_names(after.manifest, known)
    columns = ["activity_id", "kind", "agent_id", "message"]
    return {
        row["activity_id"]: (names.get(row["agent_id"], ""),
                             f"{row['kind']}: {row['message']}" if row["message"] else row["kind"])
        for row in after.manifest.table(TABLES["activities"], columns).to_pylist()
    }  # fmt: skip
