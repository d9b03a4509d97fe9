"""COCO results: a list of labels with scores, of images and classes that another file lists."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from labelstore.model.arrow import with_column
from labelstore.plugins import (
    NOTHING,
    Beside,
    Format,
    Lost,
    Piece,
    Reading,
    Writing,
    beginning,
    whole_file,
)
from labelstore_converters.coco import CARRIES, NOTICES, Coco
from labelstore_converters.coco.names import Names
from labelstore_converters.coco.reading import CocoReading
from labelstore_converters.coco.writing import DEFAULT_STYLE, JsonText

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAMELESS = "coco-annotation-without-id"


def renamed(code: str) -> str:
    """Return a code of COCO as results have it."""
    return code.replace("coco", "coco-results", 1)


class ResultsReading(CocoReading):
    """A file of results, opened; see `labelstore.plugins.Reading`."""

    bare = True

    def chosen(self, places: NDArray[np.int64]) -> Piece:
        """Return some of the results, none of which has an id."""
        found = super().chosen(places)
        told = {renamed(c): n for c, n in found.notices.items() if c != NAMELESS}
        return replace(found, notices=told)


class CocoResults(Coco):
    """Results, as pycocotools' `loadRes` takes them; ids are those of a COCO file."""

    name = "coco-results"
    refers = frozenset({"coco", "coco-panoptic"})
    has_ids = False
    listed = "$[{seq}]"
    has_tags = False
    scored = True
    says = frozenset()
    notices: Mapping[str, str] = {
        **{renamed(code): said for code, said in NOTICES.items() if code != NAMELESS},
        "coco-results-without-score": "labels without a score, which COCOeval needs",
    }
    lists: Mapping[str, frozenset[str]] = {"items": frozenset(), "categories": frozenset()}

    @property
    def carries(self) -> frozenset[str]:
        """Return the content columns that it can hold; it lists no tracks."""
        return CARRIES - {"track_id"}

    def recognises(self, source: Path) -> bool:
        """Say whether a file is a list of objects, each with the id of an image."""
        head = beginning(source, 1 << 16).lstrip() if source.is_file() else ""
        return head.startswith("[") and '"image_id"' in head and '"data"' not in head

    def open(self, source: Path, beside: Beside = NOTHING) -> Reading:
        """Return a file of results, opened."""
        return ResultsReading(source, skip=beside.skip)

    def write(self, data: Writing, target: Path) -> Iterator[int]:
        """Write results, yielding the number of annotations written so far."""
        described = json.loads(data.dataset["leftovers"] or "{}")
        file = (data.dataset["files"] or [{}])[0]
        style = json.loads(file.get("json_style") or "null") or DEFAULT_STYLE
        with whole_file(target) as aside, open(aside, "wb") as out:
            out.write(b"\xef\xbb\xbf" if file.get("bom") else b"")
            text = JsonText(out.write, style, depth=1)
            order = described.get("key_orders", {}).get("annotations")
            listed = {n: _numbered(getattr(data, n)) for n in ("items", "categories")}
            whole = replace(data, **listed)
            yield from text.annotations(whole, order, Names.of(whole, described))
            out.write(b"\n" if file.get("final_newline") else b"")

    def losses(self, data: Writing) -> Lost:
        """Return how many labels have shapes that COCO cannot say."""
        found = super().losses(data)
        scores = sum(rows.column("score").null_count for rows, _ in data.annotations)
        if scores and data.dataset["leftovers"] is None:  # labels of another format
            found[f"{self.name}-without-score"] = scores
        return found


def _numbered(rows: pa.Table) -> pa.Table:
    """Return items or classes with ids: their source's own, or else their places from 1."""
    column = rows.column("sources").to_pylist()
    for i, (entry, *_) in enumerate(column, 1):
        if entry["source_id"] is None and entry["source_key"] is None:
            entry["source_id"] = i
    return with_column(rows, "sources", pa.array(column, rows.schema.field("sources").type))


FORMAT: Format = CocoResults()
