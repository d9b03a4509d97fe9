"""What one file of a source says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec

from labelstore.errors import InvalidInput
from labelstore.model.tables import FAMILY, TABLES
from labelstore.plugins.people import People
from labelstore.plugins.reading import Beside

OWN = frozenset({"item", "category", "track", "by", "reviewer"})
"""Keys of labels that are no columns: place of the item, class by name, track, author."""
SHAPES = frozenset(TABLES["geometries"].schema.names)


@dataclass
class Page:
    """What one file says.

    Attributes:
        items: rows of `items` by column. The first is the file's own where it is of one image.
        labels: columns of `annotations` and `geometries` by name, and of no column: `item` (the
            place of its item among `items`, 0 by default), `category` (name of its class), `track`
            (whole number or text), `by` and `reviewer` (who made and reviewed it, as `--by` takes
            agents) and `attributes` as a mapping of plain values.
        head: what else the file says, as plain JSON values; comes back as it is.
        classes: names of classes that the file lists, used or not.
        said: what the file says of the work that it comes from, as plain JSON values.
    """

    items: list[dict[str, Any]] = field(default_factory=list)
    labels: list[dict[str, Any]] = field(default_factory=list)
    head: Any = None
    classes: list[str] = field(default_factory=list)
    said: dict[str, Any] = field(default_factory=dict)


class PageRules(Protocol):
    """What reading and writing pages ask of a converter; see `PageFormat`."""

    name: str
    pattern: str
    one_file: bool
    of_sequences: bool
    by_track: bool
    companions: tuple[str, ...]
    people: People | None
    lists: Mapping[str, frozenset[str]]
    unsaid: frozenset[str]

    @property
    def carries(self) -> frozenset[str]:
        """Return the content columns that it can hold."""

    def files(self, source: Path) -> dict[str, Path]:
        """Return the files of a source, by their paths below it."""

    def parse(self, text: str, path: str, beside: Beside) -> Page:
        """Return what a file says."""

    def render(self, page: Page) -> str:
        """Return the text of a file."""

    def holds(self, label: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
        """Say whether a file can hold a label of an item."""

    def companions_of(self, page: Page) -> Mapping[str, str]:
        """Return the text of further files."""

    def path_of(self, item: Mapping[str, Any]) -> str:
        """Return the file of an item that came from another format."""


def edges(label: Mapping[str, Any]) -> list[float]:
    """Return left, top, right and bottom of a label's box, whatever its form."""
    a, b, c, d = (label["box"][f"v{i}"] for i in range(4))
    form = label.get("box_form")
    if form == "cxcywh":
        return [a - c / 2, b - d / 2, a + c / 2, b + d / 2]
    return [a, b, c, d] if form == "xyxy" else [a, b, a + c, b + d]


def window(label: Mapping[str, Any]) -> list[float]:
    """Return left, top, width and height of a label's box; the sides as stated where they are."""
    left, top, right, bottom = edges(label)
    if label.get("box_form") == "xyxy":
        return [left, top, right - left, bottom - top]
    return [left, top, label["box"]["v2"], label["box"]["v3"]]


def sides_of(item: Mapping[str, Any], label: Mapping[str, Any]) -> tuple[int, int]:
    """Return width and height by which a label's coordinates become parts of its image.

    Raises:
        InvalidInput: nobody knows them.
    """
    if label.get("frame") == "unit":
        return 1, 1
    if not (item.get("width") and item.get("height")):
        raise InvalidInput(
            f"{item.get('uri')}: its labels are in pixels, and nobody knows its width and height, "
            "so their parts of the image cannot be told; --images or --sizes of the import tell "
            "them",
            code="size-unknown",
        )
    return item["width"], item["height"]


def columns_of(label: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that a label fills."""
    found = {k: v for k, v in label.items() if k not in OWN and v is not None}
    if "attributes" in found:
        found["attributes"] = [(k, _json(v)) for k, v in found["attributes"].items()]
    return found


def label_of(row: Mapping[str, Any], shape: Mapping[str, Any]) -> dict[str, Any]:
    """Return a label's columns as a page has them: no nulls, attributes as plain values."""
    found = {k: v for k, v in _content(row, shape) if v is not None}
    if "attributes" in found:
        found["attributes"] = {k: msgspec.json.decode(v) for k, v in found["attributes"]}
    return found


def _content(row: Mapping[str, Any], shape: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, values in zip(FAMILY, (row, shape), strict=True):
        for column in CONTENT[name]:
            yield column, values[column]


CONTENT = {
    name: [c for c in TABLES[name].columns("content")
           if c not in ("layer", "item_id", "annotation_id", "category_id", "track_id", "xmin",
                        "ymin", "xmax", "ymax")]
    for name in FAMILY
}  # fmt: skip


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
