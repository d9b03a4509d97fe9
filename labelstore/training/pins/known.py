"""Pins that a store knows of: those that were written here, and those that Git tracks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelstore.errors import InvalidInput, NotFound
from labelstore.training.pins.making import followed
from labelstore.training.pins.pin import Pin, read_pin
from labelstore.versions.files import read_json, write_json

if TYPE_CHECKING:
    from labelstore.versions.workspace import Workspace

WRITTEN = "pins.json"
LOOK = r'^directory = "[0-9a-f]{32}\.dir"$'
"""A line that every pin has."""


def remember(workspace: Workspace, path: Path) -> None:
    """Note where a pin was written, in a file that is in no version."""
    file = workspace.private / WRITTEN
    known = _written(workspace)
    if str(path.resolve()) not in known:
        write_json(file, {"pins": [*known, str(path.resolve())]})


def known_pins(workspace: Workspace) -> list[tuple[Path, Pin]]:
    """Return the pins that were written here and are still there, and those that Git tracks.

    Of versions that were written anew, what took their place. Pins that somebody made elsewhere,
    and put into a repository of their own, are not known.
    """
    git = workspace.git
    tracked = git.run("grep", "-lzE", "-e", LOOK, "--", ".").split("\0") if git.succeeds(
        "grep", "-qE", "-e", LOOK, "--", ".") else []  # fmt: skip
    paths = [Path(p) for p in _written(workspace)] + [git.root / p for p in tracked if p]
    found = []
    for path in dict.fromkeys(p.resolve() for p in paths):
        try:
            found.append((path, followed(workspace, read_pin(path))[0]))
        except (InvalidInput, NotFound):  # changed, moved or deleted since
            continue
    return found


def _written(workspace: Workspace) -> list[str]:
    content: Any = read_json(workspace.private / WRITTEN, {"pins": list})
    return [str(p) for p in (content or {}).get("pins", [])]
