"""Labels that were jittered, shuffled and renumbered are found again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from told import DATA

from labelstore.changes.matching import Labels, matched
from labelstore.geometry.covering import covering_boxes
from labelstore.model.arrow import with_column
from labelstore.model.tables import TABLES
from labelstore.plugins import find_format
from labelstore.storage.parquet import conform

REAL = [
    ("coco", "coco/tiny_coco/instances_val2017.json"),
    ("coco", "coco/tiny_coco/person_keypoints_val2017.json"),
    ("kitti", "kitti/lgsvl_object"),
    ("coco", "cross/voc100/instances_default.json"),
    ("voc", "cross/voc100/pascalvoc_format"),
]


def read(name: str, path: Path) -> Labels:
    """Return the labels of a source."""
    reading = find_format(name).open(path)
    pieces = [reading.annotations(i) for i in range(reading.pieces)]
    notes, shapes = (
        pa.concat_tables([conform(getattr(p, family), TABLES[family]) for p in pieces])
        for family in ("annotations", "geometries")
    )
    return Labels(
        np.asarray(notes.column("item_id")), np.asarray(notes.column("category_id").fill_null(-1)),
        np.asarray(notes.column("kind")), shapes,
    )  # fmt: skip


def jittered(labels: Labels, rng: np.random.Generator, *, share: float) -> Labels:
    """Return labels whose every shape went and grew by up to a share of its size."""
    boxes = covering_boxes(labels.shapes)
    sides = np.nan_to_num(boxes[:, 2:] - boxes[:, :2], nan=1.0)
    step = rng.uniform(-share, share, sides.shape) * sides
    shapes = labels.shapes
    box = shapes.column("box").combine_chunks()
    if box.null_count < len(box):
        fields = [np.asarray(pc.struct_field(box, i).fill_null(0.0)) for i in range(4)]
        form = np.asarray(shapes.column("box_form").fill_null("xywh"))
        ends = np.where(form == "xyxy", 1.0, 0.0)[:, None]
        moved = [fields[0] + step[:, 0], fields[1] + step[:, 1],
                 fields[2] + (ends * step)[:, 0], fields[3] + (ends * step)[:, 1]]  # fmt: skip
        values = pa.StructArray.from_arrays(
            [pa.array(m) for m in moved], fields=list(box.type), mask=box.is_null()
        )
        shapes = with_column(shapes, "box", values)
    for name in ("polygons", "keypoints"):
        shapes = with_column(shapes, name, _moved(shapes.column(name).combine_chunks(), step))
    return Labels(labels.items, labels.classes, labels.kinds, shapes)


def _moved(lists: pa.Array, step: Any) -> pa.Array:
    """Return lists of x, y, those of each row moved by its step."""
    rows = lists.to_pylist()
    return pa.array([_stepped(row, *s) for row, s in zip(rows, step, strict=True)], lists.type)


def _stepped(value: Any, x: float, y: float) -> Any:
    if value is None or (value and isinstance(value[0], list)):
        return None if value is None else [_stepped(ring, x, y) for ring in value]
    return [v + (x, y)[i % 2] for i, v in enumerate(value)]


def shuffled(labels: Labels, order: Any) -> Labels:
    """Return labels in another order."""
    return Labels(labels.items[order], labels.classes[order], labels.kinds[order],
                  labels.shapes.take(pa.array(order)))  # fmt: skip


@pytest.mark.parametrize(("name", "path"), REAL, ids=[path for _, path in REAL])
def test_jittered_copies_of_real_labels_are_found_again(name: str, path: str) -> None:
    rng = np.random.default_rng(5)
    labels = read(name, DATA / path)
    order = rng.permutation(len(labels.items))
    found = matched(labels, shuffled(jittered(labels, rng, share=0.05), order))
    right = int((order[found.after] == found.before).sum())
    assert right / len(found) >= 0.99  # precision
    assert right / len(labels.items) >= 0.99  # recall
    again = matched(labels, shuffled(jittered(labels, np.random.default_rng(5), share=0), order))
    assert len(again) == len(labels.items)
