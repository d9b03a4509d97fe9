"""Shapes with an inside as shapely geometries, and how far two of them agree."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from labelstore.geometry.boxes import corners, members, ratio
from labelstore.geometry.clipping import shared_areas
from labelstore.geometry.curves import ellipse_outlines, turned_rectangles
from labelstore.geometry.rings import Rings, owners_of_holes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Shapes = NDArray[Any]

NOTHING = 1e-9
"""Share below which an overlap is doubted; also of the coordinates, the grid it is tried on."""
PAIRS = 4_000
"""Shapes, or pairs of them, that a core takes at a time."""


def boxes(box: pa.Array, form: pa.Array) -> Shapes:
    """Return axis-aligned boxes as polygons, shape (n,); None where null."""
    x0, y0, x1, y1 = corners(box, form).T
    return outlines(np.stack([x0, y0, x1, y0, x1, y1, x0, y1], axis=1).reshape(-1, 4, 2))


def rotated_boxes(column: pa.Array) -> Shapes:
    """Return rotated boxes as polygons, shape (n,); None where null."""
    return outlines(turned_rectangles(members(column)))


def quadrangles(column: pa.Array) -> Shapes:
    """Return oriented corners (`corners`, four x, y each) as polygons, shape (n,)."""
    return outlines(points_of(column, 4))


def ellipses(column: pa.Array) -> Shapes:
    """Return ellipses as polygons of many corners, see `ellipse_outlines`; shape (n,)."""
    return outlines(ellipse_outlines(members(column)))


def points_of(column: pa.Array, count: int) -> Floats:
    """Return a list column of x, y with so many points in every row, shape (n, count, 2)."""
    points = np.full((len(column), count, 2), np.nan)
    fits = np.asarray(pc.fill_null(pc.list_value_length(column), 0)) == 2 * count
    points[fits] = np.asarray(column.filter(pa.array(fits)).flatten()).reshape(-1, count, 2)
    return points


def outlines(points: Floats) -> Shapes:
    """Return polygons of equally many corners.

    Args:
        points: shape (n, k, 2); NaN for rows without a shape.
    """
    found: Shapes = np.full(len(points), None, object)
    known = ~np.isnan(points).any(axis=(1, 2))
    found[known] = valid(shapely.polygons(points[known]))
    return found


def polygons(column: pa.Array, holes_of: pa.Array) -> Shapes:
    """Return outlines of several parts, with holes, as one geometry a row.

    Rings of fewer than three points have no inside and are left out. Parts that overlap are
    joined; a ring that crosses itself is taken apart at the crossing.

    Args:
        column: n values of `polygons`.
        holes_of: n values of `holes_of`.

    Returns:
        Shape (n,), polygons or multipolygons; None where a row has no ring with an inside.
    """
    rings = Rings.of(column)
    usable = rings.sizes >= 3
    kept = usable[rings.owners]
    drawn: Shapes = np.full(len(rings.sizes), None, object)
    ranks = np.cumsum(usable) - 1
    edges = shapely.linearrings(rings.xy[kept], indices=ranks[rings.owners[kept]])
    drawn[usable] = valid(shapely.polygons(edges))
    owners = owners_of_holes(rings.counts, holes_of)
    inner = usable & (owners >= 0)
    if inner.any():
        lost = joined(drawn[inner], owners[inner], len(drawn))
        cut = np.flatnonzero(~shapely.is_missing(lost) & usable)
        drawn[cut] = shapely.difference(drawn[cut], lost[cut])
    outer = usable & (owners < 0)
    return joined(drawn[outer], rings.rows[outer], len(column))


def joined(shapes: Shapes, groups: Ints, count: int) -> Shapes:
    """Return the union of the shapes of each group.

    Args:
        shapes: shape (m,), polygons or multipolygons.
        groups: shape (m,), 0 to count - 1.
        count: how many groups there are.

    Returns:
        Shape (count,); None where a group has none.
    """
    if len(shapes) == count and (groups == np.arange(count)).all():
        return shapes  # each is alone
    parts, at = shapely.get_parts(shapes, return_index=True)
    order = np.argsort(groups[at], kind="stable")
    parts, groups = parts[order], groups[at][order]
    found: Shapes = np.full(count, None, object)
    own, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    if not len(own):
        return found
    found[own] = parts[first]
    many = np.repeat(sizes > 1, sizes)
    ranks = np.repeat(np.cumsum(sizes > 1) - 1, sizes)[many]
    if many.any():
        found[own[sizes > 1]] = valid(shapely.multipolygons(parts[many], indices=ranks))
    return found


def valid(shapes: Shapes) -> Shapes:
    """Return the shapes, those that cross or overlap themselves put right."""
    wrong = ~_in_cores(shapely.is_valid, shapes)
    if wrong.any():
        shapes = shapes.copy()
        shapes[wrong] = shapely.make_valid(shapes[wrong], method="structure", keep_collapsed=False)
    return shapes


def areas(shapes: Shapes) -> Floats:
    """Return areas in square units, shape (n,); NaN where there is no shape."""
    return np.where(shapely.is_missing(shapes), np.nan, shapely.area(shapes))


def iou(a: Shapes, b: Shapes, least: float = 0.0) -> Floats:
    """Return the intersection over union of pairs of shapes.

    Args:
        a: shape (n,), polygons or multipolygons; None for no shape.
        b: shape (n,).
        least: what matters; pairs whose areas and bounds show that they are below it get 0.

    Returns:
        Shape (n,), 0 to 1; 0 where they do not overlap, NaN where one is missing.
    """
    own, other = areas(a), areas(b)
    inner = np.fmin(_common_bounds(a, b), np.fmin(own, other))
    far = inner < least * (own + other - inner) * (1 - NOTHING)
    inner = np.zeros(len(a))
    inner[~far] = common_areas(a[~far], b[~far])
    return ratio(inner, own + other - inner, np.isnan(own + other))


def _in_cores(ask: Callable[..., Any], *shapes: Shapes) -> Any:
    """Return what GEOS says of shapes; of many in all cores, for it needs no lock of Python's."""
    spans = range(0, len(shapes[0]), PAIRS)
    if len(spans) <= 1:
        return ask(*shapes)
    with ThreadPoolExecutor(min(len(spans), len(os.sched_getaffinity(0)))) as pool:
        blocks = pool.map(lambda at: ask(*(own[at : at + PAIRS] for own in shapes)), spans)
        return np.concatenate(list(blocks))


def _shared(a: Shapes, b: Shapes) -> Floats:
    """Return the area that pairs of shapes share, by GEOS where small outlines leave it open."""
    found, sure = shared_areas(a, b)
    rest = np.flatnonzero(~sure)
    rest = rest[shapely.intersects(a[rest], b[rest])]
    found[rest] = shapely.area(shapely.intersection(a[rest], b[rest]))
    return found


def _common_bounds(a: Shapes, b: Shapes) -> Floats:
    """Return the area that the upright boxes around pairs of shapes share; NaN without a shape."""
    one, other = shapely.bounds(a), shapely.bounds(b)
    sides = np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])
    shared: Floats = np.maximum(sides, 0).prod(axis=1)
    return shared


def common_areas(a: Shapes, b: Shapes) -> Floats:
    """Return the area that pairs of shapes share, shape (n,); 0 where one is missing.

    GEOS finds nothing in common for one in a thousand pairs whose edges lie on the same slanted
    line, such as a rotated box made wider. Where it finds next to nothing, it is asked again with
    coordinates rounded to a fine grid, which is slower and does not fail so.
    """
    found: Floats = _in_cores(_shared, a, b)
    little = np.flatnonzero(found < NOTHING * np.fmin(areas(a), areas(b)))
    doubtful = little[shapely.intersects(a[little], b[little])]
    if len(doubtful):
        pair = a[doubtful], b[doubtful]
        reach = np.abs(shapely.total_bounds(np.concatenate(pair))).max()
        grid = shapely.intersection(*pair, grid_size=max(reach, 1) * NOTHING)
        found[doubtful] = shapely.area(grid)
    return found


def simplified(shapes: Shapes, tolerance: float) -> Shapes:
    """Return shapes with fewer points, none farther than `tolerance` from the old outline."""
    return np.asarray(shapely.simplify(shapes, tolerance, preserve_topology=True))
