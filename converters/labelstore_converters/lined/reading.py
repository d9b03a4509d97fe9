"""Reading folders of label files whose lines are labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import FormatError
from labelstore.geometry.covering import COLUMNS, covering_boxes
from labelstore.model.arrow import with_column
from labelstore.model.tables import TABLES
from labelstore.plugins import Piece, Reading
from labelstore_converters.columns import batch, json_text
from labelstore_converters.lined.cells import Cells, Fields, Layout, line_texts, style_words
from labelstore_converters.lined.documents import Document
from labelstore_converters.lined.filetext import is_ended, text_style
from labelstore_converters.lined.tokens import Ints, Lines, split_lines, styles
from labelstore_converters.pieces import pieces_of, sizes_of

PIECE = 4_000
"""Files a piece, at most."""
KEPT_PIECES = 4
LINES = 24  # `Kitti.line_bits`
"""Bits of a place in the source that count lines; the others count files."""


@dataclass
class _Parsed:
    lines: Lines
    cells: Cells
    sources: Ints
    fields: Fields


class LinedReading(Reading):
    """A folder of label files, opened; see `labelstore.plugins.Reading`.

    Args:
        source: what was opened.
        documents: the label files.
        layout: what their lines are.
        kept: what else the data set says.
        notices: what is unusual, by code.
        skip: whether faulty lines are left out.
    """

    def __init__(
        self,
        source: Path,
        documents: Sequence[Document],
        layout: Layout,
        kept: Mapping[str, Any],
        notices: Mapping[str, int],
        *,
        skip: bool = False,
    ) -> None:
        self._skip = skip
        self._source, self._documents, self._layout = source, documents, layout
        self._kept = kept
        self.notices = {code: count for code, count in notices.items() if count}
        self._pieces = pieces_of(sizes_of(d.file for d in documents), PIECE)
        self.pieces = len(self._pieces)
        self._parsed: dict[int, _Parsed] = {}
        self._states: list[tuple[str, dict[str, Any]]] = []
        self._digest, self._size = sha256(), 0
        self._classes: dict[str, int] = {}
        self._tracks: dict[tuple[int, int], str] = {}
        self._lengths = [d.frames.length or 0 if d.frames else 0 for d in documents]
        self._scan()

    def _scan(self) -> None:
        """Read everything once: for faults, classes, tracks and the lengths of sequences."""
        told: list[str] = []
        for piece in range(self.pieces):
            found = self._piece(piece, scanning=True)
            faults = self._layout.faults(found.lines, found.cells)
            told += [f"{self._place(found.lines, row)}: {said}" for row, said in faults]
            if told:
                continue
            for name in found.fields.classes.unique().to_pylist():
                self._classes.setdefault(name, len(self._classes))
            self._follow_tracks(found)
        if told:
            raise FormatError(str(self._source), told, code="line")

    def _place(self, lines: Lines, row: int) -> str:
        document = self._documents[int(lines.files[row])]
        return f"{document.path}, line {int(lines.places[row]) + 1}"

    def _piece(self, piece: int, *, scanning: bool = False) -> _Parsed:
        if piece in self._parsed:
            return self._parsed[piece]
        texts = []
        for at in self._pieces[piece]:
            document = self._documents[at]
            text = document.text()
            if scanning:
                self._note(document, text)
            if text:
                texts.append((at, text))
        lines = split_lines(texts, self._layout.separator)
        cells, sources = self._layout.cells(lines)
        faulty = {row for row, _ in self._layout.faults(lines, cells)} if self._skip else set()
        if faulty:
            lines = lines.where(~np.isin(np.arange(len(lines)), list(faulty)))
            cells, sources = self._layout.cells(lines)
            if scanning:
                before = self.notices.get("lines-skipped", 0)
                self.notices = {**self.notices, "lines-skipped": before + len(faulty)}
        found = _Parsed(lines, cells, sources, self._layout.fields(cells))
        if self.pieces <= KEPT_PIECES:
            self._parsed[piece] = found
        return found

    def _note(self, document: Document, text: str | None) -> None:
        """Remember how a file is written."""
        self._digest.update(f"{document.path}\0{text}\0".encode())
        if text is None:
            self._states.append(("listed_no_file", {}))
            return
        self._size += len(text.encode())
        state = "labelled" if text.strip() else "empty_file"
        self._states.append((state, text_style(text, self._final_newline)))

    @cached_property
    def _final_newline(self) -> bool:
        """Say whether files end with a line's end, by the first that has a line."""
        texts = (document.text() for document in self._documents)
        return is_ended(next(filter(None, texts), "\n"))

    def _follow_tracks(self, found: _Parsed) -> None:
        fields = found.fields
        if fields.frames is None or fields.tracks is None:
            return
        files = found.lines.files
        for at in np.unique(files).tolist():
            frames = self._documents[at].frames
            if frames is not None:
                last = int(fields.frames[files == at].max()) - frames.first
                self._lengths[at] = max(self._lengths[at], last + 1)
        names = fields.classes.to_pylist()
        for file, number, name in zip(
            files.tolist(), fields.tracks.to_pylist(), names, strict=True
        ):
            if number is not None:
                self._tracks.setdefault((file, number), name)

    @cached_property
    def _bases(self) -> Ints:
        """Return the number of each file's first item, shape (n + 1,)."""
        sizes = [1 + n if d.frames else 1
                 for d, n in zip(self._documents, self._lengths, strict=True)]  # fmt: skip
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    @property
    def dataset(self) -> dict[str, Any]:
        """Return the fields of the `datasets` row; the digest is of all label files together."""
        kept = {**self._kept, "final_newline": self._final_newline}
        file = {"path": self._source.name, "sha256": self._digest.hexdigest(), "size": self._size,
                "newline": "lf", "final_newline": self._final_newline, "bom": False,
                "json_style": None}  # fmt: skip
        return {"info": None, "licenses": None, "files": [file], "leftovers": json_text(kept)}

    def items(self) -> pa.Table:
        """Return images, or sequences each with its frames after it."""
        rows = list(self._rows())
        columns = {name: [row.get(name) for row in rows] for name in TABLES["items"].schema.names
                   if any(name in row for row in rows)}  # fmt: skip
        numbers = {"item_id": range(len(rows))}
        return pa.Table.from_batches([batch(TABLES["items"], {**columns, **numbers})])

    def _rows(self) -> Iterator[dict[str, Any]]:
        for at, document in enumerate(self._documents):
            state, style = self._states[at]
            base = int(self._bases[at])
            kept = {**document.kept, **style}
            frames = document.frames
            own = {"labelled_state": state, **document.item}
            yield {**own, "sources": [_source(base, kept)]}
            if frames is None:
                continue
            width, height = frames.size
            for i in range(self._lengths[at]):
                yield {
                    "parent_id": base, "modality": "frame", "uri": frames.uri(frames.first + i),
                    "width": width, "height": height, "frame_index": i,
                    "sources": [_source(base + 1 + i, {})],
                }  # fmt: skip

    def categories(self) -> pa.Table:
        """Return the classes, in the order in which labels use them."""
        count = len(self._classes)
        columns = {"category_id": range(count), "position": range(count),
                   "name": list(self._classes),
                   "sources": [[_source(i, {})] for i in range(count)]}  # fmt: skip
        return pa.Table.from_batches([batch(TABLES["categories"], columns)])

    def tracks(self) -> pa.Table | None:
        """Return the tracks, of the class of their first line."""
        if not any(document.frames for document in self._documents):
            return None
        files, numbers = zip(*self._tracks, strict=True) if self._tracks else ((), ())
        count = len(self._tracks)
        columns = {
            "track_id": range(count), "dataset_id": np.zeros(count, np.int64), "seq": range(count),
            "category_id": [self._classes[name] for name in self._tracks.values()],
            "item_id": self._bases[list(files)], "source_id": numbers,
        }  # fmt: skip
        return pa.Table.from_batches([batch(TABLES["tracks"], columns)])

    def annotations(self, piece: int) -> Piece:
        """Return the labels of some files."""
        found = self._piece(piece)
        lines, fields = found.lines, found.fields
        items = self._bases[lines.files]
        if fields.frames is not None:
            first = np.array([d.frames.first if d.frames else 0 for d in self._documents])
            items = items + 1 + fields.frames - first[lines.files]
        seqs = (lines.files << LINES) + lines.places
        keys = {"layer": pa.repeat("", len(lines)), "item_id": items, "annotation_id": seqs}
        shapes = pa.Table.from_batches(
            [batch(TABLES["geometries"], {**keys, **fields.geometries})]
        )
        boxes = covering_boxes(shapes)
        covered = {n: pa.array(boxes[:, i], from_pandas=True) for i, n in enumerate(COLUMNS)}
        own = {
            **keys, "seq": seqs, **fields.annotations, **covered,
            "category_id": [self._classes[name] for name in fields.classes.to_pylist()],
        }  # fmt: skip
        if fields.tracks is not None:
            own["track_id"] = self._track_numbers(lines.files, fields.tracks)
        rows = pa.Table.from_batches([batch(TABLES["annotations"], own)])
        return Piece(self._styled(rows, found), shapes, notices=Counter())

    def _track_numbers(self, files: Ints, tracks: pa.Int64Array) -> list[int | None]:
        numbers = {key: i for i, key in enumerate(self._tracks)}
        pairs = zip(files.tolist(), tracks.to_pylist(), strict=True)
        return [None if track is None else numbers[file, track] for file, track in pairs]

    def _styled(self, rows: pa.Table, found: _Parsed) -> pa.Table:
        """Return rows that say how their numbers were written, or keep the line as it is."""
        said = self._layout.lines(found.fields)
        how = np.zeros(said.values.shape, np.uint8)
        there = found.sources >= 0
        tokens = found.lines.tokens.take(pa.array(found.sources[there]))
        how[there] = styles(tokens)
        texts = line_texts(said, how, self._layout.separator)
        written = found.lines.texts
        differs = pc.not_equal(written, texts)
        kept = [json_text({"line": own}) for own in written.filter(differs).to_pylist()]
        lines = pc.replace_with_mask(
            pa.nulls(len(texts), pa.string()), differs, pa.array(kept, pa.string())
        )
        rows = with_column(rows, "number_style", style_words(how, found.cells))
        return with_column(rows, "leftovers", lines)


def _source(seq: int, kept: Mapping[str, Any]) -> dict[str, Any]:
    return {"dataset_id": 0, "seq": seq, "leftovers": json_text(kept) if kept else None}
