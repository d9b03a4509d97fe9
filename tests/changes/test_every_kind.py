"""Labels of every kind are found again where they went a little, and told apart where far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest

from labelstore.changes.matching import Labels, matched
from labelstore.model import labels as l
from labelstore.model.examples import POINT_LABELS
from labelstore.model.kinds import Kind
from labelstore.model.tables import TABLES
from labelstore.storage.parquet import conform

SQUARE = ((0.0, 0.0), (40.0, 0.0), (40.0, 40.0), (0.0, 40.0))
ON = {"item": "a", "category": "c"}
Made = Callable[[float], l.Label]


def at(t: float) -> list[tuple[float, float]]:
    """Return a square that lies `t` to the right."""
    return [(x + t, y) for x, y in SQUARE]


def disc(t: float) -> bytes:
    """Return runs of 300 pixels of a picture of one row that begin at `t`."""
    from pycocotools import mask

    pixels = np.zeros((1, 2_000), np.uint8, order="F")
    pixels[0, int(t) : int(t) + 300] = 1
    return bytes(mask.encode(pixels)["counts"])


MADE: dict[str, Made] = {
    "box": lambda t: l.Box(**ON, x=t, y=0, width=40, height=40),
    "rotated_box": lambda t: l.RotatedBox(**ON, cx=t, cy=0, width=40, height=20, angle=0.3),
    "corners": lambda t: l.Corners(**ON, points=at(t)),
    "polygon": lambda t: l.Polygon(**ON, rings=[at(t)]),
    "polyline": lambda t: l.Polyline(**ON, lines=[at(t)]),
    "spline": lambda t: l.Spline(**ON, form="cubic_bezier", control_points=at(t)),
    "points": lambda t: l.Points(**ON, points=[(t, 5)]),
    "keypoints": lambda t: l.Keypoints(**ON, points=at(t), visibility=[2] * 4),
    "ellipse": lambda t: l.Ellipse(**ON, cx=t, cy=0, rx=30, ry=20, angle=0.2),
    "mask": lambda t: l.Mask(**ON, encoding="coco_rle", h=1, w=2_000, counts=disc(t)),
    "cuboid2d": lambda t: l.Cuboid2D(**ON, points=[*at(t), *at(t + 9)]),
    "cuboid3d": lambda t: l.Cuboid3D(**ON, center=(t, 2, 1), size=(40, 18, 16), frame="lidar",
                                     rotation=(1, 0, 0, 0)),
    "span": lambda t: l.Span(**ON, spans=[(int(t), int(t) + 40)]),
    "interval": lambda t: l.Interval(**ON, start=t, end=t + 40),
}  # fmt: skip
WHOLE: dict[str, Made] = {
    "tag": lambda _: l.Tag(**ON),
    "segment": lambda t: l.Segment(**ON, form="panoptic", uri="a.png", value=int(t)),
    "mesh": lambda t: l.Mesh(
        **ON, frame="lidar", vertices=[(t, 0, 0), (1, 0, 0), (0, 1, 0)], faces=[(0, 1, 2)]
    ),
    "point_labels": lambda _: l.PointCloudLabels(**ON, labels=POINT_LABELS),
}
"""Kinds that have no place by which they could be told apart."""


def test_all_kinds_are_here() -> None:
    assert {*MADE, *WHOLE, "text", "track"} == {*get_args(Kind)}  # a track's labels are of others


def side(made: list[l.Label], classes: list[int] | None = None) -> Labels:
    """Return labels of one item, of one class where nothing else is said."""
    rows = l.rows(made)
    count = rows.num_rows
    names = [n for n in rows.column_names if n in TABLES["geometries"].schema.names]
    shapes = rows.select(names)
    for name in TABLES["geometries"].key:
        if name not in shapes.column_names:
            values: Any = [""] * count if name == "layer" else range(count)
            shapes = shapes.append_column(name, pa.array(values))
    kinds = np.array(rows.column("kind").to_pylist(), object)
    return Labels(np.zeros(count, np.int64), np.array(classes or [1] * count), kinds,
                  conform(shapes, TABLES["geometries"]))  # fmt: skip


@pytest.mark.parametrize("kind", MADE)
def test_a_step_is_followed_and_a_leap_is_not(kind: str) -> None:
    made = MADE[kind]
    before = side([made(t) for t in (0, 700, 1400)])
    after = side([made(t) for t in (1402, 350, 2, 698)])
    found = matched(before, after)
    assert found.before.tolist() == [0, 1, 2]
    assert found.after.tolist() == [2, 3, 0]
    assert ((found.agreement > 0.5) & (found.agreement < 1)).all()


@pytest.mark.parametrize("kind", MADE)
def test_of_two_near_the_one_of_its_class_is_taken(kind: str) -> None:
    made = MADE[kind]
    found = matched(side([made(100)], [1]), side([made(100), made(103)], [2, 1]))
    assert found.after.tolist() == [1]
    across = matched(side([made(100)], [1]), side([made(100), made(900)], [2, 1]))
    assert across.after.tolist() == [0]


@pytest.mark.parametrize("kind", WHOLE)
def test_labels_of_whole_items_are_paired_by_class_and_then_in_turn(kind: str) -> None:
    made = WHOLE[kind]
    found = matched(side([made(1), made(2)], [1, 2]), side([made(3), made(4)], [2, 3]))
    assert found.after.tolist() == [1, 0]


def test_texts_are_paired_by_their_letters() -> None:
    before = side([l.Text(**ON, text=t) for t in ("a man on a horse", "two dogs", "")])
    after = side([l.Text(**ON, text=t) for t in ("two dog", "rain", "a man on the horse")])
    found = matched(before, after)
    assert found.before.tolist() == [0, 1]
    assert found.after.tolist() == [2, 0]


def test_places_of_different_units_are_never_one() -> None:
    cloud = l.Cuboid3D(**ON, center=(0, 0, 0), size=(9, 9, 9), rotation=(1, 0, 0, 0),
                       frame="camera")  # fmt: skip
    parts = l.Box(**ON, x=0.1, y=0.1, width=0.5, height=0.5, frame="unit")
    pixels = l.Box(**ON, x=0.1, y=0.1, width=0.5, height=0.5)
    others = [cloud.model_copy(update={"frame": "lidar"}), pixels]
    assert not len(matched(side([cloud, parts]), side(others)))


def test_a_box_and_an_outline_are_one_by_what_is_around_them() -> None:
    found = matched(side([MADE["box"](0)]), side([MADE["polygon"](2)]))
    assert found.agreement.tolist() == pytest.approx([38 / 42])


def test_least_agreement_can_be_asked_for() -> None:
    before, after = side([MADE["box"](0)]), side([MADE["box"](30)])
    assert not len(matched(before, after))
    assert len(matched(before, after, least=0.1)) == 1
