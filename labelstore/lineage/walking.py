"""Versions of a branch, and only those in which certain parts differ from the version before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labelstore.model.tables import TABLES
from labelstore.versions.dvc.pointer import POINTER

if TYPE_CHECKING:
    from labelstore.lineage.rows import Row
    from labelstore.storage.index import Part
    from labelstore.versions.git import Commit
    from labelstore.versions.manifest import Manifest
    from labelstore.versions.workspace import Workspace

Holding = Callable[["Manifest"], Sequence["Part"]]


@dataclass(frozen=True)
class Changed:
    """A version in which parts differ.

    Attributes:
        parts: that were asked for.
        before: the version before it on its branch; None for the first.
    """

    commit: Commit
    manifest: Manifest
    parts: Sequence[Part]
    before: Manifest | None


def versions(workspace: Workspace, rev: str) -> Iterator[tuple[Commit, Manifest]]:
    """Yield the versions up to one, oldest first; what came by a merge is of that merge.

    Raises:
        NotFound: there is no such version, or the objects of one are not here.
    """
    commits = workspace.git.log(rev, POINTER, main=True)[::-1]
    directories = workspace.directories([c.sha for c in commits])
    for commit, directory in zip(commits, directories, strict=True):
        if directory is not None:
            yield commit, workspace.manifest_of(directory)


def walk(workspace: Workspace, rev: str, holding: Holding) -> Iterator[Changed]:
    """Yield the versions up to one in which certain parts differ, oldest first.

    No part is opened: they are compared by their digests, which stand in the index.

    Args:
        workspace: the store.
        rev: the newest version.
        holding: the parts of a version that may hold what is looked for.
    """
    seen: tuple[bytes, ...] = ()
    before: Manifest | None = None
    for commit, manifest in versions(workspace, rev):
        parts = holding(manifest)
        digests = tuple(part.digest for part in parts)
        if digests != seen:
            seen = digests
            yield Changed(commit, manifest, parts, before)
        before = manifest


def new_activities(before: Manifest | None, now: Manifest) -> list[Row]:
    """Return the activities that a version has and the one before does not."""
    table = TABLES["activities"]
    there: set[int] = set()
    if before is not None:
        there = set(before.table(table, ["activity_id"]).column(0).to_pylist())
    return [row for row in now.table(table).to_pylist() if row["activity_id"] not in there]
