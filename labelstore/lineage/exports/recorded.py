"""What is recorded of a version and of those before it: activities, agents, sources."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from labelstore.errors import NotFound
from labelstore.lineage.exports.about import About, about
from labelstore.lineage.walking import new_activities, versions
from labelstore.model.tables import TABLES
from labelstore.versions.forgotten import forgotten

if TYPE_CHECKING:
    from labelstore.lineage.rows import Row
    from labelstore.versions.git import Commit
    from labelstore.versions.manifest import Manifest
    from labelstore.versions.workspace import Workspace


@dataclass(frozen=True)
class Published:
    """One version, and what was done to make it of the one before.

    Attributes:
        root: its BLAKE2b-256 root.
        activities: rows of `activities` that are new in it, the earliest first; `parameters` as
            values, absolute paths of files by their last part.
        rows: how many rows each table has.
    """

    commit: Commit
    root: str
    activities: list[Row]
    rows: Mapping[str, int]


@dataclass(frozen=True)
class Recorded:
    """What is recorded of a version and of those before it.

    Attributes:
        about: what people say of the store.
        manifest: of the newest version.
        versions: all of them, the oldest first.
        agents: rows of `agents` by id; people are pseudonyms.
        datasets: rows of `datasets`.
        forgotten: what was forgotten, in words, the earliest first.
    """

    about: About
    manifest: Manifest
    versions: list[Published]
    agents: Mapping[int, Row]
    datasets: list[Row]
    forgotten: list[str]

    @property
    def newest(self) -> Published:
        """Return the version that was asked for."""
        return self.versions[-1]

    @property
    def activities(self) -> list[Row]:
        """Return the activities of all versions, the earliest first."""
        return [activity for version in self.versions for activity in version.activities]

    def agent(self, activity: Row) -> Row | None:
        """Return who did it."""
        return self.agents.get(activity["agent_id"])


def recorded(workspace: Workspace, rev: str) -> Recorded:
    """Return what is recorded of a version and of those before it.

    Raises:
        NotFound: there is no such version, or the objects of one are not here.
        FormatError: what the settings say of the store is wrong.
    """
    found: list[Published] = []
    before: Manifest | None = None
    for commit, manifest in versions(workspace, rev):
        new = sorted(new_activities(before, manifest), key=lambda row: row["started_at"])
        found.append(Published(commit, manifest.root, [*map(_plain, new)], _counts(manifest)))
        before = manifest
    if before is None:
        raise NotFound(f"{rev}: no version of labels", code="revision")
    agents = {row["agent_id"]: row for row in before.table(TABLES["agents"]).to_pylist()}
    datasets = before.table(TABLES["datasets"]).to_pylist()
    gone = [one.words() for one in forgotten(workspace.git)]
    return Recorded(about(workspace), before, found, agents, datasets, gone)


def _plain(activity: Row) -> Row:
    """Return an activity with values for parameters, and files as they may be told to others."""
    said = json.loads(activity["parameters"] or "{}")
    if "path" in said.get("weights", {}):
        said["weights"] = {**said["weights"], "path": _file(said["weights"]["path"])}
    inputs = [{**file, "path": _file(file["path"])} for file in activity["inputs"] or []]
    rules = activity["guideline"] and _file(activity["guideline"])
    return {**activity, "parameters": said, "inputs": inputs or None, "guideline": rules}


def _file(path: str) -> str:
    """Return a path without the folders of somebody's machine, which often name them."""
    absolute = PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute()
    return PureWindowsPath(path).name if absolute else path


def _counts(manifest: Manifest) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in manifest.parts:
        found[part.table] = found.get(part.table, 0) + part.rows
    return found
