"""Label Studio: a JSON file of tasks, each with annotations of several results.

Places are in percent of the image; a box turns about its upper left corner, in degrees, clockwise.
What is no shape (choices, text, relations, predictions) stays with its task.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from labelstore.plugins import Beside
from labelstore.plugins.pages import Page, PageFormat, sides_of, window
from labelstore_converters.jsonpage import parsed
from labelstore_converters.people import JsonPeople

SHAPES = {
    "rectanglelabels": "rectanglelabels", "polygonlabels": "polygonlabels",
    "ellipselabels": "ellipselabels", "keypointlabels": "keypointlabels",
}  # fmt: skip
"""Types of results that are labels, and where their value names the class."""
ORIGINS = {"manual": "human", "prediction": "model", "prediction-changed": "human"}
"""Who drew a shape, by how the tool says that it came; one that a person changed is theirs."""
PASS = ("id", "lead_time", "parent_annotation", "parent_prediction", "ground_truth",
        "was_cancelled")  # fmt: skip
"""What is said of an annotation, the pass of one person over a task, and goes for each label."""
INDENT = re.compile(r"^\[\s*?\n([ \t]+)")


class LabelStudio(PageFormat):
    """Exports of Label Studio, as JSON."""

    name = "label-studio"
    pattern = "*.json"
    sign = r'^\s*\[\s*\{[\s\S]*"(annotations|data)"\s*:'
    one_file = True
    keeps_words = True
    columns = frozenset(
        {"box", "box_form", "rotated_box", "polygons", "ellipse", "keypoints", "keypoint_dims",
         "score", "review_state"}
    )  # fmt: skip

    people = JsonPeople()

    def parse(self, text: str, path: str, beside: Beside) -> Page:
        """Return the tasks' images and the shapes on them."""
        tasks = parsed(text)
        if not isinstance(tasks, list):
            raise ValueError("must be a list of tasks")
        faults: list[str] = []
        page = Page()
        for i, task in enumerate(tasks):
            if not isinstance(task, dict) or not isinstance(task.get("annotations", []), list):
                faults.append(f"[{i}]: is no task with annotations")
                continue
            _take(page, i, task, faults)
        if faults:
            raise ValueError(*faults)
        found = INDENT.match(text)
        indent = found[1] if found else None
        page.head = {"tasks": tasks, "indent": indent, "end": text[len(text.rstrip()) :],
                     "ascii": text.isascii()}  # fmt: skip
        return page

    def render(self, page: Page) -> str:
        """Return the text of a file."""
        head = page.head or {"tasks": [_task(i, item) for i, item in enumerate(page.items)],
                             "indent": "  ", "end": "\n", "ascii": True}  # fmt: skip
        own: dict[tuple[int, int], list[tuple[int, dict[str, Any]]]] = {}
        for number, label in enumerate(page.labels):
            kept = json.loads(label.get("leftovers") or "{}").get("result", {})
            task = label.get("item", 0)
            result = _result(label, kept.get("said"), page.items[task], number)
            place = own.setdefault((task, kept.get("annotation", 0)), [])
            place.append((kept.get("place", 1 << 30), result))
        tasks = []
        for i, task in enumerate(head["tasks"]):
            lists = [{**a, "result": _merged(a.get("result", []), own.get((i, j), []))}
                     for j, a in enumerate(task.get("annotations", []))]  # fmt: skip
            tasks.append({**task, "annotations": lists} if "annotations" in task else task)
        text = json.dumps(tasks, indent=head["indent"], ensure_ascii=head["ascii"])
        return text + str(head["end"])

    def cut(self, head: Any, places: Collection[int]) -> Any:
        """Return the head of a file without some of its tasks."""
        tasks = [task for i, task in enumerate(head["tasks"]) if i not in places]
        return {**head, "tasks": tasks}

    def holds(self, label: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
        """Say whether a label has a shape that the tool can draw, of a class."""
        return bool(label.get("category")) and _value(label, 100.0, 100.0) is not None


def _take(page: Page, at: int, task: dict[str, Any], faults: list[str]) -> None:
    """Add a task's image and its shapes to a page."""
    media = [v for v in (task.get("data") or {}).values() if isinstance(v, str)]
    size: tuple[int, int] | None = None
    for j, annotation in enumerate(task.get("annotations", [])):
        for k, result in enumerate(annotation.get("result", [])):
            if not _is_shape(result):
                continue
            size = size or (result["original_width"], result["original_height"])
            said = {"annotation": j, "place": k, "said": result}
            columns = _columns(result, f"[{at}].annotations[{j}].result[{k}]", faults)
            own = {name: annotation[name] for name in PASS if annotation.get(name) is not None}
            kept = json.dumps({"result": said, "pass": own})
            page.labels.append({**columns, **_made(annotation, result), **_reviewed(annotation),
                                "item": at, "leftovers": kept})  # fmt: skip
    w, h = size or (None, None)
    uri = media[0] if media else f"task {task.get('id', at)}"
    page.items.append({"uri": uri, "width": w, "height": h})


def _made(annotation: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """Return who made a label, when, and whether a person or a model drew it."""
    found = {"by": _person(annotation.get("completed_by")),
             "created_at": _moment(annotation.get("created_at")),
             "origin": ORIGINS.get(str(result.get("origin")))}  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def _reviewed(annotation: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the last review of an annotation says, if there is one."""
    reviews = annotation.get("reviews")
    last = reviews[-1] if isinstance(reviews, list) and reviews else None
    if not isinstance(last, dict) or not isinstance(last.get("accepted"), bool):
        return {}
    found = {"review_state": "accepted" if last["accepted"] else "rejected",
             "reviewer": _person(last.get("created_by")),
             "reviewed_at": _moment(last.get("created_at"))}  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def _person(said: Any) -> str | None:
    """Return a person as an agent; the tool's own number stands for one that it does not tell."""
    if isinstance(said, dict):
        said = said.get("email") or said.get("username") or said.get("id")
    by = f"label-studio-user-{said}" if isinstance(said, int) else said
    return f"human:{by}" if by else None


def _moment(said: Any) -> datetime | None:
    """Return a point in time; None for what says none."""
    try:
        found = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _is_shape(result: Any) -> bool:
    if not isinstance(result, dict) or result.get("type") not in SHAPES:
        return False
    sides = [result.get(k) for k in ("original_width", "original_height")]
    value = result.get("value")
    named = isinstance(value, dict) and len(value.get(SHAPES[result["type"]]) or []) == 1
    return named and all(type(s) is int and s > 0 for s in sides)


def _columns(result: Mapping[str, Any], where: str, faults: list[str]) -> dict[str, Any]:
    """Return a result as a label, in pixels."""
    value, kind = result["value"], result["type"]
    across, down = result["original_width"] / 100, result["original_height"] / 100
    try:
        shape = _shape(kind, value, across, down)
    except (KeyError, TypeError, ValueError) as error:
        faults.append(f"{where}, value: {error} is missing or no number")
        shape = {}
    score = result.get("score")
    more = {"score": float(score)} if isinstance(score, int | float) else {}
    name = value[SHAPES[kind]][0]
    if name is not None and not isinstance(name, str):
        faults.append(f"{where}, value.{SHAPES[kind]}: must be text, is {name!r}")
        name = None
    return {"category": name or None, **shape, **more}


def _shape(kind: str, value: Mapping[str, Any], across: float, down: float) -> dict[str, Any]:
    if kind == "polygonlabels":
        return {"polygons": [[v for x, y in value["points"] for v in (x * across, y * down)]]}
    x, y = value["x"] * across, value["y"] * down
    if kind == "keypointlabels":
        return {"keypoints": [x, y], "keypoint_dims": 2, "kind": "points"}
    angle = math.radians(value.get("rotation") or 0)
    if kind == "ellipselabels":
        radii = {"rx": value["radiusX"] * across, "ry": value["radiusY"] * down}
        return {"ellipse": {"cx": x, "cy": y, **radii, "angle": angle}}
    w, h = value["width"] * across, value["height"] * down
    if not angle:
        return {"box": {"v0": x, "v1": y, "v2": w, "v3": h}, "box_form": "xywh"}
    cos, sin = math.cos(angle), math.sin(angle)
    cx, cy = x + w / 2 * cos - h / 2 * sin, y + w / 2 * sin + h / 2 * cos
    return {"rotated_box": {"cx": cx, "cy": cy, "w": w, "h": h, "angle": angle}}


def _value(label: Mapping[str, Any], w: float, h: float) -> tuple[str, dict[str, Any]] | None:
    """Return type and value of a label's shape; None where there is no such.

    Args:
        label: in pixels.
        w: width of the image.
        h: its height.
    """
    across, down = 100 / w, 100 / h
    x: float
    y: float
    rings = label.get("polygons") or []
    if rings:
        pairs = zip(rings[0][::2], rings[0][1::2], strict=True)
        outline = [[x * across, y * down] for x, y in pairs]
        return ("polygonlabels", {"points": outline, "closed": True}) if len(rings) == 1 else None
    points = label.get("keypoints")
    if points is not None and len(points) == 2:
        where = {"x": points[0] * across, "y": points[1] * down}
        return "keypointlabels", {**where, "width": 0.2}
    ellipse, turned, box = (label.get(k) for k in ("ellipse", "rotated_box", "box"))
    if ellipse is not None:
        return "ellipselabels", {
            "x": ellipse["cx"] * across, "y": ellipse["cy"] * down,
            "radiusX": ellipse["rx"] * across, "radiusY": ellipse["ry"] * down,
            "rotation": math.degrees(ellipse["angle"]),
        }  # fmt: skip
    if turned is not None:
        cos, sin = math.cos(turned["angle"]), math.sin(turned["angle"])
        x = turned["cx"] - turned["w"] / 2 * cos + turned["h"] / 2 * sin
        y = turned["cy"] - turned["w"] / 2 * sin - turned["h"] / 2 * cos
        sides = x, y, turned["w"], turned["h"], math.degrees(turned["angle"])
    elif box is not None:
        left, top, wide, high = window(label)
        sides = left, top, wide, high, 0
    else:
        return None
    x, y, width, height, degrees = sides
    return "rectanglelabels", {"x": x * across, "y": y * down, "width": width * across,
                               "height": height * down, "rotation": degrees}  # fmt: skip


def _result(
    label: Mapping[str, Any], said: dict[str, Any] | None, item: Mapping[str, Any], number: int
) -> dict[str, Any]:
    """Return a label's result: as its source wrote it, where that still says the same.

    The tool knows regions by their ids, so that of a new one has its number in the file.
    """
    w, h = sides_of(item, label)
    kind, value = _value(label, w, h) or ("", {})
    if said is not None:
        faults: list[str] = []
        before = {k: v for k, v in _columns(said, "", faults).items() if k != "category"}
        same = all(label.get(k) == v for k, v in before.items()) and said["type"] == kind
        value = dict(said["value"]) if same else {**said["value"], **value}
    found = dict(said or {
        "original_width": w, "original_height": h, "image_rotation": 0, "id": "", "value": {},
        "from_name": "label", "to_name": "image", "origin": "manual",
    })  # fmt: skip
    if said is None:
        found["id"] = f"label-{number}"
    found |= {"type": kind, "value": {**value, **_named(kind, label)}}
    if label.get("score") is not None and found.get("score") != label["score"]:
        found["score"] = label["score"]
    return found


def _named(kind: str, label: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the class of a label as a member of a value; nothing where it has none."""
    name = label.get("category")
    return {} if name is None else {SHAPES.get(kind, "labels"): [name]}


def _merged(before: list[Any], own: list[tuple[int, dict[str, Any]]]) -> list[Any]:
    """Return results in their places: those that are no shapes as they were, labels among them."""
    others = [(k, result) for k, result in enumerate(before) if not _is_shape(result)]
    return [result for _, result in sorted([*others, *own], key=lambda pair: pair[0])]


def _task(number: int, item: Mapping[str, Any]) -> dict[str, Any]:
    annotation: dict[str, Any] = {"id": number + 1, "completed_by": None, "result": []}
    return {"id": number + 1, "data": {"image": item.get("uri", "")}, "annotations": [annotation]}


FORMAT = LabelStudio()
