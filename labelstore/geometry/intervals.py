"""Stretches of text and of time: how much two of them share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.geometry.boxes import iou, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


def span_overlap(a: pa.Array, b: pa.Array) -> Floats:
    """Return the code points that pairs of spans share, as a share of those either covers.

    Args:
        a: n values of `spans`, of one or several stretches each.
        b: n values of `spans`.

    Returns:
        Shape (n,), 0 to 1; 0 where they share none, NaN where one is null.
    """
    rows, places, steps = (np.concatenate(p) for p in zip(_ends(a), _ends(b), strict=True))
    side = np.repeat([0, 1], [len(_ends(a)[0]), len(_ends(b)[0])])
    order = np.lexsort((places, rows))
    rows, places = rows[order], places[order]
    inside = [np.cumsum(np.where(side == s, steps, 0)[order])[:-1] > 0 for s in (0, 1)]
    width = np.where(rows[1:] == rows[:-1], np.diff(places), 0)
    shared, whole = (
        np.bincount(rows[:-1], width * mask, len(a)).astype(np.float64)
        for mask in (inside[0] & inside[1], inside[0] | inside[1])
    )
    return ratio(shared, whole, np.asarray(pc.or_(a.is_null(), b.is_null())))


def interval_overlap(a: pa.Array, b: pa.Array) -> Floats:
    """Return the intersection over union of pairs of intervals.

    In time; where both have a frequency band, in the plane of time and frequency; 0 where both
    name a channel and it is another one.

    Args:
        a: n values of `interval`.
        b: n values of `interval`.

    Returns:
        Shape (n,), 0 to 1; NaN where one is null.
    """
    one, other = _time_and_band(a), _time_and_band(b)
    unbanded = np.isnan(one + other).any(axis=1)
    for side in (one, other):
        side[unbanded, 1], side[unbanded, 3] = 0.0, 1.0
    found = iou(one, other)
    channels = [pc.struct_field(column, "channel") for column in (a, b)]
    found[np.asarray(pc.fill_null(pc.not_equal(*channels), False))] = 0.0
    return found


def _ends(column: pa.Array) -> tuple[Ints, Ints, Ints]:
    """Return row, place and step of both ends of all spans: +1 where one begins, -1 where it ends.

    Each of shape (2 m,); spans that end before they begin count as empty.
    """
    spans = column.flatten()
    counts = np.asarray(pc.fill_null(pc.list_value_length(column), 0))
    rows = np.repeat(np.arange(len(column)), counts)
    begin = np.asarray(spans.field("start"))
    end = np.maximum(np.asarray(spans.field("end")), begin)
    steps = np.repeat([1, -1], len(rows))
    return np.concatenate([rows, rows]), np.concatenate([begin, end]), steps


def _time_and_band(column: pa.Array) -> Floats:
    """Return start, low, end, high of intervals, shape (n, 4), NaN where not stated."""
    names = ("start", "low_hz", "end", "high_hz")
    fields = [pc.struct_field(column, name) for name in names]
    return np.stack([np.asarray(f.fill_null(np.nan), np.float64) for f in fields], axis=1)
