"""Cuboids: closed forms where they are upright, turning where they are not."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rows import column, shapes

from labelstore.geometry import cuboids
from labelstore.geometry.similarity import similarity

numbers = st.integers(-40, 40).map(lambda n: n / 4)
sizes = st.integers(1, 40).map(lambda n: n / 4)
upright = st.tuples(numbers, numbers, numbers, sizes, sizes, sizes)
quaternions = st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1)
NAMES = ("cx", "cy", "cz", "length", "width", "height")


def cuboid(
    values: Any, turn: Any = (1.0, 0.0, 0.0, 0.0), anchor: str = "center"
) -> dict[str, Any]:
    unit = np.array(turn) / np.linalg.norm(turn)
    turned = dict(zip(("qw", "qx", "qy", "qz"), unit.tolist(), strict=True))
    return {**dict(zip(NAMES, map(float, values), strict=True)), **turned, "anchor": anchor}


def about_z(angle: float) -> tuple[float, float, float, float]:
    return (float(np.cos(angle / 2)), 0.0, 0.0, float(np.sin(angle / 2)))


def common(a: Any, b: Any, axes: list[int]) -> float:
    low = np.maximum(*(np.subtract(v[:3], np.divide(v[3:], 2)) for v in (a, b)))
    high = np.minimum(*(np.add(v[:3], np.divide(v[3:], 2)) for v in (a, b)))
    return float(np.maximum(high - low, 0)[axes].prod())


def plain_iou(a: Any, b: Any, axes: list[int]) -> float:
    sizes = [np.array(v[3:])[axes].prod() for v in (a, b)]
    inner = common(a, b, axes)
    return float(inner / (sum(sizes) - inner))


@given(st.lists(st.tuples(upright, upright), min_size=1, max_size=10))
def test_cuboids_along_the_axes_agree_by_the_closed_form(pairs: list[Any]) -> None:
    one, other = (column("cuboid3d", [cuboid(p[i]) for p in pairs]) for i in (0, 1))
    frame = column("frame", ["lidar"] * len(pairs))
    wanted = [plain_iou(a, b, [0, 1, 2]) for a, b in pairs]
    np.testing.assert_allclose(cuboids.iou_in_space(one, other, frame), wanted, atol=1e-9)
    above = [plain_iou(a, b, [0, 1]) for a, b in pairs]
    np.testing.assert_allclose(cuboids.iou_from_above(one, other, frame), above, atol=1e-9)
    np.testing.assert_allclose(
        cuboids.volumes(one), [np.prod(a[3:]) for a, _ in pairs], rtol=1e-12
    )


@given(upright, upright, quaternions)
def test_turning_both_changes_nothing(a: Any, b: Any, turn: Any) -> None:
    matrix = cuboids.rotations(np.array([turn]))[0]
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    rows: Any = [
        shapes([{"frame": "lidar", "cuboid3d": cuboid([*(matrix @ v[:3]), *v[3:]], turn)}])
        for v in (a, b)
    ]
    found = similarity("cuboid3d", *rows)
    np.testing.assert_allclose(found, [plain_iou(a, b, [0, 1, 2])], atol=1e-6)
    np.testing.assert_allclose(found, similarity("cuboid3d", *rows[::-1]), atol=1e-6)
    np.testing.assert_allclose(similarity("cuboid3d", rows[0], rows[0]), 1, atol=1e-6)


def test_a_quarter_turn_about_the_height_swaps_length_and_width() -> None:
    values = [0, 0, 0, 4, 2, 1]
    turned = column("cuboid3d", [cuboid(values, about_z(np.pi / 2))])
    plain = column("cuboid3d", [cuboid([0, 0, 0, 2, 4, 1])])
    frame = column("frame", ["ego"])
    np.testing.assert_allclose(cuboids.iou_in_space(turned, plain, frame), [1], atol=1e-9)
    # an eighth turn of a square: an octagon in common, 2 (sqrt 2 - 1) of the square
    square, eighth = ([cuboid([0, 0, 0, 2, 2, 2], about_z(a))] for a in (0, np.pi / 4))
    share = 2 * (np.sqrt(2) - 1)
    found = cuboids.iou_in_space(column("cuboid3d", square), column("cuboid3d", eighth), frame)
    np.testing.assert_allclose(found, [share / (2 - share)], atol=1e-9)


def test_the_anchor_says_where_the_centre_is() -> None:
    both = column("cuboid3d", [cuboid([1, 2, 3, 4, 2, 6], anchor=a) for a in ("center", "bottom")])
    lowest, highest = (getattr(cuboids.corners(both)[:, :, 2], m)(axis=1) for m in ("min", "max"))
    assert lowest.tolist() == [0, 3]
    assert highest.tolist() == [6, 9]


def test_up_is_minus_y_in_a_camera() -> None:
    # length along z (forwards), width along -x (left), height along -y (up)
    turn = (0.5, 0.5, -0.5, 0.5)
    matrix = cuboids.rotations(np.array([turn]))[0]
    assert np.round(matrix[:, 0]).tolist() == [0, 0, 1]
    assert np.round(matrix[:, 2]).tolist() == [0, -1, 0]
    low, high = cuboid([0, 0, 10, 4, 2, 2], turn), cuboid([0, -1, 10, 4, 2, 2], turn)
    sides = column("cuboid3d", [low]), column("cuboid3d", [high])
    frame = column("frame", ["camera"])
    np.testing.assert_allclose(cuboids.iou_from_above(*sides, frame), [1], atol=1e-9)
    np.testing.assert_allclose(cuboids.iou_in_space(*sides, frame), [1 / 3], atol=1e-9)


def test_frames_are_not_compared_with_each_other() -> None:
    rows: Any = [
        shapes([{"frame": f, "cuboid3d": cuboid([0, 0, 0, 1, 1, 1])}]) for f in ("ego", "lidar")
    ]
    assert np.isnan(similarity("cuboid3d", *rows)).all()
