"""Collecting objects that no version needs, by the real DVC."""

from __future__ import annotations

from labelstore.errors import Conflict
from labelstore.versions.stage import open_stage
from labelstore.versions.workspace import Workspace

EVERY_COMMIT = ("gc", "--workspace", "--all-commits")


def collect(workspace: Workspace, *, force: bool = False) -> str:
    """Remove from DVC's cache what no commit of any branch, tag or remote branch needs.

    The stage keeps its new objects in a folder of its own, which is not looked at; those that it
    shares with its parent are kept with that.

    Args:
        workspace: the store.
        force: do it; otherwise only return what would go.

    Raises:
        Conflict: the stage's parent is in no branch or tag.
    """
    how = "--force" if force else "--dry"
    with workspace.staging():
        staged = open_stage(workspace)
        if staged and not workspace.git.run("for-each-ref", "--contains", staged.parent):
            raise Conflict(
                f"the stage rests on {staged.parent[:12]}, which no branch or tag holds any more, "
                "so its objects would go. Give that commit a branch, or run `labelstore restore`.",
                code="stage-unreachable",
            )
        return workspace.layout.command(*EVERY_COMMIT, how, cwd=workspace.folder)
