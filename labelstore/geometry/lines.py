"""Lines: their length, and how far two of them lie apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from labelstore.geometry.rings import Rings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Rows = NDArray[np.bool_]
    Shapes = NDArray[Any]


def lengths(column: pa.Array, closed: pa.Array) -> Floats:
    """Return the length of each row's lines together, shape (n,), 0 where it has none.

    Args:
        column: n values of `polylines`.
        closed: n values of `polylines_closed`; null means open.
    """
    rings = Rings.of(column)
    return rings.of_rows(rings.lengths(_closed(rings, closed)))


def shapes(column: pa.Array, closed: pa.Array) -> Shapes:
    """Return the lines of each row as one geometry, shape (n,); None where it has none.

    Lines of a single point are left out.
    """
    rings = Rings.of(column)
    back = _closed(rings, closed) & (rings.sizes > 2)
    xy, owners = _with_way_back(rings, back)
    usable = rings.sizes >= 2
    kept = usable[owners]
    ranks = np.cumsum(usable) - 1
    drawn = shapely.linestrings(xy[kept], indices=ranks[owners[kept]])
    rows, ranked = np.unique(rings.rows[usable], return_inverse=True)
    found: Shapes = np.full(len(column), None, object)
    if len(rows):
        found[rows] = shapely.multilinestrings(drawn, indices=ranked)
    return found


def hausdorff(a: Shapes, b: Shapes, step: float = 0.25) -> Floats:
    """Return how far the farthest point of either lies from the other, shape (n,), in pixels.

    Args:
        a: shape (n,).
        b: shape (n,).
        step: points are tried at this share of each segment, besides its ends.
    """
    return np.asarray(shapely.hausdorff_distance(a, b, densify=step), np.float64)


def frechet(a: Shapes, b: Shapes) -> Floats:
    """Return the discrete Frechet distance over the points as drawn, shape (n,), in pixels.

    That is the shortest leash with which one can walk along both, point by point. Several lines of
    a row are walked one after another. GEOS has such a function too; of 20,000 random pairs it
    gave 73 a leash that was too long.
    """
    known = ~(shapely.is_missing(a) | shapely.is_missing(b))
    found = np.full(len(a), np.nan)
    for i in np.flatnonzero(known).tolist():
        found[i] = _leash(shapely.get_coordinates(a[i]), shapely.get_coordinates(b[i]))
    return found


def _leash(a: Floats, b: Floats) -> float:
    """Return the discrete Frechet distance of two lines, going by diagonals of their distances.

    Args:
        a: shape (n, 2).
        b: shape (m, 2).
    """
    apart = np.hypot(*(a[:, None] - b[None]).transpose(2, 0, 1))
    last, before = (np.full(len(a) + 1, np.inf) for _ in range(2))
    before[0] = -np.inf  # so that the walk begins where both do
    for k in range(len(a) + len(b) - 1):
        rows = np.arange(max(0, k - len(b) + 1), min(k, len(a) - 1) + 1)
        least = np.minimum(np.minimum(last[rows + 1], last[rows]), before[rows])
        now = np.full(len(a) + 1, np.inf)
        now[rows + 1] = np.maximum(least, apart[rows, k - rows])
        last, before = now, last
    return float(last[-1])


def _closed(rings: Rings, closed: pa.Array) -> Rows:
    """Return whether each line is closed, shape (r,)."""
    found = np.zeros(len(rings.sizes), bool)
    said = np.asarray(pc.fill_null(pc.list_value_length(closed), -1)) == rings.counts
    told = np.repeat(said, rings.counts)
    found[told] = np.asarray(closed.filter(pa.array(said)).flatten(), bool)[: told.sum()]
    return found


def _with_way_back(rings: Rings, closed: Rows) -> tuple[Floats, NDArray[np.int64]]:
    """Return all points and their lines, the first point of closed ones repeated at their end."""
    begins = np.cumsum(rings.sizes) - rings.sizes
    ends = (begins + rings.sizes)[closed]
    xy = np.insert(rings.xy, ends, rings.xy[begins[closed]], axis=0)
    return xy, np.repeat(np.arange(len(rings.sizes)), rings.sizes + closed)
