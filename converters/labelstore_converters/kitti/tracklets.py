"""KITTI's raw tracklets: an XML file of cuboids in the laser scanner's axes, a pose a frame.

x forwards, y to the left, z up; a cuboid stands on its lower face and turns about z. Source: the
raw data devkit. The file is a serialisation by boost: numbers of members, and attributes that
stand on the first element of each kind alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from labelstore.errors import InvalidInput
from labelstore.plugins import Beside
from labelstore.plugins.pages import Page, PageFormat
from labelstore_converters.numerals import number, number_text
from labelstore_converters.xmltext import Node, node_of, parsed, plain, style_of, text_of

CLOUDS = "velodyne_points"
SIZE, PLACE, TURN = ("l", "w", "h"), ("tx", "ty", "tz"), ("rx", "ry", "rz")
STATED = ("state", "occlusion", "occlusion_kf", "truncation", "amt_occlusion", "amt_border_l",
          "amt_border_r", "amt_occlusion_kf", "amt_border_kf")  # fmt: skip
"""What a pose says beside its place, in the file's order; -1 where nobody said it."""
LABELLED = 2
MOST_FRAMES = 1_000_000
KINDS = {
    "tracklets": {"class_id": "0", "tracking_level": "0", "version": "0"},
    "item": {"class_id": "1", "tracking_level": "0", "version": "1"},
    "poses": {"class_id": "2", "tracking_level": "0", "version": "0"},
    "pose": {"class_id": "3", "tracking_level": "0", "version": "1"},
}
BOOST = {
    "head": '<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>\n'
            "<!DOCTYPE boost_serialization>\n",
    "newline": "\n", "indent": "\t", "end": "\n", "empty": "</", "space": False,
}  # fmt: skip


class Tracklets(PageFormat):
    """Files of tracklets of KITTI's raw data."""

    name = "kitti-tracklets"
    pattern = "tracklet_labels.xml"
    sign = r"<boost_serialization"
    one_file = True
    by_track = True
    keeps_words = True
    columns = frozenset(
        {"cuboid3d", "frame", "yaw_stated", "keyframe", "occluded", "occluded_scale", "attributes",
         "track_id"}
    )  # fmt: skip
    unsaid = frozenset({"labelled_state"})
    lists: Mapping[str, frozenset[str]] = {
        "items": frozenset({"modality", "uri", "parent_id", "frame_index", "labelled_state"}),
        "categories": frozenset({"name"}),
    }

    def parse(self, text: str, path: str, beside: Beside) -> Page:
        """Return the drive, its frames, and a label for each pose."""
        root = parsed(text)
        tracklets = root.find("tracklets")
        if tracklets is None:
            raise ValueError(f"line {root.line}: has no <tracklets>")
        faults: list[str] = []
        labels, tracks = [], []
        for at, tracklet in enumerate(tracklets.all("item")):
            poses = tracklet.find("poses") or Node("poses")
            first = int(number(tracklet.value("first_frame"),
                               f"line {tracklet.line}, first_frame", faults))  # fmt: skip
            if not 0 <= first <= MOST_FRAMES:
                faults.append(f"line {tracklet.line}, first_frame: {first} is no frame")
                continue
            for i, pose in enumerate(poses.all("item")):
                label = _label(tracklet, pose, faults)
                labels.append({**label, "track": at, "item": 1 + first + i})
            bare = [child for child in poses.children if child.tag != "item"]
            kept = [Node("poses", poses.attributes, "", bare) if c is poses else c
                    for c in tracklet.children]  # fmt: skip
            tracks.append(plain(Node("item", tracklet.attributes, "", kept)))
        if faults:
            raise ValueError(*faults)
        tracklets.children = [c for c in tracklets.children if c.tag != "item"]
        head = {"root": plain(root), "tracks": tracks, "style": style_of(text)}
        length = max((label["item"] for label in labels), default=0)
        frames = [{"modality": "point_cloud", "parent_id": 0, "frame_index": i,
                   "uri": f"{CLOUDS}/data/{i:010d}.bin"} for i in range(length)]  # fmt: skip
        return Page([{"modality": "video", "uri": CLOUDS}, *frames], labels, head)

    def render(self, page: Page) -> str:
        """Return the text of a file."""
        if page.head is None and not page.labels:
            said = "none of these labels is a cuboid in the laser scanner's axes, of a track"
            raise InvalidInput(said, code="kitti-tracklets-empty")
        head = page.head or {"root": None, "tracks": [], "style": BOOST}
        root = node_of(head["root"]) if head["root"] else _root()
        tracklets = root.find("tracklets") or root
        first = {"item": True, "poses": True, "pose": True}
        kept = dict(enumerate(head["tracks"]))
        found = [_tracklet(kept.get(track), labels, page, first)
                 for track, labels in _by_track(page).items()]  # fmt: skip
        tracklets.put("count", str(len(found)))
        at = 1 + max((i for i, c in enumerate(tracklets.children)
                      if c.tag in ("count", "item_version")), default=-1)  # fmt: skip
        tracklets.children[at:at] = found
        return text_of(root, head["style"])

    def holds(self, label: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
        """Say whether a label is a cuboid in the scanner's axes, of a class and a track."""
        known = all(label.get(k) is not None for k in ("cuboid3d", "category", "track"))
        return known and label.get("frame") == "lidar" and label.get("item", 0) > 0


def _label(tracklet: Node, pose: Node, faults: list[str]) -> dict[str, Any]:
    where = f"line {pose.line}"
    size = [number(tracklet.value(n), f"line {tracklet.line}, {n}", faults) for n in SIZE]
    place = [number(pose.value(n), f"{where}, {n}", faults) for n in PLACE]
    turn = [number(pose.value(n), f"{where}, {n}", faults) for n in TURN]
    stated = {n: pose.value(n) for n in STATED if pose.value(n) not in ("", "-1")}
    names = ("cx", "cy", "cz", "length", "width", "height", "qw", "qx", "qy", "qz")
    values = [*place, *size, *quaternion(*turn)]
    occluded = stated.pop("occlusion", None)
    label: dict[str, Any] = {
        "category": tracklet.value("objectType") or None, "frame": "lidar",
        "cuboid3d": {**dict(zip(names, values, strict=True)), "anchor": "bottom"},
        "yaw_stated": turn[2], "keyframe": stated.pop("state", "") == str(LABELLED),
        "leftovers": json.dumps({"pose": plain(pose)}),
    }  # fmt: skip
    if occluded is not None:
        value = number(occluded, f"{where}, occlusion", faults)
        label |= {"occluded": value, "occluded_scale": "level"}
    attributes = {k: number(v, f"{where}, {k}", faults) for k, v in stated.items()}
    return label | ({"attributes": attributes} if attributes else {})


def quaternion(rx: float, ry: float, rz: float) -> list[float]:
    """Return the quaternion of turns about x, then y, then z, in radians."""
    (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a / 2), np.sin(a / 2)) for a in (rx, ry, rz))
    found = (cx * cy * cz + sx * sy * sz, sx * cy * cz - cx * sy * sz,
             cx * sy * cz + sx * cy * sz, cx * cy * sz - sx * sy * cz)  # fmt: skip
    return [float(v) for v in found]


def angles(w: float, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Return the turns about x, then y, then z of a quaternion, in radians."""
    rx = np.arctan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    ry = np.arcsin(np.clip(2 * (w * y - z * x), -1, 1))
    rz = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    return float(rx), float(ry), float(rz)


def _root() -> Node:
    version = Node("item_version", {}, "1")
    tracklets = Node("tracklets", dict(KINDS["tracklets"]), "", [Node("count"), version])
    said = {"signature": "serialization::archive", "version": "9"}
    return Node("boost_serialization", said, "", [tracklets])


def _by_track(page: Page) -> dict[Any, list[dict[str, Any]]]:
    """Return the labels of each track, in the order of their frames."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for label in page.labels:
        found.setdefault(label["track"], []).append(label)
    frame = {i: item.get("frame_index", -1) for i, item in enumerate(page.items)}
    return {t: sorted(own, key=lambda label: int(frame[label["item"]]))
            for t, own in found.items()}  # fmt: skip


def _tracklet(
    kept: list[Any] | None, labels: list[dict[str, Any]], page: Page, first: dict[str, bool]
) -> Node:
    """Return a track; attributes of boost stand where each kind comes first."""
    frames = [page.items[label["item"]]["frame_index"] for label in labels]
    if frames != list(range(frames[0], frames[0] + len(frames))):
        said = f"track {labels[0]['track']!r}: frames are left out or told twice ({frames[:5]}…)"
        raise InvalidInput(f"{said}; a tracklet has a pose for each", code="kitti-tracklets-gap")
    node = node_of(kept) if kept else Node("item")
    node.put("objectType", labels[0]["category"])
    for name, side in zip(("h", "w", "l"), ("height", "width", "length"), strict=True):
        node.put(name, number_text(labels[0]["cuboid3d"][side], node.value(name)))
    node.put("first_frame", str(frames[0]))
    poses = node.find("poses")
    if poses is None:
        poses = Node("poses", {}, "", [Node("count"), Node("item_version", {}, "1")])
        node.children += [poses, Node("finished", {}, "1")]
    node.attributes = _said("item", node, first)
    poses.attributes = _said("poses", poses, first)
    poses.put("count", str(len(labels)))
    for label in labels:
        pose = _pose(label)
        pose.attributes = _said("pose", pose, first)
        poses.children.append(pose)
    return node


def _said(kind: str, node: Node, first: dict[str, bool]) -> dict[str, str]:
    was, first[kind] = first[kind], False
    return (node.attributes or dict(KINDS[kind])) if was else {}


def _pose(label: Mapping[str, Any]) -> Node:
    """Return a pose as its source wrote it, with what has changed since."""
    kept = json.loads(label.get("leftovers") or "{}").get("pose")
    node = node_of(kept) if kept else Node("item")
    cuboid = label["cuboid3d"]
    z = cuboid["cz"] - (cuboid["height"] / 2 if cuboid["anchor"] == "center" else 0)
    turn = _turn(label, node)
    values = dict(zip((*PLACE, *TURN), (cuboid["cx"], cuboid["cy"], z, *turn), strict=True))
    for name, value in values.items():
        node.put(name, number_text(value, node.value(name)))
    for name, text in _stated(label):
        node.put(name, text if node.value(name) in ("", "-1") or text == "-1"
                 else number_text(float(text), node.value(name)))  # fmt: skip
    return node


def _turn(label: Mapping[str, Any], node: Node) -> tuple[float, float, float]:
    """Return the turns: as they were written, where they still are the same."""
    own = tuple(label["cuboid3d"][k] for k in ("qw", "qx", "qy", "qz"))
    try:
        before = [float(node.value(name)) for name in TURN]
    except ValueError:
        before = [0.0, 0.0, label.get("yaw_stated") or 0.0]
    same = abs(np.dot(quaternion(*before), own)) > 1 - 1e-12
    return (before[0], before[1], before[2]) if same else angles(*own)


def _stated(label: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    more = label.get("attributes", {})
    for name in STATED:
        if name == "state":
            kept = "1" if label.get("keyframe") is False else str(LABELLED)
            yield name, str(int(more[name])) if name in more else kept
        elif name == "occlusion":
            yield name, number_text(label.get("occluded", -1.0))
        else:
            yield name, number_text(float(more.get(name, -1)))


FORMAT = Tracklets()
