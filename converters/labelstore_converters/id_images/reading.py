"""Reading images of ids."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labelstore.errors import FormatError, InvalidInput, NotFound
from labelstore.geometry.covering import COLUMNS, covering_boxes
from labelstore.geometry.rasters import pixel_ids
from labelstore.model.arrow import with_column
from labelstore.model.tables import FAMILY, TABLES
from labelstore.plugins import Piece, Reading
from labelstore_converters.columns import json_text
from labelstore_converters.painting import mask_of

if TYPE_CHECKING:
    from labelstore_converters.id_images import IdImages

PIECE = 200
"""Images a piece."""
VALUES = 20
"""Bits of a place in the source that count values of an image; the others count images."""
LABELS = "labels.txt"


class IdReading(Reading):
    """A folder of images of ids, opened; see `labelstore.plugins.Reading`."""

    def __init__(self, source: Path, converter: IdImages) -> None:
        if not source.is_dir():
            raise NotFound(f"{source}: no such folder", code="source-missing")
        self._source, self._converter = source, converter
        found = sorted(source.rglob(f"{converter.folder}/**/*.png")) or sorted(
            source.glob("*.png")
        )
        if not found:
            said = f"{source}: has no folder `{converter.folder}` with PNG files"
            raise InvalidInput(said, code=f"{converter.name}-empty")
        self._paths = [path.relative_to(source) for path in found]
        self.notices: Mapping[str, int] = {}
        self.pieces = -(-len(found) // PIECE)
        self._values: list[list[int]] = []
        self._modes: list[str] = []
        self._sizes: list[tuple[int, int]] = []
        self._digest, self._bytes = sha256(), 0
        self._texts = {p.relative_to(source).as_posix(): _text(p)
                       for p in sorted(source.rglob(LABELS))}  # fmt: skip
        self._scan()
        numbers = sorted({v // converter.factor for own in self._values for v in own})
        self._classes = {number: i for i, number in enumerate(numbers)}

    def _scan(self) -> None:
        faults = []
        for path in self._paths:
            data = (self._source / path).read_bytes()
            self._digest.update(f"{path}\0".encode() + data)
            self._bytes += len(data)
            try:
                ids, mode = pixel_ids(data, "instance"), data[24:26].hex()
            except InvalidInput as error:
                faults.append(f"{path}: {error}")
                continue
            self._values.append([int(v) for v in np.unique(ids) if v])
            self._modes.append(mode)
            self._sizes.append((ids.shape[1], ids.shape[0]))
        if faults:
            raise FormatError(str(self._source), faults, code=f"{self._converter.name}-png")

    @property
    def dataset(self) -> dict[str, Any]:
        """Return the fields of the `datasets` row; the digest is of all images together."""
        kept = {"ids": True, "files": self._texts}
        file = {
            "path": self._source.name, "sha256": self._digest.hexdigest(), "size": self._bytes,
            "newline": "none", "final_newline": False, "bom": False, "json_style": None,
        }  # fmt: skip
        return {"info": None, "licenses": None, "files": [file], "leftovers": json_text(kept)}

    def items(self) -> pa.Table:
        """Return the images."""
        rows = []
        for i, (path, size) in enumerate(zip(self._paths, self._sizes, strict=True)):
            kept = {"path": path.as_posix(), "depth": self._modes[i]}
            rows.append({
                "item_id": i, "modality": "image", "uri": image_of(path, self._converter),
                "width": size[0], "height": size[1], "row_hash": 0,
                "labelled_state": "labelled" if self._values[i] else "reviewed_empty",
                "sources": [{"dataset_id": 0, "seq": i, "leftovers": json_text(kept)}],
            })  # fmt: skip
        return pa.Table.from_pylist(rows, schema=TABLES["items"].schema)

    def categories(self) -> pa.Table:
        """Return the classes that any pixel has, by their numbers."""
        rows = [
            {"category_id": i, "position": i, "name": f"class {number}", "row_hash": 0,
             "sources": [{"dataset_id": 0, "seq": i, "source_id": number}]}
            for number, i in self._classes.items()
        ]  # fmt: skip
        return pa.Table.from_pylist(rows, schema=TABLES["categories"].schema)

    def annotations(self, piece: int) -> Piece:
        """Return the segments of some images."""
        begin = piece * PIECE
        rows = []
        for at, path in enumerate(self._paths[begin : begin + PIECE], begin):
            ids = pixel_ids((self._source / path).read_bytes(), "instance")
            for k, value in enumerate(self._values[at]):
                seq = (at << VALUES) + k
                raster = {"form": "instance", "uri": path.as_posix(), "value": value}
                number = value // self._converter.factor
                rows.append({
                    "layer": "", "item_id": at, "annotation_id": seq, "seq": seq, "row_hash": 0,
                    "geometry_hash": 0, "kind": "segment", "category_id": self._classes[number],
                    "mask": mask_of(ids == value), "raster": raster,
                })  # fmt: skip
        tables = {n: pa.Table.from_pylist(rows, schema=TABLES[n].schema) for n in FAMILY}
        boxes = covering_boxes(tables["geometries"])
        for i, name in enumerate(COLUMNS):
            values = pa.array(boxes[:, i], from_pandas=True)
            tables["annotations"] = with_column(tables["annotations"], name, values)
        return Piece(tables["annotations"], tables["geometries"])


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(str(path), [f"byte {error.start}: is no UTF-8"]) from error


def image_of(path: Path | PurePosixPath, converter: IdImages) -> str:
    """Return the picture of an image of ids: in the folder beside its own."""
    parts = [converter.images if part == converter.folder else part for part in path.parts[:-1]]
    return "/".join([*parts, path.name])
