"""Ultralytics' data sets to classify: folders of images, `subset/class/image`, and no text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from labelstore.errors import InvalidInput, NotFound
from labelstore.model.tables import TABLES
from labelstore.plugins import NOTHING, Beside, Format, Lost, Piece, Reading, Writing
from labelstore_converters.columns import batch, json_text
from labelstore_converters.yolo.layout import SUFFIXES, sizes

SUBSETS = ("train", "val", "validation", "test")
"""Folders whose folders are classes, as the official reader looks for them."""


class ClassifyReading(Reading):
    """Folders of images, opened; see `labelstore.plugins.Reading`."""

    pieces = 1

    def __init__(self, source: Path) -> None:
        if not source.is_dir():
            raise NotFound(f"{source}: no such folder", code="source-missing")
        self._source = source
        self._paths = [p for subset in SUBSETS for p in _images(source / subset)]
        if not self._paths:
            said = f"{source}: has no images in train/CLASS/, val/CLASS/ or test/CLASS/"
            raise InvalidInput(said, code="yolo-classify-empty")
        listed = sorted({p.parts[1] for p in self._inside if p.parts[0] == "train"})
        others = sorted({p.parts[1] for p in self._inside} - set(listed))
        self._names = [*listed, *others]
        self._sizes = [sizes(path) for path in self._paths]
        notices = {
            "yolo-classify-class-untrained": len(others),
            "yolo-classify-size-unknown": sum(size is None for size in self._sizes),
        }
        self.notices: Mapping[str, int] = {code: n for code, n in notices.items() if n}

    @property
    def _inside(self) -> list[Path]:
        return [path.relative_to(self._source) for path in self._paths]

    @property
    def dataset(self) -> dict[str, Any]:
        """Return the fields of the `datasets` row; the digest is of all paths."""
        names = "\n".join(path.as_posix() for path in self._inside).encode()
        file = {
            "path": self._source.name, "sha256": sha256(names).hexdigest(), "size": len(names),
            "newline": "none", "final_newline": False, "bom": False, "json_style": None,
        }  # fmt: skip
        return {"info": None, "licenses": None, "files": [file], "leftovers": json_text({})}

    def items(self) -> pa.Table:
        """Return the images."""
        widths, heights, turns = zip(*(s or (None, None, None) for s in self._sizes), strict=True)
        count = len(self._paths)
        columns = {
            "item_id": range(count),
            "modality": ["image"] * count,
            "uri": [path.as_posix() for path in self._inside],
            "width": widths,
            "height": heights,
            "exif_orientation": [None if turn == 1 else turn for turn in turns],
            "labelled_state": ["labelled"] * count,
            "sources": _sources(count),
        }
        return pa.Table.from_batches([batch(TABLES["items"], columns)])

    def categories(self) -> pa.Table:
        """Return the classes: those of `train` by name, as readers number them, then others."""
        count = len(self._names)
        columns = {
            "category_id": range(count), "position": range(count), "name": self._names,
            "sources": [[{**own[0], "source_id": i}] for i, own in enumerate(_sources(count))],
        }  # fmt: skip
        return pa.Table.from_batches([batch(TABLES["categories"], columns)])

    def annotations(self, piece: int) -> Piece:
        """Return a tag of each image."""
        numbers = {name: i for i, name in enumerate(self._names)}
        count = len(self._paths)
        columns = {
            "layer": [""] * count, "annotation_id": range(count), "item_id": range(count),
            "seq": range(count), "kind": ["tag"] * count,
            "category_id": [numbers[path.parts[1]] for path in self._inside],
        }  # fmt: skip
        own = {name: columns[name] for name in ("layer", "annotation_id", "item_id")}
        pair = batch(TABLES["annotations"], columns), batch(TABLES["geometries"], own)
        return Piece(*(pa.Table.from_batches([rows]) for rows in pair))


class YoloClassify(Format):
    """Folders of images by class; read, and not written: labelstore copies no images."""

    name = "yolo-classify"
    notices: Mapping[str, str] = {
        "yolo-classify-class-untrained": "classes that `train` lacks; numbered after the others",
        "yolo-classify-size-unknown": "images whose header cannot be read: sizes are unknown",
    }
    has_ids = False
    has_tags = True
    keeps_words = False
    lists: Mapping[str, frozenset[str]] = {
        "items": frozenset(
            {"modality", "uri", "width", "height", "exif_orientation", "labelled_state"}
        ),
        "categories": frozenset({"name"}),
    }

    @property
    def carries(self) -> frozenset[str]:
        """Return the content columns of `annotations` and `geometries` that it can hold."""
        return frozenset({"category_id"})

    def recognises(self, source: Path) -> bool:
        """Say whether a folder's `train` holds folders of images, and nothing names it a set."""
        found = source.is_dir() and not any(source.glob("*.y*ml"))
        return found and any(True for _ in _images(source / "train"))

    def open(self, source: Path, beside: Beside = NOTHING) -> Reading:
        """Return folders of images, opened."""
        return ClassifyReading(source)

    def losses(self, data: Writing) -> Lost:
        """Refuse, before anybody is asked to accept losses: the labels are the images' folders.

        Raises:
            InvalidInput: always.
        """
        raise InvalidInput(
            "yolo-classify is read only: its labels are the folders that images are in, and "
            "labelstore copies no images",
            code="yolo-classify-read-only",
        )

    def write(self, data: Writing, target: Path) -> Iterator[int]:
        """Refuse, as `losses` does."""
        self.losses(data)
        yield 0


def _images(subset: Path) -> Iterator[Path]:
    """Yield the images of a subset's classes, by their names."""
    if subset.is_dir():
        found = (p for p in subset.glob("*/**/*") if p.suffix.lower() in SUFFIXES and p.is_file())
        yield from sorted(p for p in found if p.parent != subset)


def _sources(count: int) -> list[list[dict[str, Any]]]:
    return [[{"dataset_id": 0, "seq": i}] for i in range(count)]


FORMAT: Format = YoloClassify()
