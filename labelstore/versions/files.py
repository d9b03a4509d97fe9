"""Small private files, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labelstore.errors import Corrupt
from labelstore.storage.objects import sync_folder


def write_whole(path: Path, data: bytes | str, scratch: Path | None = None) -> None:
    """Replace a file in one step; durable when this returns.

    Args:
        path: the file.
        data: its new content.
        scratch: folder on the same file system for the file in the making; beside it otherwise.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = (scratch or path.parent) / f".{path.name}.{os.getpid()}.tmp"
    with open(aside, "wb") as file:
        file.write(data.encode() if isinstance(data, str) else data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)
    sync_folder(path.parent)


def write_json(path: Path, content: Any) -> None:
    """Replace a JSON file in one step."""
    write_whole(path, json.dumps(content, indent=1) + "\n")


def read_json(path: Path, fields: Mapping[str, type] | None = None) -> dict[str, Any] | None:
    """Return the JSON object in a file, or None where there is no file.

    Args:
        path: the file.
        fields: keys that it must have, with the types of their values.

    Raises:
        Corrupt: it is no such object.
    """
    try:
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict):
            raise ValueError("is no JSON object")
        for name, kind in (fields or {}).items():
            if not isinstance(content.get(name), kind):
                raise ValueError(f"has no {name!r} of type {kind.__name__}")
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise Corrupt(
            f"{path}: {error}. Delete the file; published versions are not affected.",
            code="private-file",
        ) from error
    return content
