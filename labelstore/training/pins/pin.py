"""The pin: a small TOML file that names a version by its hashes."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from labelstore.errors import InvalidInput, NotFound
from labelstore.versions.files import write_whole

PIN_FORMAT = 2
READABLE = (1, PIN_FORMAT)
"""Format 1 had neither `dataset` nor a query."""
NEEDED = ("revision", "commit", "directory", "root", "layer")
OPTIONAL = ("dataset", "split", "query", "rows", "remote")


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A version named by hash, and what training reads of it.

    Attributes:
        dataset: the store's name.
        revision: as it was asked for.
        commit: Git commit.
        directory: DVC's `.dir` object.
        root: BLAKE2b-256 root.
        layer: which labels.
        split: `SCHEME/SUBSET`, or None for all items.
        query: SELECT of `item_id`, `annotation_id` or both; None for all rows. See `selection`.
        rows: SHA-256 of the ids that the query found.
        remote: name of the DVC remote, or None; never credentials.
        classes: (id, name) in the order of the ontology.
    """

    dataset: str | None = None
    revision: str
    commit: str
    directory: str
    root: str
    layer: str
    split: str | None = None
    query: str | None = None
    rows: str | None = None
    remote: str | None = None
    classes: tuple[tuple[int, str], ...] = ()

    def text(self) -> str:
        """Return the pin as TOML."""
        lines = [f"format = {PIN_FORMAT}"]
        for name in (f.name for f in fields(self) if f.name != "classes"):
            value = getattr(self, name)
            if value is not None:
                lines.append(f"{name} = {_quoted(value)}")
        for number, name in self.classes:
            lines += ["", "[[classes]]", f"id = {number}", f"name = {_quoted(name)}"]
        return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Return a text as TOML has it, which is as JSON but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def write_pin(pin: Pin, path: Path) -> None:
    """Write a pin file, whole or not at all."""
    write_whole(path, pin.text())


def read_pin(path: Path) -> Pin:
    """Return a pin file's content.

    Raises:
        NotFound: no such file.
        InvalidInput: it is no pin; the message names every fault.
    """
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound(f"{path}: no such pin", code="pin-missing") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: {error}", code="pin-syntax") from error
    if content.get("format") not in READABLE:
        raise InvalidInput(
            f"{path}: is no pin of format {' or '.join(map(str, READABLE))}", code="pin-format"
        )
    faults = [n for n in NEEDED if not isinstance(content.get(n), str)]
    faults += [n for n in OPTIONAL if not isinstance(content.get(n, ""), str)]
    if faults:
        raise InvalidInput(f"{path}: {', '.join(faults)} missing or no text", code="pin-format")
    if ("query" in content) != ("rows" in content):
        raise InvalidInput(f"{path}: query and rows go together", code="pin-format")
    known = {n: content[n] for n in (*NEEDED, *OPTIONAL) if n in content}
    return Pin(**known, classes=_classes(path, content.get("classes", [])))


def _classes(path: Path, listed: Any) -> tuple[tuple[int, str], ...]:
    try:
        return tuple((int(c["id"]), str(c["name"])) for c in listed)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(
            f"{path}, classes: each needs `id` and `name`", code="pin-format"
        ) from error
