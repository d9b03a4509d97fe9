"""What pages lose, found by reading what would be written."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from labelstore.plugins.format import Lost, Told, Writing
from labelstore.plugins.pages.comparing import alike, compared, distance
from labelstore.plugins.pages.page import CONTENT, Page, PageRules
from labelstore.plugins.pages.writing import pages_of, read_back, text_of


def losses(converter: PageRules, data: Writing) -> Lost:
    """Return what differs when what is written is read again, by code.

    Args:
        converter: what writes.
        data: what is to be written; its annotations are read through.
    """
    found = Lost()
    pages = pages_of(converter, data)
    for filed in pages.values():
        found["rewritten"] += text_of(converter, filed)[1]
        back = read_back(converter, filed)
        found.update(_differences(filed.page, back))
        found.largest = max(found.largest, _largest(filed.page, back))
        found.update(_items(converter, filed.page.items, back.items))
    written = sum(len(filed.rows) for filed in pages.values())
    found["left-out"] += data.annotation_count - written
    gone = {f"changes-{c}" for names in CONTENT.values() for c in names} - {
        f"changes-{c}" for c in converter.carries
    }  # told by their column
    for code in gone:
        found.pop(code, None)
    return found.begun(converter.name)


def _pairs(page: Page, back: Page) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield labels as they are and as they are read: the k-th of an item is its k-th in the file.

    Labels of tracks stand by track instead, in the order of the page.
    """
    sides = [page.labels, back.labels]
    if not any(label.get("track") is not None for label in page.labels):
        sides = [sorted(labels, key=lambda label: label.get("item", 0)) for labels in sides]
    return zip(*sides, strict=True)


def _largest(page: Page, back: Page) -> float:
    """Return the largest distance of two numbers that are told to be the same."""
    if len(page.labels) != len(back.labels):
        return 0.0
    pairs = ((compared(a), compared(b)) for a, b in _pairs(page, back))
    return max((distance(a, b) for a, b in pairs if a.keys() == b.keys()), default=0.0)


def _differences(page: Page, back: Page) -> Counter[str]:
    """Return how many labels read as something else, by what differs."""
    found: Counter[str] = Counter()
    if len(page.labels) != len(back.labels):
        found["left-out"] += abs(len(page.labels) - len(back.labels))
        return found
    for label, read in _pairs(page, back):
        found["class"] += label.get("category") != read.get("category")
        found["track"] += (label.get("track") is None) != (read.get("track") is None)
        before, after = compared(label), compared(read)
        for name in before.keys() | after.keys():
            found[f"changes-{name}"] += not alike(before.get(name), after.get(name))
    return found


def _items(
    converter: PageRules, items: list[dict[str, Any]], back: list[dict[str, Any]]
) -> Counter[str]:
    """Return how many items say something that they do not say when read again."""
    names = sorted(converter.lists["items"] - converter.unsaid - {"uri", "parent_id"})
    return Counter(
        f"drops-items.{name}"
        for item, read in zip(items, _paired(items, back), strict=True)
        for name in names
        if read and item.get(name) is not None and read.get(name) != item[name]
    )


def uris(converter: PageRules, data: Writing) -> list[str]:
    """Return the URI under which each item comes back."""
    found: dict[int, str] = {}
    for filed in pages_of(converter, data).values():
        back = read_back(converter, filed).items
        for number, read in zip(filed.items, _paired(filed.page.items, back), strict=True):
            found[number] = read.get("uri") or ""
    return [found.get(item, "") for item in data.items.column("item_id").to_pylist()]


def _paired(items: list[dict[str, Any]], back: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each item as it is read; nothing for one that the file does not list.

    A frame is known by its number, others by their own URI, or by their place where none is left
    out.
    """
    frames = {b["frame_index"]: b for b in back if b.get("frame_index") is not None}
    named: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for read in reversed(back):
        named[read.get("uri")].append(read)
    found: list[dict[str, Any]] = []
    for i, item in enumerate(items):
        uri = item.get("uri")
        if frames and item.get("frame_index") is not None:
            found.append(frames.get(item["frame_index"], {}))
        elif named[uri] or len(items) != len(back):
            found.append(named[uri].pop() if named[uri] else {})
        else:
            found.append(back[i])
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
