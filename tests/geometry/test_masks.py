"""Masks: every dialect against pixels, and pycocotools against pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco
from rows import column, shapes

from labelstore.geometry import masks
from labelstore.geometry.area import areas
from labelstore.geometry.covering import covering_boxes
from labelstore.geometry.similarity import similarity

sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
pixels = sizes.flatmap(lambda size: hnp.arrays(np.uint8, size, elements=st.integers(0, 1)))
pairs = sizes.flatmap(
    lambda size: st.tuples(*[hnp.arrays(np.uint8, size, elements=st.integers(0, 1))] * 2)
)


def run_lengths(values: np.ndarray) -> list[int]:
    """Return the lengths of runs, the first of zeros."""
    lengths, current = [0], 0
    for value in values.tolist():
        if value != current:
            lengths.append(0)
            current = value
        lengths[-1] += 1
    return lengths


def packed(values: np.ndarray) -> bytes:
    """Pack RGBA words as Label Studio does: literal and repeated runs by turns."""
    words = np.zeros((values.size, 4), np.uint8)
    words[:, 3] = values.reshape(-1) * 255
    flat = words.reshape(-1).tolist()
    bits = f"{len(flat):032b}{7:05b}" + "".join(f"{w - 1:04b}" for w in (3, 4, 8, 16))
    at = 0
    while at < len(flat):
        end = at + 1
        while end < len(flat) and flat[end] == flat[at] and end - at < 256:
            end += 1
        if end - at > 1:
            bits += f"1{2:02b}{end - at - 1:08b}{flat[at]:08b}"
        else:
            end = min(at + 3, len(flat))
            bits += f"0{0:02b}{end - at - 1:03b}" + "".join(f"{v:08b}" for v in flat[at:end])
        at = end
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def dialects(found: np.ndarray) -> dict[str, dict[str, Any]]:
    own = coco.encode(np.asfortranarray(found))
    counts = {
        "coco_rle": own["counts"],
        "coco_rle_list": np.array(run_lengths(found.reshape(-1, order="F")), "<u4").tobytes(),
        "cvat_rle": ",".join(map(str, run_lengths(found.reshape(-1)))).encode(),
        "ls_rle": packed(found),
    }
    h, w = found.shape
    return {
        name: {"encoding": name, "h": h, "w": w, "x0": None, "y0": None, "counts": data}
        for name, data in counts.items()
    }


@given(pixels)
def test_every_dialect_says_the_same_pixels(found: np.ndarray) -> None:
    for name, mask in dialects(found).items():
        decoded = masks.decode(mask)
        assert decoded is not None, name
        assert decoded.tolist() == found.tolist(), name
        assert areas(shapes([{"mask": mask}])).tolist() == [found.sum()]


@given(pairs, st.booleans())
def test_masks_agree_as_their_pixels_do(pair: Any, crowd: bool) -> None:
    inner, whole = (pair[0] & pair[1]).sum(), (pair[0] | pair[1]).sum()
    whole = pair[0].sum() if crowd else whole
    for name in ("coco_rle", "coco_rle_list", "cvat_rle", "ls_rle"):
        one, other = (column("mask", [dialects(p)[name]]) for p in pair)
        found = masks.iou(one, other, np.array([crowd]))
        np.testing.assert_allclose(found, [inner / whole if inner else 0], atol=1e-12)


@given(pairs)
def test_empty_runs_change_nothing(pair: Any) -> None:
    """Runs of no pixels are allowed; pycocotools alone is wrong where both masks have some."""
    inner, whole = (pair[0] & pair[1]).sum(), (pair[0] | pair[1]).sum()
    sides: list[dict[str, Any]] = []
    for found in pair:
        h, w = found.shape
        own = run_lengths(found.reshape(-1, order="F"))
        split = [part for n in own for part in ([n - 1, 0, 1] if n > 1 else [n])]
        counts = coco.frPyObjects({"size": [h, w], "counts": split}, h, w)["counts"]
        sides.append({"encoding": "coco_rle", "h": h, "w": w, "counts": counts})
        decoded = masks.decode(sides[-1])
        assert decoded is not None
        assert decoded.tolist() == found.tolist()
    one, other = (column("mask", [side]) for side in sides)
    np.testing.assert_allclose(masks.iou(one, other), [inner / whole if inner else 0], atol=1e-12)


HUGE = {"h": 65535, "w": 65535}


@pytest.mark.parametrize(
    "mask",
    [
        {"encoding": "cvat_rle", **HUGE, "counts": b"4294836225"},
        {"encoding": "coco_rle_list", **HUGE, "counts": np.array([65535**2], "<u4").tobytes()},
        {"encoding": "coco_rle", "h": 2**31 - 1, "w": 2**31 - 1, "counts": b"0"},
        {"encoding": "ls_rle", **HUGE, "counts": b"\0" * 9},
        {"encoding": "cvat_rle", "h": 0, "w": 0, "counts": b"0"},
    ],
)
def test_sizes_take_no_memory_before_they_are_believed(mask: dict[str, Any]) -> None:
    row = shapes([{"mask": mask}])
    masks.is_whole(mask)
    assert masks.decode(mask) is None or mask["h"] == 0
    assert not areas(row)[0] > 0
    assert not similarity("mask", row, row)[0] > 0


def test_windows_far_apart_share_nothing() -> None:
    one = {"encoding": "cvat_rle", "h": 1, "w": 1, "counts": b"0,1", "x0": 0, "y0": 0}
    far = {**one, "x0": 2**31 - 1, "y0": 2**31 - 1}
    assert similarity("mask", shapes([{"mask": one}]), shapes([{"mask": far}])).tolist() == [0]


@given(pixels, st.integers(-5, 20), st.integers(-5, 20))
def test_a_window_stands_where_it_says(found: np.ndarray, x: int, y: int) -> None:
    window = {**dialects(found)["cvat_rle"], "x0": x, "y0": y}
    canvas = np.zeros((40, 40), np.uint8)
    canvas[y + 10 : y + 10 + found.shape[0], x + 10 : x + 10 + found.shape[1]] = found
    image = {**dialects(canvas)["coco_rle"], "x0": -10, "y0": -10}
    rows = [shapes([{"mask": m}]) for m in (window, image)]
    if found.any():
        assert similarity("mask", *rows).tolist() == [1]
        np.testing.assert_array_equal(covering_boxes(rows[0]), covering_boxes(rows[1]))
        ys, xs = np.nonzero(found)
        wanted = [[x + xs.min(), y + ys.min(), x + xs.max() + 1, y + ys.max() + 1]]
        assert covering_boxes(rows[0]).tolist() == wanted
    else:
        assert np.isnan(covering_boxes(rows[0])).all()


@pytest.mark.parametrize(
    ("encoding", "counts"),
    [("cvat_rle", b"1,2"), ("coco_rle_list", b"\x01\0\0\0"), ("ls_rle", b"\0"), ("png", b"x")],
)
def test_what_cannot_be_read_has_no_area(encoding: str, counts: bytes) -> None:
    mask = {"encoding": encoding, "h": 2, "w": 3, "counts": counts}
    row = shapes([{"mask": mask}])
    assert np.isnan(areas(row)).all()
    assert np.isnan(similarity("mask", row, row)).all()


def test_outlines_are_filled_as_pycocotools_does() -> None:
    ring = [1.0, 1.0, 7.5, 1.0, 7.5, 6.0, 1.0, 6.0]
    wanted = coco.merge(coco.frPyObjects([ring, [v + 1 for v in ring]], 10, 10))
    found = masks.rasterise([ring, [v + 1 for v in ring], [1, 2]], 10, 10)
    assert coco.decode(found).tolist() == coco.decode(wanted).tolist()
    assert coco.area(masks.rasterise([], 4, 5)) == 0
