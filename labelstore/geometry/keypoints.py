"""Keypoints: object keypoint similarity, as COCO defines it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

COCO_SIGMAS = np.array(
    [.026, .025, .025, .035, .035, .079, .079, .072, .072, .062, .062, .107, .107, .087, .087,
     .089, .089]
)  # fmt: skip
"""Spread of each of COCO's seventeen points of a person, from its evaluation code."""


def default_sigmas(count: int) -> Floats:
    """Return the spread of each point: COCO's for seventeen, else 1 / count as ultralytics."""
    return COCO_SIGMAS if count == len(COCO_SIGMAS) else np.full(count, 1 / max(count, 1))


def similarity(
    a: pa.Array, b: pa.Array, visibility: pa.Array, areas: Floats, sigmas: Floats | None = None
) -> Floats:
    """Return the object keypoint similarity of pairs of rows in the plane.

    Args:
        a: n values of `keypoints` with two numbers a point.
        b: n values of `keypoints`: the reference.
        visibility: n values of `visibility` of the reference; null counts every point.
        areas: shape (n,), the reference's areas in square pixels.
        sigmas: shape (k,), spread of each point; see `default_sigmas`.

    Returns:
        Shape (n,), 0 to 1: the mean over labelled points of exp(-d^2 / (2 area (2 sigma)^2)); NaN
        where one is null, they differ in their number of points, or the reference labels none.
    """
    found = np.full(len(a), np.nan)
    lengths = [np.asarray(pc.fill_null(pc.list_value_length(c), -1)) for c in (a, b)]
    rows = np.flatnonzero((lengths[0] == lengths[1]) & (lengths[0] > 0) & (areas > 0))
    counts = lengths[0][rows] // 2
    for count in np.unique(counts).tolist():
        own = rows[counts == count]
        at = pa.array(own)
        points = [np.asarray(c.take(at).flatten()).reshape(-1, count, 2) for c in (a, b)]
        spread = default_sigmas(count) if sigmas is None else sigmas
        near = _closeness(points[0] - points[1], areas[own], spread)
        labelled = _labelled(visibility.take(at), count)
        with np.errstate(invalid="ignore"):
            found[own] = (near * labelled).sum(axis=1) / labelled.sum(axis=1)
    return found


def _closeness(offsets: Floats, areas: Floats, sigmas: Floats) -> Floats:
    """Return what each point adds, shape (n, k)."""
    far = (offsets**2).sum(axis=2)
    closeness: Floats = np.exp(-far / (2 * areas[:, None] * (2 * sigmas) ** 2))
    return closeness


def _labelled(visibility: pa.Array, count: int) -> Floats:
    found = np.ones((len(visibility), count))
    said = np.asarray(pc.fill_null(pc.list_value_length(visibility), -1)) == count
    shown = np.asarray(visibility.filter(pa.array(said)).flatten()).reshape(-1, count)
    found[said] = shown > 0
    return found
