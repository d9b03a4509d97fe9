"""A version's files, index and rows, computed anew and compared with what they state."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labelstore.errors import LabelstoreError, counted, shown
from labelstore.model.canonical import with_hashes
from labelstore.model.tables import TABLES, Table
from labelstore.storage.index import Part, described, version_root
from labelstore.versions.dvc.pointer import POINTER, directory_object
from labelstore.versions.manifest import PARTS, SCHEMA, Manifest, schema_text
from labelstore.versions.tagging import stated_root

if TYPE_CHECKING:
    from labelstore.versions.git import Commit
    from labelstore.versions.workspace import Workspace

ODD = (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, pa.ArrowException)
"""What reading rows that somebody forged may raise."""


def structure_faults(
    workspace: Workspace, commit: Commit, manifest: Manifest
) -> Iterator[tuple[str, str]]:
    """Yield what does not fit together of pointer, directory, index, schema and commit."""
    name = hashlib.md5(directory_object(manifest.files), usedforsecurity=False).hexdigest()
    stated = workspace.directory(commit.sha)
    if f"{name}.dir" != stated:
        yield POINTER, f"names {stated}, but its files give {name}.dir"
    listed = {p.path for p in manifest.parts}
    for path in sorted(manifest.files.keys() - listed - {PARTS, SCHEMA}):
        yield path, "stands in no index"
    for path in sorted(listed - manifest.files.keys()):
        yield path, "the index names it, and the version has no such file"
    if len(listed) < len(manifest.parts):
        yield PARTS, "names a part twice"
    root = stated_root(workspace.git.object(commit.sha, "commit"))
    if root is not None and root != version_root(manifest.parts).hex():
        yield "commit", f"states root {root}, but the parts give {manifest.root}"
    try:
        yield from ((SCHEMA, what) for what in _schema_faults(manifest))
    except (LabelstoreError, *ODD) as error:
        yield SCHEMA, str(error)


def _schema_faults(manifest: Manifest) -> Iterator[str]:
    """Yield what a version's schema states otherwise than today's; an older one has less."""
    known: dict[str, Any] = json.loads(schema_text(manifest.target))
    stated: dict[str, Any] = dict(manifest.schema)
    for name in stated.keys() | known.keys():
        if name != "tables" and stated.get(name) != known.get(name):
            yield f"states {name} {stated.get(name)}, and this labelstore has {known.get(name)}"
    for name, table in stated["tables"].items():
        own = known["tables"].get(name, {})
        columns = table["columns"].items() <= own.get("columns", {}).items()
        if not columns or {**own, "columns": 0} != {**table, "columns": 0}:
            yield f"states another table {name} than this labelstore has"


def part_faults(manifest: Manifest, part: Part) -> list[str]:
    """Return what is wrong with a part: its bytes, its rows, or what the index says of them."""
    try:
        table = TABLES[part.table]
        manifest.verify(part)
        (rows,) = manifest.read(part).combine_chunks().to_batches()
        again, leaf = with_hashes(table, rows)
        made = described(table, part.partition, part.name, again, leaf, part.columns,
                         manifest.path(part).stat().st_size)  # fmt: skip
    except (LabelstoreError, *ODD) as error:
        return [str(error) if isinstance(error, LabelstoreError) else repr(error)]
    return [*_row_faults(table, rows, again), *_order_faults(table, rows), *(
        f"the index states {f.name} {_plain(getattr(part, f.name))}, its rows give "
        f"{_plain(getattr(made, f.name))}"
        for f in fields(part) if getattr(part, f.name) != getattr(made, f.name))]  # fmt: skip


def _row_faults(table: Table, rows: pa.RecordBatch, again: pa.RecordBatch) -> Iterator[str]:
    stated, computed = (np.asarray(r.column(table.hash_column)) for r in (rows, again))
    wrong = np.flatnonzero(stated != computed)
    if len(wrong):
        ids = np.asarray(rows.column(table.key[-1]))[wrong].tolist()
        yield f"{counted(len(wrong), 'row')} changed without the hash: {shown(ids, 5)}"


def _order_faults(table: Table, rows: pa.RecordBatch) -> Iterator[str]:
    first, last = (np.asarray(rows.column(table.key[i])) for i in (0, -1))
    rising = (first[1:] > first[:-1]) | ((first[1:] == first[:-1]) & (last[1:] > last[:-1]))
    if not rising.all():
        yield f"{counted(int((~rising).sum()), 'row')} out of order, or there twice"


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
