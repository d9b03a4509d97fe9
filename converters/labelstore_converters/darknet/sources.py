"""Where a darknet data set keeps things: its data file, names, lists of images, and labels.

Paths in these files are below the folder where darknet was started, which need not be here: the
longest end of a path that is there is taken.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from labelstore.errors import FormatError, InvalidInput, NotFound
from labelstore_converters.yolo.description import Description
from labelstore_converters.yolo.layout import SUFFIXES, Layout, Listed, image_path, label_path

LISTS = ("train", "valid", "test")
USUAL = ("train.txt", "valid.txt", "test.txt")
LINE = re.compile(r"\s*([^#;=\s][^=]*?)\s*=\s*(.*?)\s*")
"""Of a data file: `key = value`."""


def layout_of(source: Path) -> Layout:
    """Return where the things of a data set are.

    Args:
        source: the folder with its data file (or its names alone), or that file.

    Raises:
        NotFound: there is nothing there.
        InvalidInput: the folder is none of a data set.
        FormatError: a file breaks the format.
    """
    if not source.exists():
        raise NotFound(f"{source}: no such file or folder", code="source-missing")
    folder = source.parent if source.is_file() else source
    data = source if source.is_file() else _single(source, "*.data")
    said = _said(data) if data else {}
    layout = Layout(folder.resolve(), _description(folder, data, said))
    layout.notices["darknet-names-missing"] = not layout.description.subsets["names"]
    listed = [_found(folder, said[name]) for name in LISTS if name in said]
    layout.notices["darknet-list-missing"] = sum(path is None for path in listed)
    usual = [] if said else [folder / name for name in USUAL if (folder / name).is_file()]
    for path in [*filter(None, listed), *usual]:
        name = path.relative_to(folder).as_posix()
        layout.lists[name] = _text(path)
    known = set[str]()
    for listed_ in _images(folder, layout):
        if listed_.uri not in known:
            known.add(listed_.uri)
            layout.images.append(listed_)
    if not layout.images:
        raise FormatError(str(source), ["has no list of images, and no images"],
                          code="darknet-empty")  # fmt: skip
    layout.notices["darknet-image-missing"] = sum(i.image is None for i in layout.images)
    return layout


def _single(folder: Path, pattern: str) -> Path | None:
    found = sorted(p for p in folder.glob(pattern) if p.is_file())
    if len(found) > 1:
        names = ", ".join(p.name for p in found)
        raise InvalidInput(f"{folder}: has several ({names}); name one", code="darknet-data")
    if not found and pattern == "*.data" and not list(folder.glob("*.names")):
        raise InvalidInput(f"{folder}: has no `obj.data` and no `obj.names`", code="darknet-data")
    return found[0] if found else None


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(str(path), [f"byte {error.start}: is no UTF-8"]) from error


def _said(data: Path) -> dict[str, str]:
    """Return what a data file says."""
    pairs = (LINE.fullmatch(line) for line in _text(data).splitlines())
    return {found[1]: found[2] for found in pairs if found}


def _description(folder: Path, data: Path | None, said: dict[str, str]) -> Description:
    """Return what the data file says, with `names` as the one subset: the file of that text."""
    path = _found(folder, said["names"]) if "names" in said else _single(folder, "*.names")
    names = _text(path).splitlines() if path else []
    while names and not names[-1].strip():
        names.pop()
    count = said.get("classes", "")
    if count.isdigit() and path is None:
        names = [""] * int(count)
    return Description(
        name=data.name if data else "", text=_text(data) if data else "", path=None,
        subsets={"names": [path.relative_to(folder).as_posix()] if path else []},
        names=[name.strip() for name in names], keypoints=None,
        keypoint_names=[None] * len(names), flip=None, task="plain",
    )  # fmt: skip


def _found(folder: Path, name: str) -> Path | None:
    """Return the file of a path, or of the longest end of it, that is there."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    for i in range(len(parts)):
        path = folder.joinpath(*parts[i:])
        if path.is_file():
            return path
    return None


def _images(folder: Path, layout: Layout) -> Iterator[Listed]:
    if not layout.lists:
        found = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES]
        for path in found:
            uri = path.relative_to(folder).as_posix()
            yield Listed(uri, _label(folder, uri), path)
        if not found:
            yield from _bare(folder)
        return
    for text in layout.lists.values():
        lines = [line.strip() for line in text.removeprefix("\ufeff").splitlines()]
        names = [line for line in lines if line]
        skipped = _skipped(folder, names)
        for name in names:
            uri = uri_of(name, skipped)
            image = folder / uri
            yield Listed(uri, _label(folder, uri), image if image.is_file() else None)


def _bare(folder: Path) -> Iterator[Listed]:
    """Yield images by their label files alone, which stand in folders."""
    for path in sorted(folder.rglob("*/*.txt")):
        label = path.relative_to(folder).as_posix()
        uri = re.sub("(^|/)Annotations/", r"\1Images/", image_path(label), count=1)
        yield Listed(uri, label, None)


def uri_of(line: str, skipped: int) -> str:
    """Return the image that a line of a list names, below the folder."""
    parts = os.path.normpath(line.replace("\\", "/")).strip("/").split("/")
    return "/".join(parts[min(skipped, len(parts) - 1) :])


def _skipped(folder: Path, names: list[str]) -> int:
    """Return how many folders a list's paths begin with that are not here, by the first known."""
    for name in names:
        for count in range(len(PurePosixPath(name.replace("\\", "/").strip("/")).parts)):
            uri = uri_of(name, count)
            if (folder / uri).is_file() or (folder / _label(folder, uri)).is_file():
                return count
    return 0


def _label(folder: Path, uri: str) -> str:
    """Return the label file of an image: beside it, or where folders of images are swapped."""
    beside = beside_of(uri)
    swapped = [
        label_path(uri),
        label_path(uri.replace("JPEGImages/", "images/", 1)).replace("JPEGImages", "labels", 1),
        re.sub("(^|/)Images/", r"\1Annotations/", beside, count=1),
    ]
    return next((name for name in (beside, *swapped) if (folder / name).is_file()), beside)


def beside_of(uri: str) -> str:
    """Return the label file beside an image."""
    suffix = PurePosixPath(uri).suffix
    return (uri.removesuffix(suffix) if suffix.lower() in SUFFIXES else uri) + ".txt"
