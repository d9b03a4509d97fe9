"""The version store behaves like a dictionary of dictionaries, whatever is done to it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from labelstore.model.tables import FAMILY, TABLES
from labelstore.storage.rewriting import Edits, rewrite
from labelstore.store import open_store
from labelstore.versions.manifest import Manifest

URIS = ["000000397133.jpg", "000000037777.jpg", "000000252219.jpg"]
CLASSES = ["car", "dog", "cat"]
Label = tuple[str, float]
TEMPLATE: dict[str, Path] = {}


@pytest.fixture(scope="session", autouse=True)
def _template(v1_template: Path) -> None:
    TEMPLATE["path"] = v1_template


class Versions(RuleBasedStateMachine):
    """Edits, commits and restores against a plain model."""

    @initialize()
    def create(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        shutil.copytree(TEMPLATE["path"], self.folder / "store", symlinks=True)
        self.store = open_store(self.folder / "store")
        with self.store.edit(by="ada") as edit:
            edit.delete(where="true")
        self.store.commit("empty", tag="t0")
        self.stage: dict[int, Label] = {}
        self.head: dict[int, Label] = {}
        self.versions: dict[str, dict[int, Label]] = {"t0": {}}
        self.is_staged = False

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    @rule(
        boxes=st.lists(st.integers(1, 500), min_size=1, max_size=90),
        uri=st.sampled_from(URIS),
        category=st.sampled_from(CLASSES),
    )
    def add(self, boxes: list[int], uri: str, category: str) -> None:
        with self.store.edit(by="ada") as edit:
            shapes = [(float(x), 1.0, 2.0, 2.0) for x in boxes]
            ids = edit.add_boxes(uri=uri, category=category, boxes=shapes)
        assert not set(ids.tolist()) & set(self.stage)
        for number, x in zip(ids.tolist(), boxes, strict=True):
            self.stage[number] = (category, float(x))
        self.is_staged = True

    @precondition(lambda self: self.stage)
    @rule(limit=st.integers(1, 500), category=st.sampled_from(CLASSES))
    def reclassify(self, limit: int, category: str) -> None:
        touched = [k for k, (_, x) in self.stage.items() if x < limit]
        with self.store.edit(by="bob") as edit:
            assert edit.update(where=f"xmin < {limit}", set={"category": f"'{category}'"}) == len(
                touched
            )
        for k in touched:
            self.stage[k] = (category, self.stage[k][1])
        self.is_staged = self.is_staged or bool(touched)

    @precondition(lambda self: self.stage)
    @rule(limit=st.integers(1, 300))
    def delete(self, limit: int) -> None:
        gone = [k for k, (_, x) in self.stage.items() if x >= limit]
        with self.store.edit(by="bob") as edit:
            assert edit.delete(where=f"xmin >= {limit}") == len(gone)
        for k in gone:
            del self.stage[k]
        self.is_staged = self.is_staged or bool(gone)

    @rule()
    def commit(self) -> None:
        tag = f"t{len(self.versions)}"
        made = self.store.commit("step", tag=tag)
        assert (made is not None) == self.is_staged
        if made is not None:
            self.head = dict(self.stage)
            self.versions[tag] = dict(self.stage)
        self.is_staged = False

    @rule()
    def restore(self) -> None:
        assert self.store.restore() == self.is_staged
        self.stage = dict(self.head)
        self.is_staged = False

    @rule()
    def reopen(self) -> None:
        self.store = open_store(self.store.workspace.folder)
        assert self.store.recovered == []

    @precondition(lambda self: len(self.versions) > 1)
    @rule(data=st.data())
    def compare(self, data: st.DataObject) -> None:
        a, b = (data.draw(st.sampled_from(sorted(self.versions))) for _ in range(2))
        old, new = self.versions[a], self.versions[b]
        counts = self.store.diff(a, b).tables.get("annotations")
        found = (counts.added, counts.removed, counts.changed) if counts else (0, 0, 0)
        assert found == (
            len(new.keys() - old.keys()),
            len(old.keys() - new.keys()),
            sum(old[k] != new[k] for k in old.keys() & new.keys()),
        )

    @invariant()
    def the_stage_is_the_model(self) -> None:
        if hasattr(self, "stage"):
            assert read(self.store.manifest()) == self.stage
            assert (self.store.staged() is not None) == self.is_staged

    @invariant()
    def every_version_is_the_model(self) -> None:
        for tag, model in getattr(self, "versions", {}).items():
            assert read(self.store.manifest(tag)) == model

    @invariant()
    def parts_depend_on_rows_alone(self) -> None:
        if not hasattr(self, "stage"):
            return
        manifest = self.store.manifest()
        for name in FAMILY:
            table = TABLES[name]
            rows = manifest.table(table)
            nothing = table.schema.empty_table().select(list(table.key))
            fresh = rewrite(
                table,
                "ground_truth",
                [],
                Edits(rows, nothing),
                target=manifest.target,
                read=manifest.read,
                keep=lambda part, data: None,
            )
            assert fresh == manifest.parts_of(name)


def read(manifest: Manifest) -> dict[int, Label]:
    """Return class name and x of every label."""
    names = manifest.table(TABLES["categories"], ["category_id", "name"]).to_pylist()
    known = {r["category_id"]: r["name"] for r in names}
    columns = ["annotation_id", "category_id", "xmin"]
    rows: list[dict[str, Any]] = manifest.table(TABLES["annotations"], columns).to_pylist()
    return {r["annotation_id"]: (known[r["category_id"]], r["xmin"]) for r in rows}


TestVersions = Versions.TestCase
TestVersions.settings = settings(
    max_examples=6,
    stateful_step_count=14,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
