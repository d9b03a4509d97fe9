"""What a remote lets us do: reach it, read, write, remove, create only what is not there."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from labelstore.errors import LabelstoreError
from labelstore.storage.failures import CHECKSUMS, NoBucket, failure, header, is_missing, lost_race
from labelstore.storage.location import Remote

SKEW_S = 300
"""Servers refuse requests from fifteen minutes away; this is time to act."""
CONTENT = b"labelstore remote check\n"


@dataclass(frozen=True)
class Finding:
    """One thing that was tried.

    Attributes:
        name: what.
        good: whether it works; None where the remote cannot say.
        said: what was found, and what to do.
        needed: what fails without it: `read`, `write`, both or nothing.
    """

    name: str
    good: bool | None
    said: str
    needed: tuple[str, ...] = ()


def probe(remote: Remote, *, write: bool = True) -> list[Finding]:
    """Try what reading and publishing need of a remote, and leave nothing behind.

    Args:
        remote: the remote.
        write: try to write, too.
    """
    try:
        system, root = remote.opened()
    except LabelstoreError as error:
        return [Finding("reach", False, str(error), ("read", "write"))]
    on_s3 = remote.url.startswith("s3://")
    tried = _reach(remote, system, root, on_s3)
    if not tried[0].good or not write:
        return tried
    return [*tried, *_writing(remote, system, root, on_s3)]


def _reach(remote: Remote, system: Any, root: str, on_s3: bool) -> list[Finding]:
    needed = ("read", "write")
    try:
        if on_s3:
            answer = system.call_s3("head_bucket", Bucket=system.split_path(root)[0])
        elif not _is_local(remote):
            answer = {}
            _absent(system, root)
        else:
            answer = {}
            if not next(p for p in (Path(root), *Path(root).parents) if p.exists()).is_dir():
                raise NotADirectoryError("a file is in the way")
    except Exception as error:  # botocore and aiohttp raise dozens of unrelated classes
        if on_s3 and isinstance(error, FileNotFoundError):  # an answer to HEAD has no text
            error = NoBucket("there is no such bucket")
        told = failure(remote.url, "looking for it", error)
        return [Finding("reach", False, str(told), needed)]
    found = [Finding("reach", True, "it answers", needed)]
    found.append(_tried("read", needed, lambda: _absent(system, root), remote))
    if on_s3:
        found += [_clock(header(answer, "date")), _versioning(system, root), _checksums()]
    return found


def _writing(remote: Remote, system: Any, root: str, on_s3: bool) -> list[Finding]:
    path = f"{root}/labelstore-check-{uuid.uuid4().hex}"
    made = _missing(Path(root)) if _is_local(remote) else []
    try:
        return _written(remote, system, root, path, on_s3)
    finally:
        for folder in made:
            with contextlib.suppress(OSError):  # it was not made, or somebody uses it by now
                folder.rmdir()


def _missing(folder: Path) -> list[Path]:
    """Return the folders that are missing on the way to one, the innermost first."""
    return [place for place in (folder, *folder.parents) if not place.exists()]


def _is_local(remote: Remote) -> bool:
    return "://" not in remote.url or remote.url.startswith("file://")


def _written(remote: Remote, system: Any, root: str, path: str, on_s3: bool) -> list[Finding]:
    written = _tried("write", ("write",), lambda: _write(system, root, path), remote)
    if not written.good:
        return [written]
    create = _create(remote, system, path) if on_s3 else _create_file(remote, path)
    return [written, create, _tried("remove", (), lambda: system.rm_file(path), remote)]


def _write(system: Any, root: str, path: str) -> None:
    if "://" not in root and not hasattr(system, "call_s3"):
        system.makedirs(root, exist_ok=True)
    system.pipe_file(path, CONTENT)
    try:
        if system.cat_file(path) != CONTENT:
            raise OSError("what was written came back otherwise")
    except BaseException:
        system.rm_file(path)
        raise


def _tried(name: str, needed: tuple[str, ...], act: Callable[[], Any], remote: Remote) -> Finding:
    try:
        act()
    except Exception as error:  # botocore and aiohttp raise dozens of unrelated classes
        return Finding(name, False, str(failure(remote.url, name, error)), needed)
    return Finding(name, True, "allowed", needed)


def _absent(system: Any, root: str) -> None:
    """Ask for what is not there: whoever may read is told that there is nothing."""
    try:
        system.cat_file(f"{root}/files/md5/00/{'0' * 30}")
    except Exception as error:
        if not is_missing(error):
            raise


def _create(remote: Remote, system: Any, path: str) -> Finding:
    """Write once more what is there, on condition that it is not."""
    bucket, key, _ = system.split_path(path)
    name = "atomic create"
    try:
        system.call_s3("put_object", Bucket=bucket, Key=key, Body=CONTENT, IfNoneMatch="*")
    except Exception as error:  # botocore and aiohttp raise dozens of unrelated classes
        if lost_race(error):
            return Finding(name, True, "it refuses to write over what is there")
        return Finding(name, False, str(failure(remote.url, name, error)))
    return Finding(name, False, "the server writes over what is there. Versions are safe all the "
                   "same: Git moves them, and objects are named by their content")  # fmt: skip


def _create_file(remote: Remote, path: str) -> Finding:
    if not _is_local(remote):
        return Finding("atomic create", None, "not known for remotes of this kind")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return Finding(
            "atomic create", True, "the file system refuses to write over what is there"
        )
    return Finding("atomic create", False, "it writes over what is there")


def _clock(date: str | None) -> Finding:
    if date is None:
        return Finding("clock", None, "the server does not say what time it is")
    skew = time.time() - parsedate_to_datetime(date).timestamp()
    if abs(skew) <= SKEW_S:
        return Finding("clock", True, f"{skew:+.0f} s from the server's", ("read", "write"))
    return Finding("clock", False, f"{skew:+.0f} s from the server's; servers refuse requests "
                   "from 15 minutes away: set this machine's clock", ("read", "write")
                   )  # fmt: skip


def _versioning(system: Any, root: str) -> Finding:
    try:
        answer: Mapping[str, Any] = system.call_s3(
            "get_bucket_versioning", Bucket=system.split_path(root)[0]
        )
    except Exception:  # not all servers have it, and not everybody may ask
        return Finding("versioning", None, "the server does not say; where a bucket keeps old "
                       "object versions, it keeps what `labelstore forget` removes"
                       )  # fmt: skip
    if answer.get("Status") == "Enabled":
        return Finding("versioning", None, "on: the bucket keeps what `labelstore forget` and "
                       "`dvc gc` remove; give it a rule that expires old object versions"
                       )  # fmt: skip
    return Finding("versioning", True, "off: what is removed is gone")


def _checksums() -> Finding:
    names = ("AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION")
    said = ", ".join(f"{name}={os.environ[name]}" for name in names if name in os.environ)
    said = said or f"as the SDK has them; a server that answers 411 needs {CHECKSUMS}"
    return Finding("checksums", True, said)
