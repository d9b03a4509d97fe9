"""Axis-aligned boxes: their corners whatever their form, and how far two of them agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Rows = NDArray[np.bool_]


def corners(box: pa.Array, form: pa.Array) -> Floats:
    """Return the corners of boxes as their sources state them.

    Args:
        box: n values of `box`.
        form: n values of `box_form`; null means `xywh`.

    Returns:
        Shape (n, 4): xmin, ymin, xmax, ymax in the units of the row's frame; NaN where null.
    """
    v = members(box)
    centred, ends = (
        np.asarray(pc.fill_null(pc.equal(form, w), False)) for w in ("cxcywh", "xyxy")
    )
    first = np.where(centred[:, None], v[:, :2] - v[:, 2:] / 2, v[:, :2])
    return np.concatenate([first, np.where(ends[:, None], v[:, 2:], first + v[:, 2:])], axis=1)


def is_equal(values: pa.Array, word: str) -> Rows:
    """Return which values are a word, shape (n,); null is not."""
    return np.asarray(pc.fill_null(pc.equal(values, word), False))


def members(column: pa.Array) -> Floats:
    """Return the float members of a struct column, shape (n, members), NaN where null."""
    kinds = [column.type.field(i).type for i in range(column.type.num_fields)]
    fields = [pc.struct_field(column, i) for i, k in enumerate(kinds) if pa.types.is_floating(k)]
    return np.stack([np.asarray(f.fill_null(np.nan), np.float64) for f in fields], axis=1)


def iou(a: Floats, b: Floats, crowd: Rows | None = None) -> Floats:
    """Return the intersection over union of pairs of boxes, as pycocotools computes it.

    Args:
        a: shape (n, 4): xmin, ymin, xmax, ymax.
        b: shape (n, 4).
        crowd: shape (n,), where `b` is a crowd: the area of `a` then stands for the union.

    Returns:
        Shape (n,), 0 to 1; 0 where boxes do not overlap or have no area, NaN where one is NaN.
    """
    overlap = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    inner = np.where((overlap > 0).all(axis=1), overlap.prod(axis=1), 0.0)
    own, other = ((c[:, 2:] - c[:, :2]).prod(axis=1) for c in (a, b))
    whole = own + other - inner
    if crowd is not None:
        whole = np.where(crowd, own, whole)
    return ratio(inner, whole, np.isnan(own + other))


def ratio(part: Floats, whole: Floats, unknown: Rows) -> Floats:
    """Return part / whole, 0 where there is no part, NaN where unknown; each of shape (n,)."""
    found = np.divide(part, whole, out=np.zeros_like(whole), where=part > 0)
    found[unknown] = np.nan
    return np.minimum(found, 1.0)
