"""The area that two outlines share, for many pairs of small outlines at once.

GEOS builds the whole intersection; here only its area is asked. By Green's theorem it is half the
sum, over the edges of both outlines, of the cross product of an edge with its start, times the
share of the edge that lies inside the other outline. That share follows from where the edge ends
(inside or not) and from the places at which it crosses the other outline, in any order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Ints = NDArray[np.int64]
    Shapes = NDArray[Any]

MOST = 64
"""Corners of an outline up to which it is small."""
STEP = 8
"""Outlines are filled up to a multiple of so many corners, by their last one again."""
CELLS = 1 << 17
"""Pairs of edges that are looked at together."""
NEAR = 1e-9
"""Share of an edge within which a crossing is too near a corner to be sure of."""


def shared_areas(a: Shapes, b: Shapes) -> tuple[Floats, Flags]:
    """Return the area that pairs of outlines share, and of which pairs it is sure.

    Args:
        a: shape (n,), valid polygons or multipolygons; None for no shape.
        b: shape (n,).

    Returns:
        Shapes (n,). Not sure are outlines of many corners, of several parts or with holes, and
        pairs whose corners or edges lie on each other.
    """
    found, sure = np.zeros(len(a)), np.zeros(len(a), bool)
    counts = np.stack([_corners(a), _corners(b)], axis=1)
    small = np.flatnonzero(((counts >= 3) & (counts <= MOST)).all(axis=1))
    sizes = -(-counts[small] // STEP) * STEP
    for size in np.unique(sizes, axis=0):
        own = small[(sizes == size).all(axis=1)]
        block = max(1, CELLS // int(size.prod()))
        for begin in range(0, len(own), block):
            at = own[begin : begin + block]
            outlines = (_filled(s[at], counts[at, i], int(size[i])) for i, s in enumerate((a, b)))
            found[at], sure[at] = _shared(*outlines)
    return found, sure


def _corners(shapes: Shapes) -> Ints:
    """Return how many corners single outlines have; 0 of anything else."""
    simple = (shapely.get_type_id(shapes) == 3) & (shapely.get_num_interior_rings(shapes) == 0)
    return np.where(simple, shapely.get_num_coordinates(shapes) - 1, 0).astype(np.int64)


def _filled(shapes: Shapes, counts: Ints, size: int) -> Floats:
    """Return the corners of outlines, the last one repeated; shape (n, size, 2)."""
    points = shapely.get_coordinates(shapes)
    first = np.cumsum(counts + 1) - counts - 1
    at = first[:, None] + np.minimum(np.arange(size), counts[:, None] - 1)
    found: Floats = points[at]
    return found


def _shared(a: Floats, b: Floats) -> tuple[Floats, Flags]:
    """Return shared areas of outlines of n and m corners, and of which pairs they are sure."""
    centre = a.mean(axis=1, keepdims=True)
    (px, py, rx, ry, turn), (qx, qy, sx, sy, other) = _edges(a - centre), _edges(b - centre)
    dx, dy = qx[:, None, :] - px[:, :, None], qy[:, None, :] - py[:, :, None]
    rx_, ry_, sx_, sy_ = rx[:, :, None], ry[:, :, None], sx[:, None, :], sy[:, None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = _parity(dy > 0, dx - dy * (sx / sy)[:, None, :] > 0, 2)
        within = _parity(dy <= 0, dy * (rx / ry)[:, :, None] - dx > 0, 1)
        cross = rx_ * sy_ - ry_ * sx_
        t = (dx * sy_ - dy * sx_) / cross
        u = (dx * ry_ - dy * rx_) / cross
    met = (t > -NEAR) & (t < 1 + NEAR) & (u > -NEAR) & (u < 1 + NEAR)
    k, i, j = np.nonzero(met)
    t, u, way = t[k, i, j], u[k, i, j], np.sign(cross[k, i, j])
    one = _share(inside, (k, i), t, way * other[k])
    two = _share(within, (k, j), u, -way * turn[k])
    area = turn * ((px * ry - py * rx) * one[0]).sum(axis=1)
    area += other * ((qx * sy - qy * sx) * two[0]).sum(axis=1)
    doubtful = np.minimum(np.minimum(t, 1 - t), np.minimum(u, 1 - u)) < NEAR
    sure = one[1] & two[1]
    sure[k[doubtful]] = False
    lengths = np.hypot(rx, ry), np.hypot(sx, sy)
    along = np.abs(cross) < NEAR * (lengths[0][:, :, None] * lengths[1][:, None, :])
    k, i, j = np.nonzero(along)
    apart = np.abs(dx[k, i, j] * ry[k, i] - dy[k, i, j] * rx[k, i])  # times the edge's length
    reach = lengths[0][k, i] + lengths[1][k, j]
    sure[k[apart <= NEAR * lengths[0][k, i] * reach]] = False
    return area / 2, sure


def _edges(points: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return starts and directions of edges, each of shape (n, k), and which way outlines turn."""
    x, y = points[..., 0], points[..., 1]
    rx, ry = np.roll(x, -1, axis=1) - x, np.roll(y, -1, axis=1) - y
    return x, y, rx, ry, np.sign((x * ry - y * rx).sum(axis=1))


def _parity(above: Flags, right: Flags, axis: int) -> Flags:
    """Return which corners lie inside: a ray from them crosses the outline oddly often.

    Args:
        above: shape (k, n, m), which corners of the outline are above a corner of the other.
        right: of which edges the ray's crossing would be to the right.
        axis: along which the outline's corners are.
    """
    crosses = (above != np.roll(above, -1, axis=axis)) & right
    return np.asarray(np.count_nonzero(crosses, axis=axis) % 2 == 1)


def _share(
    inside: Flags, edges: tuple[Ints, Ints], at: Floats, leaving: Floats
) -> tuple[Floats, Flags]:
    """Return which share of each edge is inside, and of which pairs that is sure.

    Args:
        inside: shape (k, n), whether an edge begins inside.
        edges: pair and edge of each crossing.
        at: where on its edge it is, 0 to 1.
        leaving: 1 where the edge leaves the other outline, -1 where it enters.
    """
    place = edges[0] * inside.shape[1] + edges[1]
    length = inside.size
    starts = inside.astype(np.float64)
    ends = np.roll(starts, -1, axis=1)
    share: Floats = ends + np.bincount(place, leaving * at, length).reshape(inside.shape)
    net = np.bincount(place, leaving, length).reshape(inside.shape)
    sure: Flags = (starts - ends == net).all(axis=1)
    return share, sure
