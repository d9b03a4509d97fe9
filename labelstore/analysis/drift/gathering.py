"""The labels of one side, in numbers and groups: parts are read once, and nothing else is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.analysis.images import ImageSizes
from labelstore.model.tables import FAMILY
from labelstore.versions.agents import acting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.storage.index import Part
    from labelstore.versions.manifest import Manifest

    Floats = NDArray[np.float64]
    Values = dict[str, list[Floats]]
    Pair = tuple[Part, Part]
    """A part of labels and that of their shapes, row by row."""

UNITS = {"area": "px²", "aspect": "width / height", "x": "of the image", "y": "of the image",
         "labels per item": "", "occluded": "", "score": "", "text length": "letters"}  # fmt: skip
GROUPS = {"class": "category_id", "kind": "kind", "source": "dataset_id",
          "review state": "review_state"}  # fmt: skip
AUTHOR = ["created_by", "created_in"]
"""Who judged, where the source says it; else who brought the label."""
ENDS = ["xmin", "ymin", "xmax", "ymax"]
COLUMNS = ["item_id", "annotation_id", *ENDS, "occluded", "score", *GROUPS.values(), *AUTHOR]
SHAPES = ["frame", "text"]


@dataclass(frozen=True)
class Sample:
    """The labels of one side.

    Attributes:
        layer: of the labels; all where there is none.
        items: ids; only labels on these, where they are given.
        labels: ids; only these, where they are given.
    """

    manifest: Manifest
    layer: str | None = None
    items: pa.Array | None = None
    labels: pa.Array | None = None

    @property
    def whole(self) -> bool:
        """Say whether all labels of the layer are meant."""
        return self.items is None and self.labels is None

    def pairs(self) -> list[Pair]:
        """Return the parts that hold the labels."""
        notes, shapes = (self.manifest.parts_of(name, self.layer) for name in FAMILY)
        return list(zip(notes, shapes, strict=True))

    def chosen(self, rows: pa.Table, shapes: pa.Table) -> tuple[pa.Table, pa.Table]:
        """Return those rows of two parts that are meant."""
        for name, ids in (("item_id", self.items), ("annotation_id", self.labels)):
            if ids is not None:
                own = pc.is_in(rows.column(name), value_set=ids)
                rows, shapes = rows.filter(own), shapes.filter(own)
        return rows, shapes


def gathered(before: Sample, after: Sample) -> tuple[Gathered, Gathered]:
    """Return the labels of two sides; parts that both have whole are read once.

    Images that differ may have other sizes, by which shares are told in pixels: then all is read.
    """
    sides = (before.pairs(), after.pairs())
    there = [{digests(p) for p in own} for own in sides]
    items = [[p.digest for p in s.manifest.parts_of("items")] for s in (before, after)]
    if not (before.whole and after.whole) or items[0] != items[1]:
        there = [set(), set()]
    shared = Gathered(before, [p for p in sides[0] if digests(p) in there[1]])
    old, new = ([p for p in pairs if digests(p) not in other]
                for pairs, other in zip(sides, there[::-1], strict=True))  # fmt: skip
    return Gathered(before, old, shared), Gathered(after, new, shared)


def digests(pair: Pair) -> tuple[bytes, bytes]:
    """Return what tells the content of a pair of parts."""
    return pair[0].digest, pair[1].digest


class Gathered:
    """Numbers and groups of the labels of some parts, on top of those of others."""

    def __init__(
        self, sample: Sample, parts: Sequence[Pair], beside: Gathered | None = None
    ) -> None:
        manifest = sample.manifest
        self._numbers: Values = {n: list(beside._numbers[n]) if beside else [] for n in UNITS}
        names = (*GROUPS, "author")
        self.groups: dict[str, Counter[Any]] = {
            n: Counter(beside.groups[n]) if beside else Counter() for n in names
        }
        self._items: list[NDArray[np.int64]] = list(beside._items) if beside else []
        sizes = ImageSizes.of(manifest) if parts else ImageSizes.none()
        agents = acting(manifest)
        for notes, shapes in parts:
            own = manifest.read(notes, COLUMNS), manifest.read(shapes, SHAPES)
            self._take(*sample.chosen(*own), sizes, agents)

    def numbers(self, name: str) -> Floats:
        """Return all values of one of `UNITS`."""
        if name != "labels per item":
            return np.concatenate([np.empty(0), *self._numbers[name]])
        ids = np.concatenate([np.empty(0, np.int64), *self._items])
        return np.asarray(np.unique(ids, return_counts=True)[1], np.float64)

    def _take(
        self, rows: pa.Table, shapes: pa.Table, sizes: ImageSizes, agents: Mapping[int, int]
    ) -> None:
        items = np.asarray(rows.column("item_id"))
        self._items.append(items)
        ends = np.stack([np.asarray(rows.column(n).fill_null(np.nan)) for n in ENDS], axis=1)
        shares = np.asarray(pc.equal(shapes.column("frame"), "unit").fill_null(False))
        for name, own in _places(ends, shares, sizes.of_items(items)).items():
            self._numbers[name].append(own[np.isfinite(own)])
        lengths = pc.utf8_length(shapes.column("text")).drop_null()
        self._numbers["text length"].append(np.asarray(lengths, np.float64))
        for name in ("occluded", "score"):
            self._numbers[name].append(np.asarray(rows.column(name).drop_null(), np.float64))
        for name, column in GROUPS.items():
            for entry in pc.value_counts(rows.column(column)).to_pylist():
                self.groups[name][entry["values"]] += entry["counts"]
        for entry in rows.group_by(AUTHOR).aggregate([([], "count_all")]).to_pylist():
            author = entry["created_by"] or agents.get(entry["created_in"])
            self.groups["author"][author] += entry["count_all"]


def _places(ends: Floats, shares: NDArray[np.bool_], whole: Floats) -> dict[str, Floats]:
    """Return area, aspect and place of covering boxes; NaN where they cannot be known.

    Args:
        ends: shape (n, 4), pixels, or shares of the image.
        shares: shape (n,), which of them are shares.
        whole: shape (n, 2), width and height of the image in pixels.
    """
    given = np.where(shares[:, None], whole, 1.0)
    width, height = ((ends[:, 2:] - ends[:, :2]) * given).T
    middle = (ends[:, :2] + ends[:, 2:]) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y = np.where(shares[:, None], middle, middle / whole).T
        return {"area": width * height, "aspect": width / height, "x": x, "y": y}
