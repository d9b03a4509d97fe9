"""Collecting objects that no version needs, by the real DVC."""

from __future__ import annotations

from labelstore.versions.workspace import Workspace

EVERY_COMMIT = ("gc", "--workspace", "--all-commits")


def collect(workspace: Workspace, *, force: bool = False) -> str:
    """Remove from DVC's cache what no commit of any branch, tag or remote branch needs.

    The stage keeps its objects in a folder of its own, which is not looked at.

    Args:
        workspace: the store.
        force: do it; otherwise only return what would go.
    """
    how = "--force" if force else "--dry"
    return workspace.layout.command(*EVERY_COMMIT, how, cwd=workspace.folder)
