"""Heads of files that hold several items: what they say of one that goes, goes from them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from labelstore.errors import LabelstoreError
from labelstore.model.tables import TABLES
from labelstore.plugins import find_format
from labelstore.plugins.pages import PageFormat

if TYPE_CHECKING:
    from labelstore.versions.manifest import Manifest

Page = tuple[int, str]
"""A data set, and a file of it."""


def with_heads(manifest: Manifest, drop: pa.Table, rows: pa.Table) -> pa.Table:
    """Return rows of items to write, with those whose file loses an item: its head without it.

    The head of a file stands with its first item; it goes to the next where that goes.

    Args:
        manifest: the version.
        drop: keys of the items that go.
        rows: rows that are to be written anyway, which go before those of the version.
    """
    gone = set(drop.column("item_id").to_pylist())
    every = manifest.table(TABLES["items"]).to_pylist() if gone else []
    written = {row["item_id"]: row for row in rows.to_pylist()}
    pages: dict[Page, list[tuple[int, Mapping[str, Any], Any]]] = defaultdict(list)
    for row in every:
        for source in row["sources"]:
            kept = json.loads(source["leftovers"] or "{}").get("page")
            if kept is not None:
                path = kept["path"] if isinstance(kept, dict) else kept
                pages[source["dataset_id"], path].append((source["seq"], row, kept))
    for page, listed in pages.items():
        order = sorted(listed, key=lambda one: one[0])
        left = [row for _, row, _ in order if row["item_id"] not in gone]
        if left and len(left) < len(order):
            places = {i for i, (_, row, _) in enumerate(order) if row["item_id"] in gone}
            head = _cut(manifest, page, [kept for _, _, kept in order], places)
            first = written.setdefault(left[0]["item_id"], dict(left[0]))
            first["sources"] = [_with_head(s, page, head) for s in first["sources"]]
            for row in left[1:]:
                _unhead(written.get(row["item_id"]), page)
    return pa.Table.from_pylist(list(written.values()), schema=TABLES["items"].schema)


def _cut(manifest: Manifest, page: Page, kept: Sequence[Any], places: set[int]) -> Any:
    """Return the head of a file without the items at some places; None where it must go whole."""
    heads = [one["head"] for one in kept if isinstance(one, dict)]
    datasets = manifest.table(TABLES["datasets"], ["dataset_id", "format"]).to_pylist()
    name = next((row["format"] for row in datasets if row["dataset_id"] == page[0]), "")
    try:
        converter = find_format(name)
    except LabelstoreError:  # one that is not installed here
        return None
    if not heads or not isinstance(converter, PageFormat):
        return None
    return converter.cut(heads[0], places)


def _with_head(source: Mapping[str, Any], page: Page, head: Any) -> dict[str, Any]:
    if source["dataset_id"] != page[0]:
        return dict(source)
    kept = {"path": page[1], "head": head, "text": None}
    return {**source, "leftovers": json.dumps({"page": kept})}


def _unhead(row: dict[str, Any] | None, page: Page) -> None:
    """Leave an item that is written anyway with the path of its file."""
    for source in row["sources"] if row else ():
        if source["dataset_id"] == page[0] and not source["leftovers"]:
            source["leftovers"] = json.dumps({"page": page[1]})
