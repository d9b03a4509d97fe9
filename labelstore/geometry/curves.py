"""Curves and turned shapes by points on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ELLIPSE_POINTS = 128
STEPS = 16
"""Points on each piece of a curve."""
RECTANGLE = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
BEZIER = np.array([[1, 0, 0, 0], [-3, 3, 0, 0], [3, -6, 3, 0], [-1, 3, -3, 1]], float)
CATMULL_ROM = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]], float) / 2


def turned(points: Floats, values: Floats) -> Floats:
    """Return points of a unit shape stretched, turned and moved.

    Args:
        points: shape (k, 2), around the origin.
        values: shape (n, 5): centre x, y, width, height, angle clockwise on the screen.

    Returns:
        Shape (n, k, 2).
    """
    scaled = points * values[:, None, 2:4]
    sin, cos = np.sin(values[:, 4:]), np.cos(values[:, 4:])
    x = scaled[:, :, 0] * cos - scaled[:, :, 1] * sin
    y = scaled[:, :, 0] * sin + scaled[:, :, 1] * cos
    moved: Floats = np.stack([x, y], axis=2) + values[:, None, :2]
    return moved


def turned_rectangles(values: Floats) -> Floats:
    """Return the corners of rotated boxes, clockwise on the screen from the upper left one.

    Args:
        values: shape (n, 5): cx, cy, w, h, angle.

    Returns:
        Shape (n, 4, 2), NaN where the values are.
    """
    return turned(RECTANGLE, values)


def ellipse_outlines(values: Floats, count: int = ELLIPSE_POINTS) -> Floats:
    """Return points on ellipses, so chosen that the polygon has the ellipse's area.

    Args:
        values: shape (n, 5): cx, cy, rx, ry, angle.
        count: how many points.

    Returns:
        Shape (n, count, 2), NaN where the values are. They lie outside by at most a share of
        (2 pi / count)^2 / 12 of the radius.
    """
    turn = np.arange(count) * (2 * np.pi / count)
    grown = np.sqrt((2 * np.pi / count) / np.sin(2 * np.pi / count))
    return turned(np.stack([np.cos(turn), np.sin(turn)], axis=1) * grown, values)


def polyline(form: str, points: Floats, *, degree: int, closed: bool, knots: Floats | None,
             steps: int = STEPS) -> Floats:  # fmt: skip
    """Return points on a spline.

    Args:
        form: `cubic_bezier`, `b_spline` or `catmull_rom`.
        points: shape (k, 2), control points; those of Bezier pieces share their ends.
        degree: of a B-spline.
        closed: whether it ends where it begins.
        knots: of a B-spline, uniform where there are none (clamped at the ends of an open one).
        steps: points on each piece.

    Returns:
        Shape (m, 2), the last point not repeated where it is closed.
    """
    if form == "b_spline":
        return _b_spline(points, degree, closed, knots, steps)
    if form == "cubic_bezier":
        pieces = _bezier_pieces(points, closed)
        return _pieces(pieces, BEZIER, closed, steps)
    around = points[-1:], points[:2]
    if not closed:
        around = 2 * points[:1] - points[1:2], 2 * points[-1:] - points[-2:-1]
    padded = np.concatenate([around[0], points, around[1]])
    count = len(points) if closed else len(points) - 1
    windows = np.arange(count)[:, None] + np.arange(4)
    return _pieces(padded[windows], CATMULL_ROM, closed, steps)


def _bezier_pieces(points: Floats, closed: bool) -> Floats:
    """Return the four control points of each piece, shape (pieces, 4, 2)."""
    if closed and len(points) % 3 == 0:
        points = np.concatenate([points, points[:1]])
    count = max((len(points) - 1) // 3, 0)
    pieces: Floats = points[3 * np.arange(count)[:, None] + np.arange(4)]
    return pieces


def _pieces(pieces: Floats, matrix: Floats, closed: bool, steps: int) -> Floats:
    """Return points on cubic pieces.

    Args:
        pieces: shape (p, 4, 2), what each is made from.
        matrix: shape (4, 4), from these to the coefficients of 1, t, t^2, t^3.
        closed: leave out the last point.
        steps: points on each.
    """
    t = np.arange(steps) / steps
    powers = t[:, None] ** np.arange(4)
    found: Floats = np.einsum("ti,ij,pjc->ptc", powers, matrix, pieces).reshape(-1, 2)
    if closed or not len(pieces):
        return found
    return np.concatenate([found, (matrix.sum(axis=0) @ pieces[-1])[None]])


def _b_spline(
    points: Floats, degree: int, closed: bool, knots: Floats | None, steps: int
) -> Floats:
    """Return points on a B-spline, equally many between each two knots."""
    from scipy.interpolate import BSpline

    if closed and knots is None:
        points = np.concatenate([points, points[:degree]])
    if knots is None:
        inner = np.arange(len(points) - degree + 1, dtype=float)
        before, after = np.arange(-degree, 0.0), inner[-1] + np.arange(1.0, degree + 1)
        if not closed:
            before, after = np.full(degree, inner[0]), np.full(degree, inner[-1])
        knots = np.concatenate([before, inner, after])
    spans = np.unique(knots[degree : len(points) + 1])
    t = (spans[:-1, None] + np.diff(spans)[:, None] * np.arange(steps) / steps).reshape(-1)
    found: Floats = BSpline(knots, points, degree)(t if closed else np.append(t, spans[-1]))
    return found
