"""COCO annotations, object by object: every value either fits its column exactly or stays as is.

The careful way; `fast` handles the regular majority and gives the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from labelstore.geometry.covering import COLUMNS, covering_boxes
from labelstore.model.tables import TABLES
from labelstore_converters.coco.leftovers import leftovers
from labelstore_converters.coco.numbers import is_int, is_number, style_of
from labelstore_converters.columns import batch, json_text

RLE_ORDER = ["counts", "size"]


class AnnotationRows:
    """Collects annotations as columns.

    Args:
        key_order: usual order of the keys in this file.
        track_key: what says the track of a label.
    """

    def __init__(self, key_order: Sequence[str], track_key: str = "track_id") -> None:
        self._key_order, self._track_key = key_order, track_key
        self._rows: list[dict[str, Any]] = []
        self.notices: dict[str, int] = {}

    def add(
        self, found: Mapping[str, Any], *, seq: int, item: int, category: int | None,
        track: int | None = None,
    ) -> None:  # fmt: skip
        """Take one annotation object.

        Args:
            found: the object as parsed.
            seq: its place in the file.
            item: local number of its image.
            category: local number of its class, or None.
            track: local number of its track, or None.
        """
        row: dict[str, Any] = {
            "seq": seq, "item_id": item, "category_id": category, "track_id": track,
        }  # fmt: skip
        carried = {"image_id"} if found["image_id"] is not None else set()
        numbers: list[float | int] = []
        if "category_id" in found and category is not None:
            carried.add("category_id")
        if track is not None:
            carried.add(self._track_key)
        for key in ("id", "iscrowd", "num_keypoints", "caption", "attributes"):
            if key in found and PLAIN[key](found[key], row):
                carried.add(key)
        for key in ("area", "score", "bbox", "segmentation", "keypoints"):
            if key in found and NUMERIC[key](found[key], row, numbers):
                carried.add(key)
            elif key in found:
                self.notice(f"coco-{key}-kept-verbatim")
        if "id" not in found:
            self.notice("coco-annotation-without-id")
        row["number_style"] = style_of(numbers)
        kept = leftovers(found, carried, self._key_order)
        if row.get("mask") and list(found["segmentation"]) != RLE_ORDER:
            kept = {"rle": list(found["segmentation"]), **kept}
        row["leftovers"] = json_text(kept) if kept else None
        row["kind"] = _kind(row)
        self._rows.append(row)

    def __len__(self) -> int:
        """Return how many annotations it has."""
        return len(self._rows)

    def notice(self, code: str) -> None:
        """Count something unusual."""
        self.notices[code] = self.notices.get(code, 0) + 1

    def batches(self) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """Return the annotations and their geometries."""
        shapes = batch(TABLES["geometries"], self._columns("geometries"))
        columns = self._columns("annotations")
        columns.update(covering_columns(covering_boxes(shapes)))
        return batch(TABLES["annotations"], columns), shapes

    def _columns(self, table: str) -> dict[str, Any]:
        names = TABLES[table].schema.names
        used = {name for row in self._rows for name in row} & set(names) or set(names)
        columns: dict[str, Any] = {n: [row.get(n) for row in self._rows] for n in used}
        columns["layer"] = [""] * len(self._rows)
        columns["annotation_id"] = [row["seq"] for row in self._rows]
        columns["item_id"] = [row["item_id"] for row in self._rows]
        return columns


def covering_columns(boxes: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, pa.Array]:
    """Return the four columns of covering boxes, null where there is none."""
    return {name: pa.array(boxes[:, i], from_pandas=True) for i, name in enumerate(COLUMNS)}


def _id(value: Any, row: dict[str, Any]) -> bool:
    if value is None:
        return False
    if is_int(value):
        row["source_id"] = value
    else:
        row["source_key"] = json_text(value)
    return True


def _crowd(value: Any, row: dict[str, Any]) -> bool:
    if type(value) is not int or value not in (0, 1):
        return False
    row["is_crowd"] = bool(value)
    return True


def _count(value: Any, row: dict[str, Any]) -> bool:
    if not is_int(value, 32) or value < 0:
        return False
    row["num_keypoints"] = value
    return True


def _caption(value: Any, row: dict[str, Any]) -> bool:
    if not isinstance(value, str):
        return False
    row["text"] = value
    return True


def _attributes(value: Any, row: dict[str, Any]) -> bool:
    if not isinstance(value, dict):
        return False
    row["attributes"] = [(key, json_text(inner)) for key, inner in value.items()]
    return True


def _number(column: str) -> Any:
    def take(value: Any, row: dict[str, Any], numbers: list[float | int]) -> bool:
        if not is_number(value):
            return False
        row[column] = float(value)
        numbers.append(value)
        return True

    return take


def _box(value: Any, row: dict[str, Any], numbers: list[float | int]) -> bool:
    if not (isinstance(value, list) and len(value) == 4 and all(map(is_number, value))):
        return False
    row["box"] = {f"v{i}": float(v) for i, v in enumerate(value)}
    row["box_form"] = "xywh"
    numbers.extend(value)
    return True


def _segmentation(value: Any, row: dict[str, Any], numbers: list[float | int]) -> bool:
    if isinstance(value, dict):
        return _mask(value, row)
    if not (isinstance(value, list) and all(isinstance(ring, list) for ring in value)):
        return False
    members = [v for ring in value for v in ring]
    if not all(map(is_number, members)):
        return False
    row["polygons"] = [[float(v) for v in ring] for ring in value]
    numbers.extend(members)
    return True


def _mask(value: Mapping[str, Any], row: dict[str, Any]) -> bool:
    if sorted(value) != RLE_ORDER or not isinstance(value["size"], list):
        return False
    size, counts = value["size"], value["counts"]
    if len(size) != 2 or not all(is_int(s, 32) and s >= 0 for s in size):
        return False
    if isinstance(counts, str) and counts.isascii():
        encoding, data = "coco_rle", counts.encode()
    elif isinstance(counts, list) and (runs := _runs(counts)) is not None:
        encoding, data = "coco_rle_list", runs
    else:
        return False
    row["mask"] = {"encoding": encoding, "h": size[0], "w": size[1], "counts": data}
    return True


def _runs(counts: list[Any]) -> bytes | None:
    """Return runs as they are stored, or None where a member is no whole number from 0."""
    if set(map(type, counts)) - {int}:
        return None
    try:
        return np.array(counts, "<u4").tobytes()
    except OverflowError:
        return None


def _keypoints(value: Any, row: dict[str, Any], numbers: list[float | int]) -> bool:
    if not (isinstance(value, list) and len(value) % 3 == 0 and all(map(is_number, value))):
        return False
    shown = value[2::3]
    points = [v for i, v in enumerate(value) if i % 3 != 2]
    row["keypoints"] = [float(v) for v in points]
    row["keypoint_dims"] = 2
    numbers.extend(points)
    if all(type(v) is int and 0 <= v <= 2 for v in shown):
        row["visibility"] = shown
    else:  # as models say how sure they are of each point
        row["keypoint_scores"] = [float(v) for v in shown]
        numbers.extend(shown)
    return True


PLAIN: dict[str, Any] = {
    "id": _id,
    "iscrowd": _crowd,
    "num_keypoints": _count,
    "caption": _caption,
    "attributes": _attributes,
}
NUMERIC: dict[str, Any] = {
    "area": _number("area"),
    "score": _number("score"),
    "bbox": _box,
    "segmentation": _segmentation,
    "keypoints": _keypoints,
}


def _kind(row: Mapping[str, Any]) -> str:
    if row.get("keypoints"):
        return "keypoints"
    if row.get("mask"):
        return "mask"
    if row.get("polygons"):
        return "polygon"
    if row.get("box"):
        return "box"
    return "text" if row.get("text") is not None else "tag"
