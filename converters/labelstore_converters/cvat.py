"""CVAT for images and for video: an XML file of images with shapes, and of tracks.

Keyframes of tracks are labels on their frames; `outside` ends a stretch in which the object is
seen. Rotation is in degrees about the centre. Masks are runs of rows in a window.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from labelstore.errors import InvalidInput
from labelstore.plugins import Beside
from labelstore.plugins.pages import Page, PageFormat, edges
from labelstore_converters.numerals import number, number_text
from labelstore_converters.people import XmlPeople
from labelstore_converters.xmltext import Node, node_of, parsed, plain, style_of, text_of

EDGES = ("xtl", "ytl", "xbr", "ybr")
WINDOW = ("left", "top", "width", "height")
DRAWN = ("box", "polygon", "polyline", "points", "ellipse", "mask", "tag")
ORIGINS = {"manual": "human", "auto": "model", "semi-auto": "model", "consensus": "derived"}
"""Who drew a shape, by its `source`; one that a model drew as a person asked is the model's."""
LAYOUT = {"head": '<?xml version="1.0" encoding="utf-8"?>\n', "newline": "\n", "indent": "  ",
          "end": "\n", "empty": "</", "space": False}  # fmt: skip


class Cvat(PageFormat):
    """CVAT's own XML, version 1.1."""

    name = "cvat"
    lists_classes = True
    pattern = "*.xml"
    sign = r"<annotations[\s>]"
    one_file = True
    by_track = True
    keeps_words = True
    columns = frozenset(
        {"box", "box_form", "rotated_box", "polygons", "polylines", "keypoints", "keypoint_dims",
         "ellipse", "mask", "occluded", "occluded_scale", "keyframe", "outside", "z_order",
         "attributes", "track_id"}
    )  # fmt: skip
    has_tags = True
    people = XmlPeople()
    unsaid = frozenset({"labelled_state"})
    lists: Mapping[str, frozenset[str]] = {
        "items": frozenset(
            {"modality", "uri", "width", "height", "parent_id", "frame_index", "labelled_state"}
        ),
        "categories": frozenset({"name"}),
    }

    def parse(self, text: str, path: str, beside: Beside) -> Page:
        """Return images with their shapes, or a video with its frames and tracks."""
        root = parsed(text)
        if root.tag != "annotations":
            raise ValueError(f"line {root.line}: is <{root.tag}>, not <annotations>")
        faults: list[str] = []
        page = Page(head={"style": style_of(text), "images": [], "tracks": []})
        for image in root.all("image"):
            _take_image(page, image, faults)
        tracks = root.all("track")
        if tracks:
            _take_tracks(page, tracks, root, faults)
        page.classes = _classes(root)
        page.said = _job(root)
        if faults:
            raise ValueError(*faults)
        root.children = [c for c in root.children if c.tag not in ("image", "track")]
        page.head["root"] = plain(root)
        return page

    def render(self, page: Page) -> str:
        """Return the text of a file."""
        if page.head is None:
            _refuse_several(page)
        head = page.head or {"style": LAYOUT, "images": [], "tracks": [], "root": _root(page)}
        root = node_of(head["root"])
        kept = {values[1].get("name", ""): values for values in head["images"]}
        for at, item in enumerate(page.items):
            own = [label for label in page.labels if label.get("item", 0) == at]
            if item.get("modality") == "image":
                root.children.append(_image(item, own, kept.get(item.get("uri", "")), at))
        root.children += _tracks(page, {str(t[1].get("id")): t for t in head["tracks"]})
        return text_of(root, head["style"])

    def cut(self, head: Any, places: Collection[int]) -> Any:
        """Return the head of a file without some of its images; one of a video has none."""
        return {**head, "images": [v for i, v in enumerate(head["images"]) if i not in places]}

    def holds(self, label: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
        """Say whether a label is of a class, of one shape or none, and of a track in a video."""
        if item.get("modality") != "image" and label.get("track") is None:
            return False
        named = bool(label.get("category")) or bool(label.get("leftovers"))
        return named and _element(label) is not None


def _refuse_several(page: Page) -> None:
    videos = [item.get("uri", "") for item in page.items if item.get("modality") == "video"]
    if len(videos) > 1:
        raise InvalidInput(
            f"a CVAT file holds one video, and these labels are of {len(videos)}: "
            f"{', '.join(videos[:3])}{' …' if videos[3:] else ''}. MOT and COCO hold several.",
            code="cvat-videos",
        )


def _job(root: Node) -> dict[str, Any]:
    """Return what the file's description says of the task or job that it is of."""
    meta = root.find("meta") or Node("meta")
    found: dict[str, Any] = {"dumped": meta.value("dumped")} if meta.find("dumped") else {}
    for kind in ("project", "task", "job"):
        own = meta.find(kind)
        if own is not None:
            said: dict[str, Any] = {
                c.tag: c.text for c in own.children if c.text.strip() and not c.children
            }
            jobs = [s.value("id") for s in (own.find("segments") or Node("")).all("segment")]
            found[kind] = {**said, **({"jobs": jobs} if jobs else {})}
    return found


def _classes(root: Node) -> list[str]:
    """Return the names of classes that the file's description lists."""
    found = []
    open_ = [root.find("meta") or Node("meta")]
    while open_:
        node = open_.pop(0)
        if node.tag == "label":
            found.append(node.value("name"))
        else:
            open_ += node.children
    return found


def _take_image(page: Page, image: Node, faults: list[str]) -> None:
    said = image.attributes
    sides = [said.get(n, "") for n in ("width", "height")]
    width, height = (int(s) if s.isdigit() and int(s) else None for s in sides)
    name = said.get("name")
    if name is None:
        faults.append(f"line {image.line}, name: missing")
    at = len(page.items)
    page.items.append({"modality": "image", "uri": name, "width": width, "height": height})
    others = [plain(child) for child in image.children if child.tag not in DRAWN]
    page.head["images"].append(["image", said, "", others])
    for node in image.children:
        if node.tag in DRAWN:
            page.labels.append({**_label(node, node.attributes.get("label"), faults), "item": at})


def _take_tracks(page: Page, tracks: Sequence[Node], root: Node, faults: list[str]) -> None:
    meta = root.find("meta") or Node("meta")
    name = meta.value("source") or "video"
    video = len(page.items)
    page.items.append({"modality": "video", "uri": name})
    shapes = [(track, node) for track in tracks for node in track.children if node.tag in DRAWN]
    said = [node.attributes.get("frame", "") for _, node in shapes]
    for (_, node), text in zip(shapes, said, strict=True):
        if not _is_frame(text):
            faults.append(f"line {node.line}, frame: {text!r} is no number")
    frames = sorted({int(text) for text in said if _is_frame(text)})
    places = {frame: video + 1 + i for i, frame in enumerate(frames)}
    page.items += [{"modality": "frame", "parent_id": video, "frame_index": frame,
                    "uri": f"{name}/{frame:06d}"} for frame in frames]  # fmt: skip
    for track in tracks:
        others = [plain(child) for child in track.children if child.tag not in DRAWN]
        page.head["tracks"].append(["track", track.attributes, "", others])
    for (track, node), frame in zip(shapes, said, strict=True):
        label = _label(node, track.attributes.get("label"), faults)
        number_ = track.attributes.get("id", "")
        key: Any = int(number_) if re.fullmatch("[0-9]{1,18}", number_) else number_
        page.labels.append(
            {
                **label,
                "track": key,
                "item": places.get(int(frame), video) if _is_frame(frame) else video,
            }
        )


def _is_frame(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,9}", text) is not None


def _label(node: Node, category: str | None, faults: list[str]) -> dict[str, Any]:
    """Return an element as a label; all that it says stays with it."""
    said = node.attributes
    where = f"line {node.line}"
    label: dict[str, Any] = {"category": category or None, **_shape(node, where, faults)}
    for name in ("keyframe", "outside"):
        if said.get(name) in ("0", "1"):
            label[name] = said[name] == "1"
    if said.get("occluded") in ("0", "1"):
        label |= {"occluded": float(said["occluded"]), "occluded_scale": "flag"}
    if said.get("source") in ORIGINS:
        label["origin"] = ORIGINS[said["source"]]
    if re.fullmatch(r"-?[0-9]{1,9}", said.get("z_order", "")):
        label["z_order"] = int(said["z_order"])
    attributes = {a.attributes.get("name", ""): a.text for a in node.all("attribute")}
    if attributes:
        label["attributes"] = attributes
    return {**label, "leftovers": json.dumps({"shape": plain(node)})}


def _shape(node: Node, where: str, faults: list[str]) -> dict[str, Any]:
    """Return the columns of an element's shape."""
    said = node.attributes

    def numbers(names: Sequence[str]) -> list[float]:
        return [number(said.get(n, ""), f"{where}, {n}", faults) for n in names]

    turn = said.get("rotation", "")
    angle = math.radians(number(turn, f"{where}, rotation", faults)) if turn else 0.0
    if node.tag == "box":
        a, b, c, d = numbers(EDGES)
        if angle:
            centre = {"cx": (a + c) / 2, "cy": (b + d) / 2, "w": c - a, "h": d - b}
            return {"rotated_box": {**centre, "angle": angle}}
        return {"box": {"v0": a, "v1": b, "v2": c, "v3": d}, "box_form": "xyxy"}
    if node.tag == "ellipse":
        cx, cy, rx, ry = numbers(("cx", "cy", "rx", "ry"))
        return {"ellipse": {"cx": cx, "cy": cy, "rx": rx, "ry": ry, "angle": angle}}
    if node.tag == "mask":
        x, y, w, h = (int(v) for v in numbers(WINDOW))
        runs = said.get("rle", "").replace(" ", "").encode()
        if not all(run.isdigit() for run in runs.split(b",")):
            faults.append(f"{where}, rle: must be whole numbers with commas between them")
        return {"mask": {"encoding": "cvat_rle", "h": h, "w": w, "x0": x, "y0": y, "counts": runs}}
    if node.tag == "tag":
        return {}
    pairs = [pair.split(",") for pair in said.get("points", "").split(";") if pair]
    if any(len(pair) != 2 for pair in pairs) or not pairs:
        faults.append(f"{where}, points: must be pairs x,y with ; between them")
        return {}
    flat = [number(v, f"{where}, points", faults) for pair in pairs for v in pair]
    if node.tag == "points":
        return {"keypoints": flat, "keypoint_dims": 2, "kind": "points"}
    return {"polygons" if node.tag == "polygon" else "polylines": [flat]}


def _element(label: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Return tag and attributes of a label's shape; None where there is no such."""
    mask = label.get("mask")
    if mask is not None and mask["encoding"] == "cvat_rle":
        values = [mask["x0"], mask["y0"], mask["w"], mask["h"]]
        runs = mask["counts"].decode().replace(",", ", ")
        return "mask", {"rle": runs, **dict(zip(WINDOW, values, strict=True))}
    for column, tag in (("polygons", "polygon"), ("polylines", "polyline")):
        rings = label.get(column) or []
        if rings:
            return (tag, {"points": rings[0]}) if len(rings) == 1 else None
    if label.get("keypoints") and label.get("keypoint_dims", 2) == 2:
        return "points", {"points": label["keypoints"]}
    ellipse, turned = label.get("ellipse"), label.get("rotated_box")
    if ellipse is not None:
        return "ellipse", {k: ellipse[k] for k in ("cx", "cy", "rx", "ry")} | _degrees(ellipse)
    if turned is not None:
        w, h = turned["w"] / 2, turned["h"] / 2
        sides = (turned["cx"] - w, turned["cy"] - h, turned["cx"] + w, turned["cy"] + h)
        return "box", dict(zip(EDGES, sides, strict=True)) | _degrees(turned)
    if label.get("box") is not None:
        return "box", dict(zip(EDGES, edges(label), strict=True))
    bare = not any(label.get(k) is not None for k in SHAPED)
    return ("tag", {}) if bare else None


NEEDED = {"outside": "0", "occluded": "0", "keyframe": "1"}
"""What CVAT's own reader expects of every shape of a track; of shapes of images the second."""
SHAPED = ("mask", "corners", "cuboid2d", "cuboid3d", "spline", "mesh", "text", "interval", "spans",
          "raster", "point_labels")  # fmt: skip


def _degrees(shape: Mapping[str, Any]) -> dict[str, float]:
    return {"rotation": math.degrees(shape["angle"])} if shape["angle"] else {}


def _node(label: Mapping[str, Any], own: Mapping[str, str | None]) -> Node:
    """Return a label's element: as its source wrote it, with what has changed since."""
    kept = json.loads(label.get("leftovers") or "{}").get("shape")
    tag, shape = _element(label) or ("tag", {})
    node = node_of(kept) if kept and kept[0] == tag else Node(tag)
    said = node.attributes
    said |= {k: v for k, v in own.items() if v is not None and (not kept or k in said)}
    if not kept and tag != "tag":
        said |= NEEDED if "frame" in own else {"occluded": "0"}
    flags = {"occluded": label.get("occluded"), "keyframe": label.get("keyframe"),
             "outside": label.get("outside"), "z_order": label.get("z_order")}  # fmt: skip
    flags = {k: v if v is None else int(v) for k, v in flags.items()}
    before = _shape(node, "", []) if kept and kept[0] == tag else {}
    same = before == {k: label.get(k) for k in before} and bool(before)
    for name, value in ({} if same else shape).items():
        said[name] = _text(value, said.get(name, ""))
    for name, value in flags.items():
        if value is not None:
            said[name] = number_text(float(value), said.get(name, ""))
    attributes = {k: str(v) for k, v in label.get("attributes", {}).items()}
    if attributes != {a.attributes.get("name", ""): a.text for a in node.all("attribute")}:
        node.children = [Node("attribute", {"name": k}, v) for k, v in attributes.items()]
    return node


def _text(value: Any, before: str) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return number_text(float(value), before)
    old = [token for pair in before.split(";") for token in pair.split(",")]
    old += [""] * len(value)
    texts = [number_text(v, t) for v, t in zip(value, old, strict=False)]
    return ";".join(f"{x},{y}" for x, y in zip(texts[::2], texts[1::2], strict=True))


def _image(
    item: Mapping[str, Any], labels: Sequence[Mapping[str, Any]], kept: Any, at: int
) -> Node:
    node = node_of(kept) if kept else Node("image", {"id": str(at), "name": item.get("uri", "")})
    for side in ("width", "height"):
        if item.get(side) and node.attributes.get(side) != str(item[side]):
            node.attributes[side] = str(item[side])
    node.children += [_node(label, {"label": label["category"]}) for label in labels]
    return node


def _tracks(page: Page, kept: Mapping[str, Any]) -> list[Node]:
    """Return the tracks, each with its shapes in the order of the page."""
    found: dict[str, Node] = {}
    for label in page.labels:
        item = page.items[label.get("item", 0)]
        if label.get("track") is None or item.get("modality") == "image":
            continue
        key = str(label["track"])
        if key not in found:
            said = {"id": key, "label": label["category"] or ""}
            found[key] = node_of(kept[key]) if key in kept else Node("track", said)
            if label["category"] is not None:
                found[key].attributes["label"] = label["category"]
        found[key].children.append(_node(label, {"frame": str(item.get("frame_index", 0))}))
    return list(found.values())


def _root(page: Page) -> list[Any]:
    """Return the beginning of a file for labels of another format."""
    names = [Node("label", {}, "", [Node("name", {}, name)]) for name in page.classes]
    task = Node("task", {}, "", [Node("labels", {}, "", names)])
    videos = [item.get("uri", "") for item in page.items if item.get("modality") == "video"]
    meta = Node("meta", {}, "", [task, *(Node("source", {}, name) for name in videos)])
    return plain(Node("annotations", {}, "", [Node("version", {}, "1.1"), meta]))


FORMAT = Cvat()
