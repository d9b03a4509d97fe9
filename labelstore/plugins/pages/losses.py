"""What pages lose, found by reading what would be written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from math import isclose
from typing import Any

import numpy as np

from labelstore.plugins.format import Told, Writing
from labelstore.plugins.pages.page import CONTENT, Page, PageRules, columns_of
from labelstore.plugins.pages.writing import pages_of, read_back, text_of

STYLE = frozenset({"number_style", "leftovers"})
"""Columns that say how a source was written."""


def losses(converter: PageRules, data: Writing) -> Mapping[str, int]:
    """Return what differs when what is written is read again, by code.

    Args:
        converter: what writes.
        data: what is to be written; its annotations are read through.
    """
    found: Counter[str] = Counter()
    pages = pages_of(converter, data)
    for filed in pages.values():
        found["rewritten"] += text_of(converter, filed)[1]
        found.update(_differences(filed.page, read_back(converter, filed)))
    written = sum(len(filed.rows) for filed in pages.values())
    found["left-out"] += data.annotation_count - written
    gone = {f"changes-{c}" for names in CONTENT.values() for c in names} - {
        f"changes-{c}" for c in converter.carries
    }  # told by their column
    told = {code: n for code, n in found.items() if n and code not in gone}
    return {f"{converter.name}-{code}": count for code, count in told.items()}


def _differences(page: Page, back: Page) -> Counter[str]:
    """Return how many labels read as something else, by what differs."""
    found: Counter[str] = Counter()
    if len(page.labels) != len(back.labels):
        found["left-out"] += abs(len(page.labels) - len(back.labels))
        return found
    for label, read in zip(page.labels, back.labels, strict=True):
        found["class"] += label.get("category") != read.get("category")
        found["track"] += (label.get("track") is None) != (read.get("track") is None)
        before, after = _compared(label), _compared(read)
        for name in before.keys() | after.keys():
            found[f"changes-{name}"] += not _alike(before.get(name), after.get(name))
    return found


def _compared(label: Mapping[str, Any]) -> dict[str, Any]:
    columns = columns_of(label)
    if columns.get("box") is not None:
        columns["box"] = _edges(columns["box"], columns.pop("box_form", None))
    if columns.get("is_crowd") is False:
        del columns["is_crowd"]
    return {name: _plain(value) for name, value in columns.items() if name not in STYLE}


def _edges(box: Mapping[str, float], form: str | None) -> list[float]:
    """Return left, top, right and bottom of a box, whatever its form."""
    a, b, c, d = (box[f"v{i}"] for i in range(4))
    if form == "cxcywh":
        return [a - c / 2, b - d / 2, a + c / 2, b + d / 2]
    return [a, b, c, d] if form == "xyxy" else [a, b, a + c, b + d]


def _alike(before: Any, after: Any) -> bool:
    """Say whether two values are the same, but for the last bits of sums."""
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return all(_alike(a, b) for a, b in zip(before, after, strict=True))
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return before.keys() == after.keys() and all(
            _alike(v, after[k]) for k, v in before.items()
        )
    if isinstance(before, float) and isinstance(after, float):
        return isclose(before, after, rel_tol=1e-12, abs_tol=1e-9)
    return bool(before == after)


def _plain(value: Any) -> Any:
    """Return a value with no null members and no tuples, whose order is that of its keys."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def uris(converter: PageRules, data: Writing) -> list[str]:
    """Return the URI under which each item comes back."""
    found: dict[int, str] = {}
    for filed in pages_of(converter, data).values():
        back = read_back(converter, filed).items
        for number, uri in zip(filed.items, _names(filed.page.items, back), strict=True):
            found[number] = uri
    return [found.get(item, "") for item in data.items.column("item_id").to_pylist()]


def _names(items: list[dict[str, Any]], back: list[dict[str, Any]]) -> list[str]:
    """Return the URI of each item as it is read; nothing for one that the file does not list.

    A frame is known by its number, others by their own URI, or by their place where none is left
    out.
    """
    frames = {b["frame_index"]: b for b in back if b.get("frame_index") is not None}
    there = Counter(b.get("uri") for b in back)
    found = []
    for i, item in enumerate(items):
        if item.get("frame_index") is not None:
            read = frames.get(item["frame_index"], {})
        elif there[item.get("uri")] or len(items) != len(back):
            read = item if there[item.get("uri")] else {}
            there[item.get("uri")] -= bool(read)
        else:
            read = back[i]
        found.append(read.get("uri") or "")
    return found


def records(converter: PageRules, data: Writing) -> Iterator[Told]:
    """Yield annotations with whether a file has them, and in which order."""
    pages = pages_of(converter, data)
    held = np.zeros(data.annotation_count, np.int64)
    places = np.zeros(data.annotation_count, np.int64)
    for filed in pages.values():
        held[filed.rows] = 1
        first: dict[Any, int] = {}
        for row, label in zip(filed.rows, filed.page.labels, strict=True):
            track = label.get("track") if converter.by_track else None
            places[row] = -1 if track is None else first.setdefault(track, len(first))
    begin = 0
    for rows, _ in data.annotations:
        own = slice(begin, begin + len(rows))
        begin += len(rows)
        yield Told(rows, held[own], places[own])
