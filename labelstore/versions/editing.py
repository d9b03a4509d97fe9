"""Edits of many tables applied to a manifest: the parts that come of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from labelstore.model.tables import TABLES
from labelstore.storage.index import Part
from labelstore.storage.objects import put
from labelstore.storage.rewriting import Edits, rewrite
from labelstore.versions.manifest import Manifest

Place = tuple[str, str]
"""A table, and its layer or scheme (or empty)."""


def edited(
    manifest: Manifest, edits: Mapping[Place, Edits], objects: Path
) -> tuple[list[Part], dict[str, str]]:
    """Return the parts of a manifest after edits, and the MD5 of those that are new, by path.

    Only parts near an edit are read or written.

    Args:
        manifest: what is edited.
        edits: by table and partition.
        objects: folder that takes new parts.
    """
    parts, files = list(manifest.parts), dict[str, str]()
    for (name, partition), change in edits.items():
        if change:
            own = [p for p in parts if (p.table, p.partition) == (name, partition)]
            others = [p for p in parts if (p.table, p.partition) != (name, partition)]

            def keep(part: Part, data: pa.Buffer) -> None:
                files[part.path] = put(objects, data)

            parts = others + rewrite(
                TABLES[name], partition, own, change, target=manifest.target,
                read=manifest.read_verified, keep=keep,
            )  # fmt: skip
    return parts, files
