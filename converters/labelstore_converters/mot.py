"""MOTChallenge: `SEQUENCE/gt/gt.txt`, a line for each box: frame, track, box, and what follows.

Frames and pixels count from 1 in these files; frames count from 0 in the store, boxes stay as they
are. Source: TrackEval's description of the format.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from configparser import ConfigParser, Error
from pathlib import PurePosixPath
from typing import Any

from labelstore.plugins import Beside
from labelstore.plugins.pages import Page, PageFormat, window
from labelstore_converters.numerals import number, number_text

CLASSES = (
    "pedestrian", "person on vehicle", "car", "bicycle", "motorbike", "non motorized vehicle",
    "static person", "distractor", "occluder", "occluder on ground", "occluder full",
    "reflection", "crowd",
)  # fmt: skip
"""Of MOT16 and later, from 1."""
NUMBERED = re.compile(r"class ([0-9]+)")
"""What classes without a name are called."""
MOST_FRAMES = 1_000_000
INFO, NAMES = "../seqinfo.ini", "labels.txt"
BOX = slice(2, 6)


class Mot(PageFormat):
    """Sequences of MOTChallenge, their ground truth."""

    name = "mot"
    lists_classes = True
    pattern = "gt/gt.txt"
    sign = r"(?m)^\d+\s*,\s*-?\d+\s*,"
    of_sequences = True
    companions = (INFO, NAMES)
    columns = frozenset({"box", "box_form", "score", "ignore", "attributes", "track_id"})
    unsaid = frozenset({"labelled_state"})
    lists: Mapping[str, frozenset[str]] = {
        "items": frozenset(
            {"modality", "uri", "width", "height", "parent_id", "frame_index", "labelled_state"}
        ),
        "categories": frozenset({"name"}),
    }

    def parse(self, text: str, path: str, beside: Beside) -> Page:
        """Return the sequence, its frames and their boxes."""
        faults: list[str] = []
        info = _info(beside.files.get(INFO, ""), faults)
        names = beside.files.get(NAMES, "").splitlines()
        labels = []
        for place, line in enumerate(text.splitlines(), 1):
            if line.strip():
                labels.append(_label(line, place, names, faults))
        if faults:
            raise ValueError(*faults)
        folder = PurePosixPath(path).parent.parent
        name = info.get("name", folder.name)
        sequence = str(folder) if folder.name == name and name else name or "sequence"
        length = max([int(info.get("seqlength", 0)), *(label["item"] for label in labels)])
        sides = {k: int(info[n]) for k, n in (("width", "imwidth"), ("height", "imheight"))
                 if n in info}  # fmt: skip
        frames = [
            {"modality": "frame", "parent_id": 0, "frame_index": i, **sides,
             "uri": str(PurePosixPath(sequence, info.get("imdir", "img1"), f"{i + 1:06d}"))
                    + info.get("imext", ".jpg")}
            for i in range(length)
        ]  # fmt: skip
        head = {"files": dict(beside.files), "end": text.endswith("\n")}
        return Page([{"modality": "video", "uri": sequence}, *frames], labels, head, names)

    def render(self, page: Page) -> str:
        """Return the text of a file."""
        head = page.head or {"files": {}, "end": True}
        numbers = [item.get("frame_index", -1) + 1 for item in page.items]
        names = self._names(page)
        lines = [_line(label, numbers, names) for label in page.labels]
        return "\n".join(lines) + ("\n" if lines and head["end"] else "")

    def _names(self, page: Page) -> list[str]:
        """Return the names of classes, by their number less one."""
        listed = (page.head or {}).get("files", {}).get(NAMES)
        if listed is not None:
            return _with(listed.splitlines() or list(CLASSES), page)
        if page.head is not None:
            return _with(list(CLASSES), page)
        used = {label.get("category") for label in page.labels}
        usual = used >= {*page.classes} <= {*CLASSES}
        return list(CLASSES) if usual else _with(page.classes, page)

    def companions_of(self, page: Page) -> Mapping[str, str]:
        """Return what says the length of the sequence, and the names of its classes."""
        if page.head is not None:
            files, names = dict(page.head["files"]), self._names(page)
            known = files.get(NAMES, "").splitlines() or list(CLASSES)
            return files if names == known else {**files, NAMES: "".join(f"{n}\n" for n in names)}
        frames = [item for item in page.items if item.get("frame_index") is not None]
        if not frames:
            return {}
        first, last = frames[0], max(item["frame_index"] for item in frames)
        place = PurePosixPath(first["uri"])
        videos = (item["uri"] for item in page.items if item.get("modality") == "video")
        sequence = PurePosixPath(next(videos, None) or str(place.parent.parent))
        inside = place.is_relative_to(sequence)
        lines = ["[Sequence]", f"name={sequence.name}",
                 f"imDir={place.parent.relative_to(sequence) if inside else 'img1'}",
                 f"seqLength={last + 1}",
                 *(f"im{k.capitalize()}={first[k]}" for k in ("width", "height") if first.get(k)),
                 f"imExt={place.suffix or '.jpg'}"]  # fmt: skip
        names = self._names(page)
        own = {} if names == list(CLASSES) else {NAMES: "".join(f"{n}\n" for n in names)}
        return {INFO: "\n".join(lines) + "\n", **own}

    def holds(self, label: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
        """Say whether a label has a box."""
        return label.get("box") is not None

    def path_of(self, item: Mapping[str, Any]) -> str:
        """Return the file of a sequence, or of that of a frame."""
        path = PurePosixPath((item["uri"] or str(item["item_id"])).lstrip("/"))
        if item["frame_index"] is not None:
            path = path.parent.parent if path.parent.name == "img1" else path.parent
        sequence = path
        return str(sequence / "gt/gt.txt")


def _with(names: list[str], page: Page) -> list[str]:
    """Return names of classes with those that labels use and that are not among them."""
    used = [label["category"] for label in page.labels if label.get("category")]
    own = set(names)
    more = [n for n in dict.fromkeys(used) if n not in own and not NUMBERED.fullmatch(n)]
    return [*names, *more]


def _info(text: str, faults: list[str]) -> dict[str, str]:
    found = ConfigParser(interpolation=None)
    try:
        found.read_string("\n".join(line.strip() for line in text.splitlines()))
    except Error as error:
        faults.append(f"seqinfo.ini: {str(error).splitlines()[0]}")
    said = dict(found["Sequence"]) if found.has_section("Sequence") else {}
    for name in ("seqlength", "imwidth", "imheight"):
        if name in said and not re.fullmatch("[0-9]{1,6}", said[name]):
            faults.append(f"seqinfo.ini, {name}: {said.pop(name)!r} is no number")
    return said


def _label(line: str, place: int, names: list[str], faults: list[str]) -> dict[str, Any]:
    tokens = [token.strip() for token in line.split(",")]
    if len(tokens) < 7:
        faults.append(f"line {place}: has {len(tokens)} columns; 7 to 10 make a label")
        return {"item": 0}
    values = [number(t, f"line {place}, column {i}", faults) for i, t in enumerate(tokens, 1)]
    if values[1] % 1 or abs(values[1]) >= 1 << 53:
        faults.append(f"line {place}, column 2: {tokens[1]!r} is no track")
    if values[0] % 1 or not 1 <= values[0] <= MOST_FRAMES:
        faults.append(f"line {place}, column 1: {tokens[0]!r} is no frame")
    label: dict[str, Any] = {
        "item": int(max(values[0], 0)), "box_form": "xywh", "score": values[6],
        "box": {f"v{i}": v for i, v in enumerate(values[BOX])},
        "ignore": True if values[6] == 0 else None, "track": _track(values[1]),
    }  # fmt: skip
    if len(tokens) in (8, 9):
        label["category"] = _class(values[7], names)
        label["attributes"] = dict(zip(["visibility"], values[8:], strict=False))
    elif len(tokens) > 9:
        label["attributes"] = dict(zip("xyz", values[7:10], strict=False))
    return (
        label if _same(label, line, names) else {**label, "leftovers": json.dumps({"line": line})}
    )


def _track(value: float) -> int | None:
    return None if value == -1 else int(value)


def _class(value: float, names: list[str]) -> str:
    known = names or CLASSES
    name = known[int(value) - 1] if 1 <= value <= len(known) else ""
    return name or f"class {int(value)}"


def _same(label: dict[str, Any], line: str, names: list[str]) -> bool:
    return _line(label, range(label["item"] + 1), names or list(CLASSES)) == line


def _line(label: Mapping[str, Any], frames: Any, names: list[str]) -> str:
    """Return a label's line; its numbers as its source wrote them, where they are the same."""
    kept = json.loads(label.get("leftovers") or "{}").get("line", "")
    track = label.get("track")
    values: list[float] = [frames[label["item"]], -1 if track is None else track, *window(label)]
    values.append(label.get("score", 0.0 if label.get("ignore") else 1.0))
    more = label.get("attributes", {})
    if label.get("category"):
        name = label["category"]
        values.append(names.index(name) + 1 if name in names else int(name.split()[-1]))
        values += [more["visibility"]] if "visibility" in more else []
    else:
        values += [more[k] for k in "xyz" if k in more]
    before = [token.strip() for token in kept.split(",")] if kept else []
    before += [""] * len(values)
    tokens = [number_text(float(v), t) for v, t in zip(values, before, strict=False)]
    same = [token.strip() for token in kept.split(",")] == tokens
    return str(kept) if same else ",".join(tokens)


FORMAT = Mot()
