"""Pascal VOC: an XML file an image, with boxes.

Numbers stay as they are: the development kit counts pixels from 1 and includes the last one, most
tools count from 0, and no file says which.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from labelstore.plugins import Beside
from labelstore.plugins.pages import Page, PageFormat, edges
from labelstore_converters.numerals import number, number_text
from labelstore_converters.xmltext import Node, node_of, parsed, plain, style_of, text_of

SIDES = ("xmin", "ymin", "xmax", "ymax")
FLAGS = {"truncated": "truncated", "occluded": "occluded", "difficult": "difficult"}


class Voc(PageFormat):
    """Folders of Pascal VOC's annotation files."""

    name = "voc"
    pattern = "*.xml"
    sign = r"<annotation[\s>]"
    keeps_words = True
    columns = frozenset(
        {"box", "box_form", "truncated", "occluded", "occluded_scale", "difficult", "attributes"}
    )

    def parse(self, text: str, path: str, beside: Beside) -> Page:
        """Return the image and the objects of a file."""
        root = parsed(text)
        if root.tag != "annotation":
            raise ValueError(f"line {root.line}: is <{root.tag}>, not <annotation>")
        faults: list[str] = []
        labels = [_label(node, faults) for node in root.all("object")]
        if faults:
            raise ValueError(*faults)
        at = next((i for i, c in enumerate(root.children) if c.tag == "object"), None)
        root.children = [child for child in root.children if child.tag != "object"]
        size = root.find("size") or Node("size")
        sides = [size.value(name) for name in ("width", "height")]
        known = [int(side) for side in sides if side.isdecimal() and int(side)]
        width, height = known if len(known) == 2 else (None, None)
        uri = root.value("filename") or PurePosixPath(path).stem
        head = {"root": plain(root), "at": at, "style": style_of(text)}
        return Page([{"uri": uri, "width": width, "height": height}], labels, head)

    def render(self, page: Page) -> str:
        """Return the text of a file."""
        (item,) = page.items
        head = page.head or {}
        root = node_of(head["root"]) if head else Node("annotation")
        if item.get("uri") and (not head or root.value("filename")):
            root.put("filename", item["uri"])
        if item.get("width") and item.get("height"):
            size = root.find("size")
            if size is None:
                size = Node("size")
                root.children.append(size)
            size.put("width", str(item["width"]))
            size.put("height", str(item["height"]))
        at = head.get("at")
        at = len(root.children) if at is None else at
        root.children[at:at] = [_object(label) for label in page.labels]
        return text_of(root, head.get("style"))

    def holds(self, label: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
        """Say whether a label has a box and a class."""
        return label.get("box") is not None and bool(label.get("category"))


def _label(node: Node, faults: list[str]) -> dict[str, Any]:
    """Return an object as a label; what is not in columns stays with it."""
    where = f"line {node.line}"
    box = node.find("bndbox")
    if box is None:
        faults.append(f"{where}, object: has no bndbox")
        return {}
    sides = [number(box.value(s), f"line {box.line}, {s}", faults) for s in SIDES]
    label: dict[str, Any] = {
        "category": node.value("name") or None, "box_form": "xyxy",
        "box": {f"v{i}": side for i, side in enumerate(sides)},
    }  # fmt: skip
    for tag in FLAGS:
        if node.value(tag) in ("0", "1"):
            label[tag] = node.value(tag) == "1" if tag == "difficult" else float(node.value(tag))
    if "occluded" in label:
        label["occluded_scale"] = "flag"
    if node.find("pose") is not None:
        label["attributes"] = {"pose": node.value("pose")}
    if label["category"] is None or plain(_object(label)) != plain(node):
        label["leftovers"] = json.dumps({"object": plain(node)})
    return label


def _object(label: Mapping[str, Any]) -> Node:
    """Return a label as an object: as its source wrote it, with what has changed since."""
    kept = json.loads(label.get("leftovers") or "{}").get("object")
    node = node_of(kept) if kept else Node("object")
    if label.get("category") is not None:
        node.put("name", label["category"])
    pose = label.get("attributes", {}).get("pose")
    if pose is not None:
        node.put("pose", str(pose))
    for tag in FLAGS:
        if tag in label:
            node.put(tag, number_text(float(label[tag])))
        elif node.value(tag) in ("0", "1"):
            node.children.remove(node.find(tag) or node)
    box = node.find("bndbox")
    if box is None:
        box = Node("bndbox")
        node.children.append(box)
    for side, value in zip(SIDES, edges(label), strict=True):
        box.put(side, number_text(value, box.value(side)))
    return node


FORMAT = Voc()
