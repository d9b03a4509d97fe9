"""Who wrote what differs: by activity, and by author."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from labelstore.model.tables import TABLES

if TYPE_CHECKING:
    from labelstore.changes.difference import Diff
    from labelstore.versions.manifest import Manifest


@dataclass(frozen=True)
class Written:
    """What one activity, or one author, wrote of what differs.

    Attributes:
        by: name of the author, where it is known; else the pseudonym, else empty.
        what: kind of the activity, and its message; of an author how many activities.
        added, changed: labels. Who removed labels is not recorded with them.
    """

    by: str
    what: str
    added: int
    changed: int

    @property
    def total(self) -> int:
        """Return how many labels are concerned."""
        return self.added + self.changed


def by_activity(found: Diff, sides: Sequence[Manifest], known: Mapping[str, str]) -> list[Written]:
    """Return what each activity wrote, the most first.

    Args:
        found: the difference.
        sides: versions that have the activities.
        known: names of people by pseudonym.
    """
    labels = found.labels.filter(pc.is_in(found.labels.column("change"), pa.array(WRITTEN)))
    grouped = labels.group_by(["activity_id", "change"]).aggregate([([], "count_all")])
    counts: dict[int | None, dict[str, int]] = {}
    for row in grouped.to_pylist():
        own = counts.setdefault(row["activity_id"], dict.fromkeys(WRITTEN, 0))
        own[row["change"]] = row["count_all"]
    activities = _activities(sides, known) if counts else {}
    told = [
        Written(*activities.get(number, ("", "unknown")), own["added"], own["changed"])
        for number, own in counts.items()
    ]
    return sorted(told, key=lambda w: (-w.total, w.by, w.what))


WRITTEN = ("added", "changed")


def by_author(activities: Sequence[Written]) -> list[Written]:
    """Return what each author wrote, the most first."""
    counts: dict[str, list[int]] = {}
    for one in activities:
        own = counts.setdefault(one.by, [0, 0, 0])
        counts[one.by] = [own[0] + 1, own[1] + one.added, own[2] + one.changed]
    told = [Written(by, f"{n} activit{'y' if n == 1 else 'ies'}", added, changed)
            for by, (n, added, changed) in counts.items()]  # fmt: skip
    return sorted(told, key=lambda w: (-w.total, w.by))


def _activities(sides: Sequence[Manifest], known: Mapping[str, str]) -> dict[Any, tuple[str, str]]:
    """Return author and description of each activity."""
    found: dict[Any, tuple[str, str]] = {}
    for manifest in sides:
        names = {r["agent_id"]: r["name"] for r in manifest.table(TABLES["agents"]).to_pylist()}
        columns = ["activity_id", "kind", "agent_id", "message"]
        for row in manifest.table(TABLES["activities"], columns).to_pylist():
            name = names.get(row["agent_id"], "")
            said = f"{row['kind']}: {row['message']}" if row["message"] else row["kind"]
            found[row["activity_id"]] = known.get(name, name), said
    return found
