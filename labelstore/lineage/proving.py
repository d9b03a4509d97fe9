"""Making a proof of one label of a version; see `proofs`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import Corrupt, InvalidInput, NotFound, shown
from labelstore.lineage.proofs import SCHEMA, TEXT, git_name
from labelstore.lineage.tags import refs
from labelstore.model.canonical import HASH_DEFINITION, leaves
from labelstore.model.plain import plain_row
from labelstore.model.tables import FAMILY, TABLES
from labelstore.storage.digests import Siblings, merkle_path, part_leaf
from labelstore.versions.dvc.pointer import POINTER
from labelstore.versions.tagging import stated_root

if TYPE_CHECKING:
    from labelstore.storage.index import Part
    from labelstore.versions.manifest import Manifest
    from labelstore.versions.workspace import Workspace

REFERRED = {"items": ("item_id",), "categories": ("category_id",), "datasets": ("dataset_id",),
            "activities": ("created_in", "changed_in"),
            "agents": ("created_by", "reviewed_by")}  # fmt: skip
"""Rows that a label names, which its proof has too."""


def prove(workspace: Workspace, annotation_id: int, rev: str) -> dict[str, Any]:
    """Return a proof that a version has a label, and what it says.

    Args:
        workspace: the store.
        annotation_id: the label.
        rev: the version; of a tag the proof has its text and signature.

    Raises:
        NotFound: there is no such version, or no such label in it.
        Corrupt: the version's rows do not give its root.
    """
    manifest, git = workspace.manifest(rev), workspace.git
    commit = git.resolve(rev)
    tag = _tag(workspace, rev, commit)
    if tag is None:  # of plain commits the one that published these labels
        commit = git.log(rev, POINTER, 1)[0].sha
        tag = _tag(workspace, rev, commit)
    said = git.object(commit, "commit")
    if tag is None and stated_root(said) is None:
        raise InvalidInput(
            f"commit {commit[:12]} states no root, as plain git made it; give the version a tag: "
            "labelstore tag NAME",
            code="not-published",
        )
    rows = [*_rows(manifest, annotation_id)]
    if len(rows) < len(FAMILY):
        raise NotFound(f"version {rev!r} has no annotation {annotation_id}",
                       code="annotation-unknown")  # fmt: skip
    text = b"" if tag is None else git.object(f"refs/tags/{tag}", "tag")
    return {
        "schema": SCHEMA,
        "hash_definition": HASH_DEFINITION,
        "annotation_id": str(annotation_id),
        "root": manifest.root,
        "rows": rows,
        "commit": {"sha": commit, "text": said.decode(*TEXT)},
        "tag": tag and {"name": tag, "sha": git_name("tag", text), "text": text.decode(*TEXT)},
    }


def _tag(workspace: Workspace, rev: str, commit: str) -> str | None:
    """Return the annotated tag that is named, else one of the commit, if there is any."""
    git = workspace.git
    own = [name for name, (made, of) in refs(git).items()
           if of == commit != made and stated_root(git.object(made, "tag"))]  # fmt: skip
    return rev if rev in own else (own[0] if own else None)


def _rows(manifest: Manifest, annotation_id: int) -> Iterator[dict[str, Any]]:
    """Yield the entries of the label's rows, and of those that it names."""
    found: dict[str, Any] = {}
    for name in FAMILY:
        for entry in _entries(manifest, name, {annotation_id}):
            found.update(entry["row"])
            yield entry
    agents = {found.get(column) for column in REFERRED["agents"]}
    for name, columns in REFERRED.items():
        if name == "agents":
            continue
        for entry in _entries(manifest, name, {found.get(c) for c in columns}):
            agents |= {entry["row"].get("agent_id")} if name == "activities" else set()
            yield entry
    yield from _entries(manifest, "agents", agents)


def _entries(manifest: Manifest, name: str, ids: set[int | None]) -> Iterator[dict[str, Any]]:
    """Yield rows of a table by their ids, each with the hashes that lead to the version's root."""
    wanted = sorted(i for i in ids if i is not None)
    table = TABLES[name]
    for part in manifest.parts_of(name):
        if not any(part.min_id <= i <= part.max_id for i in wanted):
            continue
        (batch,) = manifest.read_verified(part).combine_chunks().to_batches()
        chosen = pc.is_in(batch.column(table.id_column), value_set=pa.array(wanted, pa.int64()))
        for index in np.flatnonzero(np.asarray(chosen)).tolist():
            wanted.remove(batch.column(table.id_column)[index].as_py())
            yield _entry(manifest, part, batch, index)
    if wanted and name not in FAMILY:
        raise NotFound(f"the label names {name} {shown(wanted)}, which the version does not have",
                       code="dangling")  # fmt: skip


def _entry(manifest: Manifest, part: Part, rows: pa.RecordBatch, index: int) -> dict[str, Any]:
    table = TABLES[part.table]
    return {
        "table": part.table,
        "row": plain_row(table, rows, index),
        "path": [*_told(merkle_path(leaves(table, rows), index))],
        "part": {
            "partition": part.partition,
            "name": part.name,
            "rows": part.rows,
            "path": [*_told(_path_of(manifest, part))],
        },
    }


def _path_of(manifest: Manifest, part: Part) -> list[Siblings]:
    """Return what leads from a part to the root of the version."""
    ordered = sorted(manifest.parts, key=lambda p: p.order)
    listed = [part_leaf(table=p.table, partition=p.partition, name=p.name, rows=p.rows,
                        root=p.root) for p in ordered]  # fmt: skip
    places = [i for i, p in enumerate(ordered) if p.path == part.path]
    if len(places) != 1:
        raise Corrupt(f"{part.path} stands {len(places)} times in the index", code="index-wrong")
    return merkle_path(np.frombuffer(b"".join(listed), np.uint8).reshape(-1, 32), places[0])


def _told(path: list[Siblings]) -> Iterator[dict[str, Any]]:
    for level in path:
        yield {"place": level.place, "nodes": [node.hex() for node in level.nodes]}
