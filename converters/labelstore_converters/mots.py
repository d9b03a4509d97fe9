"""MOTS as text: a file a sequence, a line a mask: frame, object, class, height, width, runs.

The number of an object is class x 1000 + instance; 10000, of class 10, is a region to be ignored.
Source: TrackEval's description of the format.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from labelstore.plugins import Beside
from labelstore.plugins.pages import Page, PageFormat

CLASSES = {1: "car", 2: "pedestrian", 10: "ignore"}
NUMBERS = {name: number for number, name in CLASSES.items()}
MOST_FRAMES = 1_000_000
COLUMNS = ("frame", "object", "class", "height", "width")


class Mots(PageFormat):
    """Sequences of KITTI MOTS and MOTSChallenge, as text."""

    name = "mots"
    pattern = "*.txt"
    sign = r"(?m)^\d+ \d+ \d+ \d+ \d+ \S+$"
    of_sequences = True
    columns = frozenset({"mask", "ignore", "track_id"})
    unsaid = frozenset({"labelled_state"})
    lists: Mapping[str, frozenset[str]] = {
        "items": frozenset(
            {"modality", "uri", "width", "height", "parent_id", "frame_index", "labelled_state"}
        ),
        "categories": frozenset({"name"}),
    }

    def parse(self, text: str, path: str, beside: Beside) -> Page:
        """Return the sequence, its frames and their masks."""
        faults: list[str] = []
        found = [_values(line, place, faults)
                 for place, line in enumerate(text.splitlines(), 1) if line.strip()]  # fmt: skip
        if faults:
            raise ValueError(*faults)
        sequence = str(PurePosixPath(path).with_suffix(""))
        length = max((values[0] + 1 for values, _, _ in found), default=0)
        h, w = next(((v[3], v[4]) for v, _, _ in found), (None, None))
        frames = [{"modality": "frame", "parent_id": 0, "frame_index": i, "width": w, "height": h,
                   "uri": f"{sequence}/{i:06d}.png"} for i in range(length)]  # fmt: skip
        labels = [_label(*each) for each in found]
        head = {"end": text.endswith("\n")}
        return Page([{"modality": "video", "uri": sequence}, *frames], labels, head)

    def render(self, page: Page) -> str:
        """Return the text of a file."""
        head = page.head or {"end": True}
        lines = [_line(label, page) for label in page.labels]
        return "\n".join(lines) + ("\n" if lines and head["end"] else "")

    def holds(self, label: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
        """Say whether a label is a mask of COCO's runs of a whole image, of a known class."""
        mask = label.get("mask")
        whole = mask is not None and mask["encoding"] == "coco_rle" and mask["x0"] is None
        known = _number(label.get("category")) is not None and label.get("track") is not None
        return whole and known

    def path_of(self, item: Mapping[str, Any]) -> str:
        """Return the file of a sequence, or of that of a frame."""
        path = PurePosixPath((item["uri"] or str(item["item_id"])).lstrip("/"))
        return str(path.parent if item["frame_index"] is not None else path) + ".txt"


def _values(line: str, place: int, faults: list[str]) -> tuple[list[int], str, str]:
    """Return the numbers of a line, its runs, and the line."""
    tokens = line.split()
    if len(tokens) != len(COLUMNS) + 1:
        faults.append(f"line {place}: has {len(tokens)} columns; 6 make a label")
        return [0] * 5, "", line
    if tokens[0].isdecimal() and int(tokens[0]) > MOST_FRAMES:
        faults.append(f"line {place}, frame: {tokens[0]} is beyond {MOST_FRAMES:,}")
    for name, token in zip(COLUMNS, tokens, strict=False):
        if not token.isdigit():
            faults.append(f"line {place}, {name}: {token!r} is no whole number")
    if not all(48 <= ord(c) <= 111 for c in tokens[5]):
        faults.append(f"line {place}, runs: are none of COCO's")
    return [int(t) if t.isdigit() else 0 for t in tokens[:5]], tokens[5], line


def _label(values: list[int], runs: str, line: str) -> dict[str, Any]:
    frame, number, category, h, w = values
    window = {"x0": None, "y0": None, "counts": runs.encode()}
    label = {
        "item": 1 + frame, "track": number, "ignore": True if category == 10 else None,
        "mask": {"encoding": "coco_rle", "h": h, "w": w, **window},
        "category": CLASSES.get(category, f"class {category}"),
    }  # fmt: skip
    usual = " ".join(map(str, values)) + f" {runs}"
    return label if usual == line else {**label, "leftovers": json.dumps({"line": line})}


def _number(category: str | None) -> int | None:
    """Return the number of a class, None where it has none."""
    if category in NUMBERS:
        return NUMBERS[category]
    last = (category or "").removeprefix("class ")
    return int(last) if last.isdigit() else None


def _line(label: Mapping[str, Any], page: Page) -> str:
    kept = json.loads(label.get("leftovers") or "{}").get("line", "")
    mask = label["mask"]
    frame = page.items[label["item"]]["frame_index"]
    values = (frame, label["track"], _number(label["category"]), mask["h"], mask["w"])
    usual = " ".join(map(str, values)) + f" {mask['counts'].decode()}"
    return kept if kept.split() == usual.split() else usual


FORMAT = Mots()
