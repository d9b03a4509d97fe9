"""Files that say how large images are."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from labelstore.errors import FormatError, NotFound
from labelstore.plugins import Beside, source_file

NAMES = ("uri", "file_name", "filename", "image")
Size = tuple[int, int]


def beside(images: Path | None, sizes: Path | None, *, skip: bool = False) -> Beside:
    """Return what people say of a source's images, and of its faults.

    Raises:
        NotFound: a file or folder is not there.
        FormatError: the file of sizes is none.
    """
    if images is not None and not images.is_dir():
        raise NotFound(f"{images}: no such folder", code="images-missing")
    return Beside(images, read_sizes(sizes) if sizes else {}, skip=skip)


def read_sizes(path: Path) -> dict[str, Size]:
    """Return width and height of images, as stored, by their name.

    Args:
        path: CSV with the columns `uri` (or `file_name`), `width`, `height`; or JSON: a COCO file,
            or an object of names and pairs.

    Raises:
        FormatError: it is neither; every fault is named.
    """
    text = source_file(path).read_bytes()
    rows = _json(path, text) if path.suffix.lower() == ".json" else _csv(path, text)
    found: dict[str, Size] = {}
    faults = []
    for where, name, sides in rows:
        size = _size(sides)
        if not name or size is None:
            faults.append(f"{where}: {name!r} has no width and height above 0")
        elif found.setdefault(name, size) != size:
            faults.append(f"{where}: {name!r} has two sizes")
    if faults:
        raise FormatError(str(path), faults, code="sizes")
    return found


Row = tuple[str, Any, Any]


def _csv(path: Path, data: bytes) -> Iterator[Row]:
    try:
        rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        header = [name.strip().lower() for name in rows.fieldnames or ()]
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(str(path), [f"is no CSV in UTF-8: {error}"], code="sizes") from error
    rows.fieldnames = header
    name = next((name for name in NAMES if name in header), None)
    if name is None or not {"width", "height"} <= set(header):
        said = "line 1: needs the columns uri, width and height"
        raise FormatError(str(path), [said], code="sizes")
    for row in rows:
        yield f"line {rows.line_num}", row[name], (row["width"], row["height"])


def _json(path: Path, data: bytes) -> Iterator[Row]:
    try:
        found = _top(data)
    except msgspec.DecodeError as error:
        raise FormatError(str(path), [str(error)], code="sizes") from error
    images = found.get("images") if isinstance(found, Mapping) else None
    if isinstance(images, list):
        for i, image in enumerate(images):
            known = image if isinstance(image, Mapping) else {}
            sides = (known.get("width"), known.get("height"))
            yield f"images[{i}]", known.get("file_name"), sides
    elif isinstance(found, Mapping):
        yield from ((name, name, sides) for name, sides in found.items())
    else:
        raise FormatError(str(path), ["is no COCO file and no object of names"], code="sizes")


def _top(data: bytes) -> Any:
    """Return what a file says; of a COCO file its images alone, for labels are most of it."""
    try:
        parts = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        return msgspec.json.decode(data)
    wanted = {"images": parts["images"]} if "images" in parts else parts
    return {name: msgspec.json.decode(value) for name, value in wanted.items()}


def _size(sides: Any) -> Size | None:
    """Return two whole numbers above 0, None where they are no such."""
    try:
        width, height = (int(str(side)) for side in sides)
    except (TypeError, ValueError):
        return None
    return (width, height) if width > 0 and height > 0 else None
