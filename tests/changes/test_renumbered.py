"""A delivery that was counted anew is an update of what is there, and a difference of what is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from deliveries import counted_anew, edited, tiny, written
from typer.testing import CliRunner

from labelstore.changes.difference import Diff
from labelstore.cli.app import app
from labelstore.errors import InvalidInput
from labelstore.exchange.comparing import compared
from labelstore.store import Store, init_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = init_store(tmp_path / "store")
    found.import_from("coco", written(tiny(), tmp_path / "a.json"), dataset="d",
                      message="in", commit=True, tag="v1")  # fmt: skip
    return found


def said(found: Diff) -> dict[str, int]:
    """Return what a difference says of labels, without what nobody edited."""
    tally = found.tables["annotations"]
    words = {w: found.meanings.get(w, 0) for w in ("moved", "reclassified")}
    return {"added": tally.added, "removed": tally.removed, **words}


def test_a_delivery_counted_anew_changes_nothing(store: Store, tmp_path: Path) -> None:
    path = written(counted_anew(tiny(), 7), tmp_path / "b.json")
    report = store.import_from("coco", path, dataset="d", mode="update", message="again")
    assert report.notices["labels-matched-anew"] == report.annotations
    found = store.diff("v1")
    assert not found.tables["annotations"].content
    assert not found.tables["items"].content
    assert not found.tables["categories"].content
    assert not [f for f in store.check() if f.severity == "error"]


def test_of_edits_in_a_delivery_counted_anew_exactly_those_are_found(
    store: Store, tmp_path: Path
) -> None:
    told, expected = edited(tiny(), share=0.03)
    path = written(counted_anew(told, 8), tmp_path / "b.json")
    store.import_from("coco", path, dataset="d", mode="update", message="again", commit=True)
    found = store.diff("v1", "HEAD")
    assert said(found) == expected
    assert found.tables["annotations"].changed == 2 * expected["moved"]
    assert not [f for f in store.check() if "repeated" in f.code]
    again = store.import_from("coco", path, dataset="d", mode="update", message="once more")
    assert not again.changed
    (row,) = store.query("SELECT parameters FROM activities WHERE parameters LIKE '%by_shape%'"
                         ).to_pylist()  # fmt: skip
    assert json.loads(row["parameters"])["matched_by_shape"] > 300


def test_a_delivery_of_the_same_numbers_is_believed(store: Store, tmp_path: Path) -> None:
    """Even where a label went far away, and where two changed places."""
    told = tiny()
    one, two = told["annotations"][:2]
    one["bbox"], two["bbox"] = two["bbox"], one["bbox"]
    report = store.import_from("coco", written(told, tmp_path / "b.json"), dataset="d",
                               mode="update", message="again")  # fmt: skip
    assert "labels-matched-anew" not in report.notices
    tally = store.diff("v1").tables["annotations"]
    assert (tally.added, tally.removed, tally.changed) == (0, 0, 2)


def test_labels_under_new_numbers_among_known_ones_keep_their_ids(
    store: Store, tmp_path: Path
) -> None:
    told = tiny()
    highest = max(a["id"] for a in told["annotations"])
    for i, label in enumerate(told["annotations"][:5], 1):
        label["id"] = highest + i
        label["bbox"][0] += 1
    report = store.import_from("coco", written(told, tmp_path / "b.json"), dataset="d",
                               mode="update", message="again")  # fmt: skip
    assert report.notices["labels-matched-anew"] == 5
    tally = store.diff("v1").tables["annotations"]
    assert (tally.added, tally.removed, tally.changed) == (0, 0, 5)


def test_replace_takes_the_new_numbers_and_keeps_ids(store: Store, tmp_path: Path) -> None:
    path = written(counted_anew(tiny(), 9), tmp_path / "b.json")
    store.import_from("coco", path, dataset="d", mode="replace", message="again", commit=True)
    assert not store.diff("v1", "HEAD").tables["annotations"].content
    store.export_to("coco", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("anew", [False, True])
def test_two_files_differ_by_the_edits(tmp_path: Path, *, anew: bool) -> None:
    told, expected = edited(tiny(), share=0.05)
    before = written(tiny(), tmp_path / "a.json")
    after = written(counted_anew(told, 3) if anew else told, tmp_path / "b.json")
    with compared(before, after, "coco") as (found, _):
        assert said(found) == expected
        assert not found.tables["items"].content
    with compared(before, before, "coco") as (found, _):
        assert not any(counts.content for counts in found.tables.values())


def test_files_tell_items_and_classes_that_one_alone_has(tmp_path: Path) -> None:
    told = tiny()
    gone = told["images"].pop()["id"]
    told["annotations"] = [a for a in told["annotations"] if a["image_id"] != gone]
    told["categories"].append({"id": 999, "name": "unicorn", "supercategory": "animal"})
    for category in told["categories"]:
        category["supercategory"] = "thing"  # the same classes by name
    paths = written(tiny(), tmp_path / "a.json"), written(told, tmp_path / "b.json")
    with compared(*paths, "coco") as (found, _):
        items, classes = found.tables["items"], found.tables["categories"]
        assert (items.added, items.removed) == (0, 1)
        assert (classes.added, classes.removed) == (1, 0)
        assert not found.meanings.get("reclassified")


def test_layers_are_paired_by_geometry(store: Store, tmp_path: Path) -> None:
    told, expected = edited(tiny(), share=0.05)
    path = written(counted_anew(told, 4), tmp_path / "b.json")
    store.import_from("coco", path, layer="other", message="other", commit=True)
    found = store.diff("HEAD:ground_truth", "HEAD:other")
    assert said(found) == expected
    paired = found.labels.filter(found.labels.column("agreement").is_valid())
    assert paired.num_rows == len(tiny()["annotations"]) - expected["removed"]


def test_labels_made_again_are_one_change_by_geometry(store: Store) -> None:
    sql = "SELECT * FROM labels WHERE kind = 'polygon' ORDER BY annotation_id LIMIT 5"
    rows = store.query(sql).to_pylist()
    with store.edit(message="again") as edit:
        edit.delete(where=f"annotation_id IN ({', '.join(str(r['annotation_id']) for r in rows)})")
        edit.add([{"item_id": r["item_id"], "category_id": r["category_id"], "kind": "box",
                   "box": r["box"], "box_form": r["box_form"]} for r in rows])  # fmt: skip
    store.commit("again", tag="v2")
    tally = store.diff("v1", "v2").tables["annotations"]
    assert (tally.added, tally.removed, tally.changed) == (5, 5, 0)
    found = store.diff("v1", "v2", match="geometry")
    tally = found.tables["annotations"]
    assert (tally.added, tally.removed, tally.changed) == (0, 0, 5)
    assert found.meanings["kind changed"] == 5
    strict = store.diff("v1", "v2", match="geometry", least=1.0).tables["annotations"]
    assert strict.added == strict.removed == 5 - strict.changed


def test_the_command_compares_files(tmp_path: Path) -> None:
    told, expected = edited(tiny(), share=0.05)
    paths = [written(tiny(), tmp_path / "a.json"),
             written(counted_anew(told, 5), tmp_path / "b.json")]  # fmt: skip
    words = ["diff", *map(str, paths), "--as", "coco"]
    done = CliRunner().invoke(app, [*words, "--json", "--exit-code", "--drift"])
    content: dict[str, Any] = json.loads(done.stdout)
    assert done.exit_code == 1
    assert content["summary"]["annotations"]["added"] == expected["added"]
    changed = [label for label in content["labels"] if label["change"] == "changed"]
    assert all(label["annotation_after"] and label["agreement"] >= 0.5 for label in changed)
    assert content["drift"]["jensen_shannon"] > 0
    shown = CliRunner().invoke(app, words)
    assert "paired by geometry, whose shapes agree" in shown.stdout
    assert shown.exit_code == 0
    lone = CliRunner().invoke(app, ["diff", str(paths[0]), "--as", "coco"])
    assert isinstance(lone.exception, InvalidInput)


def test_a_dry_run_shows_what_the_import_would_change(store: Store, tmp_path: Path) -> None:
    told, count = edited(tiny(), share=0.03)
    path, folder = written(told, tmp_path / "b.json"), str(store.workspace.folder)
    args = ["import", "coco", str(path), "--dataset", "d", "--mode", "update", "--dry-run",
            "--store", folder]  # fmt: skip
    shown = CliRunner().invoke(app, args)
    assert shown.exit_code == 0, shown.output
    assert f"{count['reclassified']} " in shown.output.partition("class before")[2]
    assert f"would change d in layer ground_truth: {len(told['annotations'])}" in shown.output
    found = json.loads(CliRunner().invoke(app, [*args, "--json"]).stdout)
    assert found["diff"]["meanings"]["moved"] == count["moved"]
    assert found["diff"]["summary"]["annotations"]["added"] == count["added"]
    assert store.staged() is None
