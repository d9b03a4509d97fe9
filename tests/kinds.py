"""Stores that the tests of training read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labelstore.model.examples import CATEGORIES, ITEMS, LABELS
from labelstore.store import Store, init_store


def every_kind(folder: Path, tag: str | None = "v1") -> Store:
    """Return a store whose v1, or another tag, has every kind of label."""
    store = init_store(folder, target=64)
    with store.edit(by="ada") as edit:
        edit.add(list(LABELS.values()), items=ITEMS, categories=CATEGORIES)
    store.commit("every kind", tag=tag)
    return store


def flat(store: Store, at: str = "v1", layer: str = "ground_truth") -> list[dict[str, Any]]:
    """Return all labels with their shapes, as the tables have them."""
    manifest = store.manifest(at)
    from labelstore.model.tables import TABLES

    rows = [manifest.table(TABLES[name], partition=layer).to_pylist()
            for name in ("annotations", "geometries")]  # fmt: skip
    return [{**a, **g} for a, g in zip(*rows, strict=True)]
