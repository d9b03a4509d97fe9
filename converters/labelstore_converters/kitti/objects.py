"""KITTI object labels: `label_2`, a file an image, with `image_2` and `calib` beside it."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from labelstore.errors import FormatError, InvalidInput, NotFound
from labelstore.plugins import Beside, Writing
from labelstore_converters.kitti.calibration import calibration_text, sensors_of
from labelstore_converters.kitti.frames import in_camera
from labelstore_converters.lined.documents import IMAGES as PICTURES
from labelstore_converters.lined.documents import Document, images_in, size_of
from labelstore_converters.lined.tokens import Mask
from labelstore_converters.lined.writing import Row, Target

LABELS, IMAGES, CALIBRATION = "label_2", "image_2", "calib"


def label_folders(source: Path, name: str) -> list[str]:
    """Return the folders of label files below a folder; itself, where there is none of that name.

    Raises:
        NotFound: there is no such folder.
        InvalidInput: it holds no label files.
    """
    if not source.is_dir():
        raise NotFound(f"{source}: no such folder", code="source-missing")
    found = sorted(p.relative_to(source).as_posix() for p in source.rglob(name) if p.is_dir())
    if found:
        return found
    if any(source.glob("*.txt")):
        return ["."]
    raise InvalidInput(f"{source}: has no folder `{name}` and no label files", code="kitti-empty")


def object_documents(source: Path, beside: Beside) -> tuple[list[Document], Counter[str]]:
    """Return the label files of a data set, and what is unusual, by code."""
    documents: list[Document] = []
    notices: Counter[str] = Counter()
    for folder in label_folders(source, LABELS):
        documents += _documents(source, folder, beside, notices)
    if not documents:
        raise FormatError(str(source), [f"{LABELS}: no label files and no images are there"],
                          code="kitti-empty")  # fmt: skip
    return documents, notices


def _documents(
    source: Path, folder: str, beside: Beside, notices: Counter[str]
) -> Iterator[Document]:
    place = source / folder
    inner = PurePosixPath(folder).parent if folder != "." else PurePosixPath(".")
    media = inner / IMAGES if folder != "." else inner
    images = images_in(source / media)
    pictures = [p for p in (source / media).glob("*") if p.suffix.lower() in PICTURES]
    notices["kitti-image-shadowed"] += len(pictures) - len(images)
    labels, known = _texts(place), _texts(source / inner / CALIBRATION)
    where = "" if media.as_posix() == "." else f"{media.as_posix()}/"
    for name in sorted({*labels, *images}):
        image = images.get(name)
        uri = f"{where}{name}{image.suffix if image else '.png'}"
        shown = image or beside.image(uri)
        width, height = size_of(shown) if shown else beside.size(uri) or (None, None)
        notices["kitti-image-missing"] += shown is None
        kept, sensors = _calibration(known.get(name), notices)
        item = {"modality": "image", "uri": uri, "width": width, "height": height,
                "sensors": sensors}  # fmt: skip
        path = f"{name}.txt" if folder == "." else f"{folder}/{name}.txt"
        yield Document(path, labels.get(name), item, kept)


def _texts(folder: Path) -> dict[str, Path]:
    """Return the text files below a folder, by their paths without suffix."""
    found: dict[str, Path] = {}
    for place, _, names in os.walk(folder):
        inner = os.path.relpath(place, folder).replace(os.sep, "/")
        for name in names:
            if name.endswith(".txt"):
                bare = name.removesuffix(".txt")
                found[bare if inner == "." else f"{inner}/{bare}"] = Path(place, name)
    return found


def _calibration(
    path: Path | None, notices: Counter[str]
) -> tuple[dict[str, Any], list[dict[str, Any]] | None]:
    """Return a calibration's text, to be kept, and the sensors that it tells of."""
    if path is None:
        return {}, None
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    if not text.isprintable() and any("\ud800" <= c <= "\udfff" for c in text):
        raise FormatError(str(path), ["is no UTF-8"], code="kitti-calibration")
    sensors = sensors_of(text)
    notices["kitti-calibration-unread"] += sensors is None
    kept = {} if sensors is not None and calibration_text(sensors) == text else {"calib": text}
    return kept, sensors


class ObjectTarget(Target):
    """Label files beside calibrations, where the images' own folder would be."""

    def __init__(self, data: Writing) -> None:
        super().__init__(data)
        self._own = "labels" in self.kept
        self.parents = [None] * len(self.items)  # a frame is an image like others

    def path(self, item: Row) -> str:
        """Return the label file of an image, below the folder."""
        bare = PurePosixPath(item["uri"] or str(item["item_id"])).with_suffix("")
        if self._own and self.kept["labels"] == ["."]:
            return f"{bare}.txt"
        return f"{_beside(bare, LABELS)}.txt"

    def is_file(self, item: Row) -> bool:
        """Say whether an item is an image."""
        return bool(item["modality"] != "video")

    def placed(self, annotations: pa.RecordBatch) -> Mask:
        """Return which labels are on images, shape (n,)."""
        ids = annotations.column("item_id").to_pylist()
        return np.array([self.is_file(self.items[self.place[i]]) for i in ids], bool)

    def uri(self, path: str) -> str:
        """Return what an image is called by the path of its label file."""
        return image_of(path, LABELS, IMAGES, ".png")

    def prepared(self, geometries: pa.RecordBatch) -> pa.RecordBatch:
        """Return shapes whose cuboids are in the camera's axes."""
        return in_camera(geometries, self)[0]

    def texts(self) -> Mapping[str, str]:
        """Return the calibrations."""
        found = {}
        for item in self.items:
            kept = json.loads(item["sources"][0]["leftovers"] or "{}")
            text = kept.get("calib")
            if text is None and item["sensors"]:
                text = calibration_text(item["sensors"])
            if text:
                bare = PurePosixPath(item["uri"] or str(item["item_id"])).with_suffix("")
                found[f"{_beside(bare, CALIBRATION)}.txt"] = text
        return found


def image_of(path: str, labels: str, images: str, suffix: str) -> str:
    """Return the image, or the sequence, of a label file: in the folder beside its own."""
    parts = list(PurePosixPath(path).with_suffix("").parts)
    inside = [i for i, part in enumerate(parts[:-1]) if part == labels]
    if inside:
        parts[inside[0]] = images
    return "/".join(parts) + suffix


def _beside(bare: PurePosixPath, name: str) -> str:
    """Return a path whose last folder of images is another; one in that, where there is none."""
    parts = [part for part in bare.parts if part not in ("..", "/")]
    inside = [i for i, part in enumerate(parts[:-1]) if part == IMAGES]
    if inside:
        parts[inside[-1]] = name
        return "/".join(parts)
    return "/".join([name, *parts])
