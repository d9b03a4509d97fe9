"""Labels as typed objects, for people who add some by hand.

Each class is one kind of label; `rows` turns a list of them into a table, as `edit.add` does.
Numbers are in the units of `geometries`: pixels, metres, radians, seconds, code points.

Example:
    >>> box = Box(item="a.jpg", category="car", x=10, y=20, width=30, height=40)
    >>> rows([box]).column_names
    ['uri', 'category', 'kind', 'box', 'box_form']
"""

from labelstore.model.labels.label import Label, Tag
from labelstore.model.labels.plane import (
    Box,
    Corners,
    Cuboid2D,
    Ellipse,
    Keypoints,
    Mask,
    Points,
    Polygon,
    Polyline,
    RotatedBox,
    Segment,
    Spline,
)
from labelstore.model.labels.space import Cuboid3D, Mesh, PointCloudLabels
from labelstore.model.labels.stretches import Interval, Span, Text
from labelstore.model.labels.table import rows

__all__ = [
    "Box",
    "Corners",
    "Cuboid2D",
    "Cuboid3D",
    "Ellipse",
    "Interval",
    "Keypoints",
    "Label",
    "Mask",
    "Mesh",
    "PointCloudLabels",
    "Points",
    "Polygon",
    "Polyline",
    "RotatedBox",
    "Segment",
    "Span",
    "Spline",
    "Tag",
    "Text",
    "rows",
]
