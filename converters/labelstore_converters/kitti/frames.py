"""Cuboids of other frames in that of rectified camera 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from labelstore.geometry.boxes import is_equal
from labelstore.geometry.columns import column
from labelstore.geometry.cuboids import moved
from labelstore.model.arrow import with_column
from labelstore_converters.lined.writing import Target


def in_camera(geometries: pa.RecordBatch, to: Target) -> tuple[pa.RecordBatch, int, int]:
    """Return shapes whose cuboids are all in the camera's axes.

    A cuboid in the axes of a sensor, such as `lidar`, is moved by that sensor's `to_ego`; one
    whose frame is unknown goes.

    Args:
        geometries: n rows.
        to: which items there are, with their sensors.

    Returns:
        The shapes, how many cuboids were moved, and how many were left out.
    """
    cuboids, frame = column(geometries, "cuboid3d"), column(geometries, "frame")
    elsewhere = np.asarray(cuboids.is_valid()) & ~is_equal(frame, "camera")
    if not elsewhere.any():
        return geometries, 0, 0
    values: list[Any] = cuboids.to_pylist()
    items = column(geometries, "item_id").to_pylist()
    names = frame.to_pylist()
    count = 0
    for row in np.flatnonzero(elsewhere).tolist():
        matrix = _way(to.items[to.place[items[row]]], names[row])
        one = None if matrix is None else moved(cuboids.slice(row, 1), matrix)
        values[row] = None if one is None else one[0].as_py()
        count += one is not None
    geometries = with_column(geometries, "cuboid3d", pa.array(values, cuboids.type))
    named = [None if v is None else "camera" for v in values]
    geometries = with_column(geometries, "frame", pa.array(named, pa.string()))
    return geometries, count, int(elsewhere.sum()) - count


def _way(item: dict[str, Any], frame: str | None) -> Any:
    """Return the matrix from a sensor's axes to the camera's, None where nobody knows it."""
    for sensor in item["sensors"] or ():
        if sensor["channel"] == frame and sensor["to_ego"]:
            return np.reshape(sensor["to_ego"], (4, 4))
    return None
