"""Darknet YOLO: `obj.data`, `obj.names`, lists of images, and a text file of boxes for each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from labelstore.plugins import NOTHING, Beside, Format, Lost, Reading, Writing
from labelstore_converters.yolo import BOX, NOTICES, Yolo

SHARED = (
    "image-missing",
    "size-unknown",
    "outside-image",
    "without-class",
    "shapes-left-out",
    "rounded",
)
"""What it has in common with the data sets of Ultralytics, by code."""


class Darknet(Yolo):
    """Data sets of darknet; boxes alone."""

    name = "darknet"
    tasks = ()
    notices: Mapping[str, str] = {
        **{f"darknet-{code}": NOTICES[f"yolo-{code}"] for code in SHARED},
        "darknet-class-misread": "classes whose name is no line of text; they read otherwise",
        "darknet-list-missing": "lists of images that the data file names and that are not there",
        "darknet-names-missing": "files of class names that are not there",
    }
    unsaid = Yolo.unsaid
    has_parts = True
    lists: Mapping[str, frozenset[str]] = {
        "items": Yolo.lists["items"],
        "categories": frozenset({"name", "unlisted"}),
    }

    def __init__(self) -> None:
        super().__init__()
        self._lines = "detect"

    @property
    def carries(self) -> frozenset[str]:
        """Return the content columns of `annotations` and `geometries` that it can hold."""
        return BOX | {"category_id", "leftovers"}

    def of_source(self, leftovers: Mapping[str, Any]) -> Format:
        """Return the format, which has one task."""
        return self

    def suited(self, columns: Collection[str]) -> Format:
        """Return the format, which has one task."""
        return self

    def recognises(self, source: Path) -> bool:
        """Say whether a file, or one in a folder, is a data file or one of names."""
        if source.is_file():
            return source.suffix == ".data"
        return any(source.glob("*.data")) or any(source.glob("*.names"))

    def open(self, source: Path, beside: Beside = NOTHING) -> Reading:
        """Return a data set, opened: the folder with its data file, or that file."""
        from labelstore_converters.darknet.reading import DarknetReading
        from labelstore_converters.darknet.sources import layout_of

        return DarknetReading(source, layout_of(source), None, beside)

    def write(self, data: Writing, target: Path) -> Iterator[int]:
        """Write a data set, yielding the number of annotations written so far."""
        from labelstore_converters.darknet.writing import DarknetFiles
        from labelstore_converters.yolo.writing import write

        return write(data, target, DarknetFiles(data, self.digits), "detect", scores=False)

    def uris(self, data: Writing) -> list[str]:
        """Return the paths of images, as lists tell them."""
        from labelstore_converters.darknet.writing import DarknetFiles

        return DarknetFiles(data).images()

    def losses(self, data: Writing) -> Lost:
        """Return how many labels lose what a line cannot say."""
        found = super().losses(data)
        names = [name or "" for name in data.categories.column("name").to_pylist()]
        odd = sum(" ".join(name.split()) != name or not name for name in names)
        if odd:
            found["darknet-class-misread"] = odd
        return found


FORMAT = Darknet()
