"""The folder `labels/`: read-only links into the cache that follow the current version."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from pathlib import Path

from labelstore.errors import Conflict, StorageFailed
from labelstore.storage.objects import find, object_path
from labelstore.versions.dvc.pointer import OUTPUT, check_files
from labelstore.versions.files import read_json, write_json
from labelstore.versions.manifest import Manifest
from labelstore.versions.workspace import Workspace

RECORD = "checkout.json"


def follow(workspace: Workspace, manifest: Manifest) -> None:
    """Make `labels/` show a version; only files that differ from the last time are touched.

    Files that labelstore did not put there are left alone, but for parts of other versions, which
    another tool may have put there and the cache has: they go.
    """
    folder = workspace.folder / OUTPUT
    workspace.private.mkdir(exist_ok=True)
    record = workspace.private / RECORD
    shown: dict[str, str] = read_json(record) or {}
    check_files(shown, str(record))
    for path in shown.keys() - manifest.files.keys():
        _refuse_links(workspace, folder / path)
        (folder / path).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            (folder / path).parent.rmdir()
    written = record.stat().st_mtime_ns if record.exists() else 0
    for path, md5 in manifest.files.items():
        source = find(workspace.object_folders[::-1], md5)
        if shown.get(path) != md5 or not _is_there(folder / path, source, written):
            _place(workspace, source, folder / path)
    _clear_strays(workspace, manifest)
    write_json(workspace.private / RECORD, dict(manifest.files))


def _is_there(file: Path, source: Path, written: int) -> bool:
    """Say whether a file is as it was placed: the object itself, or a copy not touched since.

    Another tool, such as `dvc checkout`, may have put another object in its place.
    """
    try:
        found = file.stat()
    except OSError:
        return False
    if os.path.samestat(found, source.stat()):
        return True
    alone = found.st_nlink == 1 and not file.is_symlink()
    return alone and max(found.st_mtime_ns, found.st_ctime_ns) <= written


def _clear_strays(workspace: Workspace, manifest: Manifest) -> None:
    """Remove parts of other versions that another tool has put there; the cache has them."""
    folder = workspace.folder / OUTPUT
    for path in folder.rglob("*.parquet"):
        if path.relative_to(folder).as_posix() in manifest.files or path.is_dir():
            continue
        _refuse_links(workspace, path)
        digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        if any(object_path(place, digest).exists() for place in workspace.object_folders):
            path.unlink()


def check_place(workspace: Workspace, manifest: Manifest) -> None:
    """Refuse a version that `labels/` could not show, since a folder of it is a link.

    Raises:
        Conflict: with the folder.
    """
    if workspace.checkout:
        folder = workspace.folder / OUTPUT
        for parent in {(folder / path).parent for path in manifest.files}:
            _refuse_links(workspace, parent / "any")


def _refuse_links(workspace: Workspace, target: Path) -> None:
    """Refuse to touch a file whose folder is a link: it may lead out of the store.

    Raises:
        Conflict: with the folder.
    """
    for folder in target.parents:
        if folder == workspace.folder:
            return
        if folder.is_symlink():
            raise Conflict(
                f"{folder}: is a link, and labels/ may hold none. Remove it and run "
                "`labelstore pull`.",
                code="labels-link",
            )


def _place(workspace: Workspace, source: Path, target: Path) -> None:
    _refuse_links(workspace, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = workspace.private / f".{target.name}.{os.getpid()}.tmp"
    aside.unlink(missing_ok=True)
    for kind in workspace.layout.link_types:
        with contextlib.suppress(OSError):
            LINKS[kind](source, aside)
            os.replace(aside, target)
            return
    raise StorageFailed(
        f"{target}: none of the link types {workspace.layout.link_types} works here. "
        "Set DVC's `cache.type` to one that does, such as copy.",
        code="link-type",
    )


def _reflink(source: Path, target: Path) -> None:
    """Clone a file's blocks, where the file system can."""
    import fcntl

    ficlone = 0x40049409  # from linux/fs.h
    try:
        with open(source, "rb") as origin, open(target, "wb") as copy:
            fcntl.ioctl(copy.fileno(), ficlone, origin.fileno())
        os.chmod(target, 0o644)
    except OSError:
        target.unlink(missing_ok=True)
        raise


def _hardlink(source: Path, target: Path) -> None:
    os.link(source, target)


def _symlink(source: Path, target: Path) -> None:
    os.symlink(source, target)


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


LINKS = {"reflink": _reflink, "hardlink": _hardlink, "symlink": _symlink, "copy": _copy}
