"""Which subsets an item was in, version by version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from labelstore.lineage.rows import item_parts
from labelstore.lineage.walking import walk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labelstore.storage.index import Part
    from labelstore.versions.git import Commit
    from labelstore.versions.manifest import Manifest
    from labelstore.versions.workspace import Workspace


@dataclass(frozen=True)
class Placed:
    """A version in which an item came to lie in a subset, or in none (None)."""

    commit: Commit
    scheme: str
    subset: str | None


def subsets(workspace: Workspace, item_id: int, rev: str) -> list[Placed]:
    """Return when an item joined, moved between and left subsets, oldest first.

    Only parts of splits that may hold the item, and that changed, are opened.
    """
    now: dict[str, str] = {}
    found = []
    for own in walk(workspace, rev, lambda m: item_parts(m, item_id, ("splits",))):
        then = subsets_in(own.manifest, own.parts, item_id)
        for scheme in sorted(now.keys() | then.keys()):
            if now.get(scheme) != then.get(scheme):
                found.append(Placed(own.commit, scheme, then.get(scheme)))
        now = then
    return found


def subsets_in(manifest: Manifest, parts: Sequence[Part], item_id: int) -> dict[str, str]:
    """Return the subset of an item in each scheme, as these parts say."""
    found: dict[str, str] = {}
    for part in parts:
        rows = manifest.read(part, ["item_id", "subset"])
        mine = rows.filter(pc.equal(rows.column("item_id"), item_id)).column("subset")
        found.update((part.partition, subset) for subset in mine.to_pylist())
    return found
