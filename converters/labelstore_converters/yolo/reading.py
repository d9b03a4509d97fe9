"""Reading an Ultralytics data set, some images at a time."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from labelstore.errors import FormatError
from labelstore.model.tables import TABLES
from labelstore.plugins import NOTHING, Beside, Piece, Reading
from labelstore_converters.columns import batch, json_text
from labelstore_converters.lined.filetext import is_ended, text_style
from labelstore_converters.pieces import pieces_of, sizes_of
from labelstore_converters.yolo.layout import Layout, Listed, bare_path, sizes, text_of, turned
from labelstore_converters.yolo.lines import Lines, split_lines
from labelstore_converters.yolo.numbertext import Floats
from labelstore_converters.yolo.rows import LabelRows

PIECE = 2_000
"""Images a piece, at most."""
LINES = 20  # `Yolo.line_bits`
"""Bits of a place in the source that count lines; the others count images."""


class YoloReading(Reading):
    """A data set, opened; see `labelstore.plugins.Reading`.

    Args:
        source: its folder, or its YAML.
        layout: where its files are.
        task: what lines are, where the YAML does not say it.
        beside: what is known of the images.
    """

    def __init__(
        self, source: Path, layout: Layout, task: str | None, beside: Beside = NOTHING
    ) -> None:
        self._layout, self._skip = layout, beside.skip
        self._path = source
        self._task = task or self._layout.description.task
        labels = (os.path.join(layout.folder, listed.label) for listed in layout.images)
        self._pieces = pieces_of(sizes_of(labels), PIECE)
        self.pieces = len(self._pieces)
        self._sizes = [_size(listed, beside) for listed in self._layout.images]
        self._uris = [_uri(listed, beside) for listed in self._layout.images]
        self.notices = self._notices()

    def follow(self, leftovers: Mapping[str, Any], *, keep_order: bool) -> Reading:
        """Read lines as those of an earlier delivery, where nobody says what they are."""
        self._task = self._task or leftovers.get("task")
        return self

    @property
    def dataset(self) -> dict[str, Any]:
        """Return the fields of the `datasets` row."""
        said = self._layout.description
        kept = {**self._kept(), "final_newline": self._final_newline}
        if said.keypoints or self._task == "obb":  # of which a line alone does not say it
            kept["task"] = "pose" if said.keypoints else "obb"
        if self._layout.lists:
            kept["lists"] = self._layout.lists
        if self._layout.below:
            kept["below"] = self._layout.below
        data = said.text.encode()
        file = {
            "path": said.name,
            "sha256": sha256(data).hexdigest(),
            "size": len(data),
            "newline": "crlf" if b"\r\n" in data else "lf" if b"\n" in data else "none",
            "final_newline": data.endswith(b"\n"),
            "bom": data.startswith(b"\xef\xbb\xbf"),
            "json_style": None,
        }
        return {"info": None, "licenses": None, "files": [file], "leftovers": json_text(kept)}

    def _kept(self) -> dict[str, Any]:
        """Return what is to be kept of the files beside the labels."""
        said = self._layout.description
        return {"yaml": {"name": said.name, "text": said.text}}

    def items(self) -> pa.Table:
        """Return the images."""
        listed = self._layout.images
        known = [size or (None, None, None) for size in self._sizes]
        widths, heights, turns = zip(*known, strict=True)
        states, leftovers = zip(*map(self._file, range(len(listed))), strict=True)
        columns = {
            "item_id": range(len(listed)),
            "modality": pa.repeat("image", len(listed)),
            "uri": self._uris,
            "width": widths,
            "height": heights,
            "exif_orientation": [None if t == 1 else t for t in turns],
            "labelled_state": states,
            "sources": [[_source(i, kept)] for i, kept in enumerate(leftovers)],
        }
        return pa.Table.from_batches([batch(TABLES["items"], columns)])

    def categories(self) -> pa.Table:
        """Return the classes."""
        said = self._layout.description
        count = len(said.names)
        columns = {
            "category_id": range(count),
            "position": range(count),
            "name": [name or None for name in said.names],
            "keypoint_names": said.keypoint_names,
            "flip_pairs": [said.flip] * count,
            "sources": [[{**_source(i, {}), "source_id": i}] for i in range(count)],
        }
        return pa.Table.from_batches([batch(TABLES["categories"], columns)])

    def annotations(self, piece: int) -> Piece:
        """Return the labels of some images.

        Raises:
            FormatError: lines are no labels; every fault with its file and line.
        """
        found = [(i, text) for i in self._pieces[piece] if (text := self._text(i))]
        lines = split_lines(found)
        rows = self._rows(lines)
        faulty = {row for row, _ in rows.faults()} if self._skip else set()
        if faulty:
            lines = lines.where(~np.isin(np.arange(len(lines)), list(faulty)))
            rows = self._rows(lines)
            rows.notices["lines-skipped"] = len(faulty)
        self._refuse(rows)
        tables = rows.tables((lines.files << LINES) + lines.places)
        return Piece(*tables, unlisted_categories=rows.unlisted, notices=dict(rows.notices))

    def _rows(self, lines: Lines) -> LabelRows:
        said = self._layout.description
        sides = self._sides[lines.files]
        return LabelRows(lines, sides, len(said.names), said.keypoints, self._task)

    def _refuse(self, rows: LabelRows) -> None:
        lines = rows.lines
        told = [
            f"{self._layout.images[lines.files[row]].label}, line {lines.places[row] + 1}: {said}"
            for row, said in sorted(rows.faults())
        ]
        if told:
            raise FormatError(str(self._path), told, code="yolo-line")

    @cached_property
    def _sides(self) -> Floats:
        """Return width and height of each image, as labels count them; shape (n, 2)."""
        found = np.full((len(self._sizes), 2), np.nan)
        for i, size in enumerate(self._sizes):
            if size is not None:
                found[i] = turned(size)
        return found

    def _text(self, image: int) -> str | None:
        """Return the text of an image's labels; None where there is no file.

        Raises:
            FormatError: it is no UTF-8.
        """
        listed = self._layout.images[image]
        data = text_of(self._layout, listed)
        try:
            return None if data is None else data.decode("utf-8")
        except UnicodeDecodeError as error:
            said = f"{listed.label}, byte {error.start}: is no UTF-8"
            raise FormatError(str(self._path), [said]) from error

    def _file(self, image: int) -> tuple[str, dict[str, Any]]:
        """Return what an image's label file is, and what rows do not say of its text."""
        text = self._text(image)
        if text is None:
            return "listed_no_file", {}
        kept = text_style(text, self._final_newline)
        return "labelled" if text.strip() else "empty_file", kept

    @cached_property
    def _final_newline(self) -> bool:
        """Say whether label files end with a line's end, by the first that has a line."""
        texts = filter(None, map(self._text, range(len(self._layout.images))))
        return is_ended(next(texts, "\n"))

    def _notices(self) -> dict[str, int]:
        found = dict(self._layout.notices)
        pairs = zip(self._sizes, self._layout.images, strict=True)
        bare = [size is None and listed.image is None for size, listed in pairs]
        if not any(listed.image for listed in self._layout.images):  # labels alone
            for code in ("yolo-subset-missing", "yolo-image-unlisted"):
                found.pop(code, None)
        for name in ("yolo-image-missing", "darknet-image-missing"):
            if name in found:
                found[name] = sum(bare)
        unread = sum(
            size is None and i.image is not None
            for size, i in zip(self._sizes, self._layout.images, strict=True)
        )
        found["yolo-size-unknown"] = unread
        return {code: count for code, count in found.items() if count}


def _size(listed: Listed, beside: Beside) -> tuple[int, int, int] | None:
    """Return width, height and EXIF orientation of an image; None where nobody knows them."""
    image = listed.image or beside.image(listed.uri)
    known = beside.size(listed.uri)
    return (sizes(image) if image else None) or (known and (*known, 1))


def _uri(listed: Listed, beside: Beside) -> str:
    """Return an image's path, with the suffix of the image that is known to be it."""
    image = beside.image(listed.uri)
    bare = image is not None and bare_path(listed.uri) == listed.uri
    return f"{listed.uri}{image.suffix}" if bare and image else listed.uri


def _source(seq: int, kept: Mapping[str, Any]) -> dict[str, Any]:
    return {"dataset_id": 0, "seq": seq, "leftovers": json_text(kept) if kept else None}
