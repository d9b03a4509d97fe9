"""DOTA: a text file an image, a line for each object: four corners, class, difficulty."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from labelstore.plugins import Beside
from labelstore.plugins.pages import Page, PageFormat
from labelstore_converters.numerals import number, number_text

LABELS, IMAGES = "labelTxt", "images"


class Dota(PageFormat):
    """Folders of DOTA's label files, `labelTxt`, with `images` beside them."""

    name = "dota"
    pattern = f"{LABELS}/**/*.txt"
    sign = r"(?m)^(-?\d[\d.]* ){8}\S+( \d)?\s*$"
    columns = frozenset({"corners", "difficult", "attributes"})
    unsaid = PageFormat.unsaid | {"width", "height"}

    def parse(self, text: str, path: str, beside: Beside) -> Page:
        """Return the image and the objects of a file."""
        faults: list[str] = []
        labels: list[dict[str, Any]] = []
        head: list[str] = []
        for place, line in enumerate(text.splitlines(), 1):
            tokens = line.split()
            if not labels and (":" in line or not tokens):
                head.append(line)
            elif not tokens:
                continue
            elif len(tokens) not in (9, 10):
                faults.append(f"line {place}: has {len(tokens)} columns; 9 or 10 make a label")
            else:
                labels.append(_label(line, tokens, place, faults))
        if faults:
            raise ValueError(*faults)
        bare = str(PurePosixPath(path).with_suffix("")).replace(LABELS, IMAGES)
        uri = f"{bare}.png"
        width, height = beside.size(uri) or (None, None)
        end = not text or text.endswith("\n")
        item = {"uri": uri, "width": width, "height": height}
        return Page([item], labels, {"lines": head, "end": end})

    def render(self, page: Page) -> str:
        """Return the text of a file."""
        head = page.head or {"lines": [], "end": True}
        lines = [*head["lines"], *map(_line, page.labels)]
        return "\n".join(lines) + ("\n" if lines and head["end"] else "")

    def holds(self, label: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
        """Say whether a label has corners and a class of one word."""
        return label.get("corners") is not None and len((label["category"] or "").split()) == 1

    def path_of(self, item: Mapping[str, Any]) -> str:
        """Return the file of an image."""
        path = PurePosixPath((item["uri"] or str(item["item_id"])).lstrip("/")).with_suffix(".txt")
        inside = [LABELS if part == IMAGES else part for part in path.parts]
        return "/".join(inside if LABELS in inside[:-1] else [LABELS, *inside])


def _label(line: str, tokens: list[str], place: int, faults: list[str]) -> dict[str, Any]:
    where = f"line {place}, column"
    corners = [number(t, f"{where} {i}", faults) for i, t in enumerate(tokens[:8], 1)]
    label: dict[str, Any] = {"corners": corners, "category": tokens[8]}
    if tokens[9:] in (["0"], ["1"]):
        label["difficult"] = tokens[9] == "1"
    elif tokens[9:]:
        label["attributes"] = {"difficulty": tokens[9]}
    return label if _line(label) == line else {**label, "leftovers": json.dumps({"line": line})}


def _line(label: Mapping[str, Any]) -> str:
    """Return a label's line; its numbers as its source wrote them, where they are the same."""
    kept = json.loads(label.get("leftovers") or "{}").get("line", "")
    before = (kept.split() + [""] * 8)[:8]
    tokens = [number_text(v, t) for v, t in zip(label["corners"], before, strict=True)]
    difficulty = label.get("attributes", {}).get("difficulty")
    if label.get("difficult") is not None:
        difficulty = str(int(label["difficult"]))
    tokens += [label["category"], *([difficulty] if difficulty is not None else [])]
    return str(kept) if kept.split() == tokens else " ".join(tokens)


FORMAT = Dota()
