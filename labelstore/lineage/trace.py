"""The life of one label: the versions in which it changed, by whom, from which file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.rows import DERIVED
from labelstore.changes.summary import class_names
from labelstore.errors import NotFound
from labelstore.model.tables import FAMILY, TABLES
from labelstore.storage.index import Part
from labelstore.versions.agents import agent_names, names
from labelstore.versions.dvc.pointer import POINTER
from labelstore.versions.git import Commit
from labelstore.versions.manifest import Manifest
from labelstore.versions.workspace import Workspace

Row = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One version in which a label changed.

    Attributes:
        change: created, changed, deleted.
        columns: old and new value of each column that differs.
        activity: the row of the activity that wrote it, None for a deletion.
        agent: who acted: a name where this clone knows it, else the pseudonym.
    """

    commit: Commit
    change: str
    columns: Mapping[str, tuple[Any, Any]]
    activity: Row | None
    agent: str | None

    @property
    def version(self) -> str:
        """Return the version's tag, else its short commit."""
        return self.commit.tags[0] if self.commit.tags else self.commit.sha[:12]


@dataclass
class Trace:
    """The life of one label.

    Attributes:
        steps: oldest first.
        item: URI of its item, else its id.
        category: its class now, or when it was deleted.
    """

    annotation_id: int
    item: str
    category: str
    steps: list[Step] = field(default_factory=list)


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
    for commit, manifest, row in _states(workspace, annotation_id, rev):
        if row is not None and row != before:
            last = manifest, row
        step = _step(commit, manifest, before, row, known)
        if step is not None:
            steps.append(step)
        before = row
    if last is None:
        raise NotFound(
            f"no version up to {rev!r} has annotation {annotation_id}; a staged one has none "
            "before `labelstore commit`. `labelstore query` finds ids: SELECT annotation_id FROM "
            "annotations …",
            code="annotation-unknown",
        )
    manifest, row = last
    category = class_names(manifest)[row["category_id"]]
    return Trace(annotation_id, _item(manifest, row["item_id"]), category, steps)


def _states(
    workspace: Workspace, annotation_id: int, rev: str
) -> Iterator[tuple[Commit, Manifest, Row | None]]:
    """Yield each version, oldest first, in which the label's parts changed, with its row."""
    seen: tuple[bytes, ...] = ()
    for commit in reversed(workspace.git.log(rev, POINTER, main=True)):
        manifest = workspace.manifest(commit.sha)
        parts = [p for name in FAMILY for p in _holding(manifest, name, annotation_id)]
        digests = tuple(p.digest for p in parts)
        if digests != seen:
            seen = digests
            yield commit, manifest, _row(manifest, parts, annotation_id)


def _holding(manifest: Manifest, name: str, annotation_id: int) -> list[Part]:
    return [p for p in manifest.parts_of(name) if p.min_id <= annotation_id <= p.max_id]


def _row(manifest: Manifest, parts: list[Part], annotation_id: int) -> Row | None:
    """Return the label's two rows as one, or None where this version does not have it."""
    found: Row = {}
    for part in parts:
        rows = manifest.read(part)
        mine = pc.equal(rows.column("annotation_id"), annotation_id)
        for row in rows.filter(mine).to_pylist(maps_as_pydicts="strict"):
            found.update(row)
    return found or None


def _step(
    commit: Commit, manifest: Manifest, before: Row | None, row: Row | None, known: dict[str, str]
) -> Step | None:
    if row is None:
        return None if before is None else _deletion(commit, manifest, known)
    columns = {} if before is None else _changed(before, row, manifest)
    if before is not None and not columns:
        return None
    activity = _by_id(manifest, "activities", row["changed_in"])
    agent = agent_names(manifest, known).get(activity["agent_id"]) if activity else None
    return Step(commit, "created" if before is None else "changed", columns, activity, agent)


def _deletion(commit: Commit, manifest: Manifest, known: dict[str, str]) -> Step:
    """Return the step of a deletion: by the activities of that version, since the row is gone."""
    rows = manifest.table(TABLES["activities"]).to_pylist()
    newest = max((r["generation"] for r in rows), default=0)
    own = [r for r in rows if r["generation"] == newest]
    agents = agent_names(manifest, known)
    named = dict.fromkeys(agents.get(r["agent_id"], "?") for r in own)
    return Step(commit, "deleted", {}, own[0] if len(own) == 1 else None, " or ".join(named))


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


def _by_id(manifest: Manifest, name: str, number: int | None) -> Row | None:
    table = TABLES[name]
    rows: pa.Table = manifest.table(table)
    chosen = rows.filter(pc.equal(rows.column(table.id_column), number)).to_pylist()
    return dict(chosen[0]) if chosen else None


def _item(manifest: Manifest, item_id: int) -> str:
    row = _by_id(manifest, "items", item_id)
    return str(row["uri"] if row and row["uri"] else item_id)
