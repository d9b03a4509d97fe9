"""Reading a panoptic file and its PNGs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from labelstore.errors import FormatError, InvalidInput
from labelstore.geometry.rasters import pixel_ids
from labelstore.model.arrow import with_column
from labelstore.model.tables import TABLES
from labelstore.plugins import Piece
from labelstore_converters.coco.annotation_rows import AnnotationRows
from labelstore_converters.coco.lookup import UNHASHABLE, Unlisted
from labelstore_converters.coco.reading import CocoReading
from labelstore_converters.columns import json_text
from labelstore_converters.painting import mask_of

PIECE = 500
"""Images a piece."""
SEGMENTS = 20
"""Bits of a place in the source that count segments of an image; the others count images."""
USUAL = ["segments_info", "file_name", "image_id"]
SHAPES = TABLES["geometries"].schema


class PanopticReading(CocoReading):
    """A panoptic file, opened; see `labelstore.plugins.Reading`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._folder = path.with_suffix("")
        self._records = self._parsed()
        own = {"record": self._order(self._records), "segment": self._segment_order()}
        self._key_orders = {**self._key_orders, **own}
        self.pieces = -(-len(self._records) // PIECE)
        missing = sum(not self._png(record).is_file() for record in self._records)
        if missing:
            self.notices = {**self.notices, "coco-panoptic-png-missing": missing}

    def _parsed(self) -> list[dict[str, Any]]:
        """Return the records of images.

        Raises:
            FormatError: a record is none; every fault is named.
        """
        found = self._document.parse(self._annotations.listed(), list[Any], "annotations")
        faults = [f"annotations[{i}]{said}" for i, record in enumerate(found)
                  for said in _record_faults(record)]  # fmt: skip
        if not faults:
            seen = Counter(json_text(record["image_id"]) for record in found)
            faults = [f"image_id {key}: has {n} records" for key, n in seen.items() if n > 1]
        if faults:
            raise FormatError(str(self._document.path), faults, code="coco-panoptic")
        records: list[dict[str, Any]] = found
        return records

    def _order(self, objects: list[dict[str, Any]]) -> list[str]:
        return max((list(o) for o in objects[:64]), key=len, default=[])

    def _segment_order(self) -> list[str]:
        segments = [s for record in self._records[:64] for s in record["segments_info"]]
        return [*self._order(segments), "image_id"]

    def _png(self, record: dict[str, Any]) -> Path:
        return self._folder / str(record["file_name"])

    def items(self) -> pa.Table:
        """Return the images; each keeps how its record is written."""
        rows = super().items()
        entries: list[Any] = rows.column("sources").to_pylist()
        for at, record in enumerate(self._records):
            item = self._image_numbers.one(record["image_id"])
            if item >= 0:
                (source,) = entries[item]
                text = source["leftovers"] or "{}"
                kept = self._document.parse(text.encode(), Any, "leftovers")
                kept["record"] = {"seq": at, **self._kept(record)}
                source["leftovers"] = json_text(kept)
        return with_column(rows, "sources", pa.array(entries, rows.schema.field("sources").type))

    def _kept(self, record: dict[str, Any]) -> dict[str, Any]:
        known = {"image_id", "segments_info"}
        keys = {k: v for k, v in record.items() if k not in known}
        order = {} if list(record) == self._key_orders["record"] else {"order": list(record)}
        return {"keys": keys, **order}

    def owners(self) -> None:
        """Return nothing: records are of images, their labels stand below them."""

    def annotations(self, piece: int) -> Piece:
        """Return the segments of some images."""
        begin = piece * PIECE
        rows = AnnotationRows(self._key_orders["segment"])
        unlisted = Unlisted(), Unlisted()
        pixels: list[dict[str, Any] | None] = []
        rasters: list[dict[str, Any] | None] = []
        notices: Counter[str] = Counter()
        for at, record in enumerate(self._records[begin : begin + PIECE], begin):
            segments = list(record["segments_info"])
            masks, others = self._masks(record, segments, notices)
            image = record["image_id"]
            item = self._image_numbers.one(image)
            item = item if item >= 0 else unlisted[0].number(image)
            for k, segment in enumerate([*segments, *others]):
                found = {**segment, "image_id": image}
                category = self._category(segment.get("category_id"), unlisted[1])
                rows.add(found, seq=(at << SEGMENTS) + k, item=item, category=category)
            pixels += masks
            uri = f"{self._folder.name}/{record['file_name']}"
            rasters += [{"form": "panoptic", "uri": uri, "value": s["id"]}
                        for s in [*segments, *others]]  # fmt: skip
        notes, shapes = (pa.Table.from_batches([b]) for b in rows.batches())
        count = notes.num_rows
        notes = with_column(notes, "kind", pa.repeat("segment", count))
        shapes = with_column(shapes, "mask", pa.array(pixels, SHAPES.field("mask").type))
        shapes = with_column(shapes, "raster", pa.array(rasters, SHAPES.field("raster").type))
        notices.update(rows.notices)
        told = {code: count for code, count in notices.items() if count}
        return Piece(notes, shapes, unlisted[0].keys, unlisted[1].keys, told)

    def _masks(
        self, record: dict[str, Any], segments: list[dict[str, Any]], notices: Counter[str]
    ) -> tuple[list[dict[str, Any] | None], list[dict[str, Any]]]:
        """Return the pixels of each segment, and segments that the PNG alone has."""
        path = self._png(record)
        if not path.is_file():
            return [None] * len(segments), []
        try:
            ids = pixel_ids(path.read_bytes(), "panoptic")
        except InvalidInput as error:
            raise FormatError(str(path), [str(error)], code="coco-panoptic") from error
        there = set(np.unique(ids).tolist()) - {0}
        listed = [segment["id"] for segment in segments]
        notices["coco-panoptic-id-unused"] += len(set(listed) - there)
        others = [{"id": value, "png_only": True} for value in sorted(there - set(listed))]
        notices["coco-panoptic-id-unlisted"] += len(others)
        return [mask_of(ids == value) for value in [*listed, *(o["id"] for o in others)]], others


def _record_faults(record: Any) -> list[str]:
    if not isinstance(record, dict):
        return [": must be an object"]
    if "segments_info" not in record:
        return [", segments_info: missing; this is no panoptic file"]
    faults = [f", {key}: missing" for key in ("image_id", "file_name") if key not in record]
    segments = record["segments_info"]
    if isinstance(record.get("image_id"), UNHASHABLE):
        faults.append(", image_id: must be a plain value")
    if "file_name" in record and not isinstance(record["file_name"], str):
        faults.append(", file_name: must be text")
    elif {"..", ""} & {*str(record.get("file_name", "x")).replace("\\", "/").split("/")}:
        faults.append(", file_name: must be a path below the folder of PNGs")
    if not isinstance(segments, list):
        return [*faults, ", segments_info: must be a list"]
    for i, segment in enumerate(segments):
        number = segment.get("id") if isinstance(segment, dict) else None
        if type(number) is not int or not 0 <= number < 256**3:
            faults.append(f", segments_info[{i}], id: must be a whole number below 16,777,216")
    numbers = [] if faults else [segment["id"] for segment in segments]
    if len(set(numbers)) < len(numbers):
        faults.append(", segments_info: two segments have one id")
    return faults
