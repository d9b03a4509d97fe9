"""Conversions: what they keep, and that each says what it loses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco
from rows import column, shapes
from scipy.spatial.transform import Rotation

from labelstore.errors import NotFound
from labelstore.geometry import cuboids, planar
from labelstore.geometry.area import areas
from labelstore.geometry.conversions import CONVERSIONS, convert, to_mask
from labelstore.geometry.covering import covering_boxes
from labelstore.geometry.similarity import similarity
from labelstore.model.examples import LABELS
from labelstore.model.labels import rows as rows_of

TABLE = shapes([label.shape() for label in LABELS.values()])
AREAS = {("rotated_box", "corners"), ("rotated_box", "polygons"), ("corners", "polygons"),
         ("ellipse", "polygons"), ("mask", "polygons")}  # fmt: skip


@pytest.mark.parametrize("conversion", CONVERSIONS, ids=lambda c: f"{c.source}-{c.target}")
def test_a_conversion_fills_exactly_the_rows_that_have_the_shape(conversion: Any) -> None:
    found = convert(conversion.source, conversion.target, TABLE)
    there = TABLE.column(conversion.source).is_valid().to_pylist()
    assert any(there)
    assert found[conversion.target].is_valid().to_pylist() == there
    at = there.index(True)
    old = shapes([{conversion.source: TABLE.column(conversion.source)[at].as_py()}])
    new = shapes([{name: values[at].as_py() for name, values in found.items()}])
    lossless = (conversion.source, conversion.target) == ("rotated_box", "corners")
    assert bool(conversion.loss) != lossless
    np.testing.assert_allclose(covering_boxes(new), covering_boxes(old), atol=0.05)
    if (conversion.source, conversion.target) in AREAS:
        np.testing.assert_allclose(areas(new), areas(old), rtol=1e-9)


pixels = st.tuples(st.integers(1, 8), st.integers(1, 8)).flatmap(
    lambda size: hnp.arrays(np.uint8, size, elements=st.integers(0, 1))
)


@given(pixels, st.integers(0, 5))
def test_outlines_of_masks_have_their_pixels(found: np.ndarray, x0: int) -> None:
    runs = coco.encode(np.asfortranarray(found))
    h, w = found.shape
    mask = {"encoding": "coco_rle", "h": h, "w": w, "x0": x0, "counts": runs["counts"]}
    made = convert("mask", "polygons", shapes([{"mask": mask}]))
    outline = shapes([{name: values[0].as_py() for name, values in made.items()}])
    if found.any():
        assert areas(outline).tolist() == [found.sum()]
        squares = [[x + x0, y, x + x0 + 1, y, x + x0 + 1, y + 1, x + x0, y + 1]
                   for y, x in zip(*np.nonzero(found), strict=True)]  # fmt: skip
        wanted = shapes([{"polygons": [list(map(float, s)) for s in squares]}])
        np.testing.assert_allclose(similarity("polygons", outline, wanted), [1], atol=1e-6)
    else:
        assert made["polygons"].to_pylist() == [[]]


def test_outlines_become_the_masks_that_pycocotools_makes() -> None:
    table = rows_of([LABELS["polygon"], LABELS["tag"]])
    (found, nothing) = to_mask(table, 150, 200).to_pylist()
    outer, hole = (
        coco.frPyObjects([ring], 150, 200) for ring in LABELS["polygon"].shape()["polygons"]
    )
    pixels = coco.decode(coco.merge(outer)) * (1 - coco.decode(coco.merge(hole)))
    assert 0 < coco.area(coco.merge(hole)) == coco.area(coco.merge(outer)) - pixels.sum()
    assert coco.decode({"size": [150, 200], "counts": found["counts"]}).tolist() == pixels.tolist()
    assert nothing is None


def test_what_there_is_not_is_said() -> None:
    with pytest.raises(NotFound, match="'mask' to 'ellipse'; it can become box, polygons"):
        convert("mask", "ellipse", TABLE)
    with pytest.raises(NotFound, match="'mesh' has no similarity"):
        similarity("mesh", TABLE, TABLE)


turns = st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1)
shifts = st.tuples(*[st.floats(-50, 50)] * 3)


@given(turns, shifts, turns)
def test_there_and_back_is_the_same_cuboid(turn: Any, shift: Any, own: Any) -> None:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat(turn).as_matrix()
    matrix[:3, 3] = shift
    unit = np.array(own) / np.linalg.norm(own)
    cuboid = {
        "cx": 3.0, "cy": -2.0, "cz": 1.0, "length": 4.0, "width": 2.0, "height": 1.5,
        **dict(zip(("qw", "qx", "qy", "qz"), unit.tolist(), strict=True)), "anchor": "bottom",
    }  # fmt: skip
    before = column("cuboid3d", [cuboid, None])
    there = cuboids.moved(before, matrix)
    solid = cuboids.corners(before)[0] @ matrix[:3, :3].T + matrix[:3, 3]
    np.testing.assert_allclose(cuboids.corners(there)[0], solid, atol=1e-9)
    inverse: Any = np.linalg.inv(matrix)
    back = cuboids.moved(there, inverse)
    np.testing.assert_allclose(cuboids.corners(back)[0], cuboids.corners(before)[0], atol=1e-9)
    assert there[1].as_py() is None
    assert there[0].as_py()["anchor"] == "bottom"


def test_a_cuboid_is_seen_as_a_camera_sees_it() -> None:
    cuboid = {
        "cx": 0.0, "cy": 0.0, "cz": 10.0, "length": 2.0, "width": 2.0, "height": 2.0,
        "qw": 1.0, "qx": 0.0, "qy": 0.0, "qz": 0.0, "anchor": "center",
    }  # fmt: skip
    camera = np.array([[100.0, 0, 50, 0], [0, 100, 40, 0], [0, 0, 1, 0]])
    seen = cuboids.projected(column("cuboid3d", [cuboid, {**cuboid, "cz": -10.0}]), camera)
    x, y, z = cuboids.corners(column("cuboid3d", [cuboid]))[0].T
    np.testing.assert_allclose(seen[0], np.stack([100 * x / z + 50, 100 * y / z + 40], axis=1))
    assert np.isnan(seen[1]).all()


def test_a_simplified_outline_has_fewer_points_and_stays_near() -> None:
    turns = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = shapely.Polygon(np.stack([50 * np.cos(turns), 50 * np.sin(turns)], axis=1))
    (found,) = planar.simplified(np.array([circle]), 0.5)
    assert shapely.get_num_coordinates(found) < 60
    assert 0 < shapely.hausdorff_distance(found, circle, densify=0.01) <= 0.5
