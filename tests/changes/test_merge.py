"""Laws of the three-way merge, against a plain model of labels and their cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from sides import CELLS, EDITS, LAYER, Edit, Model, labels_of, side, with_rows

from labelstore.changes.merging.merge import Merged, merge
from labelstore.changes.merging.policies import by_policy
from labelstore.errors import Conflict, InvalidInput
from labelstore.model.tables import FAMILY, TABLES
from labelstore.storage.rewriting import Edits
from labelstore.store import Store
from labelstore.versions.editing import edited
from labelstore.versions.manifest import Manifest, assemble

FIXTURE = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
ACTIVITY = 77


def merged(
    store: Store, base: Manifest, ours: Manifest, theirs: Manifest, policy: str = "ask"
) -> Merged:
    """Merge two versions."""
    return merge(base, ours, theirs, objects=store.workspace.objects, activity_id=ACTIVITY,
                 decide=by_policy(policy))  # fmt: skip


def expected(
    base: Model, ours: Model, theirs: Model, *, take: str
) -> tuple[Model, set[tuple[int, str]]]:
    """Return what a merge is, and its conflicts, cell by cell."""
    sides, found, conflicts = {"ours": ours, "theirs": theirs}, dict[int, Any](), set()
    for label, was in base.items():
        one, other = ours.get(label), theirs.get(label)
        if one is None or other is None:
            kept = one or other
            if kept is not None and kept != was:
                conflicts.add((label, "row"))
                if label in sides[take]:
                    found[label] = kept
            continue
        found[label] = {}
        for cell in CELLS:
            a, b = one[cell], other[cell]
            if a != was[cell] and b != was[cell] and a != b:
                conflicts.add((label, cell))
                found[label][cell] = sides[take][label][cell]
            else:
                found[label][cell] = a if a != was[cell] else b
    return found, conflicts


@FIXTURE
@given(first=EDITS, second=EDITS)
def test_a_merge_is_that_of_its_cells(v1: Store, first: list[Edit], second: list[Edit]) -> None:
    """Conflicts exactly where both changed a cell otherwise, and each policy takes its side."""
    base = v1.manifest("v1")
    ours, theirs = side(v1, base, first, 1), side(v1, base, second, 2)
    models = [labels_of(m) for m in (base, ours, theirs)]
    for take in ("ours", "theirs"):
        labels, conflicts = expected(models[0], models[1], models[2], take=take)
        found = merged(v1, base, ours, theirs, take)
        told = found.conflicts.select(["id", "cell"]).to_pylist()
        assert {(c["id"], c["cell"]) for c in told} == conflicts
        assert len(told) == len(conflicts)
        assert found.manifest is not None
        assert labels_of(found.manifest) == labels
    asked = merged(v1, base, ours, theirs)
    assert (asked.manifest is None) == bool(conflicts)
    assert asked.open.num_rows == len(conflicts)


@FIXTURE
@given(edits=EDITS)
def test_what_one_side_alone_changed_is_that_side(v1: Store, edits: list[Edit]) -> None:
    base = v1.manifest("v1")
    one = side(v1, base, edits, 1)
    for ours, theirs in ((one, base), (base, one), (one, one)):
        found = merged(v1, base, ours, theirs)
        assert found.manifest is not None
        assert found.manifest.root == one.root
        assert not found.conflicts.num_rows


@FIXTURE
@given(first=EDITS, second=EDITS)
def test_edits_of_other_cells_commute(v1: Store, first: list[Edit], second: list[Edit]) -> None:
    base = v1.manifest("v1")
    ours, theirs = side(v1, base, first, 1), side(v1, base, second, 2)
    one, other = merged(v1, base, ours, theirs), merged(v1, base, theirs, ours)
    assert one.conflicts.num_rows == other.conflicts.num_rows
    if one.manifest is None or other.manifest is None:
        one = merged(v1, base, ours, theirs, "ours")
        other = merged(v1, base, theirs, ours, "theirs")
    assert one.manifest is not None
    assert other.manifest is not None
    assert labels_of(one.manifest) == labels_of(other.manifest)
    if not one.conflicts.num_rows and not {at for _, at, _ in first} & {at for _, at, _ in second}:
        assert one.manifest.root == other.manifest.root


def test_rows_of_both_say_that_the_merge_wrote_them(v1: Store) -> None:
    base = v1.manifest("v1")
    ours, theirs = side(v1, base, [("score", 1, 1)], 1), side(v1, base, [("shape", 1, 1)], 2)
    found = merged(v1, base, ours, theirs).manifest
    assert found is not None
    rows = found.table(TABLES["annotations"], ["changed_in", "score"], LAYER).to_pylist()
    assert [r["score"] for r in rows if r["changed_in"] == ACTIVITY] == [0.25]
    assert not [r for r in rows if r["changed_in"] in (1, 2)]


def test_what_both_changed_alike_is_silent(v1: Store) -> None:
    base = v1.manifest("v1")
    ours, theirs = (side(v1, base, [("score", 1, 1), ("remove", 2, 0)], n) for n in (1, 2))
    found = merged(v1, base, ours, theirs)
    assert found.manifest is not None
    assert labels_of(found.manifest) == labels_of(ours)


def moved_to(store: Store, base: Manifest, label: int, item: int) -> Manifest:
    """Return a version in which a label is on another item."""
    rows = {name: {r["annotation_id"]: r for r in
                   base.table(TABLES[name], None, LAYER).to_pylist(maps_as_pydicts="strict")}
            for name in FAMILY}  # fmt: skip
    there = with_rows(store, base, rows, set(), {label})
    for name in FAMILY:
        rows[name][label]["item_id"] = item
    return with_rows(store, there, rows, {label}, set())


def test_a_label_that_went_to_another_item_keeps_the_other_sides_edit(v1: Store) -> None:
    base = v1.manifest("v1")
    rows = base.table(TABLES["annotations"], ["item_id", "annotation_id"], LAYER)
    items = rows.column("item_id").to_pylist()
    label = sorted(rows.column("annotation_id").to_pylist())[7]
    moved = moved_to(v1, base, label, max(items))
    scored = side(v1, base, [("score", 1, 1)], 2)
    for ours, theirs in ((moved, scored), (scored, moved)):
        found = merged(v1, base, ours, theirs).manifest
        assert found is not None
        (row,) = [r for r in found.table(TABLES["annotations"], None, LAYER).to_pylist()
                  if r["annotation_id"] == label]  # fmt: skip
        assert (row["item_id"], row["score"]) == (max(items), 0.25)
        assert labels_of(found) == labels_of(scored)


def test_a_row_that_refers_to_what_is_gone_is_refused(v1: Store) -> None:
    base = v1.manifest("v1")
    used = {r["category_id"] for r in labels_of(base).values()}
    classes = base.table(TABLES["categories"])
    unused = next(c for c in classes.column("category_id").to_pylist() if c not in used)
    table, objects = TABLES["categories"], v1.workspace.objects
    gone = Edits(table.schema.empty_table(), pa.table({"category_id": [unused]}))
    ours = assemble(*edited(base, {("categories", ""): gone}, objects), base, objects)
    rows = {name: {r["annotation_id"]: r for r in
                   base.table(TABLES[name], None, LAYER).to_pylist(maps_as_pydicts="strict")}
            for name in FAMILY}  # fmt: skip
    label = min(rows["annotations"])
    rows["annotations"][label]["category_id"] = unused
    theirs = with_rows(v1, base, rows, {label}, set())
    with pytest.raises(
        Conflict, match=rf"annotations {label} on .*, category_id: class .* \({unused}\)"
    ):
        merged(v1, base, ours, theirs)


def test_activities_that_met_by_chance_are_refused(v1: Store) -> None:
    base, table, objects = v1.manifest("v1"), TABLES["activities"], v1.workspace.objects
    (row, *_) = base.table(table).to_pylist()
    sides = []
    for message in ("ours", "theirs"):
        own = pa.Table.from_pylist([{**row, "activity_id": 5, "parameters": f'["{message}"]'}],
                                   schema=table.schema)  # fmt: skip
        change = Edits(own, own.slice(0, 0).select(["activity_id"]))
        sides.append(assemble(*edited(base, {("activities", ""): change}, objects), base, objects))
    with pytest.raises(Conflict, match="same id 5 by chance"):
        merged(v1, base, sides[0], sides[1])


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ([{"table": "annotations"}], "needs table, partition, id, cell"),
        ([{"table": "a", "partition": "", "id": "1", "cell": "c", "take": "mine"}], "take: ours"),
    ],
)
def test_decisions_that_are_none_are_refused(said: Sequence[dict[str, Any]], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        by_policy("ask", said)
    with pytest.raises(InvalidInput, match="there are ask, ours, theirs, newest, reviewer"):
        by_policy("mine")
