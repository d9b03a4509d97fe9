"""Masks: every dialect as COCO's runs, and what pycocotools computes with them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pycocotools import mask as coco

from labelstore.geometry import label_studio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Pixels = NDArray[np.uint8]

Runs = dict[str, Any]
"""COCO's compressed runs: `size` (h, w) and `counts` (bytes)."""


def runs(mask: Mapping[str, Any]) -> Runs | None:
    """Return a mask as COCO's compressed runs; a window stays a window.

    Args:
        mask: a value of `mask`.

    Returns:
        None where the encoding is not known here, or its runs are not as many pixels as it says.
    """
    if mask["encoding"] == "coco_rle":
        own = {"size": [mask["h"], mask["w"]], "counts": mask["counts"]}
        return own if is_whole(mask) else None
    pixels = decode(mask)
    return None if pixels is None else _encoded(pixels)


def decode(mask: Mapping[str, Any]) -> Pixels | None:
    """Return the pixels of a mask, shape (h, w), 0 or 1; None as in `runs`."""
    if mask["encoding"] == "coco_rle":
        own = runs(mask)
        return coco.decode(own) if own else None
    decoder = DECODERS.get(mask["encoding"])
    return decoder(mask["counts"], mask["h"], mask["w"]) if decoder else None


def is_whole(mask: Mapping[str, Any]) -> bool:
    """Say whether a mask's runs can be read and are as many pixels as it has.

    True too of an encoding that is not known here. Pycocotools writes past its memory where runs
    are too long, so nothing is given to it before this was asked.
    """
    if mask["encoding"] == "coco_rle":
        lengths = compressed_lengths(mask["counts"])
        return lengths is not None and _fits(lengths, mask["h"], mask["w"])
    return mask["encoding"] not in DECODERS or decode(mask) is not None


def compressed_lengths(counts: bytes) -> NDArray[np.int64] | None:
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
    if place.max() > 11:
        return None
    values = np.add.reduceat((codes & 0x1F) << (5 * place), begins)
    ends = np.flatnonzero(last)
    values -= np.where(codes[ends] & 0x10, 1, 0) << (5 * (place[ends] + 1))
    for first in (1, 2):  # the third number is whole, as the first two are
        values[first::2] = np.cumsum(values[first::2])
    return values


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
        pair = _on_one_canvas(one, other) if one and other else None
        if pair:
            is_crowd = bool(crowd is not None and crowd[i])
            found[i] = coco.iou([pair[0]], [pair[1]], [is_crowd])[0, 0]
    return found


def rasterise(rings: Sequence[Sequence[float]], h: int, w: int) -> Runs:
    """Return the pixels inside an outline, by the rule of pycocotools: rings are joined.

    Args:
        rings: interleaved x, y each.
        h: height of the image in pixels.
        w: width of the image in pixels.
    """
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


def _on_one_canvas(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Runs, Runs] | None:
    """Return both as runs of one image, windows put in their places."""
    if a["x0"] is None and b["x0"] is None:
        pair = runs(a), runs(b)
        same = (a["h"], a["w"]) == (b["h"], b["w"])
        return (pair[0], pair[1]) if pair[0] and pair[1] and same else None
    pixels = decode(a), decode(b)
    if pixels[0] is None or pixels[1] is None:
        return None
    places = [np.array([m["y0"] or 0, m["x0"] or 0]) for m in (a, b)]
    first = np.minimum(places[0], places[1])
    size = np.maximum(places[0] + pixels[0].shape, places[1] + pixels[1].shape) - first
    return _placed(pixels[0], places[0] - first, size), _placed(pixels[1], places[1] - first, size)


def _placed(pixels: Pixels, at: NDArray[np.int64], size: NDArray[np.int64]) -> Runs:
    """Return pixels on a canvas, from a corner on."""
    canvas = np.zeros(size, np.uint8)
    canvas[at[0] : at[0] + pixels.shape[0], at[1] : at[1] + pixels.shape[1]] = pixels
    return _encoded(canvas)


def _from_lengths(lengths: NDArray[np.integer[Any]], h: int, w: int, order: str) -> Pixels | None:
    """Return pixels from the lengths of runs, the first of background."""
    if not _fits(lengths, h, w):
        return None
    values = np.repeat(np.arange(len(lengths)) % 2, lengths).astype(np.uint8)
    return values.reshape((h, w), order=order)  # type: ignore[call-overload, no-any-return]


def _fits(lengths: NDArray[np.integer[Any]], h: int, w: int) -> bool:
    return bool(lengths.sum() == h * w and (lengths >= 0).all())


def _coco_list(counts: bytes, h: int, w: int) -> Pixels | None:
    whole = counts[: len(counts) // 4 * 4]
    return _from_lengths(np.frombuffer(whole, "<u4").astype(np.int64), h, w, "F")


def _cvat(counts: bytes, h: int, w: int) -> Pixels | None:
    """Return the pixels of CVAT's comma-separated runs, row by row inside the window."""
    if not re.fullmatch(rb"\s*\d{1,10}\s*(,\s*\d{1,10}\s*)*", counts):
        return None
    return _from_lengths(np.array(counts.decode().split(","), np.int64), h, w, "C")


DECODERS = {
    "coco_rle_list": _coco_list,
    "cvat_rle": _cvat,
    "ls_rle": label_studio.pixels,
}
