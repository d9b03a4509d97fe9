"""Cuboids in space: corners, volume, and how far two of them agree from above and in volume.

A cuboid's own axes are length forwards, width to the left, height up; its quaternion turns them
into the axes of its frame. Up is +z in every frame but a camera's, where it is -y.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.geometry.boxes import is_equal, members, ratio
from labelstore.geometry.planar import common_areas, iou, outlines

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Rows = NDArray[np.bool_]

CORNERS = np.array(
    [
        [x, y, z]
        for z in (-0.5, 0.5)
        for x, y in ((0.5, 0.5), (0.5, -0.5), (-0.5, -0.5), (-0.5, 0.5))
    ]
)
"""Front left, front right, rear right, rear left: below, then above."""
UPRIGHT = 1 - 1e-14
"""Least cosine between a cuboid's height and the frame's up for which it counts as upright."""


def rotations(quaternions: Floats) -> Floats:
    """Return rotation matrices.

    Args:
        quaternions: shape (n, 4): w, x, y, z; of any length but zero.

    Returns:
        Shape (n, 3, 3); matrix @ column turns the cuboid's axes into the frame's.
    """
    with np.errstate(invalid="ignore"):
        w, x, y, z = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


def corners(column: pa.Array) -> Floats:
    """Return the corners of cuboids in their frames.

    Args:
        column: n values of `cuboid3d`.

    Returns:
        Shape (n, 8, 3), metres, in the order of `CORNERS`; NaN where null.
    """
    values = members(column)
    own = CORNERS * values[:, None, 3:6]
    turned = np.einsum("nij,nkj->nki", rotations(values[:, 6:10]), own)
    found: Floats = turned + centres(column)[:, None, :]
    return found


def centres(column: pa.Array) -> Floats:
    """Return the centres of cuboids, wherever they are anchored.

    Args:
        column: n values of `cuboid3d`.

    Returns:
        Shape (n, 3), metres; NaN where null.
    """
    values = members(column)
    raised = is_equal(pc.struct_field(column, "anchor"), "bottom") * values[:, 5] / 2
    found: Floats = values[:, :3] + rotations(values[:, 6:10])[:, :, 2] * raised[:, None]
    return found


def volumes(column: pa.Array) -> Floats:
    """Return volumes in cubic metres, shape (n,); NaN where null."""
    product: Floats = members(column)[:, 3:6].prod(axis=1)
    return product


def iou_from_above(a: pa.Array, b: pa.Array, frame: pa.Array) -> Floats:
    """Return the intersection over union of the footprints of pairs of cuboids.

    Args:
        a: n values of `cuboid3d`.
        b: n values of `cuboid3d`, in the same frames.
        frame: n values of `frame`.

    Returns:
        Shape (n,), 0 to 1; NaN where one is null.
    """
    plane = _plane(frame)
    one, other = (outlines(_footprints(corners(c), plane)) for c in (a, b))
    return iou(one, other)


def iou_in_space(a: pa.Array, b: pa.Array, frame: pa.Array) -> Floats:
    """Return the intersection over union of the volumes of pairs of cuboids, exact for any turn.

    Args:
        a: n values of `cuboid3d`.
        b: n values of `cuboid3d`, in the same frames.
        frame: n values of `frame`.

    Returns:
        Shape (n,), 0 to 1; NaN where one is null.
    """
    plane, up = _plane(frame), _up(frame)
    solids = corners(a), corners(b)
    prints = [outlines(_footprints(solid, plane)) for solid in solids]
    heights = [np.einsum("nki,ni->nk", solid, up) for solid in solids]
    low = np.maximum(*(h.min(axis=1) for h in heights))
    high = np.minimum(*(h.max(axis=1) for h in heights))
    inner = common_areas(*prints) * np.maximum(np.nan_to_num(high - low), 0)
    own, other = volumes(a), volumes(b)
    upright = _is_upright(a, up) & _is_upright(b, up)
    for i in np.flatnonzero(~upright & ~np.isnan(own + other) & (high > low)).tolist():
        inner[i] = _common_volume(solids[0][i], solids[1][i])
    return ratio(inner, own + other - inner, np.isnan(own + other))


def _is_camera(frame: pa.Array) -> Rows:
    return is_equal(frame, "camera")


def _up(frame: pa.Array) -> Floats:
    """Return the direction that is up in each row's frame, shape (n, 3)."""
    return np.where(_is_camera(frame)[:, None], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0])


def _plane(frame: pa.Array) -> NDArray[np.int64]:
    """Return the two axes of the ground in each row's frame, shape (n, 2)."""
    return np.where(_is_camera(frame)[:, None], [0, 2], [0, 1])


def _footprints(solid: Floats, plane: NDArray[np.int64]) -> Floats:
    """Return the lower faces seen from above, shape (n, 4, 2)."""
    return np.take_along_axis(solid[:, :4], plane[:, None, :].repeat(4, axis=1), axis=2)


def _is_upright(column: pa.Array, up: Floats) -> Rows:
    height = rotations(members(column)[:, 6:10])[:, :, 2]
    found: Rows = np.einsum("ni,ni->n", height, up) >= UPRIGHT
    return found


def _common_volume(a: Floats, b: Floats) -> float:
    """Return the volume that two cuboids have in common, by their planes.

    Args:
        a: shape (8, 3).
        b: shape (8, 3).
    """
    from scipy.optimize import linprog
    from scipy.spatial import ConvexHull, HalfspaceIntersection, QhullError

    try:
        planes = np.concatenate([ConvexHull(solid).equations for solid in (a, b)])
        normals, offsets = planes[:, :3], -planes[:, 3]
        # the centre of the largest ball inside: a point that the intersection needs
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        found = linprog([0, 0, 0, -1], np.hstack([normals, lengths]), offsets,
                        bounds=[(None, None)] * 3 + [(0, None)])  # fmt: skip
        if not found.success or found.x[3] <= 0:
            return 0.0
        inside = HalfspaceIntersection(planes, found.x[:3]).intersections
        return float(ConvexHull(inside).volume)
    except QhullError:  # a cuboid without volume
        return 0.0


def moved(column: pa.Array, matrix: Floats) -> pa.Array:
    """Return cuboids in another frame; nothing is lost but the last bit of rounding.

    Args:
        column: n values of `cuboid3d`.
        matrix: shape (4, 4), a rotation and a shift from the old frame to the new one.

    Returns:
        n values of `cuboid3d`.
    """
    from scipy.spatial.transform import Rotation

    values = members(column)
    known = np.asarray(column.is_valid())
    own = values[known]
    turn = Rotation.from_matrix(matrix[:3, :3])
    values[known, :3] = turn.apply(own[:, :3]) + matrix[:3, 3]
    quaternions = turn * Rotation.from_quat(own[:, 6:10], scalar_first=True)
    values[known, 6:10] = quaternions.as_quat(scalar_first=True)
    fields = list(column.type)
    arrays = [pa.array(np.nan_to_num(v)) for v in values.T]
    arrays.append(pc.struct_field(column, "anchor").fill_null("center"))
    return pa.StructArray.from_arrays(arrays, fields=fields, mask=pa.array(~known))


def projected(column: pa.Array, projection: Floats) -> Floats:
    """Return the corners of cuboids in an image; their depth is lost.

    Args:
        column: n values of `cuboid3d`, in the camera's frame.
        projection: shape (3, 4).

    Returns:
        Shape (n, 8, 2), pixels, in the order of `CORNERS`; NaN for corners behind the camera.
    """
    solid = corners(column)
    found = solid @ projection[:, :3].T + projection[:, 3]
    depth = found[:, :, 2:]
    with np.errstate(invalid="ignore", divide="ignore"):
        pixels: Floats = np.where(depth > 0, found[:, :, :2] / depth, np.nan)
    return pixels
