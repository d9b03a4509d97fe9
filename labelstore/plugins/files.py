"""Files and folders that are there, and where new ones may be written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labelstore.errors import InvalidInput, NotFound


def source_file(path: Path) -> Path:
    """Return a path that is a readable, non-empty file.

    Raises:
        NotFound: there is nothing there.
        InvalidInput: it is a folder, or empty.
    """
    if not path.exists():
        raise NotFound(f"{path}: no such file", code="source-missing")
    if path.is_dir():
        raise InvalidInput(f"{path}: is a folder; name the file", code="source-folder")
    if path.stat().st_size == 0:
        raise InvalidInput(f"{path}: the file is empty (0 bytes)", code="source-empty")
    return path


def beginning(path: Path, size: int = 1 << 16) -> str:
    """Return the beginning of a file as text; nothing where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(size).decode("utf-8", "replace").removeprefix("\ufeff")
    except OSError:
        return ""


def target_file(path: Path) -> Path:
    """Return where a file may be written: a new name, or a file; links are followed.

    Raises:
        NotFound: its folder is not there.
        InvalidInput: something else is there: a folder, a device, a pipe.
    """
    target = path.resolve() if path.is_symlink() else path.absolute()
    if not target.parent.is_dir():
        raise NotFound(f"{path}: there is no folder {target.parent}", code="target-folder")
    if target.exists() and not target.is_file():
        what = "a folder" if target.is_dir() else "no regular file"
        raise InvalidInput(f"{path}: is {what}; name a file to write", code="target-kind")
    return target


def target_folder(path: Path) -> Path:
    """Return where a folder may be written: a new name, or an empty folder.

    Raises:
        NotFound: the folder around it is not there.
        InvalidInput: something else is there.
    """
    target = path.absolute()
    if not target.parent.is_dir():
        raise NotFound(f"{path}: there is no folder {target.parent}", code="target-folder")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        what = "is a folder with files in it" if target.is_dir() else "is no folder"
        raise InvalidInput(f"{path}: {what}; name a new folder", code="target-kind")
    return target


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give where to write a file, which appears under its name at the end, or not at all."""
    target = target_file(path)
    aside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        yield aside
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path, needs: str = "*") -> Iterator[Path]:
    """Give a folder to write in, which appears under its name at the end, or not at all.

    Args:
        path: the folder.
        needs: pattern of files below it of which there must be one, for it to be of its format.

    Raises:
        InvalidInput: something else is there, or nothing of the format was written.
    """
    target = target_folder(path)
    aside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        aside.mkdir()
        yield aside
        if not any(p.is_file() for p in aside.rglob(needs)):
            raise InvalidInput(
                f"{path}: none of these labels and items has a place in this format; nothing was "
                "written (sequences need frames and tracks, images of ids need pixels or outlines "
                "and a known size)",
                code="export-empty",
            )
        if target.exists():
            target.rmdir()
        os.replace(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def shared(path: str, uri: str | None, format_name: str) -> InvalidInput:
    """Return the error that two items would go to one file."""
    return InvalidInput(
        f"{path}: {uri} and another item would share this file; rename one, or export them apart",
        code=f"{format_name}-shared",
    )


def write_text(folder: Path, name: str, text: str) -> None:
    """Write a text below a folder, as it is."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
