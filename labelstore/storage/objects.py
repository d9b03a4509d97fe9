"""Objects by content: bytes under their MD5, in a stage of our own or in DVC's cache.

MD5 is an address, chosen by DVC; it is evidence of nothing (see `digests`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from labelstore.errors import Corrupt, NotFound

READ_ONLY = 0o444


def object_path(folder: Path, md5: str) -> Path:
    """Return where an object lies below a folder: two hex digits, then the rest."""
    return folder.joinpath(md5[:2], md5[2:])


def put(folder: Path, data: bytes | pa.Buffer) -> str:
    """Store bytes under their MD5 and return it; durable when this returns.

    An object that is there already is only touched, so that a collector's grace period counts
    from its last use.
    """
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    put_as(folder, md5, data)
    return md5


def put_as(folder: Path, md5: str, data: bytes | pa.Buffer) -> Path:
    """Store bytes under a name made from their MD5 (which may carry a suffix such as `.dir`)."""
    target = object_path(folder, md5)
    if touch(target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        with open(aside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(aside, READ_ONLY)
        os.replace(aside, target)
    finally:  # a full disk leaves nothing behind
        aside.unlink(missing_ok=True)
    sync_folder(target.parent)
    return target


def link_into(folder: Path, md5: str, source: Path) -> None:
    """Place an existing file under its MD5 by hard link, or by copy across file systems."""
    target = object_path(folder, md5)
    if touch(target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        put_as(folder, md5, source.read_bytes())


def touch(path: Path) -> bool:
    """Set the time stamp of an object to now; False where there is none."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except PermissionError:  # a shared cache of another user; the object is there all the same
        return path.exists()
    return True


def sync_folder(folder: Path) -> None:
    """Make new names in a folder durable, where the platform can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def find(folders: Sequence[Path], md5: str) -> Path:
    """Return the path of an object in the first folder that has it.

    Raises:
        NotFound: no folder has it.
    """
    for folder in folders:
        path = object_path(folder, md5)
        if os.path.exists(path):
            return path
    raise NotFound(
        f"object {md5} is not in the local cache. Run `labelstore pull` to fetch it.",
        code="object-missing",
    )


def read_checked(path: Path, md5: str) -> bytes:
    """Return an object's bytes after comparing them with its name.

    Raises:
        Corrupt: they differ.
    """
    data = path.read_bytes()
    _compare(path, md5, hashlib.md5(data, usedforsecurity=False).hexdigest())
    return data


def verify(path: Path, md5: str) -> None:
    """Compare an object's bytes with its name, without holding them.

    Raises:
        Corrupt: they differ.
    """
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    _compare(path, md5, found.hexdigest())


def _compare(path: Path, md5: str, found: str) -> None:
    if found != md5.removesuffix(".dir"):
        raise Corrupt(
            f"{path}: its bytes have MD5 {found}, not {md5}. "
            "Delete the file and run `labelstore pull` to fetch it again.",
            code="object-corrupt",
        )
