"""Pictures of labels: well-formed, escaped, and of what the row holds."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from rows import shapes

from labelstore.geometry.drawing import elements, picture
from labelstore.model.examples import LABELS, TEXT
from labelstore.model.labels import rows

DRAWN = {
    "tag": {"text"}, "segment": {"text"}, "span": {"text"}, "text": {"text", "path"},
    "interval": {"text", "path"}, "points": {"circle"}, "keypoints": {"circle"},
    "point_labels": {"circle"}, "ellipse": {"ellipse"}, "spline": {"path", "circle"},
    "cuboid3d": {"path", "circle"},
}  # fmt: skip
"""The marks of each kind; a path where nothing is said."""
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("kind", LABELS)
def test_every_kind_has_a_picture(kind: str) -> None:
    (row,) = rows([LABELS[kind]]).to_pylist(maps_as_pydicts="strict")
    found = ElementTree.fromstring(picture(row, 200, 150, text=TEXT))
    assert found.get("viewBox") == "0 0 200 150"
    marks = {mark.tag.removeprefix(SVG) for mark in list(found)[2:]}  # after style and background
    assert marks == DRAWN.get(kind, {"path"})


@pytest.mark.parametrize("field", ["text", "category"])
def test_text_is_escaped(field: str) -> None:
    row = {field: "<script>alert(1)</script>&\"'"}
    drawn = picture(row, 10, 10)
    assert "<script" not in drawn
    (text,) = ElementTree.fromstring(drawn).iter(f"{SVG}text")
    assert text.text == row[field]


def test_a_path_goes_through_the_corners_of_a_box() -> None:
    box = {"v0": 1.0, "v1": 2.0, "v2": 3.5, "v3": 6.0}
    for form, path in (("xywh", "M1 2 L4.5 2 L4.5 8 L1 8Z"), ("xyxy", "M1 2 L3.5 2 L3.5 6 L1 6Z")):
        (row,) = shapes([{"box": box, "box_form": form}]).to_pylist()
        (drawn,) = elements(row, 10, 10)
        assert f'd="{path}"' in drawn


@pytest.mark.parametrize(
    "row",
    [
        {"mask": {"encoding": "png", "h": 1, "w": 1, "counts": b"", "x0": None, "y0": None}},
        {"polygons": []},
        {"polygons": [[1.0]]},
        {"keypoints": [1.0, 2.0], "visibility": [0]},
    ],
)
def test_what_cannot_be_drawn_is_left_out(row: dict[str, Any]) -> None:
    ElementTree.fromstring(picture(row, 10, 10))
