"""Open Images: a CSV file of boxes, with corners as parts of the image."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from labelstore.errors import InvalidInput
from labelstore.plugins import Beside
from labelstore.plugins.pages import Page, PageFormat, edges, sides_of
from labelstore_converters.numerals import number

COLUMNS = ("ImageID", "Source", "LabelName", "Confidence", "XMin", "XMax", "YMin", "YMax",
           "IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside")  # fmt: skip
SIDES = ("XMin", "YMin", "XMax", "YMax")
FLAGS = {"IsOccluded": "occluded", "IsTruncated": "truncated", "IsGroupOf": "is_crowd"}
"""1, 0, or -1 where nobody knows."""


class OpenImages(PageFormat):
    """Files of boxes of Open Images; decimal commas are read too, and kept."""

    name = "open-images"
    has_parts = True
    pattern = "*b*ox*.csv"
    sign = r"^ImageID,"
    one_file = True
    columns = frozenset(
        {"box", "box_form", "frame", "occluded", "occluded_scale", "truncated", "is_crowd",
         "confidence", "attributes"}
    )  # fmt: skip
    unsaid = PageFormat.unsaid | {"width", "height"}

    def parse(self, text: str, path: str, beside: Beside) -> Page:
        """Return the images and their boxes."""
        newline = "\r\n" if "\r\n" in text else "\n"
        rows = csv.reader(io.StringIO(text, newline=""))
        header = next(rows, [])
        missing = [name for name in ("ImageID", "LabelName", *SIDES) if name not in header]
        if missing:
            raise ValueError(f"line 1: lacks the columns {', '.join(missing)}")
        faults: list[str] = []
        items: dict[str, int] = {}
        labels = []
        for row in _rows(rows, faults):
            if not row:
                continue
            if len(row) != len(header):
                said = f"has {len(row)} columns; the header has {len(header)}"
                faults.append(f"line {rows.line_num}: {said}")
                continue
            said_ = dict(zip(header, row, strict=True))
            at = items.setdefault(said_["ImageID"], len(items))
            size = beside.size(said_["ImageID"])
            where = f"line {rows.line_num}"
            labels.append({**_label(said_, size, where, faults), "item": at})
        if faults:
            raise ValueError(*faults)
        known = {uri: beside.size(uri) or (None, None) for uri in items}
        listed = [{"uri": uri, "width": w, "height": h} for uri, (w, h) in known.items()]
        head = {"header": header, "newline": newline, "end": text.endswith("\n")}
        return Page(listed, labels, head)

    def render(self, page: Page) -> str:
        """Return the text of a file."""
        head = page.head or {"header": list(COLUMNS), "newline": "\n", "end": True}
        _refuse_doubles(page)
        out = io.StringIO()
        writer = csv.writer(out, lineterminator=head["newline"])
        writer.writerow(head["header"])
        for label in page.labels:
            row = _row(label, page.items[label.get("item", 0)])
            writer.writerow([row.get(name, "") for name in head["header"]])
        text = out.getvalue()
        return text if head["end"] else text.removesuffix(head["newline"])

    def holds(self, label: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
        """Say whether a label has a box and a class."""
        return label.get("box") is not None and bool(label.get("category"))


def _refuse_doubles(page: Page) -> None:
    """Refuse images of one name, whose rows nobody could tell apart."""
    counts = Counter(page.items[i]["uri"] for i in {label.get("item", 0) for label in page.labels})
    for uri, count in counts.items():
        if count > 1:
            raise InvalidInput(f"{uri}: {count} images have this name, and labels are found by it",
                               code="open-images-shared")  # fmt: skip


def _rows(rows: Any, faults: list[str]) -> Iterator[list[str]]:
    try:
        yield from rows
    except csv.Error as error:
        faults.append(f"line {rows.line_num}: {error}")


def _label(
    row: dict[str, str], size: tuple[int, int] | None, where: str, faults: list[str]
) -> dict[str, Any]:
    parts = [number(row[s].replace(",", "."), f"{where}, {s}", faults) for s in SIDES]
    scale = [*size, *size] if size else [1, 1, 1, 1]
    label: dict[str, Any] = {
        "category": row["LabelName"] or None, "box_form": "xyxy",
        "frame": None if size else "unit",
        "box": {f"v{i}": p * s for i, (p, s) in enumerate(zip(parts, scale, strict=True))},
    }  # fmt: skip
    for name, column in FLAGS.items():
        if row.get(name) in ("0", "1"):
            label[column] = row[name] == "1" if column == "is_crowd" else float(row[name])
    if "occluded" in label:
        label["occluded_scale"] = "flag"
    if row.get("Confidence"):
        value = number(row["Confidence"].replace(",", "."), f"{where}, Confidence", faults)
        label["confidence"] = value if 0 <= value <= 1 else None
    more = {n: row[n] for n in row if n not in (*SIDES, *FLAGS, "ImageID", "LabelName",
                                                "Confidence") and row[n]}  # fmt: skip
    if more:
        label["attributes"] = more
    return {**label, "leftovers": json.dumps({"row": row})}


def _row(label: Mapping[str, Any], item: Mapping[str, Any]) -> dict[str, str]:
    """Return a label's row; its texts as its source wrote them, where they say the same."""
    kept: dict[str, str] = json.loads(label.get("leftovers") or "{}").get("row", {})
    w, h = sides_of(item, label)
    values = edges(label)
    category = label.get("category")
    row = {
        "ImageID": item["uri"],
        "LabelName": kept.get("LabelName", "") if category is None else category,
    }
    for edge, place, side in zip(SIDES, values, (w, h, w, h), strict=True):
        before = kept.get(edge, "")
        same = before and _read(before) * side == place
        row[edge] = before if same else repr(place / side)
    for name, column in FLAGS.items():
        value = label.get(column)
        before = kept.get(name, "-1" if not kept else "")
        row[name] = before if value is None else str(int(value))
    if label.get("confidence") is not None:
        before = kept.get("Confidence", "")
        same = before and _read(before) == label["confidence"]
        row["Confidence"] = before if same else repr(label["confidence"])
    return {**row, **{k: str(v) for k, v in label.get("attributes", {}).items()}}


def _read(text: str) -> float:
    return float(text.replace(",", "."))


FORMAT = OpenImages()
