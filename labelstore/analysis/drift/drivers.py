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


def drivers(
    before: Sample, after: Sample, counts: tuple[Classes, Classes], known: Mapping[str, str]
) -> list[Driver]:
    """Return the activities, then the authors, without whom class shares would have moved less.

    Without an activity, labels that it made are not there, and those that it changed are as they
    were; labels that it removed are not known to be its own and stay removed.

    Args:
        before: the older labels.
        after: the newer.
        counts: labels per class on either side.
        known: names of people by pseudonym.
    """
    whole = _distance(*counts)
    if not whole:
        return []
    rows = _written(before, after)
    activities = _activities(after, known)
    told: dict[tuple[str, str], list[pa.Table]] = {}
    for number in pc.unique(rows.column("activity")).to_pylist():
        own = rows.filter(pc.equal(rows.column("activity"), number))
        by, what = activities.get(number, ("", "unknown"))
        for key in ((by, what), (by, "")):
            told.setdefault(key, []).append(own)
    found = []
    for (by, what), blocks in told.items():
        own = pa.concat_tables(blocks)
        without = counts[1] - _counted(own, "after") + _counted(own, "before", there=True)
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


def _written(before: Sample, after: Sample) -> pa.Table:
    """Return labels that activities wrote since: activity, class before and after, whether new."""
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
    })  # fmt: skip
    return found.filter(pc.invert(same))


def _counted(rows: pa.Table, column: str, *, there: bool = False) -> Classes:
    """Return labels per class; with `there` only of labels that were there before."""
    if there:
        rows = rows.filter(rows.column("there"))
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
