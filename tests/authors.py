"""Stores in which several authors labelled the same items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labelstore.model import labels as l
from labelstore.store import Store, init_store

CLASSES = ("car", "bus", "bike", "van")


def store_of(folder: Path, layers: dict[str, list[l.Label]], items: int = 40) -> Store:
    """Return a store of layers with the labels given."""
    store = init_store(folder)
    with store.edit(by="ada") as edit:
        named = [{"uri": f"{n}", "width": 400, "height": 100, "text": "some words here"}
                 for n in range(items)]  # fmt: skip
        edit.add([], items=named, categories=[{"name": n} for n in CLASSES])
        for layer, own in layers.items():
            edit.add([label.model_copy(update={"layer": layer}) for label in own])
    store.commit("labels", tag="v1")
    return store


def boxes(kinds: Any, shift: float = 0.0, leave: Any = ()) -> list[l.Label]:
    """Return four boxes on each item, of the classes given, shape (items, 4)."""
    return [l.Box(item=str(n), category=CLASSES[k], x=90.0 * i + shift, y=10, width=60, height=60)
            for n, own in enumerate(kinds) for i, k in enumerate(own)
            if (n, i) not in leave]  # fmt: skip
