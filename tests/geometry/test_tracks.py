"""Frames between keyframes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rows import column
from scipy.spatial.transform import Rotation, Slerp

from labelstore.errors import InvalidInput
from labelstore.geometry.tracks import interpolated


def frames(given: list[tuple[int, int | None, bool | None]], **shapes: list[Any]) -> pa.Table:
    tracks, index, outside = zip(*given, strict=True)
    return pa.table(
        {
            "track_id": pa.array(tracks, pa.int64()),
            "frame_index": pa.array(index, pa.int64()),
            "outside": pa.array(outside, pa.bool_()),
            **{name: column(name, values) for name, values in shapes.items()},
        }
    )


def box(*numbers: float) -> dict[str, float]:
    return dict(zip(("v0", "v1", "v2", "v3"), numbers, strict=True))


def test_boxes_go_in_a_straight_line() -> None:
    given = frames(
        [(1, 4, None), (1, 0, False), (2, 7, None)],
        box=[box(4, 8, 14, 28), box(0, 0, 10, 20), box(1, 1, 1, 1)],
        box_form=["xywh", "xywh", "xyxy"],
    )
    found = interpolated(given).to_pylist()
    assert [(r["track_id"], r["frame_index"], r["keyframe"]) for r in found] == [
        (1, 0, True), (1, 1, False), (1, 2, False), (1, 3, False), (1, 4, True), (2, 7, True),
    ]  # fmt: skip
    assert [r["box"] for r in found[1:4]] == [
        box(1, 2, 11, 22), box(2, 4, 12, 24), box(3, 6, 13, 26),
    ]  # fmt: skip
    assert [r["box_form"] for r in found] == ["xywh"] * 5 + ["xyxy"]


def test_forms_of_boxes_may_differ() -> None:
    given = frames(
        [(1, 0, None), (1, 2, None)],
        box=[box(0, 0, 10, 10), box(7, 7, 10, 10)],
        box_form=["xyxy", "cxcywh"],
    )
    found = interpolated(given).to_pylist()
    assert (found[1]["box"], found[1]["box_form"]) == (box(1, 1, 10, 10), "xywh")
    assert (found[0]["box_form"], found[2]["box_form"]) == ("xyxy", "cxcywh")


def test_nothing_is_given_while_a_track_is_outside() -> None:
    given = frames(
        [(1, 0, False), (1, 2, True), (1, 5, False), (1, 6, None)], box=[box(0, 0, 1, 1)] * 4
    )
    assert interpolated(given).column("frame_index").to_pylist() == [0, 1, 5, 6]


def turned(angle: float) -> dict[str, float]:
    return {"cx": 0.0, "cy": 0.0, "w": 4.0, "h": 2.0, "angle": angle}


def test_angles_take_the_shorter_way() -> None:
    given = frames([(1, 0, None), (1, 2, None)], rotated_box=[turned(3.0), turned(-3.0)])
    (angle,) = (r["rotated_box"]["angle"] for r in interpolated(given).to_pylist()[1:2])
    assert angle == pytest.approx(np.pi)


UNIT = st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1)


@given(UNIT, UNIT, st.integers(2, 9))
def test_cuboids_turn_as_scipy_turns_them(a: Any, b: Any, last: int) -> None:
    turns = np.array([a, b]) / np.linalg.norm([a, b], axis=1, keepdims=True)
    if abs(turns[0] @ turns[1]) < 1e-6:
        return  # half a turn: both ways are as short
    names = ("cx", "cy", "cz", "length", "width", "height", "qw", "qx", "qy", "qz")
    cuboids = [
        {**dict(zip(names, (i, 2.0 * i, 0.0, 4.0, 2.0, 1.0, *q), strict=True)), "anchor": "center"}
        for i, q in enumerate(turns.tolist())
    ]
    found = interpolated(frames([(1, 0, None), (1, last, None)], cuboid3d=cuboids))
    rows = [r["cuboid3d"] for r in found.to_pylist()]
    assert rows[0] == cuboids[0]
    assert rows[-1] == cuboids[1]
    xyzw = turns[:, [1, 2, 3, 0]]
    wanted = Slerp([0, last], Rotation.from_quat(xyzw))(np.arange(last + 1))
    own = Rotation.from_quat([[r["qx"], r["qy"], r["qz"], r["qw"]] for r in rows])
    assert np.max((own.inv() * wanted).magnitude()) < 1e-6
    assert [r["cx"] for r in rows] == pytest.approx(np.arange(last + 1) / last)


def test_a_shape_without_a_partner_stays() -> None:
    given = frames(
        [(1, 0, None), (1, 2, None), (1, 4, None)], box=[box(0, 0, 1, 1), None, box(9, 9, 9, 9)]
    )
    found = interpolated(given).column("box").to_pylist()
    assert found == [box(0, 0, 1, 1), box(0, 0, 1, 1), None, None, box(9, 9, 9, 9)]


def test_what_cannot_be_a_track_is_refused() -> None:
    with pytest.raises(InvalidInput, match="track 1 has two keyframes at frame 3"):
        interpolated(frames([(1, 3, None), (1, 3, None)]))
    with pytest.raises(InvalidInput, match="1 keyframes have no `frame_index`"):
        interpolated(frames([(1, 3, None), (1, None, None)]))
    assert interpolated(frames([(1, 3, None)]).slice(0, 0)).num_rows == 0
