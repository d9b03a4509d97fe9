"""Reading files of pages."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from labelstore.errors import FormatError, InvalidInput, NotFound
from labelstore.geometry.covering import COLUMNS, covering_boxes
from labelstore.model.arrow import with_column
from labelstore.model.kinds import SHAPES
from labelstore.model.tables import FAMILY, TABLES
from labelstore.plugins.pages.page import Page, PageRules, columns_of
from labelstore.plugins.reading import Beside, Piece, Reading

PIECE = 1_000
"""Files a piece."""
LABELS = 28
"""Bits of a place in the source that count labels of a file; the others count files."""
UNREADABLE = (AttributeError, KeyError, IndexError, OverflowError, RecursionError, TypeError)
"""What a converter runs into where a file has other things in places than it looks for."""


class PageReading(Reading):
    """Files of pages, opened; see `labelstore.plugins.Reading`.

    Args:
        converter: what reads them.
        source: a file, or a folder of them.
        beside: what is known of the media.

    Raises:
        NotFound: there is nothing there.
        InvalidInput: it has no files of the format.
        FormatError: files break the format; every fault is named.
    """

    def __init__(self, converter: PageRules, source: Path, beside: Beside) -> None:
        if not source.exists():
            raise NotFound(f"{source}: no such file or folder", code="source-missing")
        self._converter, self._source, self._beside = converter, source, beside
        self._paths = converter.files(source)
        if not self._paths:
            said = f"{source}: has no files {converter.pattern}"
            raise InvalidInput(said, code=f"{converter.name}-empty")
        self.notices: Mapping[str, int] = {}
        self.pieces = -(-len(self._paths) // PIECE)
        self._classes: dict[str, int] = {}
        self._tracks: dict[tuple[int, Any], dict[str, Any]] = {}
        self._authors: dict[str, int] = {}
        self._pages: list[Page] = []
        self._texts: list[str | None] = []
        self._digest, self._size = sha256(), 0
        self._read()

    def _read(self) -> None:
        faults: list[str] = []
        broken: list[str] = []
        for path, file in self._paths.items():
            before = len(faults)
            data = file.read_bytes()
            self._digest.update(path.encode() + b"\0" + data + b"\0")
            self._size += len(data)
            try:
                text = self._masked(data.decode("utf-8"))
                known = replace(self._beside, files=self._companions(file))
                page = self._converter.parse(text.removeprefix("\ufeff"), path, known)
            except UnicodeDecodeError as error:
                faults.append(f"{path}, byte {error.start}: is no UTF-8")
            except ValueError as error:
                faults += [f"{path}, {said}" for said in error.args]
            except UNREADABLE as error:
                said = f"{type(error).__name__}: {error}"
                faults.append(f"{path}: is not as {self._converter.name} has it ({said})")
            else:
                self._take(page)
                same = self._converter.render(page) == text
                self._texts.append(None if same else text)
            broken += [path] if len(faults) > before else []
        if self._beside.skip and broken:
            self.notices = {"files-skipped": len(broken)}
            self._paths = {p: f for p, f in self._paths.items() if p not in set(broken)}
            self.pieces = -(-len(self._paths) // PIECE)
        elif faults:
            code = f"{self._converter.name}-page"
            raise FormatError(str(self._source), faults, code=code)

    def _masked(self, text: str) -> str:
        """Return a file's text with pseudonyms for people, where names may not stand."""
        people, pseudonym = self._converter.people, self._beside.pseudonym
        return text if people is None or pseudonym is None else people.masked(text, pseudonym)

    def _companions(self, file: Path) -> dict[str, str]:
        names = ((name, file.parent / name) for name in self._converter.companions)
        return {name: p.read_bytes().decode("utf-8") for name, p in names if p.is_file()}

    def _take(self, page: Page) -> None:
        at = len(self._pages)
        self._pages.append(page)
        used = [label["category"] for label in page.labels if label.get("category") is not None]
        for name in [*page.classes, *used]:
            self._classes.setdefault(name, len(self._classes))
        for label in page.labels:
            for who in (label.get("by"), label.get("reviewer")):
                if who is not None:
                    self._authors.setdefault(who, len(self._authors))
            if label.get("track") is not None:
                self._tracks.setdefault((at, label["track"]), label)

    @property
    def agents(self) -> list[str]:
        """Return who made or reviewed labels, in the order of the files."""
        return list(self._authors)

    @property
    def said(self) -> dict[str, Any]:
        """Return what the first file says of the work that it comes from."""
        return self._pages[0].said if self._pages else {}

    @property
    def dataset(self) -> dict[str, Any]:
        """Return the fields of the `datasets` row; the digest is of all files together."""
        texts = zip(self._paths, self._pages, self._texts, strict=True)
        kept = [
            {"path": p, "head": page.head, "text": t} for p, page, t in texts if not page.items
        ]
        bare = {"bare": kept} if kept else {}
        file = {
            "path": self._source.name, "sha256": self._digest.hexdigest(), "size": self._size,
            "newline": "lf", "final_newline": True, "bom": False, "json_style": None,
        }  # fmt: skip
        return {
            "info": None,
            "licenses": None,
            "files": [file],
            "leftovers": _json({"pages": True, **bare}),
        }

    def items(self) -> pa.Table:
        """Return the items, in the order of the files."""
        rows: list[dict[str, Any]] = []
        for path, page, text in zip(self._paths, self._pages, self._texts, strict=True):
            base = len(rows)
            for i, item in enumerate(page.items):
                kept: Any = path
                if i == 0:
                    kept = {"path": path, "head": page.head, "text": text}
                source = {"dataset_id": 0, "seq": len(rows), "leftovers": _json({"page": kept})}
                parent = item.get("parent_id")
                rows.append({
                    "modality": "image", "labelled_state": "labelled" if page.labels else
                    "empty_file", **item, "item_id": len(rows), "sources": [source],
                    "parent_id": None if parent is None else base + parent, "row_hash": 0,
                })  # fmt: skip
        return self._table("items", rows)

    def categories(self) -> pa.Table:
        """Return the classes: as they are listed, then as labels use them."""
        rows = [
            {"category_id": i, "position": i, "name": name, "row_hash": 0,
             "sources": [{"dataset_id": 0, "seq": i}]}
            for name, i in self._classes.items()
        ]  # fmt: skip
        return pa.Table.from_pylist(rows, schema=TABLES["categories"].schema)

    def tracks(self) -> pa.Table | None:
        """Return the tracks; each of the class of its first label."""
        bases = self._bases()
        rows = []
        for i, ((page, key), label) in enumerate(self._tracks.items()):
            whole = type(key) is int
            rows.append({
                "track_id": i, "dataset_id": 0, "seq": i, "item_id": bases[page], "row_hash": 0,
                "category_id": self._classes.get(label.get("category", "")),
                "source_id": key if whole else None, "source_key": None if whole else _json(key),
            })  # fmt: skip
        return pa.Table.from_pylist(rows, schema=TABLES["tracks"].schema) if rows else None

    def _table(self, name: str, rows: list[dict[str, Any]]) -> pa.Table:
        """Return rows as a table.

        Raises:
            FormatError: values are beyond what columns can hold.
        """
        schema = TABLES[name].schema
        try:
            return pa.Table.from_pylist(rows, schema=schema)
        except (OverflowError, pa.ArrowException) as error:
            said = str(error).split(chr(10))[0]
            for row in rows:
                try:
                    pa.Table.from_pylist([row], schema=schema)
                except (OverflowError, pa.ArrowException):
                    at = bisect(self._bases(), row["item_id"]) - 1
                    said = f"{list(self._paths)[at]}: a number is beyond any column ({error})"
                    break
            code = f"{self._converter.name}-page"
            raise FormatError(str(self._source), [said], code=code) from error

    def _bases(self) -> list[int]:
        """Return the number of each file's first item."""
        sizes = [len(page.items) for page in self._pages]
        return [0, *accumulate(sizes)]

    def annotations(self, piece: int) -> Piece:
        """Return the labels of some files."""
        bases = self._bases()
        tracks = {key: i for i, key in enumerate(self._tracks)}
        begin = piece * PIECE
        rows = []
        for at, page in enumerate(self._pages[begin : begin + PIECE], begin):
            for i, label in enumerate(page.labels):
                seq = (at << LABELS) + i
                name, track = label.get("category"), label.get("track")
                found = columns_of(label)
                rows.append({
                    "kind": kind_of(found), **found, "seq": seq, "annotation_id": seq, "layer": "",
                    "item_id": bases[at] + label.get("item", 0), "row_hash": 0,
                    "category_id": None if name is None else self._classes[name],
                    "track_id": None if track is None else tracks[at, track], "geometry_hash": 0,
                    "created_by": self._authors.get(label.get("by", "")),
                    "reviewed_by": self._authors.get(label.get("reviewer", "")),
                })  # fmt: skip
        tables = {n: self._table(n, rows) for n in FAMILY}
        boxes = covering_boxes(tables["geometries"])
        for i, name in enumerate(COLUMNS):
            values = pa.array(boxes[:, i], from_pandas=True)
            tables["annotations"] = with_column(tables["annotations"], name, values)
        return Piece(tables["annotations"], tables["geometries"])


def kind_of(columns: Mapping[str, Any]) -> str:
    """Return the kind of a label by the columns that it fills: the richest, or a tag."""
    found = [kind for kind, names in SHAPES.items() if columns.get(names[0]) is not None]
    return found[-1] if found else "tag"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
