"""Locks between processes, by the library that DVC uses, so that both respect each other's."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labelstore.errors import Conflict

LOCK_WAIT_S = 30.0
_holders: dict[Path, int] = {}
"""Thread that holds each lock of this process: it must not wait for itself."""


@contextlib.contextmanager
def held(
    path: Path, what: str, wait: float = LOCK_WAIT_S, *, hardlink: bool = False
) -> Iterator[None]:
    """Hold a lock file.

    Args:
        path: the file; made with its folder where it is missing.
        what: what its holder is doing, for the message.
        wait: seconds to wait for another holder.
        hardlink: lock by DVC's way for file systems without flock.

    Raises:
        Conflict: another process held it all the time, or this thread holds it already.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = _HardlinkLock(path) if hardlink else _flock(path, what, wait)
    _holders[path] = threading.get_ident()
    try:
        yield
    finally:
        del _holders[path]
        lock.close()


def _flock(path: Path, what: str, wait: float) -> Any:
    from zc.lockfile import LockError, LockFile

    if _holders.get(path) == threading.get_ident():
        raise Conflict(
            f"{path}: this very thread is {what}. Leave that block first.", code="locked"
        )
    deadline = time.monotonic() + wait
    while True:
        try:
            return LockFile(str(path))
        except LockError as error:
            if time.monotonic() > deadline:
                raise Conflict(
                    f"{path}: another process is {what} and has held the lock for {wait:.0f} s. "
                    "Let it finish, then run the command again.",
                    code="locked",
                ) from error
            time.sleep(0.05)


class _HardlinkLock:
    """DVC's own lock for file systems without flock."""

    def __init__(self, path: Path) -> None:
        from dvc.lock import make_lock

        self._lock = make_lock(str(path), tmp_dir=str(path.parent), hardlink_lock=True, wait=True)
        self._lock.lock()

    def close(self) -> None:
        """Let go of the lock."""
        self._lock.unlock()
