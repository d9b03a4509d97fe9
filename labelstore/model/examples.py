"""One label of each kind, small enough to read: for the gallery, the schemas and the tests."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any

from labelstore.model import labels as l
from labelstore.model.geometries import PointLabels
from labelstore.model.tables import FAMILY, TABLES

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


DISC = (
    b"]k8<U4:H6K4L4L4L4M2M4M2N2N2N2N2N2N2O0O2N2O0O2O0O2O0O2O0O2O000O2O0000000O2O00000000000000000000"
    b"01N100000001N10001N101N101N101N101N2N101N2N2N2N2N2N2N3L3N3L4L4L4L5J8FXg8"
)
"""Runs of a disc in the middle of an image of 200 x 150."""
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
        "mask": l.Mask(**image, encoding="coco_rle", h=150, w=200, counts=DISC),
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


def family_rows(kind: str) -> dict[str, dict[str, Any]]:
    """Return the rows of `annotations` and `geometries` of a kind's example, as JSON has them.

    Ids and hashes are zero, since they depend on a store; bytes are base 64.
    """
    (row,) = l.rows([LABELS[kind]]).to_pylist(maps_as_pydicts="strict")
    row |= {"layer": "example", "item_id": 0, "annotation_id": 0, "category_id": 0}
    found = {}
    for name in FAMILY:
        table = TABLES[name]
        own = {n: _text(row[n]) for n in table.schema.names if row.get(n) is not None}
        found[name] = {**own, table.hash_column: 0}
    return found


def _text(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _text(inner) for name, inner in value.items()}
    return urlsafe_b64encode(value).decode() if isinstance(value, bytes) else value
