"""Where a version is read from: a store's folder, a Git URL, or the objects of a DVC remote."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import warnings
from pathlib import Path

from labelstore.errors import NotFound, StorageFailed
from labelstore.storage.cache import Cache, writing
from labelstore.versions.dvc.locks import held
from labelstore.versions.git import Git
from labelstore.versions.workspace import SETTINGS, Workspace

GIT_URL = re.compile(r"(git\+|git://|ssh://|https?://|file://|[\w.-]+@[\w.-]+:|.*\.git(#|$))")
LOCAL = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX",
         "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_NAMESPACE")  # fmt: skip
"""Of the repository that a hook runs in; a clone is another one."""
KEPT = (SETTINGS, ".dvc/config", "labels.dvc")
SPARSE = "".join(f"/{name}\n/**/{name}\n" for name in KEPT)
"""What is checked out of a clone: no labels, no media."""


def is_git_url(where: str) -> bool:
    """Say whether a place is a Git repository to clone: a Git URL, `user@host:path`, `….git`."""
    return GIT_URL.match(where) is not None


def is_remote(where: str) -> bool:
    """Say whether a place is a DVC remote: another URL, or a folder of objects."""
    return "://" in where or (Path(where) / "files" / "md5").is_dir()


def cloned(where: str, cache: Cache, rev: str) -> Workspace:
    """Return the store in a Git repository, of which the cache keeps a clone.

    Nothing is fetched where the clone has the revision and it is a full commit; where the
    repository cannot be reached, what was fetched before is read, with a warning.

    Args:
        where: Git URL, after an optional `git+`; `#FOLDER` names the store's folder in it.
        cache: takes the clone, without labels or media.
        rev: what is to be read.

    Raises:
        NotFound: the repository has no store, or several and none is named.
        StorageFailed: the repository cannot be reached, and was not before.
    """
    url, _, inner = where.removeprefix("git+").partition("#")
    name = hashlib.sha256(url.encode()).hexdigest()[:16]
    folder = cache.folder / "clones" / name
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with held(cache.folder / "clones" / f"{name}.lock", f"cloning {bare(url)}", 600):
        if not (folder / ".git" / "labelstore-ready").exists():
            _clone(url, folder)
        elif not _is_there(folder, rev):
            _update(url, folder)
    return _store_in(folder, inner, where)


def local_origin(where: str) -> Path | None:
    """Return the folder that a Git URL names on this machine, or None."""
    url = where.removeprefix("git+").partition("#")[0]
    folder = Path(url.removeprefix("file://"))
    return folder if is_git_url(where) and folder.is_dir() else None


def resolved(git: Git, at: str, *, of_clone: bool) -> str:
    """Return the commit of a revision; of a clone, a branch is that of its origin.

    Raises:
        NotFound: there is none.
    """
    tag = git.succeeds("show-ref", "-q", "--verify", f"refs/tags/{at}")
    if not of_clone or tag or re.fullmatch("[0-9a-f]{7,64}", at):
        return git.resolve(at)
    return git.resolve(f"refs/remotes/origin/{at}")


def bare(text: str) -> str:
    """Return a URL, or a text with one, without names and passwords."""
    return re.sub(r"//[^/@\s]+@", "//", text)


def _clone(url: str, folder: Path) -> None:
    if folder.exists():  # of a process that was killed, or of a repository that was empty
        shutil.rmtree(folder)
    said = _git(folder.parent, "clone", "-q", "--no-checkout", "--filter=blob:none", "--", url,
                folder.name)  # fmt: skip
    if said is not None:
        raise StorageFailed(
            f"{bare(url)}: git clone: {bare(said)}. Check the address and your access with `git "
            "ls-remote`.",
            code="clone-failed",
        )
    _git(folder, "config", "core.sparseCheckout", "true")
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "sparse-checkout").write_text(SPARSE)
    if _git(folder, "checkout", "-q") is None:
        (folder / ".git" / "labelstore-ready").touch()


def _update(url: str, folder: Path) -> None:
    """Fetch, and put the branch that the repository names first on its newest commit."""
    said = _git(folder, "fetch", "-q", "--force", "--prune", "origin",
                "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")  # fmt: skip
    if said is not None:
        warnings.warn(f"{bare(url)} cannot be reached ({bare(said)}); what was fetched before is "
                      "read", UserWarning, stacklevel=2)  # fmt: skip
        return
    _git(folder, "remote", "set-head", "origin", "-a")
    failed = _git(folder, "reset", "-q", "--hard", "refs/remotes/origin/HEAD")
    if failed is not None:
        raise StorageFailed(f"{bare(url)}: git reset: {bare(failed)}", code="clone-failed")


def _is_there(folder: Path, rev: str) -> bool:
    full = re.fullmatch("[0-9a-f]{40}([0-9a-f]{24})?", rev)
    return bool(full) and _git(folder, "cat-file", "-e", f"{rev}^{{commit}}") is None


def _store_in(folder: Path, inner: str, where: str) -> Workspace:
    listed = Git(folder, "").run("ls-files", "-z").split("\0")
    stores = [path.removesuffix(SETTINGS).rstrip("/") for path in listed
              if path.rpartition("/")[2] == SETTINGS]  # fmt: skip
    inner = inner.strip("/")
    if not inner and len(stores) == 1:
        inner = stores[0]
    if inner in stores:
        return Workspace.find(folder / inner)
    there = ", ".join(name or "one at its top" for name in stores)
    said = f"these: {there}; write {bare(where).partition('#')[0]}#FOLDER" if stores else "none."
    raise NotFound(f"{bare(where)}: no store there. The repository has {said}", code="no-store")


def _git(folder: Path, *args: str) -> str | None:
    """Run Git and return what it says where it fails; it asks for no password."""
    own = {name: value for name, value in os.environ.items() if name not in LOCAL}
    env = {**own, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(["git", *args], cwd=folder, env=env, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise StorageFailed("git is not installed", code="git-missing") from error
    return None if done.returncode == 0 else (done.stderr.strip() or f"exit {done.returncode}")
