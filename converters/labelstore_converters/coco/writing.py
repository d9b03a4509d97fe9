"""Writing a COCO file: the same values, types, order and text as the source had."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from labelstore.plugins import Writing, whole_file
from labelstore_converters.coco.annotation_objects import annotation_objects
from labelstore_converters.coco.listed_objects import category_object, image_object, source_key

DEFAULT_TOP = ["info", "licenses", "images", "annotations", "categories"]
DEFAULT_STYLE = {"indent": None, "separators": [", ", ": "], "ensure_ascii": True}
NOT_ASCII = re.compile(r"[^\x00-\x7f]")


def write(data: Writing, target: Path) -> Iterator[int]:
    """Write a COCO file, yielding the number of annotations written so far.

    The file appears whole or not at all.
    """
    described = json.loads(data.dataset["leftovers"] or "{}")
    files = data.dataset["files"] or [{}]
    style = json.loads(files[0].get("json_style") or "null") or DEFAULT_STYLE
    with whole_file(target) as aside, open(aside, "wb") as file:
        yield from JsonText(file.write, style).document(data, described, files[0])


class JsonText:
    """JSON text in one style.

    Args:
        out: takes bytes.
        style: `indent`, `separators` and `ensure_ascii` as `json.dumps` takes them.
        depth: of the members of lists in the document.
    """

    def __init__(
        self, out: Callable[[bytes], object], style: dict[str, Any], *, depth: int = 2
    ) -> None:
        self._out, self._depth = out, depth
        self._indent: int | None = style["indent"]
        self._comma, self._colon = style["separators"]
        self._ascii = bool(style["ensure_ascii"])
        known = (None, (", ", ": ")), (None, (",", ":"))
        plain = (self._indent, (self._comma, self._colon))
        self._quick = plain in known or bool(self._indent and plain[1] == (",", ": "))

    def document(
        self, data: Writing, described: dict[str, Any], file: dict[str, Any]
    ) -> Iterator[int]:
        """Write the whole document, key by key in the source's order."""
        if file.get("bom"):
            self._out(b"\xef\xbb\xbf")
        orders = described.get("key_orders", {})
        others = {**described.get("keys", {}), **_stated(data.dataset)}
        top = described.get("top") or [
            k for k in DEFAULT_TOP if k in others or k in DEFAULT_TOP[2:]
        ]
        self._out(b"{" if top else b"{}")
        for i, key in enumerate(top):
            self._out((self._gap(1, first=i == 0) + json.dumps(key) + self._colon).encode())
            if key == "annotations":
                yield from self.annotations(data, orders.get(key))
            elif key == "images":
                order = orders.get(key)
                self._list([image_object(r, order) for r in _listed(data.items)])
            elif key == "categories":
                order = orders.get(key)
                self._list([category_object(r, order) for r in _listed(data.categories)])
            else:
                self._out(self._careful(others.get(key), 1))
        if top:
            self._out((self._gap(0, first=True) + "}").encode())
        if file.get("final_newline"):
            self._out(b"\n")

    def annotations(self, data: Writing, order: Sequence[str] | None) -> Iterator[int]:
        """Write the list of annotations, yielding how many there are so far."""
        images = {r["item_id"]: source_key(r) for r in _with_sources(data.items, "item_id")}
        classes = {
            r["category_id"]: source_key(r) for r in _with_sources(data.categories, "category_id")
        }
        count = 0
        for rows, shapes in data.annotations:
            objects = annotation_objects(rows, shapes, images, classes, order)
            self.members(objects, begun=count > 0)
            count += len(rows)
            yield count
        self.close_list(begun=count > 0)

    def close_list(self, *, begun: bool) -> None:
        """End a list."""
        self._out((self._gap(self._depth - 1, first=True) + "]").encode() if begun else b"[]")

    def _list(self, objects: list[dict[str, Any]]) -> None:
        self.members(objects, begun=False)
        self.close_list(begun=bool(objects))

    def members(self, objects: list[dict[str, Any]], *, begun: bool) -> None:
        """Write members of a list; the opening bracket goes before the first."""
        if not objects:
            return
        text = self._joined(objects)
        opening = self._gap(self._depth, first=not begun)
        self._out((opening if begun else "[" + opening).encode() + text)

    def _joined(self, objects: list[dict[str, Any]]) -> bytes:
        """Return the members' text, without brackets around them."""
        quick = msgspec.json.encode(objects) if self._quick else b"e0"
        if not self._quick or _has_odd_floats(quick):
            gap = self._gap(self._depth, first=False).encode()
            return gap.join(self._careful(o, self._depth) for o in objects)
        if self._indent:
            more = self._depth - 1
            nested = b"[" * more + quick + b"]" * more
            pretty = msgspec.json.format(nested, indent=self._indent)
            margin = sum(range(self._depth)) * self._indent
            ends = 2 * self._depth + margin
            quick = pretty[ends + self._depth * self._indent : -ends]
        elif self._comma == ", ":
            quick = msgspec.json.format(quick, indent=0)[1:-1]
        else:
            quick = quick[1:-1]
        return self._escaped(quick)

    def _escaped(self, text: bytes) -> bytes:
        if not self._ascii or text.isascii():
            return text
        return NOT_ASCII.sub(_escape, text.decode()).encode()

    def _careful(self, value: Any, depth: int) -> bytes:
        """Return one value's text by the standard library, at a depth of the document."""
        text = json.dumps(
            value,
            indent=self._indent,
            separators=(self._comma, self._colon),
            ensure_ascii=self._ascii,
        )
        if self._indent:
            text = text.replace("\n", "\n" + " " * (self._indent * depth))
        return text.encode()

    def _gap(self, depth: int, *, first: bool) -> str:
        """Return what stands before a member or a closing bracket at a depth."""
        if self._indent is None:
            return "" if first else self._comma
        line = "\n" + " " * (self._indent * depth)
        return line if first else self._comma.rstrip() + line


def _stated(dataset: Any) -> dict[str, Any]:
    return {k: json.loads(dataset[k]) for k in ("info", "licenses") if dataset[k] is not None}


def _with_sources(rows: pa.Table, key: str) -> Iterable[dict[str, Any]]:
    found: list[dict[str, Any]] = rows.select([key, "sources"]).to_pylist()
    return found


def _listed(rows: pa.Table) -> list[dict[str, Any]]:
    """Return the rows that the source lists; placeholders only serve the annotations."""
    return [
        row
        for row in rows.to_pylist(maps_as_pydicts="strict")
        if not row.get("unlisted") and row.get("labelled_state") != "unlisted"
    ]


def _has_odd_floats(text: bytes) -> bool:
    """Say whether a number may be written with an exponent, where writers differ."""
    data = np.frombuffer(text, np.uint8)
    before = data[np.flatnonzero((data[1:] | 32) == ord("e"))]
    return bool(((before >= ord("0")) & (before <= ord("9"))).any())


def _escape(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]
