"""Where shapes break the rules of their kind; each function takes rows that have the shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.geometry.boxes import members
from labelstore.geometry.columns import column
from labelstore.geometry.rings import Rings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Ints = NDArray[np.int64]

Rows: TypeAlias = "pa.Table | pa.RecordBatch"
UNIT = 1e-6
"""How far the length of a quaternion may be from one."""
SIZES = {"rotated_box": (2, 3), "ellipse": (2, 3), "cuboid3d": (3, 4, 5)}
"""Members of a shape that are sizes, by place."""


def not_positive(shape: str, rows: Rows) -> Mask:
    """Return shapes of which a size is zero or less."""
    sizes = members(column(rows, shape))[:, SIZES[shape]]
    return np.asarray((sizes <= 0).any(axis=1))


def odd_numbers(shape: str, rows: Rows) -> Mask:
    """Return lists of rings or lines in which an x has no y."""
    values = column(rows, shape)
    lengths = np.asarray(pc.list_value_length(values.flatten()))
    return _any(lengths % 2 == 1, _owners(values), len(values))


def too_few_points(shape: str, least: int, rows: Rows) -> Mask:
    """Return lists of rings or lines of which one has fewer points than it takes."""
    rings = Rings.of(column(rows, shape))
    return _any(rings.sizes < least, rings.rows, len(rings.counts))


def crosses_itself(rows: Rows) -> Mask:
    """Return outlines of which a ring crosses or touches itself."""
    import shapely

    rings = Rings.of(column(rows, "polygons"))
    usable = rings.sizes >= 3
    kept = usable[rings.owners]
    ranks = np.cumsum(usable) - 1
    edges = shapely.linearrings(rings.xy[kept], indices=ranks[rings.owners[kept]])
    wrong = ~shapely.is_valid(shapely.polygons(edges))
    return _any(wrong, rings.rows[usable], len(rings.counts))


def holes_without_ring(rows: Rows) -> Mask:
    """Return rows whose `holes_of` is not one entry a ring, or names no outer ring."""
    counts = _lengths(column(rows, "polygons"))
    owners = column(rows, "holes_of")
    found = _lengths(owners) != counts
    parents = _owners(owners)
    own = np.asarray(owners.flatten()).astype(np.int64)
    begins = np.cumsum(_lengths(owners)) - _lengths(owners)
    named = begins[parents] + np.clip(own, 0, _lengths(owners)[parents] - 1)
    wrong = (own >= 0) & ((own >= counts[parents]) | (own[named] >= 0))
    return np.asarray(found | _any(wrong, parents, len(counts)))


def differs_in_length(shape: str, of: str, rows: Rows) -> Mask:
    """Return rows whose list has not one entry for each member of another list."""
    wanted = _points(rows) if of == "keypoints" else _lengths(column(rows, of))
    return np.asarray(_lengths(column(rows, shape)) != wanted)


def broken_points(rows: Rows) -> Mask:
    """Return keypoints whose numbers do not divide into points."""
    lengths, dims = _lengths(column(rows, "keypoints")), _dims(rows)
    found: Mask = (lengths % np.maximum(dims, 1) != 0) | (dims < 2) | (dims > 3)
    return found


def not_unit(rows: Rows) -> Mask:
    """Return cuboids whose quaternion is not of length one."""
    lengths = np.linalg.norm(members(column(rows, "cuboid3d"))[:, 6:10], axis=1)
    found: Mask = np.abs(lengths - 1) > UNIT
    return found


def broken_runs(rows: Rows) -> Mask:
    """Return masks whose runs cannot be read, or are not as many pixels as the mask has."""
    from labelstore.geometry.masks import is_whole

    return np.array([not is_whole(m) for m in column(rows, "mask").to_pylist()], bool)


def broken_spline(rows: Rows) -> Mask:
    """Return splines with too few control points, or knots that do not fit them."""
    splines = column(rows, "spline")
    form, degree = (pc.struct_field(splines, n) for n in ("form", "degree"))
    numbers, knots = (_lengths(pc.struct_field(splines, n)) for n in ("control_points", "knots"))
    points, order = numbers // 2, np.asarray(degree).astype(np.int64) + 1
    bezier = np.asarray(pc.equal(form, "cubic_bezier"))
    closed = np.asarray(pc.struct_field(splines, "closed"))
    pieces = np.where(closed, points % 3 > 1, points % 3 != 1)  # three a piece, and an end
    by_degree = np.asarray(pc.equal(form, "b_spline"))
    least = np.select([bezier, by_degree], [np.where(closed, 3, 4), order], 2)
    told = by_degree & np.asarray(pc.struct_field(splines, "knots").is_valid())
    knotted = told & ((knots != points + order) | _falls(pc.struct_field(splines, "knots"), order))
    found: Mask = (numbers % 2 == 1) | (points < least) | (bezier & pieces) | knotted
    return found | (order < 2)


def _falls(knots: pa.Array, order: Ints) -> Mask:
    """Return rows whose knots are not rising, or leave no stretch between the outer ones."""
    owners = _owners(knots)
    values = np.asarray(knots.flatten(), np.float64)
    within = owners[1:] == owners[:-1]
    found = _any(within & (np.diff(values) < 0), owners[1:], len(knots))
    counts = _lengths(knots)
    begins = np.cumsum(counts) - counts
    enough = np.flatnonzero((counts >= 2 * order) & (order > 0))
    low, high = values[(begins + order - 1)[enough]], values[(begins + counts - order)[enough]]
    found[enough] |= low >= high
    return found


def backwards(shape: str, rows: Rows) -> Mask:
    """Return spans or intervals that end before they begin, or whose band does."""
    values = column(rows, shape)
    if shape == "spans":
        each = values.flatten()
        wrong = pc.less(each.field("end"), each.field("start"))
        return _any(np.asarray(wrong), _owners(values), len(values))
    found = np.zeros(len(values), bool)
    for low, high in (("start", "end"), ("low_hz", "high_hz"), ("first_frame", "last_frame")):
        pair = pc.struct_field(values, high), pc.struct_field(values, low)
        found |= np.asarray(pc.fill_null(pc.less(*pair), False))
    return found


def broken_mesh(rows: Rows) -> Mask:
    """Return meshes whose numbers do not make points and triangles, or that name no point."""
    meshes = column(rows, "mesh")
    vertices, faces = (pc.struct_field(meshes, n) for n in ("vertices", "faces"))
    numbers = _lengths(vertices)
    corners = np.asarray(faces.flatten()).astype(np.int64)
    owners = _owners(faces)
    missing = _any(corners >= numbers[owners] // 3, owners, len(numbers))
    return np.asarray((numbers % 3 != 0) | (_lengths(faces) % 3 != 0) | missing)


def broken_labels(rows: Rows) -> Mask:
    """Return point labels whose bytes are not as many as their count says."""
    labels = column(rows, "point_labels")
    widths = np.asarray(pc.index_in(pc.struct_field(labels, "encoding"),
                                    pa.array(["uint8", "uint16", "uint32"])))  # fmt: skip
    size = np.asarray(pc.binary_length(pc.struct_field(labels, "labels"))).astype(np.int64)
    count = np.asarray(pc.struct_field(labels, "count"))
    found: Mask = (count != size >> widths) | (size % (1 << widths) != 0)
    return found


def _points(rows: Rows) -> Ints:
    found: Ints = _lengths(column(rows, "keypoints")) // np.maximum(_dims(rows), 1)
    return found


def _dims(rows: Rows) -> Ints:
    return np.asarray(column(rows, "keypoint_dims").fill_null(2)).astype(np.int64)


def _lengths(lists: pa.Array) -> Ints:
    return np.asarray(pc.fill_null(pc.list_value_length(lists), 0)).astype(np.int64)


def _owners(lists: pa.Array) -> Ints:
    """Return the row of each member, as `flatten` gives them: a null list has none."""
    return np.repeat(np.arange(len(lists)), _lengths(lists))


def _any(wrong: Mask, owners: Ints, count: int) -> Mask:
    """Return which rows own a member that is wrong."""
    found = np.zeros(count, bool)
    found[owners[wrong]] = True
    return found


def beyond_turn(shape: str, rows: Rows) -> Mask:
    """Return shapes whose angle is more than one turn: degrees, perhaps."""
    turns = np.abs(members(column(rows, shape))[:, 4])
    found: Mask = turns > 2 * np.pi
    return found
