"""One version, described."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from labelstore.versions.git import Commit
from labelstore.versions.workspace import Workspace


@dataclass(frozen=True)
class Version:
    """One version, described.

    Attributes:
        root: BLAKE2b-256 root.
        rows: rows per table.
        size: bytes of all parts.
    """

    commit: Commit
    root: str
    rows: Mapping[str, int]
    parts: int
    size: int


def describe(workspace: Workspace, rev: str) -> Version:
    """Return what a version is made of.

    Raises:
        NotFound: no such version, or its objects are not here.
    """
    commit = workspace.git.log(rev, None, 1)[0]
    manifest = workspace.manifest(rev)
    rows: Counter[str] = Counter()
    for part in manifest.parts:
        rows[part.table] += part.rows
    size = sum(part.size for part in manifest.parts)
    return Version(commit, manifest.root, dict(rows), len(manifest.parts), size)
