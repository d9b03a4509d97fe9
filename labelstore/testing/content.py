"""What a source or a store says, in a form in which both can be compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from labelstore.exchange.export import Export
from labelstore.exchange.sidecar.records import records_of, rows_at
from labelstore.geometry.masks import runs
from labelstore.model.tables import TABLES
from labelstore.plugins import Format, Reading
from labelstore.plugins.pages.comparing import compared, plain
from labelstore.plugins.pages.page import label_of

Row = dict[str, Any]
FOLLOWS = ("kind",)
"""Columns that follow from others; so do frames other than `unit`, from the shapes in them."""
KEYS = ("item_id", "category_id", "parent_id", "position", "uri", "name", "unlisted")
"""Columns of items and classes that pair them, number them, or say how they are listed."""


@dataclass(frozen=True)
class Content:
    """What a source or a store says.

    Attributes:
        items, classes: what each says by column, in order, with its key.
        labels: of each item, by its place, what each says by column.
    """

    items: list[tuple[str, Row]]
    classes: list[tuple[str, Row]]
    labels: dict[int, list[Row]]


def content_of_export(export: Export) -> Content:
    """Return what a store says of what is to be written."""
    kept = export.kept()
    numbers = {n: i for i, n in enumerate(export.items.column("item_id").to_pylist())}
    names = dict(zip(*(kept.categories.column(c).to_pylist() for c in ("category_id", "name")),
                     strict=True))  # fmt: skip
    labels: dict[int, list[Row]] = defaultdict(list)
    for rows, shapes in export.data().annotations:
        for item, label in _said(rows, shapes, names):
            labels[numbers[item]].append(label)
    return Content(
        rows_of(export.items, "items"), rows_of(kept.categories, "categories"), dict(labels)
    )


def content_of(reading: Reading, converter: Format) -> Content:
    """Return what a source says."""
    records = records_of(reading, converter)
    listed = reading.categories()
    names = dict(enumerate(listed.column("name").to_pylist()))
    names |= {-1 - i: None for i, _ in enumerate(records.unlisted_categories)}
    labels: dict[int, list[Row]] = defaultdict(list)
    rows = rows_at(reading, records, np.arange(len(records)))
    for item, label in _said(rows["annotations"], rows["geometries"], names):
        labels[item].append(label)
    items = [(converter.item_key(k), row) for k, row in rows_of(reading.items(), "items")]
    return Content(items, rows_of(listed, "categories"), dict(labels))


def rows_of(rows: pa.Table, table: str) -> list[tuple[str, Row]]:
    """Return what items or classes say, by column, with their names."""
    name = {"items": "uri", "categories": "name"}[table]
    columns = [c for c in TABLES[table].columns("content")
               if c not in KEYS and c in rows.column_names]  # fmt: skip
    return [
        (
            row[name] or "",
            {c: plain(row[c]) for c in columns if row[c] is not None and row[c] != []},
        )
        for row in rows.to_pylist()
    ]


def _said(rows: Any, shapes: Any, classes: Mapping[int, Any]) -> Iterator[tuple[int, Row]]:
    """Yield of each label its item, and what it says by column."""
    for row, shape in zip(rows.to_pylist(), shapes.to_pylist(), strict=True):
        label = compared(label_of(row, shape))
        label = {c: v for c, v in label.items() if c not in FOLLOWS}
        if label.get("frame") != "unit":
            label.pop("frame", None)
        if "mask" in label:
            label.pop("raster", None)
            label["mask"] = _pixels(label["mask"])
        if row["category_id"] is not None:
            label["class"] = classes[row["category_id"]]
        if row["track_id"] is not None:
            label["track_id"] = True
        yield row["item_id"], label


def _pixels(mask: Row) -> Row:
    """Return a mask as runs, whatever its encoding, in its window."""
    mask = {"x0": None, "y0": None, **mask}
    return {"runs": runs(mask), "at": [mask["x0"], mask["y0"]]}
