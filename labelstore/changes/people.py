"""Who wrote what differs: by activity, and by author."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import counted
from labelstore.model.tables import TABLES
from labelstore.versions.agents import agent_names

if TYPE_CHECKING:
    from labelstore.changes.difference import Diff
    from labelstore.versions.manifest import Manifest


@dataclass(frozen=True)
class Written:
    """What one activity, or one author, wrote of what differs.

    Attributes:
        by: name of the author, where it is known; else the pseudonym, else empty.
        what: kind of the activity, and its message; of an author how many activities.
        added, removed, changed: labels. Who removed one is not recorded with it: it is of the
            activity that is new, or of all those that are.
    """

    by: str
    what: str
    added: int
    removed: int
    changed: int

    @property
    def total(self) -> int:
        """Return how many labels are concerned."""
        return self.added + self.removed + self.changed


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
    gone = int(pc.sum(pc.equal(found.labels.column("change"), "removed")).as_py() or 0)
    activities = _activities(sides, known) if counts or gone else {}
    one, makers = _removers(sides, activities) if gone else (None, None)
    if one is not None:
        counts.setdefault(one, dict.fromkeys(WRITTEN, 0))
    told = [
        Written(*activities.get(number, ("", "unknown")), own["added"],
                gone if number == one and gone else 0, own["changed"])
        for number, own in counts.items()
    ]  # fmt: skip
    if gone and one is None:
        told.append(Written(makers or "", "one of several", 0, gone, 0))
    return sorted(told, key=lambda w: (-w.total, w.by, w.what))


WRITTEN = ("added", "changed")


def _removers(
    sides: Sequence[Manifest], activities: Mapping[Any, tuple[str, str]]
) -> tuple[Any, str]:
    """Return the activity that is new on the later side, if there is one; and who was there."""
    ids = [set(m.table(TABLES["activities"], ["activity_id"]).column(0).to_pylist())
           for m in (sides[0], sides[-1])]  # fmt: skip
    new = sorted(ids[1] - ids[0])
    names = sorted({activities[n][0] for n in new})
    return (new[0] if len(new) == 1 else None), " or ".join(names)


def by_author(activities: Sequence[Written]) -> list[Written]:
    """Return what each author wrote, the most first."""
    counts: dict[str, list[int]] = {}
    for one in activities:
        own = counts.setdefault(one.by, [0, 0, 0, 0])
        more = (1, one.added, one.removed, one.changed)
        counts[one.by] = [a + b for a, b in zip(own, more, strict=True)]
    told = [Written(by, counted(n, "activity", "activities"), *numbers)
            for by, (n, *numbers) in counts.items()]  # fmt: skip
    return sorted(told, key=lambda w: (-w.total, w.by))


def _activities(sides: Sequence[Manifest], known: Mapping[str, str]) -> dict[Any, tuple[str, str]]:
    """Return author and description of each activity."""
    found: dict[Any, tuple[str, str]] = {}
    for manifest in sides:
        names = agent_names(manifest, known)
        columns = ["activity_id", "kind", "agent_id", "message"]
        for row in manifest.table(TABLES["activities"], columns).to_pylist():
            name = names.get(row["agent_id"], "")
            said = f"{row['kind']}: {row['message']}" if row["message"] else row["kind"]
            found[row["activity_id"]] = name, said
    return found
