"""Ultralytics YOLO: `data.yaml`, and a text file of labels for each image."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from copy import copy
from pathlib import Path
from typing import Any

from labelstore.errors import InvalidInput
from labelstore.plugins import NOTHING, Beside, Format, Lost, Reading, Told, Writing, beginning

NOTICES = {
    "yolo-image-missing": "images that are not there: their sizes are unknown",
    "yolo-image-unlisted": "label files that no subset lists; read all the same",
    "yolo-subset-missing": "folders or lists that the YAML names and that are not there",
    "yolo-size-unknown": "images whose header cannot be read: their sizes are unknown",
    "yolo-keypoint-scores": "labels whose keypoints have a score in place of a visibility",
    "yolo-keypoints-flat": "labels whose keypoints have three coordinates, of which two are left",
    "yolo-rings-apart": "labels of several rings, each a label of its own now",
    "yolo-boxes-follow": "labels whose stated box goes, since it follows from the outline",
    "yolo-boxes-differ": "labels whose stated box is not that of their outline",
    "yolo-boxes-as-outlines": "boxes that stand as outlines of four points",
    "yolo-rotated-as-corners": "rotated boxes that stand as their corners",
    "yolo-outside-image": "labels that reach out of their image; its reader drops such images",
    "yolo-rings-too-short": "labels with rings of fewer than three points; left out",
    "yolo-without-class": "labels of no class; left out",
    "yolo-path-outside": "the data set's folder lies outside that of its YAML",
    "yolo-rounded": "labels whose numbers are rounded to the digits that were asked for",
    "yolo-shapes-left-out": "labels without a shape that the task has; left out",
}
DIGITS = 17
"""That are enough for any number."""
BOX = frozenset({"box", "box_form"})
HOLDS = {
    "detect": BOX,
    "segment": BOX | {"polygons"},
    "pose": BOX | {"keypoints", "keypoint_dims", "visibility"},
    "obb": frozenset({"corners", "rotated_box"}),
}
"""Columns of `geometries` by task."""


class Yolo(Format):
    """Data sets of Ultralytics YOLO.

    Args:
        task: detect, segment, pose or obb; None for that of each label's shape.
        scores: whether lines may end with one, as those of predictions do.
    """

    name = "yolo"
    line_bits = 20
    has_parts = True
    by_item = True
    notices: Mapping[str, str] = NOTICES
    has_ids = False
    has_tags = False
    keeps_words = False
    tasks = tuple(HOLDS)
    digits: int | None = None
    """Significant digits to which numbers are rounded; None writes them whole."""
    unsaid = frozenset({"width", "height", "exif_orientation", "modality"})
    lists: Mapping[str, frozenset[str]] = {
        "items": frozenset(
            {"modality", "uri", "width", "height", "exif_orientation", "labelled_state"}
        ),
        "categories": frozenset({"name", "keypoint_names", "flip_pairs", "unlisted"}),
    }

    def __init__(self, task: str | None = None, *, scores: bool = False) -> None:
        self.task = task
        self._scores = scores or task is None
        self._lines = task or "any"

    @property
    def carries(self) -> frozenset[str]:
        """Return the content columns of `annotations` and `geometries` that it can hold."""
        every = {"category_id", "leftovers"}
        scores = {"score", "keypoint_scores"} if self._scores else set()
        shapes = HOLDS[self.task] if self.task else frozenset().union(*HOLDS.values())
        return shapes | every | scores

    def reads(self, full: Collection[str]) -> frozenset[str] | None:
        """Return the columns of the task; all, where boxes have to be made of other shapes."""
        return self.carries if self._lines == "detect" and "box" in full else None

    def with_digits(self, digits: int) -> Format:
        """Return the format with numbers rounded to so many significant digits."""
        if not 1 <= digits <= DIGITS:
            raise InvalidInput(f"--digits {digits}: must be 1 to {DIGITS}", code="format-digits")
        found = copy(self)
        found.digits = digits
        return found

    def of_task(self, task: str) -> Format:
        """Return the format for detect, segment, pose or obb."""
        return Yolo(task)

    def of_source(self, leftovers: Mapping[str, Any]) -> Format:
        """Return the format of the task that the data set said, with what predictions have."""
        return Yolo(leftovers.get("task"), scores=True)

    def suited(self, columns: Collection[str]) -> Format:
        """Return the format for the richest task that labels of another format can fill."""
        for column, task in (("keypoints", "pose"), ("corners", "obb"), ("rotated_box", "obb"),
                             ("polygons", "segment")):  # fmt: skip
            if column in columns:
                return Yolo(task)
        return Yolo("detect")

    def recognises(self, source: Path) -> bool:
        """Say whether a file, or one in a folder, is a YAML that names `train` or `val`."""
        found = [source] if source.is_file() else sorted(source.glob("*.y*ml"))
        files = (path for path in found if path.suffix in (".yaml", ".yml"))
        return any(re.search(r"(?m)^(train|val|names)\s*:", beginning(path)) for path in files)

    def open(self, source: Path, beside: Beside = NOTHING) -> Reading:
        """Return a data set, opened: the folder with its YAML, or that file."""
        from labelstore_converters.yolo.layout import layout_of
        from labelstore_converters.yolo.reading import YoloReading

        return YoloReading(source, layout_of(source), self.task, beside)

    def write(self, data: Writing, target: Path) -> Iterator[int]:
        """Write a data set, yielding the number of annotations written so far."""
        from labelstore_converters.yolo.files import LabelFiles
        from labelstore_converters.yolo.writing import write

        files = LabelFiles(data, self.digits)
        return write(data, target, files, self._lines, scores=self._scores)

    def item_key(self, uri: str) -> str:
        """Return an image's path without its suffix, by which it and its labels are one."""
        from labelstore_converters.yolo.layout import bare_path

        return bare_path(uri)

    def uris(self, data: Writing) -> list[str]:
        """Return the paths of images, as their label files tell them."""
        from labelstore_converters.yolo.files import LabelFiles

        return LabelFiles(data).images()

    def records(self, data: Writing) -> Iterator[Told]:
        """Yield annotations, and how many lines each row has, shape (n,)."""
        from labelstore_converters.yolo.losses import line_counts

        for labels, geometries in data.annotations:
            yield Told(labels, line_counts(labels, geometries, self._lines))

    def losses(self, data: Writing) -> Lost:
        """Return how many labels lose what a line of their task cannot say."""
        from labelstore_converters.yolo.losses import Sides, losses

        found, sides = Lost(), Sides(data.items)
        for labels, geometries in data.annotations:
            own = losses(labels, geometries, sides, self._lines, self.digits)
            found.update(own)
            found.largest = max(found.largest, own.largest)
        return found.begun(self.name)


FORMAT = Yolo()
