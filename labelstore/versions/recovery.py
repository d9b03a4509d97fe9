"""After a crash: what a killed commit left behind is named and cleared by the next command."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from labelstore.errors import Conflict
from labelstore.versions.dvc.pointer import POINTER
from labelstore.versions.journal import JOURNAL, Publication, pending
from labelstore.versions.publish import finish, put_back
from labelstore.versions.workspace import Workspace

SCRATCH = ("tree.*", "scratch.*", ".*.tmp")
PID = re.compile(r"\.(\d+)\.")
"""Scratch files carry the number of the process that made them."""
LOCKS = ("index.lock", "HEAD.lock", "packed-refs.lock")


def recover(workspace: Workspace) -> list[str]:
    """Finish or undo a commit whose process died, and say in words what was done.

    A commit whose branch moved is finished; any other is undone and its stage kept. Nothing is
    done while another process publishes.
    """
    if not (workspace.private / JOURNAL).exists():
        return _strays(workspace)
    try:
        with workspace.staging(wait=0.0), workspace.layout.locked(wait=0.0):
            record = pending(workspace)
            return [] if record is None else _settle(workspace, record)
    except Conflict:
        return []


def _settle(workspace: Workspace, record: Publication) -> list[str]:
    said = [
        f"cleared {path}, which a killed commit left behind"
        for path in _stale_locks(workspace, record)
    ]
    git = workspace.git
    at = (
        git.run("rev-parse", "-q", "--verify", record.branch) if _exists(workspace, record) else ""
    )
    if at == record.new:
        _complete(workspace, record)
        name = record.tag or record.new[:12]
        said.append(f"finished the commit of {name}, which was killed half-way")
    elif _is_carried(workspace, record):
        finish(workspace, record)
        said.append(
            "a later git commit holds the version of a commit that was killed half-way; it is kept"
            + (f". Its tag was not made: run `labelstore tag {record.tag}`" if record.tag else "")
        )
    else:
        put_back(workspace, record)
        (workspace.private / JOURNAL).unlink(missing_ok=True)
        said.append("undid a commit that was killed half-way; what it staged is still staged")
    return said + _strays(workspace)


def _is_carried(workspace: Workspace, record: Publication) -> bool:
    """Say whether a plain `git commit` took up what the killed commit had put into the index."""
    git = workspace.git
    after = record.files.get(git.prefix + POINTER, ("", ""))[1]
    head = git.head()
    return bool(after) and head is not None and git.blob(head, POINTER) == git.object(after)


def _exists(workspace: Workspace, record: Publication) -> bool:
    return workspace.git.succeeds("rev-parse", "-q", "--verify", record.branch)


def _complete(workspace: Workspace, record: Publication) -> None:
    """Bring tag, index and working files up to the branch, then close the journal."""
    git = workspace.git
    tag = f"refs/tags/{record.tag}"
    if record.tag and not git.succeeds("rev-parse", "-q", "--verify", tag):
        git.run("update-ref", tag, record.tag_object, "0" * 40)
    finish(workspace, record)


def _stale_locks(workspace: Workspace, record: Publication) -> list[str]:
    """Remove Git's lock files made since the journal: we hold DVC's lock, so their owner died."""
    git = workspace.git
    since = (workspace.private / JOURNAL).stat().st_mtime
    names = [*LOCKS, f"{record.branch}.lock"]
    if record.tag:
        names.append(f"refs/tags/{record.tag}.lock")
    cleared = []
    for name in names:
        path = git.git_path(name)
        if path.exists() and path.stat().st_mtime >= since - 1:
            path.unlink(missing_ok=True)
            cleared.append(_shown(path, git.root))
    return cleared


def _strays(workspace: Workspace) -> list[str]:
    """Remove scratch files and folders of processes that are gone."""
    cleared = []
    for path in sorted(p for form in SCRATCH for p in workspace.private.glob(form)):
        owner = PID.search(path.name)
        if owner is None or _is_alive(int(owner[1])):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        cleared.append(f"cleared {_shown(path, workspace.git.root)} of a process that is gone")
    return cleared


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _shown(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
