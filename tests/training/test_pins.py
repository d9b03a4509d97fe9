"""Pins with queries, and what changed from one to the next."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Run

import labelstore
from labelstore.errors import InvalidInput, NotFound
from labelstore.store import Store, init_store
from labelstore.training.pins.pin import read_pin

WIDE = "SELECT item_id FROM items WHERE width >= 500"
PEOPLE = "SELECT annotation_id FROM labels WHERE category = 'person'"


def test_a_query_names_items_labels_or_both(v1: Store, tmp_path: Path) -> None:
    pin, folder = tmp_path / "a.lock", v1.workspace.folder
    whole = labelstore.load(folder, at="v1")
    for query in (WIDE, PEOPLE, "SELECT item_id, annotation_id FROM labels WHERE area > 900"):
        made = v1.pin("v1", pin, query=query)
        assert read_pin(pin) == made
        found = v1.query(query, at="v1")
        samples = labelstore.load(folder, pin=pin)
        items = set(found.column("item_id").to_pylist()) if "item_id" in found.column_names else (
            set(whole.item_ids.tolist()))  # fmt: skip
        assert set(samples.item_ids.tolist()) == items
        if "annotation_id" in found.column_names:
            labels = set(found.column("annotation_id").to_pylist())
            assert set(samples.annotations.column("annotation_id").to_pylist()) == labels
    ids = np.unique(v1.query(WIDE, at="v1").column(0).to_numpy()).astype("<i8")
    expected = hashlib.sha256(b"item_id\0" + ids.tobytes()).hexdigest()
    assert v1.pin("v1", pin, query=WIDE).rows == expected
    assert v1.check_pin(pin) == []


@pytest.mark.parametrize(("query", "said"), [
    ("SELECT uri FROM items", "neither item_id nor annotation_id"),
    ("SELECT uri AS item_id FROM items", "no id but"),
    ("SELECT item_id FROM nowhere", "nowhere"),
    ("DELETE FROM items", "SELECT"),
    ("SELECT item_id FROM items WHERE width > 99999", "finds nothing"),
    ("SELECT item_id FROM items WHERE random() < 0.5", "other rows each time"),
    ("SELECT 18446744073709551615::UBIGINT AS item_id", "is no id"),
])  # fmt: skip
def test_a_query_that_names_nothing_is_refused(
    v1: Store, tmp_path: Path, query: str, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        v1.pin("v1", tmp_path / "a.lock", query=query)
    assert not (tmp_path / "a.lock").exists()


def test_what_changed_for_a_training_set(v1: Store, tmp_path: Path, cli: Run) -> None:
    old, new = tmp_path / "old.lock", tmp_path / "new.lock"
    v1.pin("v1", old, query=WIDE)
    v1.pin("v1", new, query=WIDE)
    assert v1.compare_pins(old, new).same
    before = labelstore.load(v1.workspace.folder, pin=old)
    inside = before.item_ids[before.bounds[1] > before.bounds[0]][0]
    with v1.edit(by="ada") as edit:
        gone = edit.delete(where=f"item_id = {inside}")
        edit.update(where="category = 'dog'", set={"score": 0.5})
    v1.commit("less", tag="v2")
    v1.pin("v2", new, query=WIDE)
    found = v1.compare_pins(old, new)
    dogs = v1.query(
        f"SELECT COUNT(*) FROM labels WHERE category = 'dog' AND item_id IN ({WIDE})"
    ).column(0)[0].as_py()  # fmt: skip
    assert (found.items.before, found.items.after) == (len(before), len(before))
    assert (found.labels.removed, found.labels.changed, found.labels.added) == (gone, dogs, 0)
    assert found.fields["revision"] == ("v1", "v2")
    assert sum(c.before - c.after for c in found.classes) == gone
    assert not found.reordered
    where = ("--store", v1.workspace.folder)
    shown = cli("pin", "diff", old, new, *where)
    assert shown.returncode == 0, shown.stderr
    assert "revision: v1 → v2" in shown.stdout
    told = json.loads(cli("pin", "diff", old, new, "--json", *where).stdout)
    assert told["labels"]["removed"] == gone
    assert cli("pin", "diff", old, *where).returncode == 2


def test_classes_that_change_places_are_told(v1: Store, tmp_path: Path) -> None:
    v1.pin("v1", tmp_path / "old.lock")
    names = [name for _, name in labelstore.load(v1.workspace.folder, at="v1").classes]
    file = tmp_path / "classes.yaml"
    file.write_text(f"classes:\n  - name: {names[0]}\n    position: 1\n"
                    f"  - name: {names[1]}\n    position: 0\n")  # fmt: skip
    v1.apply_ontology(file, by="ada")
    v1.commit("another order", tag="v2")
    v1.pin("v2", tmp_path / "new.lock")
    found = v1.compare_pins(tmp_path / "old.lock", tmp_path / "new.lock")
    assert found.reordered
    assert {(c.name, c.place_before, c.place_after) for c in found.classes} == {
        (names[0], 0, 1), (names[1], 1, 0)}  # fmt: skip
    assert found.labels.changed == found.labels.added == 0


def test_pins_of_the_first_format_are_read(v1: Store, tmp_path: Path) -> None:
    pin = tmp_path / "a.lock"
    made = v1.pin("v1", pin)
    lines = pin.read_text().splitlines()
    kept = [line for line in lines if not line.startswith("dataset")]
    pin.write_text("\n".join(kept).replace("format = 2", "format = 1"))
    assert read_pin(pin).root == made.root
    assert labelstore.load(v1.workspace.folder, pin=pin).annotations.num_rows == 382
    pin.write_text(pin.read_text().replace("format = 1", "format = 9"))
    with pytest.raises(InvalidInput, match="no pin of format 1 or 2"):
        read_pin(pin)


def test_a_text_that_toml_cannot_hold_raw_comes_back(v1: Store, tmp_path: Path) -> None:
    v1.workspace.git.run("branch", "moving")
    query = "SELECT item_id FROM items WHERE uri <> 'a\x7f\"\\\té😀\u2028\n'"
    v1.pin("v1", tmp_path / "a.lock", query=query)
    assert read_pin(tmp_path / "a.lock").query == query


def test_a_branch_may_move_and_a_pin_of_another_store_is_told_so(
    v1: Store, tmp_path: Path
) -> None:
    v1.pin("main", tmp_path / "a.lock")
    with v1.edit(by="ada") as edit:
        edit.delete(where="category = 'dog'")
    v1.commit("less")
    assert v1.check_pin(tmp_path / "a.lock") == []
    with pytest.raises(NotFound, match="Is the pin of another store"):
        labelstore.load(init_store(tmp_path / "other").workspace.folder, pin=tmp_path / "a.lock")


def test_a_query_goes_on_after_something_was_forgotten(v1: Store, tmp_path: Path) -> None:
    v1.pin("v1", tmp_path / "a.lock", query=WIDE)
    before = labelstore.load(v1.workspace.folder, pin=tmp_path / "a.lock")
    gone = before[0]["item"]["uri"]
    v1.forget("item", gone, reason="request 1", force=True)
    with pytest.warns(UserWarning, match="written anew"):
        after = labelstore.load(v1.workspace.folder, pin=tmp_path / "a.lock")
    assert after.item_ids.tolist() == before.item_ids.tolist()[1:]
    assert v1.check_pin(tmp_path / "a.lock") == []
