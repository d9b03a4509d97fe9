"""The versions that SQL may ask about: `versions`, and `versions('v1', 'v4')`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from labelstore.errors import InvalidInput
from labelstore.versions.dvc.pointer import POINTER

if TYPE_CHECKING:
    from labelstore.versions.git import Commit
    from labelstore.versions.manifest import Manifest
    from labelstore.versions.workspace import Workspace


@dataclass(frozen=True)
class History:
    """The versions of a branch up to a revision; a merge counts as one.

    Attributes:
        workspace: the store.
        rev: the revision.
    """

    workspace: Workspace
    rev: str

    @cached_property
    def commits(self) -> list[Commit]:
        """Return the commits that changed labels, oldest first."""
        return self.workspace.git.log(self.rev, POINTER, main=True)[::-1]

    def listed(self) -> list[dict[str, Any]]:
        """Return the rows of `versions`."""
        return [
            {"position": at, "version": told(one), "commit": one.sha, "message": one.subject,
             "committed_at": one.when, "tags": list(one.tags)}
            for at, one in enumerate(self.commits, 1)
        ]  # fmt: skip

    def between(self, first: str, last: str) -> Mapping[str, Manifest]:
        """Return the manifests of the versions from one to another, by how they are told.

        Raises:
            InvalidInput: the first is not before the last on this branch.
        """
        places = [self._place(rev) for rev in (first, last)]
        if places[0] > places[1]:
            raise InvalidInput(f"versions('{first}', '{last}'): the older version comes first",
                               code="query-versions")  # fmt: skip
        chosen = self.commits[places[0] : places[1] + 1]
        return {told(one): self.workspace.manifest(one.sha) for one in chosen}

    def _place(self, rev: str) -> int:
        """Return which version a revision shows."""
        labels = self.workspace.git.log(rev, POINTER, 1, main=True)
        shas = [one.sha for one in self.commits]
        if not labels or labels[0].sha not in shas:
            raise InvalidInput(f"{rev} is no version of the branch of {self.rev}",
                               code="query-versions")  # fmt: skip
        return shas.index(labels[0].sha)


def told(commit: Commit) -> str:
    """Return a version's first tag, else the beginning of its commit."""
    return commit.tags[0] if commit.tags else commit.sha[:12]
