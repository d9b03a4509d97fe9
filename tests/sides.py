"""Versions that differ from one in edits that are known, and a plain model of their labels."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from labelstore.model.tables import FAMILY, TABLES
from labelstore.storage.rewriting import Edits
from labelstore.store import Store
from labelstore.versions.editing import edited
from labelstore.versions.manifest import Manifest, assemble

LAYER = "ground_truth"
CELLS = ("score", "occluded", "category_id", "shape")
Model = dict[int, dict[str, Any]]
"""Of each label what its cells say."""
Edit = tuple[str, int, int]
"""A cell or `remove`, which label (modulo their number), and a value."""
EDITS = st.lists(
    st.tuples(st.sampled_from([*CELLS, "remove"]), st.integers(0, 24), st.integers(0, 2)),
    max_size=8,
)


def labels_of(manifest: Manifest) -> Model:
    """Return the cells of every label of a version."""
    rows = [manifest.table(TABLES[name], None, LAYER).to_pylist() for name in FAMILY]
    found: Model = {}
    for label, shape in zip(*rows, strict=True):
        assert label["annotation_id"] == shape["annotation_id"]
        found[label["annotation_id"]] = {
            "score": label["score"], "occluded": label["occluded"],
            "category_id": label["category_id"], "shape": shape["box"]["v0"],
        }  # fmt: skip
    return found


def side(store: Store, base: Manifest, edits: list[Edit], activity: int) -> Manifest:
    """Return a version with edits made to it, by an activity."""
    rows = {name: {r["annotation_id"]: r for r in
                   base.table(TABLES[name], None, LAYER).to_pylist(maps_as_pydicts="strict")}
            for name in FAMILY}  # fmt: skip
    ids = sorted(rows["annotations"])
    classes = sorted({r["category_id"] for r in rows["annotations"].values()})
    touched, gone = set[int](), set[int]()
    for what, at, value in edits:
        label = ids[at * 7 % len(ids)]
        (gone if what == "remove" else touched).add(label)
        if what == "shape":
            rows["geometries"][label]["box"]["v0"] = 1000.0 + value
        elif what != "remove":
            choice = classes[value] if what == "category_id" else 0.25 * value
            rows["annotations"][label][what] = choice
        rows["annotations"][label]["changed_in"] = activity
    return with_rows(store, base, rows, touched - gone, gone)


def with_rows(
    store: Store, base: Manifest, rows: dict[str, dict[int, Any]], written: set[int],
    gone: set[int],
) -> Manifest:  # fmt: skip
    """Return a version with some labels written and others gone."""
    changes = {}
    for name in FAMILY:
        table = TABLES[name]
        tables = [pa.Table.from_pylist([rows[name][i] for i in sorted(own)], schema=table.schema)
                  for own in (written, gone)]  # fmt: skip
        changes[name, LAYER] = Edits(tables[0], tables[1].select(list(table.key)))
    objects = store.workspace.objects
    return assemble(*edited(base, changes, objects), base, objects)
