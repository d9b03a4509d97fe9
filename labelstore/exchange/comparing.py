"""Two files compared without a store of one's own: by way of one that is thrown away."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.difference import ITEMS, Counts, Diff
from labelstore.changes.pairing import Side, across
from labelstore.exchange.importing import import_from
from labelstore.model.tables import TABLES
from labelstore.plugins import NOTHING, Beside
from labelstore.versions.manifest import Manifest
from labelstore.versions.setup import init
from labelstore.versions.stage import open_stage

LAYERS = ("before", "after")


@contextmanager
def compared(
    before: Path,
    after: Path,
    format_name: str,
    *,
    task: str | None = None,
    beside: Beside = NOTHING,
    least: float | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Iterator[tuple[Diff, Manifest]]:
    """Compare two files or folders of one format, their labels paired by geometry.

    Items are the same by their names, classes by theirs. What is yielded holds while the context
    does.

    Args:
        before: the older.
        after: the newer.
        format_name: name of a converter.
        task: kind of content, where the format has several.
        beside: what is known of the media.
        least: agreement below which no two labels are one; else what suits their kind.
        progress: told how far things are.

    Raises:
        FormatError: one breaks its format.
    """
    with tempfile.TemporaryDirectory(prefix="labelstore-") as folder:
        workspace = init(Path(folder))
        for layer, source in zip(LAYERS, (before, after), strict=True):
            import_from(workspace, format_name, source, layer=layer, dataset=layer, task=task,
                        beside=beside, progress=progress)  # fmt: skip
        staged = open_stage(workspace)
        manifest = staged.manifest if staged else workspace.manifest("HEAD")
        classes = _first_of_name(manifest)
        sides = [Side.whole(manifest, layer, classes) for layer in LAYERS]
        found = across(sides[0], sides[1], least=least, progress=progress)
        yield _with_listed(found, manifest, classes), manifest


def _first_of_name(manifest: Manifest) -> Mapping[int, int]:
    """Return of each class the first that has its name, where that is another."""
    rows = manifest.table(TABLES["categories"], ["category_id", "name"])
    first: dict[str, int] = {}
    found = {}
    for category, name in zip(*(c.to_pylist() for c in rows.columns), strict=True):
        if name and first.setdefault(name, category) != category:
            found[category] = first[name]
    return found


def _with_listed(found: Diff, manifest: Manifest, classes: Mapping[int, int]) -> Diff:
    """Return a difference with the items and classes that one file alone lists."""
    datasets = manifest.table(TABLES["datasets"], ["dataset_id", "name"]).to_pylist()
    number = {row["name"]: row["dataset_id"] for row in datasets}
    items = [_listed(manifest, "items", number[layer], {}) for layer in LAYERS]
    own = [_listed(manifest, "categories", number[layer], classes) for layer in LAYERS]
    gone, came = (np.setdiff1d(items[i], items[1 - i]) for i in (0, 1))
    rows = [
        pa.table([pa.array(ids), pa.repeat(change, len(ids))], schema=ITEMS)
        for ids, change in ((came, "added"), (gone, "removed"))
    ]
    tables = {
        "items": Counts(added=len(came), removed=len(gone)),
        "categories": Counts(added=len(np.setdiff1d(own[1], own[0])),
                             removed=len(np.setdiff1d(own[0], own[1]))),
        **found.tables,
    }  # fmt: skip
    return replace(found, tables=tables, items=pa.concat_tables(rows))


def _listed(
    manifest: Manifest, name: str, dataset: int, same: Mapping[int, int]
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the ids of the items or classes that a data set lists."""
    table = TABLES[name]
    rows = manifest.table(table)
    entries = rows.column("sources").combine_chunks()
    mine = pc.equal(entries.flatten().field("dataset_id"), dataset)
    at = pc.list_parent_indices(entries).filter(mine)
    ids = rows.column(table.id_column).take(at).to_pylist()
    return np.array(sorted({same.get(i, i) for i in ids}), np.int64)
