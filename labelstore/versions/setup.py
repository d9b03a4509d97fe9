"""`init`: a store in a folder, with Git and DVC set up where they are missing."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from labelstore.errors import AlreadyExists, InvalidInput, StorageFailed
from labelstore.versions.dvc.layout import Layout
from labelstore.versions.dvc.pointer import OUTPUT, POINTER
from labelstore.versions.dvc.running import run_dvc
from labelstore.versions.git import Git
from labelstore.versions.manifest import TARGET, empty_manifest
from labelstore.versions.publish import check_ready, publish
from labelstore.versions.workspace import PRIVATE, SETTINGS, Workspace

DVC_FILES = (".dvc/.gitignore", ".dvc/config", ".dvcignore")
SETTINGS_TEXT = """\
# Settings of this label store. Remotes are DVC's: `labelstore remote add`.
layer = "ground_truth"   # where labels go when --layer is not given
scheme = "default"       # split scheme that is meant when none is named
checkout = true          # labels/ follows the current version; false on servers
"""


def init(folder: Path, *, target: int = TARGET) -> Workspace:
    """Create a store and commit it, empty; only files made here are committed.

    Args:
        folder: made if it is not there.
        target: rows a part should have; fixed for the store's life.

    Raises:
        AlreadyExists: there is a store.
        Conflict: HEAD is detached, or Git is in the middle of a merge.
    """
    if not 64 <= target <= 2**22:
        raise InvalidInput(f"a part target of {target} rows is outside 64 to {2**22}")
    folder = folder.resolve()
    if "\n" in str(folder):
        raise InvalidInput(f"{str(folder)!r}: Git cannot work in a folder of that name")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InvalidInput(f"{folder}: is no folder, or lies below a file") from error
    if (folder / SETTINGS).exists() and (folder / POINTER).exists():
        raise AlreadyExists(f"{folder}: is a store already", code="store-exists")
    git = Git.at(folder) or _init_git(folder)
    if git.identity() is None:
        raise InvalidInput(
            "Git does not know who you are, and a store begins with a commit. Run "
            "`git config --global user.name NAME` and `git config --global user.email EMAIL`.",
            code="git-identity",
        )
    made: dict[str, bytes] = {}
    layout = Layout.above(folder, git.root)
    if layout is None:
        layout = _init_dvc(folder, git, made)
    workspace = Workspace(folder, git, layout)
    check_ready(workspace, git.head())
    if not (folder / SETTINGS).exists():
        (folder / SETTINGS).write_text(SETTINGS_TEXT)
    made[git.prefix + SETTINGS] = (folder / SETTINGS).read_bytes()
    _ignore_labels(workspace, made)
    exclude_private(workspace)
    manifest = empty_manifest(workspace.objects, target)
    publish(
        workspace, manifest, parent=git.head(), message="Create an empty label store", extra=made
    )
    return workspace


def exclude_private(workspace: Workspace) -> None:
    """Keep `.labelstore/` out of Git by this clone's own exclude file."""
    folder = re.sub(r"([\\*?\[\]])", r"\\\1", workspace.git.prefix)
    line = f"/{folder}{PRIVATE}/"
    path = workspace.git.git_path("info/exclude")
    path.parent.mkdir(parents=True, exist_ok=True)
    _append_line(path, line)


def _init_git(folder: Path) -> Git:
    done = subprocess.run(["git", "init", "-q"], cwd=folder, capture_output=True, text=True)
    git = Git.at(folder)
    if done.returncode or git is None:
        raise StorageFailed(f"git init: {done.stderr.strip()}", code="git-failed")
    return git


def _init_dvc(folder: Path, git: Git, made: dict[str, bytes]) -> Layout:
    """Run `dvc init` and note the files it made, so that they are committed with the store."""
    words = ["init", "-q"] if folder == git.root.resolve() else ["init", "-q", "--subdir"]
    run_dvc(*words, cwd=folder)
    for name in DVC_FILES:
        if (folder / name).exists():
            made[git.prefix + name] = (folder / name).read_bytes()
    return Layout(folder)


def _ignore_labels(workspace: Workspace, made: dict[str, bytes]) -> None:
    """Add `/labels` to .gitignore as `dvc add` does; commit it unless the user has it changed."""
    git, name = workspace.git, ".gitignore"
    path = workspace.folder / name
    clean = not git.run("status", "--porcelain", "--ignored", "--", git.prefix + name)
    if _append_line(path, f"/{OUTPUT}") and clean:
        made[git.prefix + name] = path.read_bytes()


def _append_line(path: Path, line: str) -> bool:
    """Append a line to a text file unless it has it; say whether it was added."""
    text = path.read_text() if path.exists() else ""
    if line in text.splitlines():
        return False
    between = "" if not text or text.endswith("\n") else "\n"
    with open(path, "a") as file:
        file.write(f"{between}{line}\n")
    return True
