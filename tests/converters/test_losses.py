"""What an export says that it loses is what it loses: each source, in each format."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from told import ALSO, DATA, SOURCES

from labelstore.errors import InvalidInput
from labelstore.exchange.export import Export
from labelstore.exchange.exporting import ExportReport
from labelstore.exchange.opening import opened
from labelstore.model.tables import FAMILY, TABLES
from labelstore.plugins import GROUP, Beside, Reading
from labelstore.storage.parquet import conform
from labelstore.store import Store, init_store
from labelstore.testing.comparing import lost

PAIRS = [(name, path) for name, paths in SOURCES.items() for path in paths]
APART = {"coco-results", "yolo-classify"}
"""Formats that list no items, and that are not written; both have tests of their own."""
FORMATS = sorted(e.name for e in entry_points(group=GROUP) if e.name not in APART)
PLACES = {"kitti-instance", "kitti-semantic", "kitti-tracking", "kitti-tracklets", "mot", "mots",
          "mots-png"}  # fmt: skip
"""Formats of sequences, tracks or pixels, in which labels of other kinds have no place."""
LOCAL = ("annotation_id", "item_id", "category_id", "track_id", "row_hash", "geometry_hash",
         "dataset_id", "layer", "changed_in", "created_in", "reviewed_in", "changed_at", "seq",
         "parent_id", "position")  # fmt: skip
"""Columns of numbers that a store or a source gives by itself."""


@pytest.mark.parametrize(("name", "path"), PAIRS, ids=[path for _, path in PAIRS])
def test_what_is_told_is_what_is_lost(tmp_path: Path, name: str, path: str) -> None:
    store = init_store(tmp_path / "store")
    store.import_from(name, DATA / path, message="in", commit=True)
    manifest, layer = store.manifest(), store.workspace.default_layer
    written = []
    for to in FORMATS:
        target = tmp_path / f"{to}{'.json' if to == 'coco-panoptic' else ''}"
        report = exported(store, to, target)
        if report is None:
            continue
        written.append(to)
        export = Export(manifest, to, layer, None, None)
        found = lost(export, target)
        assert not found.untold(report.notices, export.converter, ALSO.get(to, {})), to
        if report.sidecar:
            reading = opened(target, to, None, Beside(), sidecar=True).reading
            assert said_by(reading) == said_in(export), to
    assert name in written


def exported(store: Store, to: str, target: Path) -> ExportReport | None:
    """Return what was written; None where a format has reason not to take the labels."""
    try:
        return store.export_to(to, target, allow_loss=["all"])
    except InvalidInput as error:
        refusal = error
    assert has_reason(refusal.code, to, store), f"{to}: {refusal}"
    assert not target.exists()
    return None


def has_reason(code: str, to: str, store: Store) -> bool:
    """Say whether what an export was refused for is so."""
    rows = store.query("SELECT uri, width FROM items").to_pylist()
    if code in ("export-empty", "kitti-tracklets-empty"):
        return to in PLACES
    if code in ("size-unknown", "yolo-size-missing"):
        return any(row["width"] is None for row in rows)
    stems = [PurePosixPath(row["uri"]).stem for row in rows]
    return code.endswith("-shared") and len(set(stems)) < len(stems)


def said_in(export: Export) -> dict[str, Any]:
    """Return what a store has of a data set, in its order."""
    kept = export.kept()
    tables: dict[str, Any] = {name: [] for name in FAMILY}
    for batches in export.raw():
        for family, batch in zip(FAMILY, batches, strict=True):
            tables[family] += rows_of(pa.Table.from_batches([batch]), family)
    numbers = [pair.column("item_id").to_pylist() for pair, _ in export.raw()]
    return {
        **tables, "items": rows_of(kept.items, "items"),
        "categories": rows_of(kept.categories, "categories"),
        "on": named([i for own in numbers for i in own], kept.items),
    }  # fmt: skip


def said_by(reading: Reading) -> dict[str, Any]:
    """Return what a source says, in the order of its labels."""
    items = reading.items()
    pieces = [reading.annotations(i) for i in range(reading.pieces)]
    rows = {
        name: pa.concat_tables([TABLES[name].schema.empty_table(),
                                *(conform(getattr(p, name), TABLES[name]) for p in pieces)])
        for name in FAMILY
    }  # fmt: skip
    order = pc.sort_indices(rows["annotations"].column("seq"))
    rows = {name: table.take(order) for name, table in rows.items()}
    return {
        **{name: rows_of(table, name) for name, table in rows.items()},
        "items": rows_of(items, "items"),
        "categories": rows_of(reading.categories(), "categories"),
        "on": named(rows["annotations"].column("item_id").to_pylist(), items),
    }


def rows_of(rows: pa.Table, table: str) -> list[dict[str, Any]]:
    """Return what rows say by column, but for numbers that are given to them."""
    names = [c for c in TABLES[table].columns("content") if c not in LOCAL]
    names = [c for c in names if c in rows.column_names]
    return [{k: v for k, v in row.items() if v is not None}
            for row in rows.select(names).to_pylist()]  # fmt: skip


def named(ids: list[int], items: pa.Table) -> list[str]:
    """Return the URI of the item of each label."""
    uris = dict(zip(*(items.column(c).to_pylist() for c in ("item_id", "uri")), strict=True))
    return [uris[i] for i in ids]
