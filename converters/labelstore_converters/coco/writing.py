"""Writing a COCO file: the same values, types, order and text as the source had."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.model.tables import TABLES
from labelstore.plugins import Writing, whole_file
from labelstore_converters.coco.annotation_objects import annotation_objects
from labelstore_converters.coco.annotation_texts import AnnotationTexts
from labelstore_converters.coco.gaps import Gaps
from labelstore_converters.coco.listed_objects import (
    category_object,
    image_object,
    track_object,
    video_object,
)
from labelstore_converters.coco.names import Names, tracks_stand_alone

ALWAYS = ["images", "annotations", "categories"]
DEFAULT_TOP = ["info", "licenses", *ALWAYS]
DEFAULT_STYLE = {"indent": None, "separators": [", ", ": "], "ensure_ascii": True}
Pair = tuple[pa.RecordBatch, pa.RecordBatch]
LARGE = 64 << 20
"""Bytes of shapes that become text at a time."""
CHUNK = 10_000
"""Images that are made into objects at a time."""
ITEM = ["uri", "width", "height", "modality", "parent_id", "frame_index", "sources"]
CATEGORY = ["name", "supercategory", "keypoint_names", "skeleton", "is_thing", "color", "sources"]
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
        self._gaps = Gaps(style["indent"], *style["separators"])
        self._ascii = bool(style["ensure_ascii"])

    def document(
        self, data: Writing, described: dict[str, Any], file: dict[str, Any]
    ) -> Iterator[int]:
        """Write the whole document, key by key in the source's order."""
        if file.get("bom"):
            self._out(b"\xef\xbb\xbf")
        orders = described.get("key_orders", {})
        others = {**described.get("keys", {}), **_stated(data.dataset)}
        names = Names.of(data, described)
        listed = _lists(data, names)
        top = described.get("top") or [k for k in DEFAULT_TOP if k in others or k in ALWAYS]
        top += [k for k in listed if listed[k][0].num_rows and _is_needed(k, top, described)]
        self._out(b"{" if top else b"{}")
        for i, key in enumerate(top):
            self._out((self._gap(1, first=i == 0) + json.dumps(key) + self._gaps.colon).encode())
            if key == "annotations":
                yield from self.annotations(data, orders.get(key), names)
            elif key in listed and key not in others:
                self._list(*listed[key], orders.get(key), names)
            else:
                self._out(self._careful(others.get(key), 1))
        if top:
            self._out((self._gap(0, first=True) + "}").encode())
        if file.get("final_newline"):
            self._out(b"\n")

    def annotations(
        self, data: Writing, order: Sequence[str] | None, names: Names
    ) -> Iterator[int]:
        """Write the list of annotations, yielding how many there are so far."""
        texts = AnnotationTexts(self._gaps, self._depth, names, order, ascii_only=self._ascii)
        count = 0
        for rows, shapes in _cut(on_images(data.annotations, names.videos)):
            found = texts.of(rows, shapes) if self._gaps.are_usual else pa.nulls(len(rows))
            bare = found.is_null()
            objects = annotation_objects(rows.filter(bare), shapes.filter(bare), names, order)
            if len(objects) == len(rows):
                self.members(objects, begun=count > 0)
            else:
                self._texts(found, objects, begun=count > 0)
            count += len(rows)
            yield count
        self.close_list(begun=count > 0)

    def _texts(self, texts: pa.StringArray, objects: list[dict[str, Any]], *, begun: bool) -> None:
        """Write members of a list as their texts, or as objects where these are null."""
        others = pa.array([self._joined([o]).decode() for o in objects], pa.string())
        texts = pc.replace_with_mask(texts, texts.is_null(), others)
        lists = pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts)
        self._members(pc.binary_join(lists, self._gaps.between(self._depth))[0].as_buffer(),
                      begun=begun)  # fmt: skip

    def close_list(self, *, begun: bool) -> None:
        """End a list."""
        self._out((self._gap(self._depth - 1, first=True) + "]").encode() if begun else b"[]")

    def _list(
        self, rows: pa.Table, made: Callable[..., dict[str, Any]], order: Any, names: Names
    ) -> None:
        """Write a list of images, videos, tracks or classes."""
        for begin in range(0, rows.num_rows, CHUNK):
            own = rows.slice(begin, CHUNK).to_pylist(maps_as_pydicts="strict")
            self.members([made(row, order, names) for row in own], begun=begin > 0)
        self.close_list(begun=rows.num_rows > 0)

    def members(self, objects: list[dict[str, Any]], *, begun: bool) -> None:
        """Write members of a list; the opening bracket goes before the first."""
        if not objects:
            return
        self._members(self._joined(objects), begun=begun)

    def _members(self, text: Any, *, begun: bool) -> None:
        opening = self._gap(self._depth, first=not begun)
        self._out((opening if begun else "[" + opening).encode())
        self._out(text)

    def _joined(self, objects: list[dict[str, Any]]) -> bytes:
        """Return the members' text, without brackets around them."""
        quick = msgspec.json.encode(objects) if self._gaps.are_usual else b"e0"
        if not self._gaps.are_usual or _has_odd_floats(quick):
            gap = self._gap(self._depth, first=False).encode()
            return gap.join(self._careful(o, self._depth) for o in objects)
        if self._gaps.indent:
            more = self._depth - 1
            nested = b"[" * more + quick + b"]" * more
            pretty = msgspec.json.format(nested, indent=self._gaps.indent)
            margin = sum(range(self._depth)) * self._gaps.indent
            ends = 2 * self._depth + margin
            quick = pretty[ends + self._depth * self._gaps.indent : -ends]
        elif self._gaps.comma == ", ":
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
            indent=self._gaps.indent,
            separators=(self._gaps.comma, self._gaps.colon),
            ensure_ascii=self._ascii,
        )
        if self._gaps.indent:
            text = text.replace("\n", "\n" + " " * (self._gaps.indent * depth))
        return text.encode()

    def _gap(self, depth: int, *, first: bool) -> str:
        """Return what stands before a member or a closing bracket at a depth."""
        return self._gaps.edge(depth) if first else self._gaps.between(depth)


def _stated(dataset: Any) -> dict[str, Any]:
    return {k: json.loads(dataset[k]) for k in ("info", "licenses") if dataset[k] is not None}


def _lists(
    data: Writing, names: Names
) -> dict[str, tuple[pa.Table, Callable[..., dict[str, Any]]]]:
    """Return the rows of each list but annotations, and what makes objects of them."""
    items = _listed(data.items, ITEM)
    videos = pc.equal(items.column("modality"), "video")
    tracks = TABLES["tracks"].schema.empty_table() if data.tracks is None else data.tracks
    return {
        "videos": (items.filter(videos), video_object),
        "tracks": (tracks, track_object),
        "images": (items.filter(pc.invert(videos)), image_object),
        "categories": (_listed(data.categories, CATEGORY), category_object),
    }


def _is_needed(key: str, top: Sequence[str], described: dict[str, Any]) -> bool:
    """Say whether a list goes beside those that a source has; tracks may stand in labels alone."""
    return key not in top and not (key == "tracks" and tracks_stand_alone(described))


def on_images(batches: Iterable[Pair], videos: Collection[int]) -> Iterator[Pair]:
    """Yield labels but for those of whole videos."""
    for rows, shapes in batches:
        own = pc.is_in(rows.column("item_id"), value_set=pa.array(sorted(videos), pa.int64()))
        if videos and pc.any(own).as_py():
            rows, shapes = rows.filter(pc.invert(own)), shapes.filter(pc.invert(own))
        yield rows, shapes


def _listed(rows: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return columns of the rows that the source lists; placeholders serve the annotations."""
    if "unlisted" in rows.column_names:
        mark = rows.column("unlisted")
    else:
        mark = pc.equal(rows.column("labelled_state"), "unlisted")
    return rows.filter(pc.invert(mark.fill_null(False))).select(names)


def _cut(batches: Iterable[Pair]) -> Iterator[Pair]:
    """Yield batches of which none is large, whatever its shapes are."""
    for rows, shapes in batches:
        count = max(1, len(rows) * LARGE // max(shapes.nbytes, LARGE))
        for begin in range(0, len(rows), count):
            yield rows.slice(begin, count), shapes.slice(begin, count)


def _has_odd_floats(text: bytes) -> bool:
    """Say whether a number may be written with an exponent, where writers differ."""
    if b"0.0000" in text:
        return True
    data = np.frombuffer(text, np.uint8)
    before = data[np.flatnonzero((data[1:] | 32) == ord("e"))]
    return bool(((before >= ord("0")) & (before <= ord("9"))).any())


def _escape(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]
