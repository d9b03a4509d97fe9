"""KITTI's calibration files: four cameras, the laser scanner and the IMU of an image.

The frame that all others lead to (`ego` of the model) is that of rectified camera 0, in which
labels state their cuboids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labelstore_converters.lined.tokens import Floats

CAMERAS = ("P0", "P1", "P2", "P3")
SIZES = {**dict.fromkeys(CAMERAS, 12), "R0_rect": 9, "Tr_velo_to_cam": 12, "Tr_imu_to_velo": 12}
LIDAR, IMU = "lidar", "imu"


def sensors_of(text: str) -> list[dict[str, Any]] | None:
    """Return the sensors that a calibration tells of, None where it is not as usual."""
    found: dict[str, list[float]] = {}
    for line in filter(str.strip, text.splitlines()):
        name, _, rest = line.partition(":")
        try:
            values = [float(token) for token in rest.split()]
        except ValueError:
            return None
        if SIZES.get(name) != len(values) or name in found or not np.isfinite(values).all():
            return None
        found[name] = values
    cameras = [_sensor(name, "image", projection=found[name]) for name in CAMERAS if name in found]
    return cameras + _movable(found)


def _movable(found: Mapping[str, list[float]]) -> list[dict[str, Any]]:
    """Return laser scanner and IMU, with the way from their axes to rectified camera 0's."""
    if "R0_rect" not in found or "Tr_velo_to_cam" not in found:
        return []
    turn = np.eye(4)
    turn[:3, :3] = np.reshape(found["R0_rect"], (3, 3))
    to_camera = turn @ _square(found["Tr_velo_to_cam"])
    sensors = [_sensor(LIDAR, "point_cloud", to_ego=to_camera.reshape(-1).tolist())]
    if "Tr_imu_to_velo" in found:
        from_imu = to_camera @ _square(found["Tr_imu_to_velo"])
        sensors.append(_sensor(IMU, "imu", to_ego=from_imu.reshape(-1).tolist()))
    return sensors


def _sensor(channel: str, modality: str, **members: Any) -> dict[str, Any]:
    none = dict.fromkeys(("uri", "intrinsics", "distortion", "to_ego", "projection"))
    return {"channel": channel, "modality": modality, **none, **members}


def _square(values: Sequence[float]) -> Floats:
    """Return three rows of a matrix with the fourth below them, shape (4, 4)."""
    return np.vstack([np.reshape(values, (3, 4)), [0, 0, 0, 1]])


def calibration_text(sensors: Sequence[Mapping[str, Any]]) -> str:
    """Return sensors as a calibration file; the laser scanner's way is all in one matrix."""
    by_name = {sensor["channel"]: sensor for sensor in sensors}
    rows: dict[str, Any] = {
        name: by_name[name]["projection"] for name in CAMERAS
        if name in by_name and by_name[name]["projection"]
    }  # fmt: skip
    lidar = by_name.get(LIDAR, {}).get("to_ego")
    if lidar:
        rows["R0_rect"] = np.eye(3).reshape(-1).tolist()
        rows["Tr_velo_to_cam"] = lidar[:12]
        imu = by_name.get(IMU, {}).get("to_ego")
        if imu:
            inner = np.linalg.inv(np.reshape(lidar, (4, 4))) @ np.reshape(imu, (4, 4))
            rows["Tr_imu_to_velo"] = inner[:3].reshape(-1).tolist()
    return "".join(f"{name}: {' '.join(map(repr, row))}\n" for name, row in rows.items())


def held(sensors: Sequence[Mapping[str, Any]] | None) -> bool:
    """Say whether a calibration file can hold all that sensors say."""
    for sensor in sensors or ():
        known = "projection" if sensor["channel"] in CAMERAS else "to_ego"
        if sensor["channel"] not in (*CAMERAS, LIDAR, IMU):
            return False
        members = ("uri", "intrinsics", "distortion", "to_ego", "projection")
        if any(sensor[m] is not None for m in members if m != known):
            return False
    return True
