"""Blame: who last wrote each label of an item, and in which version."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.summary import class_names
from labelstore.errors import NotFound
from labelstore.lineage.rows import Row, item_named, item_parts
from labelstore.lineage.trace import Review, review_of
from labelstore.lineage.walking import walk
from labelstore.model.tables import TABLES
from labelstore.versions.agents import agent_names, names

if TYPE_CHECKING:
    from labelstore.versions.git import Commit
    from labelstore.versions.manifest import Manifest
    from labelstore.versions.workspace import Workspace


@dataclass(frozen=True)
class Blamed:
    """One label.

    Attributes:
        created_by: who judged, where the source says it, else who brought it.
        by: who last wrote it.
        activity: kind and message of the activity that did.
        at: when.
        commit: the version that brought that activity; None where no version up to here did.
    """

    annotation_id: int
    layer: str
    category: str
    kind: str
    created_by: str | None
    by: str | None
    activity: str
    at: datetime | None
    commit: Commit | None
    review: Review | None


@dataclass(frozen=True)
class Blame:
    """The labels of an item."""

    item_id: int
    item: str
    labels: list[Blamed]


def blame(workspace: Workspace, item: str, rev: str = "HEAD") -> Blame:
    """Return who last wrote each label of an item.

    Args:
        workspace: the store.
        item: URI, or id.
        rev: the version.

    Raises:
        NotFound: there is no such version, or no such item in it.
    """
    manifest = workspace.manifest(rev)
    found = item_named(manifest, item)
    if found is None:
        raise NotFound(f"version {rev!r} has no item {item!r}; give its URI or its id.",
                       code="item-unknown")  # fmt: skip
    rows = _rows(manifest, found["item_id"])
    activities = {r["activity_id"]: r for r in manifest.table(TABLES["activities"]).to_pylist()}
    came = _came(workspace, rev, {r["changed_in"] for r in rows} - {None})
    known = names(workspace)
    agents, classes = agent_names(manifest, known), class_names(manifest)
    labels = []
    for row in rows:
        wrote = activities.get(row["changed_in"], {})
        brought = activities.get(row["created_in"], {})
        author = row["created_by"] if row["created_by"] is not None else brought.get("agent_id")
        labels.append(
            Blamed(
                row["annotation_id"],
                row["layer"],
                classes[row["category_id"]],
                row["kind"],
                agents.get(author),
                agents.get(wrote.get("agent_id")),
                told(wrote) if wrote else "unknown",
                wrote.get("ended_at"),
                came.get(row["changed_in"]),
                review_of(manifest, row, known),
            )
        )
    return Blame(found["item_id"], found["uri"] or str(found["item_id"]), labels)


def told(activity: Row) -> str:
    """Return kind and message of an activity."""
    said = activity["message"]
    return f"{activity['kind']}: {said}" if said else str(activity["kind"])


def _rows(manifest: Manifest, item_id: int) -> list[Row]:
    """Return the labels of an item, by layer and id."""
    rows: list[Any] = []
    for part in item_parts(manifest, item_id, ("annotations",)):
        table = manifest.read(part)
        mine = table.filter(pc.equal(table.column("item_id"), item_id))
        rows += mine.to_pylist(maps_as_pydicts="strict")
    return sorted(rows, key=lambda r: (r["layer"], r["annotation_id"]))


def _came(workspace: Workspace, rev: str, wanted: Collection[int]) -> dict[int, Commit]:
    """Return the first version that has each activity."""
    found: dict[int, Commit] = {}
    for own in walk(workspace, rev, lambda m: m.parts_of("activities")):
        if found.keys() >= set(wanted):
            break
        ids = [own.manifest.read(part, ["activity_id"]).column(0) for part in own.parts]
        there = pa.chunked_array([c for column in ids for c in column.chunks], pa.int64())
        for number in there.filter(pc.is_in(there, value_set=pa.array(wanted))).to_pylist():
            found.setdefault(number, own.commit)
    return found
