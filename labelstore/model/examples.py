"""One label of each kind, small enough to read: for the gallery, the schemas and the tests."""

from __future__ import annotations

import numpy as np

from labelstore.model import labels as l
from labelstore.model.geometries import PointLabels

TEXT = "Ada met Grace in Paris."
ITEMS = (
    {"uri": "street.jpg", "modality": "image", "width": 200, "height": 150, "group": "scene 1"},
    {"uri": "sweep.pcd", "modality": "point_cloud", "group": "scene 1"},
    {"uri": "note.txt", "modality": "text", "text": TEXT},
    {"uri": "call.wav", "modality": "audio", "duration_s": 12.0},
)
CATEGORIES = (
    {"name": "thing"},
    {"name": "hand", "keypoint_names": ["wrist", "thumb", "tip"],
     "skeleton": [{"a": 0, "b": 1}, {"a": 1, "b": 2}]},
)  # fmt: skip


def _disc(h: int, w: int, radius: float) -> bytes:
    """Return the runs of a disc in the middle of an image, column by column."""
    y, x = np.mgrid[:h, :w] + 0.5
    inside = np.hypot(x - w / 2, y - h / 2) < radius
    edges = np.flatnonzero(np.diff(inside.reshape(-1, order="F"))) + 1
    return np.diff([0, *edges, h * w]).astype("<u4").tobytes()


POINT_LABELS = PointLabels(encoding="uint8", count=6, labels=bytes([1, 1, 0, 2, 2, 2]))


def _labels() -> dict[str, l.Label]:
    image = {"item": "street.jpg", "category": "thing"}
    cloud = {"item": "sweep.pcd", "category": "thing", "frame": "lidar"}
    text = {"item": "note.txt", "category": "thing"}
    sound = {"item": "call.wav", "category": "thing"}
    square = [(20.0, 20.0), (90.5, 25.0), (80.0, 95.25), (25.0, 80.0)]
    hole = [(40.0, 40.0), (60.0, 42.0), (50.0, 60.0)]
    front = [(30.0, 40.0), (90.0, 40.0), (90.0, 100.0), (30.0, 100.0)]
    rear = [(x + 40.0, y - 20.0) for x, y in front]
    return {
        "tag": l.Tag(**image, confidence=0.9),
        "box": l.Box(**image, x=20.5, y=30, width=100, height=60, attributes={"colour": "red"}),
        "rotated_box": l.RotatedBox(**image, cx=100, cy=75, width=120, height=50, angle=0.5),
        "corners": l.Corners(**image, points=square),
        "polygon": l.Polygon(**image, rings=[square, hole], holes_of=[-1, 0]),
        "polyline": l.Polyline(**image, lines=[[(10, 140), (60, 90), (120, 100), (190, 20)]]),
        "spline": l.Spline(**image, form="cubic_bezier",
                           control_points=[(10, 120), (60, 10), (120, 190), (190, 30)]),
        "points": l.Points(**image, points=[(40, 40), (100, 70), (160, 110)]),
        "keypoints": l.Keypoints(item="street.jpg", category="hand", visibility=[2, 2, 1],
                                 points=[(60, 120), (90, 80), (140, 40)]),
        "ellipse": l.Ellipse(**image, cx=100, cy=75, rx=70, ry=35, angle=-0.3),
        "mask": l.Mask(**image, encoding="coco_rle_list", h=150, w=200,
                       counts=_disc(150, 200, 40)),
        "segment": l.Segment(**image, form="panoptic", uri="street.png", value=7),
        "cuboid2d": l.Cuboid2D(**image, points=[*front, *rear]),
        "cuboid3d": l.Cuboid3D(**cloud, center=(10, 2, 0.8), size=(4.2, 1.8, 1.6),
                               rotation=(0.8, 0, 0, 0.6), velocity=(3, 0.5, 0)),
        "mesh": l.Mesh(**cloud, vertices=[(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)],
                       faces=[(0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3)]),
        "point_labels": l.PointCloudLabels(**cloud, labels=POINT_LABELS),
        "track": l.Box(**image, x=50, y=40, width=30, height=20, track_id=1, keyframe=True,
                       outside=False),
        "span": l.Span(**text, spans=[(0, 3), (8, 13)], surface="Ada Grace"),
        "interval": l.Interval(**sound, start=1.5, end=3.25, channel=0, low_hz=300, high_hz=3400),
        "text": l.Text(**sound, text="hello there", interval=(4.0, 5.5)),
    }  # fmt: skip


LABELS = _labels()
"""By kind; that of `track` is a box at one of its track's keyframes."""
