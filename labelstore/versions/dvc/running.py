"""Running the real DVC."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from threading import Thread
from typing import IO

from labelstore.errors import StorageFailed
from labelstore.versions.dvc.pointer import OUTPUT, POINTER

PASSED_OVER = ("failed to collect", "neither locally nor on remote")
"""DVC says these in a warning and exits with 0; for us a version would be missing."""


def run_dvc(
    *args: str, cwd: Path, show: bool = False, env: Mapping[str, str] | None = None,
    without: Collection[str] = (),
) -> str:  # fmt: skip
    """Run `dvc` in a folder and return what it prints.

    Args:
        args: words of the command.
        cwd: the folder.
        show: let its progress bars through to stderr.
        env: further variables.
        without: commits that do not have the store, which DVC may well pass over.

    Raises:
        StorageFailed: it exits with anything but 0, or warns that it passed something over; the
            message is DVC's own.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", "dvc", *args],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={
            **os.environ,
            "DVC_NO_ANALYTICS": "1",
            **({"DVC_IGNORE_ISATTY": "1"} if show else {}),
            **(env or {}),
        },
    )
    warnings: list[bytes] = []
    reader = Thread(target=_forward, args=(child.stderr, warnings, show))
    reader.start()
    printed = child.stdout.read().decode(errors="replace") if child.stdout else ""
    status = child.wait()
    reader.join()
    for pipe in (child.stdout, child.stderr):
        if pipe:
            pipe.close()
    said = b"".join(warnings).decode(errors="replace")
    told = [line for line in said.split("\n") if not any(commit in line for commit in without)]
    if status or any(words in line for words in PASSED_OVER for line in told):
        reason = (said + printed).strip() or "failed"
        raise StorageFailed(f"dvc {args[0]}: {reason}", code="dvc-failed")
    return printed.strip()


def _forward(pipe: IO[bytes] | None, kept: list[bytes], show: bool) -> None:
    """Keep what a pipe says, and show it as it comes."""
    while pipe is not None and (piece := os.read(pipe.fileno(), 1 << 14)):
        kept.append(piece)
        if show:
            sys.stderr.write(piece.decode(errors="replace"))
            sys.stderr.flush()


def add_by_dvc(folder: Path) -> str:
    """Publish the working folder `labels/` through DVC's own `Repo.add`; return the pointer text.

    The fallback for the day on which DVC's layout differs from what this module writes: slower,
    since DVC hashes every file that its state does not know.
    """
    from dvc.repo import Repo

    with Repo(str(folder)) as repo:
        repo.add([str(folder / OUTPUT)])
    return (folder / POINTER).read_text()
