"""One stored label as SVG: what its shapes look like, in the units of their frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labelstore.geometry.curves import polyline, turned_rectangles
from labelstore.geometry.validity import broken_spline
from labelstore.model.tables import TABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Row = Mapping[str, Any]
EDGES = [(i, (i + 1) % 4) for i in range(4)]
EDGES += [(i + 4, j + 4) for i, j in EDGES] + [(i, i + 4) for i in range(4)]
COLOURS = ("#999999", "#d1495b", "#00798c", "#edae49", "#66a182", "#8d6a9f")
STYLE = (
    "<style>.s{fill:#00798c;fill-opacity:.2;stroke:#00798c;stroke-width:1.5}.l{fill:none;stroke:#00798c;"
    "stroke-width:1.5}.d{fill:#d1495b}.h{fill:none;stroke:#d1495b;stroke-width:1.5}"
    ".m{fill:#00798c;fill-opacity:.5}.t{font:12px sans-serif;fill:#333}</style>"
)


def picture(row: Row, width: float, height: float, *, text: str | None = None) -> str:
    """Return a label as an SVG document.

    Args:
        row: a row of `labels` as plain values.
        width: of the image, or of what stands for one.
        height: likewise.
        text: the item's text, for spans.
    """
    marks = "".join(elements(row, width, height, text=text))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(width)} {number(height)}" '
        f'width="{number(width)}" height="{number(height)}" role="img">{STYLE}'
        f'<rect width="100%" height="100%" fill="#fafafa" stroke="#cccccc"/>{marks}</svg>\n'
    )


def elements(row: Row, width: float, height: float, *, text: str | None = None) -> list[str]:
    """Return the SVG elements of a label's shapes, none where it has none that can be drawn."""
    found: list[str] = []
    for name, draw in DRAWN.items():
        if row.get(name) is not None:
            found += draw(row)
    if row.get("cuboid3d") is not None:
        found += _from_above(row["cuboid3d"], row.get("frame"), width, height)
    if row.get("mesh") is not None:
        found += _mesh(row["mesh"], width, height)
    if row.get("point_labels") is not None:
        found += _point_labels(row["point_labels"], width, height)
    if row.get("spans") is not None and text is not None:
        found += _spans(row["spans"], text, height)
    if row.get("interval") is not None:
        found += _interval(row["interval"], width, height)
    if row.get("text") is not None:
        found.append(_words(row["text"], 8, height / 2))
    if row.get("raster") is not None:
        own = row["raster"]
        found.append(_words(f"{own['form']} id {own['value']} in {own['uri']}", 8, height / 2))
    return found or [_words(str(row.get("category") or "tag"), 8, height / 2)]


def number(value: float) -> str:
    """Return a number in few characters, to a hundredth."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _path(points: Iterable[Sequence[float]], *, closed: bool) -> str:
    steps = " L".join(f"{number(x)} {number(y)}" for x, y in points)
    return f"M{steps}" + ("Z" if closed else "")


def _pairs(flat: Sequence[float]) -> Floats:
    return np.array(flat[: len(flat) // 2 * 2], np.float64).reshape(-1, 2)


def _shape(data: str, kind: str = "s") -> str:
    return f'<path class="{kind}" fill-rule="evenodd" d="{data}"/>'


def _dots(points: Floats, kind: str = "d") -> list[str]:
    return [f'<circle class="{kind}" cx="{number(x)}" cy="{number(y)}" r="3"/>' for x, y in points]


def _words(words: str, x: float, y: float) -> str:
    return f'<text class="t" x="{number(x)}" y="{number(y)}">{escape(words)}</text>'


def _box(row: Row) -> list[str]:
    from labelstore.geometry.boxes import corners

    schema = TABLES["geometries"].schema
    columns = [pa.array([row.get(n)], schema.field(n).type) for n in ("box", "box_form")]
    ((x0, y0, x1, y1),) = corners(*columns)
    return [_shape(_path([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], closed=True))]


def _rotated(row: Row) -> list[str]:
    own = row["rotated_box"]
    values = np.array([[own[n] for n in ("cx", "cy", "w", "h", "angle")]])
    return [_shape(_path(turned_rectangles(values)[0], closed=True))]


def _polygons(row: Row) -> list[str]:
    return [_shape("".join(_path(_pairs(ring), closed=True) for ring in row["polygons"]))]


def _polylines(row: Row) -> list[str]:
    closed = row.get("polylines_closed") or [False] * len(row["polylines"])
    lines = zip(row["polylines"], closed, strict=False)
    return [_shape(_path(_pairs(line), closed=back), "l") for line, back in lines]


def _spline(row: Row) -> list[str]:
    own = row["spline"]
    schema = TABLES["geometries"].schema
    if broken_spline(pa.table({"spline": pa.array([own], schema.field("spline").type)})).any():
        return []
    control = _pairs(own["control_points"])
    line = polyline(own["form"], control, degree=own["degree"], closed=own["closed"],
                    knots=own["knots"])  # fmt: skip
    return [_shape(_path(line, closed=own["closed"]), "l"), *_dots(control)]


def _keypoints(row: Row) -> list[str]:
    points = np.array(row["keypoints"]).reshape(-1, row.get("keypoint_dims") or 2)[:, :2]
    shown = row.get("visibility") or [2] * len(points)
    return [
        dot
        for point, seen in zip(points, shown, strict=False)
        for dot in (_dots(point[None], "d" if seen == 2 else "h") if seen else [])
    ]


def _ellipse(row: Row) -> list[str]:
    own = row["ellipse"]
    cx, cy, rx, ry = (number(own[n]) for n in ("cx", "cy", "rx", "ry"))
    turn = f"rotate({number(np.degrees(own['angle']))} {cx} {cy})"
    return [f'<ellipse class="s" cx="{cx}" cy="{cy}" rx="{rx}" ry="{ry}" transform="{turn}"/>']


def _mask(row: Row) -> list[str]:
    """Return each run of pixels of a row as part of one path."""
    from labelstore.geometry.masks import decode

    own = row["mask"]
    pixels = decode(own)
    if pixels is None:
        return []
    padded = np.pad(pixels.astype(np.int8), ((0, 0), (1, 1)))
    steps = np.diff(padded, axis=1)
    rows, begins = np.nonzero(steps == 1)
    _, ends = np.nonzero(steps == -1)
    x0, y0 = own["x0"] or 0, own["y0"] or 0
    runs = zip(rows.tolist(), begins.tolist(), ends.tolist(), strict=True)
    data = "".join(f"M{a + x0} {y + y0}h{b - a}v1h{a - b}z" for y, a, b in runs)
    return [f'<path class="m" d="{data}"/>']


def _wire(points: Floats) -> list[str]:
    return [_shape("".join(_path(points[[i, j]], closed=False) for i, j in EDGES), "l")]


def _from_above(cuboid: Row, frame: str | None, width: float, height: float) -> list[str]:
    """Return a cuboid's footprint, its front marked, with a scale that shows it whole."""
    from labelstore.geometry.cuboids import corners

    kind = TABLES["geometries"].schema.field("cuboid3d").type
    solid = corners(pa.array([cuboid], kind))[0]
    ground = solid[:, [0, 2]] if frame == "camera" else np.stack([-solid[:, 1], solid[:, 0]], 1)
    placed = _fitted(ground * [1, -1], width, height)
    front = placed[[0, 1]].mean(axis=0)
    return [_shape(_path(placed[:4], closed=True)), *_dots(front[None])]


def _mesh(mesh: Row, width: float, height: float) -> list[str]:
    points = np.array(mesh["vertices"]).reshape(-1, 3)
    turned = points @ np.array([[0.87, 0.25], [-0.5, 0.43], [0.0, -0.87]])
    placed = _fitted(turned, width, height)
    faces = np.array(mesh["faces"]).reshape(-1, 3)
    return [_shape("".join(_path(placed[face], closed=True) for face in faces))]


def _fitted(points: Floats, width: float, height: float) -> Floats:
    """Return points moved and scaled so that they fill the middle of a picture."""
    low, high = points.min(axis=0), points.max(axis=0)
    scale = 0.7 * min(np.array([width, height]) / np.maximum(high - low, 1e-9))
    centred: Floats = (points - (low + high) / 2) * scale + np.array([width, height]) / 2
    return centred


def _point_labels(own: Row, width: float, height: float) -> list[str]:
    """Return the labels in their order, as dots by colour."""
    labels = np.frombuffer(own["labels"], own["encoding"])[:200]
    step = width / (len(labels) + 1)
    return [
        f'<circle cx="{number(step * (i + 1))}" cy="{number(height / 2)}" r="5" '
        f'fill="{COLOURS[int(label) % len(COLOURS)]}"/>'
        for i, label in enumerate(labels)
    ]


def _spans(spans: Sequence[Row], text: str, height: float) -> list[str]:
    """Return the text with its spans underlined."""
    inside = {i for s in spans for i in range(s["start"], min(s["end"], len(text)))}
    marked = "".join(
        f'<tspan fill="#d1495b" text-decoration="underline">{escape(c)}</tspan>'
        if i in inside
        else escape(c)
        for i, c in enumerate(text)
    )
    return [f'<text class="t" x="8" y="{number(height / 2)}">{marked}</text>']


def _interval(own: Row, width: float, height: float) -> list[str]:
    """Return a stretch of time, and its band where it has one, on axes that show it whole."""
    until = own["end"] * 1.25 or 1.0
    top = (own["high_hz"] or 1.0) * 1.25
    x, right = (own[n] / until * width for n in ("start", "end"))
    low, high = own["low_hz"] or 0.0, own["high_hz"] or top
    y, bottom = (height * (1 - v / top) for v in (high, low))
    box = [(x, y), (right, y), (right, bottom), (x, bottom)]
    words = f"{number(own['start'])} to {number(own['end'])} s"
    return [_shape(_path(box, closed=True)), _words(words, x, 14)]


DRAWN = {
    "mask": _mask,
    "box": _box,
    "rotated_box": _rotated,
    "corners": lambda row: [_shape(_path(_pairs(row["corners"]), closed=True))],
    "polygons": _polygons,
    "polylines": _polylines,
    "spline": _spline,
    "ellipse": _ellipse,
    "cuboid2d": lambda row: _wire(_pairs(row["cuboid2d"])),
    "keypoints": _keypoints,
}
"""Shapes in pixels, by the column that holds them."""
