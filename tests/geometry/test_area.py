"""Areas: by hand, by pycocotools, and by a plain loop."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from conftest import TINY
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from rows import shapes

from labelstore.geometry.area import areas


def shoelace(ring: list[float]) -> float:
    points = list(zip(ring[0::2], ring[1::2], strict=False))
    following = [*points[1:], *points[:1]]
    pairs = zip(points, following, strict=True)
    return abs(sum(x * v - u * y for (x, y), (u, v) in pairs)) / 2


numbers = st.integers(-50, 50).map(lambda n: n / 4)
rings = st.lists(st.lists(numbers, max_size=9), max_size=3)


@given(st.lists(st.tuples(rings, st.lists(st.booleans(), min_size=3)), min_size=1, max_size=5))
def test_outlines_have_the_area_of_a_plain_loop(rows: list[Any]) -> None:
    table, wanted = [], []
    for outline, holes in rows:
        marks = [0 if is_hole else -1 for is_hole in holes[: len(outline)]]
        table.append({"polygons": outline, "holes_of": marks if holes[-1] else None})
        signs = [-1 if m == 0 and holes[-1] else 1 for m in marks]
        total = sum(s * shoelace(r) for s, r in zip(signs, outline, strict=True))
        wanted.append(total if outline else np.nan)
    np.testing.assert_allclose(areas(shapes(table)), wanted, atol=1e-9)


@pytest.mark.parametrize(
    ("form", "wanted"), [("xywh", 1500), ("cxcywh", 1500), ("xyxy", 600), (None, 1500)]
)
def test_a_box_is_read_in_its_form(form: str | None, wanted: float) -> None:
    box = {"v0": 10.0, "v1": 20.0, "v2": 30.0, "v3": 50.0}
    assert areas(shapes([{"box": box, "box_form": form}])).tolist() == [wanted]


def test_masks_have_the_area_of_pycocotools() -> None:
    rows, wanted = [], []
    for label in json.loads(TINY.read_text())["annotations"]:
        if isinstance(label["segmentation"], dict):
            runs = label["segmentation"]
            height, width = runs["size"]
            packed = coco_mask.frPyObjects(runs, height, width)
            own = {"h": height, "w": width}
            listed = np.array(runs["counts"], "<u4").tobytes()
            rows.append({"mask": {**own, "encoding": "coco_rle_list", "counts": listed}})
            rows.append({"mask": {**own, "encoding": "coco_rle", "counts": packed["counts"]}})
            wanted += [float(coco_mask.area(packed))] * 2
    assert len(wanted) == 10
    box = {"v0": 0.0, "v1": 0.0, "v2": 9.0, "v3": 9.0}
    assert areas(shapes([{**row, "box": box} for row in rows])).tolist() == wanted


def test_what_has_no_area_gets_none() -> None:
    png = {"encoding": "png", "h": 1, "w": 1, "counts": b""}
    found = areas(shapes([{}, {"keypoints": [1.0, 2.0]}, {"mask": png}, {"polygons": []}]))
    assert np.isnan(found).all()
