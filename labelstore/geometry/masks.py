"""Masks: every dialect as COCO's runs, and what pycocotools computes with them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pycocotools import mask as coco

from labelstore.geometry import label_studio
from labelstore.geometry.rasters import mask_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Pixels = NDArray[np.uint8]
    Lengths = NDArray[np.int64]

Runs = dict[str, Any]
"""COCO's compressed runs: `size` (h, w) and `counts` (bytes)."""


def lengths(mask: Mapping[str, Any]) -> Lengths | None:
    """Return the lengths of a mask's runs, the first of background, or None.

    Args:
        mask: a value of `mask`, of an encoding in `RUN_READERS`; COCO's run down the columns,
            CVAT's along the rows.

    Returns:
        None where the runs cannot be read, or are not as many pixels as the mask has. Nothing is
        given to pycocotools before that is known: it trusts what runs say.
    """
    found = RUN_READERS[mask["encoding"]](mask["counts"])
    size = mask["h"] * mask["w"]
    if found is None or not 0 <= size < LIMIT:
        return None
    if (found < 0).any() or (found > size).any() or found.sum() != size:
        return None
    return found


def is_whole(mask: Mapping[str, Any]) -> bool:
    """Say whether a mask can be read and has as many pixels as it says.

    True too of an encoding that is not known here.
    """
    if mask["encoding"] in RUN_READERS:
        return lengths(mask) is not None
    if mask["encoding"] == "png":
        return decode(mask) is not None
    return mask["encoding"] != "ls_rle" or label_studio.is_whole(**_shape(mask))


def runs(mask: Mapping[str, Any]) -> Runs | None:
    """Return a mask as COCO's compressed runs, none of them empty; a window stays a window.

    Returns:
        None where it cannot be read, see `is_whole`, or is too large to be turned by pixels.
    """
    if mask["encoding"] in ("coco_rle", "coco_rle_list"):
        own = lengths(mask)
        if own is None:
            return None
        size = [mask["h"], mask["w"]]
        found: Runs = coco.frPyObjects({"size": size, "counts": joined(own).tolist()}, *size)
        return found
    pixels = decode(mask)
    return None if pixels is None else _encoded(pixels)


def on_canvas(mask: Mapping[str, Any], h: int, w: int) -> Runs | None:
    """Return a mask as COCO's compressed runs of the whole image, which may be a window's.

    Args:
        mask: a value of `mask`.
        h: height of the image in pixels.
        w: width of the image in pixels.

    Returns:
        None as in `runs`.
    """
    if mask["x0"] is None and (mask["h"], mask["w"]) == (h, w):
        return runs(mask)
    window = decode(mask)
    if window is None:
        return None
    whole = np.zeros((h, w), np.uint8)
    x0, y0 = mask["x0"] or 0, mask["y0"] or 0
    left, top = max(x0, 0), max(y0, 0)
    own = window[top - y0 :, left - x0 :][: max(h - top, 0), : max(w - left, 0)]
    whole[top : top + own.shape[0], left : left + own.shape[1]] = own
    return _encoded(whole)


def decode(mask: Mapping[str, Any]) -> Pixels | None:
    """Return the pixels of a mask, shape (h, w), 0 or 1; None as in `runs`."""
    h, w = mask["h"], mask["w"]
    if not 0 <= h * w <= MOST_PIXELS:
        return None
    if mask["encoding"] == "ls_rle":
        return label_studio.pixels(**_shape(mask))
    if mask["encoding"] == "png":
        return mask_pixels(mask["counts"], h, w)
    own = lengths(mask) if mask["encoding"] in RUN_READERS else None
    if own is None:
        return None
    values = np.repeat((np.arange(len(own)) % 2).astype(np.uint8), own)
    along: Pixels = (
        values.reshape((h, w)) if mask["encoding"] == "cvat_rle" else (values.reshape((w, h)).T)
    )
    return along


def joined(own: Lengths) -> Lengths:
    """Return the same runs without empty ones, but for an empty first one.

    They are allowed, and pycocotools counts wrongly where two masks have them.
    """
    kept = own > 0
    kinds = (np.arange(len(own)) % 2)[kept]
    if not len(kinds):
        return own[:0]
    begins = np.flatnonzero(np.append(True, kinds[1:] != kinds[:-1]))
    found: Lengths = np.add.reduceat(own[kept], begins)
    return np.append(0, found) if kinds[0] else found


def _shape(mask: Mapping[str, Any]) -> dict[str, Any]:
    return {"data": mask["counts"], "h": mask["h"], "w": mask["w"]}


def _compressed(counts: bytes) -> Lengths | None:
    """Return the lengths of runs from COCO's compressed text, None where it is no such text.

    Each character from `0` on holds five bits of a number, the lowest first, and whether more
    follow; the last one's highest bit is the sign. From the fourth on, a number is the difference
    to the length two runs before.
    """
    codes = np.frombuffer(counts, np.uint8).astype(np.int64) - ord("0")
    if not len(codes):
        return codes
    last = codes & 0x20 == 0
    if (codes < 0).any() or (codes > 0x3F).any() or not last[-1]:
        return None
    begins = np.flatnonzero(np.append(True, last[:-1]))
    place = np.arange(len(codes)) - np.repeat(begins, np.diff(np.append(begins, len(codes))))
    if place.max() > 6:  # seven characters hold more than any image
        return None
    values = np.add.reduceat((codes & 0x1F) << (5 * place), begins)
    ends = np.flatnonzero(last)
    values -= np.where(codes[ends] & 0x10, 1, 0) << (5 * (place[ends] + 1))
    for first in (1, 2):  # the third number is whole, as the first two are
        values[first::2] = np.cumsum(values[first::2])
    return values


def _listed_lengths(counts: bytes) -> Lengths | None:
    return np.frombuffer(counts, "<u4").astype(np.int64) if len(counts) % 4 == 0 else None


def _cvat(counts: bytes) -> Lengths | None:
    """Return the lengths of CVAT's comma-separated runs."""
    if not re.fullmatch(rb"\s*\d{1,10}\s*(,\s*\d{1,10}\s*)*", counts):
        return None
    return np.array(counts.decode().split(","), np.int64)


RUN_READERS = {"coco_rle": _compressed, "coco_rle_list": _listed_lengths, "cvat_rle": _cvat}
LIMIT = 2**32
"""Pixels that a mask must stay below: pycocotools counts with 32 bits."""
MOST_PIXELS = 2**28
"""Pixels up to which masks are worked on one by one, about 16,000 x 16,000."""


def areas(column: pa.Array) -> Floats:
    """Return the number of pixels of each mask, shape (n,); NaN where null or not known."""
    return np.array([_measured(m, lambda r: float(coco.area(r))) for m in _listed(column)])


def boxes(column: pa.Array) -> Floats:
    """Return the covering box of each mask: xmin, ymin, xmax, ymax; shape (n, 4).

    NaN where there is none, or it has no pixel.
    """
    found = np.full((len(column), 4), np.nan)
    for i, mask in enumerate(_listed(column)):
        own = runs(mask) if mask else None
        if mask and own and coco.area(own):
            x, y, w, h = coco.toBbox(own)
            x, y = x + (mask["x0"] or 0), y + (mask["y0"] or 0)
            found[i] = x, y, x + w, y + h
    return found


def iou(a: pa.Array, b: pa.Array, crowd: NDArray[np.bool_] | None = None) -> Floats:
    """Return the intersection over union of pairs of masks, by pycocotools.

    Args:
        a: n values of `mask`.
        b: n values of `mask`.
        crowd: shape (n,), where `b` is a crowd: the area of `a` then stands for the union.

    Returns:
        Shape (n,), 0 to 1; NaN where one is null or not known, or their images differ in size.
    """
    found = np.full(len(a), np.nan)
    for i, (one, other) in enumerate(zip(_listed(a), _listed(b), strict=True)):
        is_crowd = bool(crowd is not None and crowd[i])
        if one and other and (one["x0"] is not None or other["x0"] is not None):
            found[i] = _window_iou(one, other, crowd=is_crowd)
        elif one and other and (pair := _pair(one, other)):
            found[i] = coco.iou([pair[0]], [pair[1]], [is_crowd])[0, 0]
    return found


def rasterise(
    rings: Sequence[Sequence[float]], h: int, w: int, holes: Sequence[Sequence[float]] = ()
) -> Runs:
    """Return the pixels inside an outline, by the rule of pycocotools: rings are joined.

    Args:
        rings: interleaved x, y each.
        h: height of the image in pixels.
        w: width of the image in pixels.
        holes: rings whose pixels are taken off.
    """
    own = _filled(rings, h, w)
    if not holes:
        return own
    return _encoded(coco.decode(own) & ~coco.decode(_filled(holes, h, w)) & 1)


def _filled(rings: Sequence[Sequence[float]], h: int, w: int) -> Runs:
    flat = [list(map(float, ring)) for ring in rings if len(ring) >= 6]
    if not flat:
        return _encoded(np.zeros((h, w), np.uint8))
    merged: Runs = coco.merge(coco.frPyObjects(flat, h, w))
    return merged


def _encoded(pixels: Pixels) -> Runs:
    found: Runs = coco.encode(np.asfortranarray(pixels))
    return found


def _listed(column: pa.Array) -> list[dict[str, Any] | None]:
    found: list[dict[str, Any] | None] = column.to_pylist()
    return found


def _measured(mask: Mapping[str, Any] | None, measure: Any) -> float:
    own = mask and runs(mask)
    return measure(own) if own else float("nan")


def _pair(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Runs, Runs] | None:
    """Return two masks of one image as runs of the same canvas."""
    if (a["h"], a["w"]) != (b["h"], b["w"]):
        return None
    one, other = runs(a), runs(b)
    return (one, other) if one and other else None


def _window_iou(a: Mapping[str, Any], b: Mapping[str, Any], *, crowd: bool) -> float:
    """Return the IoU of masks of which one is a window, by the part where both are."""
    one, other = decode(a), decode(b)
    if one is None or other is None:
        return float("nan")
    (ay, ax), (by, bx) = ((m["y0"] or 0, m["x0"] or 0) for m in (a, b))
    top, left = max(ay, by), max(ax, bx)
    bottom, right = min(ay + a["h"], by + b["h"]), min(ax + a["w"], bx + b["w"])
    inner = 0
    if bottom > top and right > left:
        cut = one[top - ay : bottom - ay, left - ax : right - ax]
        inner = int((cut & other[top - by : bottom - by, left - bx : right - bx]).sum())
    own, others = int(one.sum()), int(other.sum())
    return inner / (own if crowd else own + others - inner) if inner else 0.0
