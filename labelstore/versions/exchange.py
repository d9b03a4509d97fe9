"""Objects to and from remotes, by the real DVC."""

from __future__ import annotations

from labelstore.errors import Conflict
from labelstore.storage.location import Remote
from labelstore.versions.checkout import follow
from labelstore.versions.dvc.pointer import POINTER
from labelstore.versions.dvc.settings import filesystem_options
from labelstore.versions.forgotten import forgotten, held_commits
from labelstore.versions.workspace import Workspace


def push(workspace: Workspace, remote: str | None = None, *, show: bool = False) -> str:
    """Send the objects of all versions to a remote.

    Args:
        workspace: the store.
        remote: DVC remote; the default one otherwise.
        show: let DVC's progress bars through.

    Raises:
        NotFound: there is no such remote.
        Conflict: a branch or tag still has a version that was forgotten.
        StorageFailed: DVC failed, or an object of some version is nowhere.
    """
    name, _ = workspace.layout.remote(remote)
    refuse_forgotten(workspace)
    return workspace.layout.command_everywhere(
        "push", "--all-commits", "-r", name, POINTER, cwd=workspace.folder, show=show,
        without=_without(workspace),
    )  # fmt: skip


def pull(workspace: Workspace, remote: str | None = None, *, show: bool = False) -> str:
    """Fetch the objects of all versions from a remote, and let `labels/` show the current one."""
    name, _ = workspace.layout.remote(remote)
    refuse_forgotten(workspace)
    said = workspace.layout.command_everywhere(
        "fetch", "--all-commits", "-r", name, POINTER, cwd=workspace.folder, show=show,
        without=_without(workspace),
    )  # fmt: skip
    if workspace.checkout:
        follow(workspace, workspace.manifest("HEAD"))
    return said


def refuse_forgotten(workspace: Workspace) -> None:
    """Refuse where a branch or tag still has a version that was forgotten.

    Raises:
        Conflict: one does; its objects would come back to the remote.
    """
    maps = forgotten(workspace.git)
    if not maps:
        return
    workspace.git.run("pack-refs", "--all")  # DVC's Git reads what packed tags named before
    old = {commit for one in maps for commit in one.commits}
    for commit in held_commits(workspace.git):
        if commit in old:
            form = ("for-each-ref", "--format=%(refname:short)", "--contains", commit)
            refs = workspace.git.run(*form, "refs/heads", "refs/tags").splitlines()
            raise Conflict(
                f"these hold a version that was forgotten ({maps[-1].name}): "
                f"{', '.join(refs[:5])}. Run `git fetch --force --tags`, then `git reset --hard "
                "@{upstream}` on each such branch; commits of your own move over with `git rebase "
                "--onto`.",
                code="forgotten",
            )


def remote_of(workspace: Workspace, name: str | None = None) -> tuple[str, Remote]:
    """Return a remote by its name in DVC's configuration, the default one where none is given.

    Raises:
        NotFound: there is no such remote.
    """
    found, settings = workspace.layout.remote(name)
    return found, Remote(settings["url"], filesystem_options(settings))


def _without(workspace: Workspace) -> set[str]:
    """Return the commits that do not have the store, such as those before it was made."""
    commits = workspace.git.run("rev-list", "--all").splitlines()
    found = zip(commits, workspace.git.blobs(commits, POINTER), strict=True)
    return {commit for commit, data in found if data is None}


def remote_add(workspace: Workspace, name: str, url: str, *, default: bool = False) -> None:
    """Add a remote to DVC's configuration, where Git carries it to every clone.

    The first one becomes the default.
    """
    first = not any(section.startswith("remote ") for section in workspace.layout.config)
    words = ["remote", "add", *(["--default"] if default or first else []), name, url]
    workspace.layout.command(*words, cwd=workspace.folder)
    workspace.layout.__dict__.pop("config", None)
