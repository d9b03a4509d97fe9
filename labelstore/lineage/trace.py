"""The life of one label: the versions in which it changed, by whom, from which file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from labelstore.changes.rows import DERIVED
from labelstore.changes.summary import class_names
from labelstore.errors import NotFound
from labelstore.lineage.rows import Row, by_id, item_row, label_parts, label_row
from labelstore.lineage.sources import Source, source_of
from labelstore.lineage.subsets import Placed, subsets
from labelstore.lineage.walking import Changed, new_activities, walk
from labelstore.model.tables import FAMILY, TABLES
from labelstore.versions.agents import agent_names, names
from labelstore.versions.forgotten import forgotten

if TYPE_CHECKING:
    from labelstore.versions.git import Commit
    from labelstore.versions.manifest import Manifest
    from labelstore.versions.workspace import Workspace


@dataclass(frozen=True)
class Step:
    """One version in which a label changed.

    Attributes:
        change: created, changed, deleted.
        columns: old and new value of each column that differs.
        activity: the row of the activity that wrote it; None for a deletion by one of several, and
            for what plain git put back.
        agent: who acted: a name where this clone knows it, else the pseudonym.
        source: the file that it was read from, where it was.
        hashes: of the label's two rows, where there is one.
        others: further activities that are new in the version and may have had a part in it: a row
            says only who wrote it last.
    """

    commit: Commit
    change: str
    columns: Mapping[str, tuple[Any, Any]]
    activity: Row | None
    agent: str | None
    source: Source | None = None
    hashes: tuple[int, int] | None = None
    others: Sequence[Row] = ()

    @property
    def version(self) -> str:
        """Return the version's tag, else its short commit."""
        return self.commit.name


@dataclass(frozen=True)
class Review:
    """What a review says of a label: in which state it is, by whom and since when.

    Attributes:
        outdated: whether something wrote the label after it.
    """

    state: str
    by: str | None
    at: datetime | None
    outdated: bool


@dataclass(frozen=True)
class Held:
    """A pin whose data set has the label.

    Attributes:
        path: of the pin file.
        revision: as it was asked for.
        commit: the version.
        version: the step since which the label is as the pin has it.
        here: whether the version could be read; where it could not, nobody knows of the label.
    """

    path: str
    revision: str
    commit: str
    version: str | None
    here: bool = True


@dataclass
class Trace:
    """The life of one label.

    Attributes:
        layer: of the label.
        steps: oldest first.
        item: URI of its item, else its id.
        made_by, made_at: who judged and when, where its source says it.
        category: its class now, or when it was deleted.
        review: the last one, if it was not taken back.
        subsets: where its item lay, oldest first.
        pins: that hold it.
    """

    annotation_id: int
    layer: str
    item: str
    category: str
    steps: list[Step] = field(default_factory=list)
    review: Review | None = None
    subsets: Sequence[Placed] = ()
    pins: Sequence[Held] = ()
    made_by: str | None = None
    made_at: datetime | None = None


def trace(workspace: Workspace, annotation_id: int, rev: str = "HEAD") -> Trace:
    """Return the life of a label up to a version.

    Only parts whose digest changed since the version before are opened. What came by a merge is a
    step of that merge, by those who wrote it.

    Raises:
        NotFound: no version up to there has the label, or an old version's objects are not here.
    """
    known = names(workspace)
    before: Row | None = None
    last: tuple[Manifest, Row] | None = None
    steps = []
    for version, row in _states(workspace, annotation_id, rev):
        if row is not None and row != before:
            last = version.manifest, row
        step = _step(version, before, row, known)
        if step is not None:
            steps.append(step)
        before = row
    if last is None:
        gone = "".join(f" {one.words()}." for one in forgotten(workspace.git))
        raise NotFound(
            f"no version up to {rev!r} has annotation {annotation_id}; a staged one has none "
            "before `labelstore commit`. `labelstore query` finds ids: SELECT annotation_id FROM "
            f"annotations …{gone and '.'}{gone}",
            code="annotation-unknown",
        )
    manifest, row = last
    category = class_names(manifest)[row["category_id"]]
    placed = subsets(workspace, row["item_id"], rev)
    return Trace(annotation_id, row["layer"], _item(manifest, row), category, steps,
                 review_of(manifest, row, known), placed,
                 made_by=agent_names(manifest, known).get(row["created_by"]),
                 made_at=row["created_at"])  # fmt: skip


def review_of(manifest: Manifest, row: Row, known: Mapping[str, str]) -> Review | None:
    """Return what the review of a label says, if there is one.

    Args:
        manifest: the version.
        row: of `annotations`.
        known: names of people by pseudonym.
    """
    if row["review_state"] is None:
        return None
    outdated = False
    if row["changed_in"] != row["created_in"]:
        wrote = by_id(manifest, "activities", row["changed_in"])
        outdated = wrote is None or wrote["started_at"] != row["reviewed_at"]
    by = agent_names(manifest, known).get(row["reviewed_by"])
    return Review(row["review_state"], by, row["reviewed_at"], outdated)


def _states(
    workspace: Workspace, annotation_id: int, rev: str
) -> Iterator[tuple[Changed, Row | None]]:
    """Yield each version, oldest first, in which the label's parts changed, with its row."""
    for version in walk(workspace, rev, lambda m: label_parts(m, annotation_id)):
        yield version, label_row(version.manifest, version.parts, annotation_id)


def _step(
    version: Changed, before: Row | None, row: Row | None, known: Mapping[str, str]
) -> Step | None:
    if row is None:
        return None if before is None else _deletion(version, known)
    manifest = version.manifest
    columns = {} if before is None else _changed(before, row, manifest)
    if before is not None and not columns:
        return None
    activity = by_id(manifest, "activities", row["changed_in"])
    new = {own["activity_id"]: own for own in new_activities(version.before, manifest)}
    if before is not None and row["changed_in"] not in new:
        activity = None  # plain git put back what was there before
    agents = agent_names(manifest, known)
    agent = agents.get(activity["agent_id"]) if activity else None
    dataset = by_id(manifest, "datasets", row["dataset_id"])
    source = source_of(activity, row, dataset, _item(manifest, row))
    hashes = row["row_hash"], row["geometry_hash"]
    change = "created" if before is None else "changed"
    others = [
        {**own, "agent": agents.get(own["agent_id"])} for key, own in new.items()
        if activity is not None and _had_part(own, row, activity)
    ]  # fmt: skip
    return Step(version.commit, change, columns, activity, agent, source, hashes, others)


def _had_part(other: Row, row: Row, writer: Row) -> bool:
    """Say whether another activity may have written a label before the one that did so last.

    Args:
        other: that may have.
        row: of the label.
        writer: that wrote it last.
    """
    if other["activity_id"] == writer["activity_id"] or other["kind"] == "split":
        return False
    if other["activity_id"] == row["created_in"]:
        return True
    said = json.loads(other["parameters"] or "{}")
    adds = other["kind"] in ("import", "model_run") and said.get("mode") in (None, "add")
    return not adds and bool(other["started_at"] <= writer["started_at"])


def _deletion(version: Changed, known: Mapping[str, str]) -> Step:
    """Return the step of a deletion: by the new activities of that version, since the row is gone.

    A merge deletes only what a side deleted; where it brought nothing else, it is told itself.
    """
    new = new_activities(version.before, version.manifest)
    own = [row for row in new if row["kind"] != "merge"] or new
    agents = agent_names(version.manifest, known)
    named = dict.fromkeys(agents.get(row["agent_id"], "?") for row in own)
    activity = own[0] if len(own) == 1 else None
    return Step(version.commit, "deleted", {}, activity, " or ".join(named) or None)


def _changed(before: Row, row: Row, manifest: Manifest) -> dict[str, tuple[Any, Any]]:
    names_of = class_names(manifest)
    content = [c for name in FAMILY for c in TABLES[name].columns("content") if c not in DERIVED]
    changed: dict[str, tuple[Any, Any]] = {}
    for name in content:
        old, new = before.get(name), row.get(name)
        if old != new:
            if name == "category_id":
                changed["category"] = (names_of[old], names_of[new])
            else:
                changed[name] = (old, new)
    return changed


def _item(manifest: Manifest, row: Row) -> str:
    found = item_row(manifest, row["item_id"])
    return str(found["uri"] if found and found["uri"] else row["item_id"])
