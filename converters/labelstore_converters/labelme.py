"""LabelMe: a JSON file an image, with shapes of several kinds."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from labelstore.plugins import Beside
from labelstore.plugins.pages import Page, PageFormat, edges
from labelstore_converters.jsonpage import parsed

HEAD: dict[str, Any] = {
    "version": "5.5.0", "flags": {}, "shapes": [], "imagePath": "", "imageData": None,
    "imageHeight": None, "imageWidth": None,
}  # fmt: skip
SHAPE: dict[str, Any] = {
    "label": "", "points": [], "group_id": None, "description": "", "shape_type": "", "flags": {},
    "mask": None,
}  # fmt: skip
LINES = {"line": False, "linestrip": False}


class Labelme(PageFormat):
    """Files of LabelMe (wkentaro), of one image each."""

    name = "labelme"
    pattern = "*.json"
    sign = r'"shapes"\s*:'
    keeps_words = True
    columns = frozenset(
        {"box", "box_form", "polygons", "polylines", "ellipse", "keypoints", "keypoint_dims",
         "mask", "attributes"}
    )  # fmt: skip

    def parse(self, text: str, path: str, beside: Beside) -> Page:
        """Return the image and the shapes of a file."""
        found = parsed(text)
        if not isinstance(found, dict) or not isinstance(found.get("shapes"), list):
            raise ValueError("shapes: missing; this is no file of LabelMe")
        faults: list[str] = []
        labels = [_label(shape, f"shapes[{i}]", faults)
                  for i, shape in enumerate(found["shapes"])]  # fmt: skip
        if faults:
            raise ValueError(*faults)
        name = found.get("imagePath")
        uri = name.replace("\\", "/") if isinstance(name, str) else PurePosixPath(path).stem
        sides = [found.get(k) for k in ("imageWidth", "imageHeight")]
        width, height = (s if type(s) is int and s > 0 else None for s in sides)
        head = {"file": {**found, "shapes": []}, "end": text.endswith("\n")}
        return Page([{"uri": uri, "width": width, "height": height}], labels, head)

    def render(self, page: Page) -> str:
        """Return the text of a file."""
        (item,) = page.items
        head = page.head or {"file": HEAD, "end": False}
        found = {**head["file"], "shapes": [_shape(label) for label in page.labels]}
        if item.get("uri") and str(found.get("imagePath") or "").replace("\\", "/") != item["uri"]:
            found["imagePath"] = item["uri"]
        for key, side in (("imageHeight", "height"), ("imageWidth", "width")):
            found[key] = item.get(side, found.get(key))
        text = json.dumps(found, ensure_ascii=False, indent=2)
        return text + ("\n" if head["end"] else "")

    def holds(self, label: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
        """Say whether a label has a shape that the tool can draw, of a class."""
        return bool(label.get("category")) and bool(_drawn(label))


def _label(shape: Any, where: str, faults: list[str]) -> dict[str, Any]:
    """Return a shape as a label; all that it says stays with it."""
    if not isinstance(shape, dict) or not isinstance(shape.get("label"), str):
        faults.append(f"{where}, label: missing")
        return {}
    points, kind = shape.get("points"), shape.get("shape_type", "polygon")
    pairs = isinstance(points, list) and all(
        isinstance(p, list) and len(p) == 2 and all(type(v) in (int, float) for v in p)
        for p in points
    )
    if not pairs or not points:
        faults.append(f"{where}, points: must be pairs of numbers")
        return {}
    try:
        columns = _columns(kind, [[float(v) for v in p] for p in points or []], shape)
    except (KeyError, ValueError, IndexError, TypeError, OverflowError) as error:
        faults.append(f"{where}, shape_type: {kind!r} with {len(points or [])} points: {error}")
        return {}
    more = {k: shape[k] for k in ("group_id", "description", "flags") if shape.get(k)}
    attributes = {"attributes": more} if more else {}
    kept = json.dumps({"shape": shape})
    return {"category": shape["label"] or None, **columns, **attributes, "leftovers": kept}


def _columns(kind: str, points: list[list[float]], shape: Mapping[str, Any]) -> dict[str, Any]:
    flat = [v for point in points for v in point]
    if kind == "polygon":
        return {"polygons": [flat]}
    if kind in LINES:
        return {"polylines": [flat]}
    if kind in ("point", "points"):
        return {"keypoints": flat, "keypoint_dims": 2, "kind": "points"}
    (ax, ay), (bx, by) = points
    if kind == "circle":
        radius = math.hypot(bx - ax, by - ay)
        return {"ellipse": {"cx": ax, "cy": ay, "rx": radius, "ry": radius, "angle": 0.0}}
    box = {"v0": min(ax, bx), "v1": min(ay, by), "v2": max(ax, bx), "v3": max(ay, by)}
    if kind == "rectangle":
        return {"box": box, "box_form": "xyxy"}
    if kind != "mask":
        raise ValueError("is not known")
    data = base64.b64decode(shape["mask"], validate=True)
    h, w = round(box["v3"] - box["v1"]) + 1, round(box["v2"] - box["v0"]) + 1
    place = {"x0": round(box["v0"]), "y0": round(box["v1"])}
    return {"mask": {"encoding": "png", "h": h, "w": w, **place, "counts": data}}


def _drawn(label: Mapping[str, Any]) -> tuple[str, list[list[float]]] | None:
    """Return shape type and points of a label; None where there is no such."""
    mask = label.get("mask")
    if mask is not None and mask["encoding"] == "png" and mask.get("x0") is not None:
        x, y = mask["x0"], mask["y0"]
        return "mask", [[x, y], [x + mask["w"] - 1, y + mask["h"] - 1]]
    rings = label.get("polygons") or []
    if len(rings) == 1 and len(rings[0]) >= 6:
        return "polygon", _pairs(rings[0])
    lines = label.get("polylines") or []
    if len(lines) == 1:
        return "line" if len(lines[0]) == 4 else "linestrip", _pairs(lines[0])
    ellipse = label.get("ellipse")
    if ellipse is not None and ellipse["rx"] == ellipse["ry"]:
        centre = [ellipse["cx"], ellipse["cy"]]
        return "circle", [centre, [ellipse["cx"] + ellipse["rx"], ellipse["cy"]]]
    points = label.get("keypoints")
    if points and label.get("keypoint_dims", 2) == 2:
        return "point" if len(points) == 2 else "points", _pairs(points)
    if label.get("box") is not None and not rings:
        left, top, right, bottom = edges(label)
        return "rectangle", [[left, top], [right, bottom]]
    return None


def _pairs(flat: list[float]) -> list[list[float]]:
    return [list(pair) for pair in zip(flat[::2], flat[1::2], strict=True)]


def _shape(label: Mapping[str, Any]) -> dict[str, Any]:
    """Return a label's shape: as its source wrote it, where that still says the same."""
    kept = json.loads(label.get("leftovers") or "{}").get("shape")
    shape = dict(kept or SHAPE)
    drawn = _drawn(label)
    before = _drawn(_label(kept, "", [])) if kept else None
    if drawn is not None and drawn != before:
        shape["shape_type"], shape["points"] = drawn
        if drawn[0] == "mask":
            shape["mask"] = base64.b64encode(label["mask"]["counts"]).decode()
    if label.get("category") is not None:
        shape["label"] = label["category"]
    more = label.get("attributes", {})
    for key in ("group_id", "description", "flags"):
        if key in more or shape.get(key):
            shape[key] = more.get(key, SHAPE[key])
    return shape


FORMAT = Labelme()
