"""Where an Ultralytics data set keeps things: `data.yaml`, images, and their label files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from labelstore.errors import FormatError, InvalidInput, NotFound
from labelstore_converters.yolo.description import SUBSETS, Description, described

SUFFIXES = frozenset(
    (".avif", ".bmp", ".dng", ".heic", ".heif", ".jp2", ".jpeg", ".jpg", ".mpo", ".pfm", ".png",
     ".tif", ".tiff", ".webp")
)  # fmt: skip
"""Of images, as the official reader knows them."""
ORIENTATION = 0x0112
"""EXIF's number for how an image is turned."""


@dataclass(frozen=True)
class Listed:
    """One image.

    Attributes:
        uri: its path below the data set's folder; without a suffix where there is no image file.
        label: path of its label file, there or not.
        image: the file; None where there is none.
    """

    uri: str
    label: str
    image: Path | None


@dataclass
class Layout:
    """A data set's files.

    Attributes:
        folder: what paths are below.
        description: what its YAML says.
        images: all images, in the order of the subsets and of their names.
        notices: what is unusual, by code.
    """

    folder: Path
    description: Description
    images: list[Listed] = field(default_factory=list)
    notices: Counter[str] = field(default_factory=Counter)
    lists: dict[str, str] = field(default_factory=dict)
    """Text of each file that lists images, by its path."""
    below: str = ""
    """Path of the folder below that of the YAML, where it lies there."""


def layout_of(source: Path) -> Layout:
    """Return where the things of a data set are.

    Args:
        source: the folder with its YAML, or that file.

    Raises:
        NotFound: there is nothing there.
        InvalidInput: the folder has no YAML, or several.
        FormatError: the YAML is none of a data set; every fault is named.
    """
    path = _description_file(source)
    description = described(path)
    folder = path.parent
    if description.path is not None and (folder / description.path).is_dir():
        folder = folder / description.path
    found = Layout(folder.resolve(), description)
    if found.folder.is_relative_to(path.parent.resolve()):
        found.below = found.folder.relative_to(path.parent.resolve()).as_posix()
        found.below = "" if found.below == "." else found.below
    else:
        found.notices["yolo-path-outside"] = 1
    for listed in _images(found):
        found.images.append(listed)
    if not found.images:
        raise FormatError(str(path), ["train, val: no images and no label files are there"],
                          code="yolo-empty")  # fmt: skip
    return found


def _description_file(source: Path) -> Path:
    if not source.exists():
        raise NotFound(f"{source}: no such file or folder", code="source-missing")
    if source.is_file():
        return source
    found = sorted(p for p in source.iterdir() if p.suffix in (".yaml", ".yml"))
    usual = [p for p in found if p.stem == "data"] or found
    if len(usual) != 1:
        names = ", ".join(p.name for p in usual)
        said = f"has several YAML files ({names}); name one" if usual else "has no `data.yaml`"
        raise InvalidInput(f"{source}: {said}", code="yolo-yaml")
    return usual[0]


def _images(layout: Layout) -> Iterator[Listed]:
    """Yield images of each subset, then those that only a label file tells of."""
    seen = set[str]()
    entries = [e for subset in SUBSETS for e in layout.description.subsets.get(subset, [])]
    for entry in dict.fromkeys(entries):
        for listed in _entry(layout, entry):
            if listed.uri not in seen:
                seen.add(listed.uri)
                yield listed
    labels = {label_path(uri) for uri in seen}
    pictures: dict[str, dict[str, str]] = {}
    for label in _label_files(layout.folder):
        if label not in labels:
            layout.notices["yolo-image-unlisted"] += 1
            yield _of_label(layout, label, pictures)


def _label_files(folder: Path) -> list[str]:
    """Return the files in folders of labels, by their paths below a folder, sorted by parts."""
    found = []
    for place, inner, names in os.walk(folder):
        inner[:] = [name for name in inner if not name.startswith(".")]
        parts = PurePosixPath(place).relative_to(folder).parts
        texts = (n for n in names if n.endswith(".txt") and n != "classes.txt" and n[0] != ".")
        found += [(*parts, name) for name in texts if "labels" in parts]
    return ["/".join(parts) for parts in sorted(found)]


def _entry(layout: Layout, entry: str) -> Iterator[Listed]:
    """Yield the images of a folder, or of a text file that lists them."""
    place = layout.folder / entry
    if not place.exists() and entry.startswith("../"):
        place = layout.folder / entry[3:]
    if place.is_file():
        yield from _list_file(layout, place)
    elif place.is_dir():
        inside = (p.relative_to(place) for p in place.rglob("*.*"))
        shown = (p for p in inside if not any(part.startswith(".") for part in p.parts))
        files = (place / p for p in shown if p.suffix.lower() in SUFFIXES)
        yield from (_of_image(layout, p) for p in sorted(files))
    else:
        layout.notices["yolo-subset-missing"] += 1


def _list_file(layout: Layout, path: Path) -> Iterator[Listed]:
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(str(path), [f"byte {error.start}: is no UTF-8"]) from error
    if path.resolve().is_relative_to(layout.folder):
        layout.lists[path.resolve().relative_to(layout.folder).as_posix()] = text
    for line in text.removeprefix("\ufeff").splitlines():
        if line.strip():
            name = line.strip()
            place = path.parent / name[2:] if name.startswith("./") else layout.folder / name
            yield _of_image(layout, place)


def _of_image(layout: Layout, image: Path) -> Listed:
    image = Path(os.path.normpath(image))
    inside = image.is_relative_to(layout.folder)
    uri = (image.relative_to(layout.folder) if inside else image).as_posix()
    there = image.is_file()
    layout.notices["yolo-image-missing"] += not there
    return Listed(uri, label_path(uri), image if there else None)


def _of_label(layout: Layout, label: str, pictures: dict[str, dict[str, str]]) -> Listed:
    """Return the image of a label file: the one beside which it would lie, if there is any.

    Args:
        layout: the data set.
        label: path of the file.
        pictures: those of each folder that was looked at, by their names without suffix.
    """
    bare = image_path(label)
    folder, _, stem = bare.rpartition("/")
    if folder not in pictures:
        pictures[folder] = _pictures(layout.folder / folder)
    name = pictures[folder].get(stem)
    if name is not None:
        uri = f"{folder}/{name}" if folder else name
        return Listed(uri, label, layout.folder / uri)
    layout.notices["yolo-image-missing"] += 1
    return Listed(bare, label, None)


def _pictures(folder: Path) -> dict[str, str]:
    """Return the images in a folder, by their names without suffix; the first of each name."""
    names = sorted(os.listdir(folder), reverse=True) if folder.is_dir() else []
    return {bare_path(name): name for name in names if bare_path(name) != name}


def label_path(uri: str) -> str:
    """Return the label file of an image: the last `images` folder becomes `labels`.

    Example:
        >>> label_path("images/train/a.jpg")
        'labels/train/a.txt'
    """
    return _swapped(bare_path(uri), "images", "labels") + ".txt"


def image_path(label: str) -> str:
    """Return the path of a label file's image, without the suffix that nobody knows."""
    return _swapped(label, "labels", "images").removesuffix(".txt")


def bare_path(uri: str) -> str:
    """Return an image's path without its suffix."""
    bare, point, suffix = uri.rpartition(".")
    return bare if f"{point}{suffix}".lower() in SUFFIXES else uri


def _swapped(path: str, old: str, new: str) -> str:
    """Return a path whose last folder of one name has another."""
    head, found, tail = f"/{path}".rpartition(f"/{old}/")
    return f"{head}/{new}/{tail}".removeprefix("/") if found else path


def sizes(image: Path) -> tuple[int, int, int] | None:
    """Return width, height and EXIF orientation of an image, from its header; None where unread.

    Width and height are the stored ones, before any turn.
    """
    from PIL import Image

    try:
        with Image.open(image) as opened:
            header = opened.format == "JPEG"  # the reader turns no others; some would be decoded
            turn = opened.getexif().get(ORIENTATION, 1) if header else 1
            return (*opened.size, turn if turn in range(1, 9) else 1)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def turned(size: tuple[int, int, int]) -> tuple[int, int]:
    """Return width and height as the official reader takes them: of JPEGs as they are shown."""
    width, height, turn = size
    return (height, width) if turn in (6, 8) else (width, height)


def text_of(layout: Layout, listed: Listed) -> bytes | None:
    """Return the text of an image's labels; None where there is no file."""
    try:
        with open(os.path.join(layout.folder, listed.label), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
