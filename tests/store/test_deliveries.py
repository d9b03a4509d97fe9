"""Deliveries and edits: identity is kept, and the diff of a known edit is that edit."""

from __future__ import annotations

import copy
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from conftest import TINY, Run
from pycocotools.coco import COCO

from labelstore.changes.summary import by_class, class_names, reclassified, verdict
from labelstore.errors import InvalidInput, LossRefused, NotFound
from labelstore.store import Store, open_store

DOCUMENT: dict[str, Any] = json.loads(TINY.read_text())


def written(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document))
    return path


def counts(store: Store, before: str, after: str | None = None) -> tuple[int, ...]:
    found = store.diff(before, after).tables.get("annotations")
    assert found is not None
    return found.added, found.removed, found.changed, found.provenance


def test_a_shuffled_copy_is_an_empty_change(v1: Store, tmp_path: Path) -> None:
    shuffled = copy.deepcopy(DOCUMENT)
    for name in ("images", "annotations", "categories"):
        random.Random(3).shuffle(shuffled[name])
    report = v1.import_from("coco", written(tmp_path / "instances_val2017.json", shuffled),
                            mode="update")  # fmt: skip
    assert not report.changed
    assert v1.staged() is None


def test_replace_takes_the_new_order_and_keeps_ids(v1: Store, tmp_path: Path) -> None:
    shuffled = copy.deepcopy(DOCUMENT)
    random.Random(3).shuffle(shuffled["annotations"])
    source = written(tmp_path / "instances_val2017.json", shuffled)
    assert v1.import_from("coco", source, mode="replace").changed
    assert counts(v1, "v1")[:3] == (0, 0, 0)
    v1.commit("replaced", tag="v2")
    v1.export_to("coco", tmp_path / "out.json", at="v2")
    assert (tmp_path / "out.json").read_text() == source.read_text()


def test_an_update_is_exactly_the_known_edit(v1: Store, tmp_path: Path) -> None:
    after = copy.deepcopy(DOCUMENT)
    rows = after["annotations"]
    polygons = [a for a in rows if isinstance(a["segmentation"], list)]
    for a in polygons[:7]:
        a["bbox"][0] += 2.5
    for a in polygons[10:15]:
        a["category_id"] = 3 if a["category_id"] != 3 else 1
    for a in polygons[20:22]:
        a["area"] += 1
    dead = {a["id"] for a in polygons[30:34]}
    gone = after["images"].pop(5)["id"]
    removed = sum(a["id"] in dead or a["image_id"] == gone for a in rows)
    touched = {id(a) for a in polygons[:7] + polygons[10:15] + polygons[20:22]}
    changed = sum(id(a) in touched and a["image_id"] != gone for a in rows if a["id"] not in dead)
    after["annotations"] = [a for a in rows if a["id"] not in dead and a["image_id"] != gone]
    after["annotations"] += [{**polygons[0], "id": 10**9}, {**polygons[50], "id": 10**9 + 1}]
    source = written(tmp_path / "instances_val2017.json", after)
    v1.import_from("coco", source, mode="update")
    assert counts(v1, "v1") == (2, removed, changed, 0)
    items = v1.diff("v1").tables["items"]
    assert (items.added, items.removed, items.changed) == (0, 1, 0)
    v1.commit("second", tag="v2")
    v1.export_to("coco", tmp_path / "out.json", at="v2")
    back = json.loads((tmp_path / "out.json").read_bytes())
    by_id = {a["id"]: a for a in back["annotations"]}
    assert by_id == {a["id"]: a for a in after["annotations"]}
    assert back["images"] == after["images"]


def test_ids_survive_an_update(v1: Store, tmp_path: Path) -> None:
    sql = "SELECT source_id, annotation_id, created_in FROM annotations ORDER BY source_id"
    before = v1.query(sql, at="v1").to_pylist()
    after = copy.deepcopy(DOCUMENT)
    for a in after["annotations"]:
        a["area"] += 1
    v1.import_from("coco", written(tmp_path / "instances_val2017.json", after), mode="update")
    assert v1.query(sql).to_pylist() == before
    assert counts(v1, "v1") == (0, 0, 382, 0)


@pytest.mark.parametrize("mode", ["update", "replace"])
def test_a_delivery_without_a_key_clears_it(v1: Store, tmp_path: Path, mode: Any) -> None:
    after = copy.deepcopy(DOCUMENT)
    for a in after["annotations"]:
        del a["iscrowd"]
    after["categories"] = [c for c in after["categories"] if c["name"] != "hair drier"]
    after["info"] = {"description": "second"}
    del after["licenses"]
    source = written(tmp_path / "instances_val2017.json", after)
    v1.import_from("coco", source, mode=mode)
    v1.commit("second", tag="v2")
    v1.export_to("coco", tmp_path / "out.json", at="v2")
    assert json.loads((tmp_path / "out.json").read_bytes()) == after


@pytest.mark.parametrize("mode", ["update", "replace"])
@pytest.mark.parametrize("first", [True, False])
def test_a_key_more_in_one_label_changes_one_label(
    v1: Store, tmp_path: Path, mode: Any, first: bool
) -> None:
    after = copy.deepcopy(DOCUMENT)
    label = after["annotations"][3]
    after["annotations"][3] = {"note": 1, **label} if first else {**label, "note": 1}
    source = written(tmp_path / "instances_val2017.json", after)
    v1.import_from("coco", source, mode=mode)
    assert counts(v1, "v1") == (0, 0, 1, 0)
    v1.export_to("coco", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_text() == source.read_text()


def test_an_update_leaves_the_order_of_keys(v1: Store, tmp_path: Path) -> None:
    after = copy.deepcopy(DOCUMENT)
    for name in ("images", "annotations", "categories"):
        after[name] = [dict(reversed(x.items())) for x in after[name]]
    after["annotations"][5]["iscrowd"] = 1
    v1.import_from("coco", written(tmp_path / "instances_val2017.json", after), mode="update")
    assert counts(v1, "v1") == (0, 0, 1, 0)
    assert set(v1.diff("v1").tables) <= {"annotations", "activities", "agents", "datasets"}


@pytest.mark.parametrize("mode", ["update", "replace"])
def test_a_delivery_without_annotations_removes_them(v1: Store, tmp_path: Path, mode: Any) -> None:
    after = {**DOCUMENT, "annotations": []}
    source = written(tmp_path / "instances_val2017.json", after)
    v1.import_from("coco", source, mode=mode)
    assert counts(v1, "v1") == (0, 382, 0, 0)
    v1.export_to("coco", tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_bytes()) == after


@pytest.mark.parametrize("name", ["../../../x", "..", ".", "a/b", "x" * 101, " ", "-x", "é"])
def test_a_layer_or_split_is_no_path(v1: Store, name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot name a layer"):
        v1.import_from("coco", TINY, layer=name)
    with pytest.raises(InvalidInput, match="cannot name a layer"):
        v1.split(name, ratios="a=1", by="ada")
    assert v1.staged() is None


def test_a_delivery_that_differs_in_number_text_alone_is_taken(v1: Store, tmp_path: Path) -> None:
    after = copy.deepcopy(DOCUMENT)
    after["annotations"][0]["area"] = float(int(after["annotations"][0]["area"]))
    after["annotations"][1]["area"] = int(after["annotations"][1]["area"])
    source = written(tmp_path / "instances_val2017.json", after)
    v1.import_from("coco", source, mode="update")
    again = copy.deepcopy(after)
    again["annotations"][0]["area"] = int(after["annotations"][0]["area"])
    source = written(tmp_path / "instances_val2017.json", again)
    assert v1.import_from("coco", source, mode="update").changed
    v1.commit("typed", tag="v2")
    v1.export_to("coco", tmp_path / "out.json", at="v2")
    assert json.dumps(json.loads((tmp_path / "out.json").read_bytes())) == json.dumps(again)


def test_an_import_of_a_known_data_set_asks_for_a_mode(v1: Store, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--mode update"):
        v1.import_from("coco", TINY)
    with pytest.raises(InvalidInput, match="--dataset"):
        v1.import_from("coco", TINY, mode="add")
    with pytest.raises(InvalidInput, match="has: instances_val2017"):
        v1.import_from("coco", TINY, mode="update", dataset="other")
    with pytest.raises(InvalidInput, match="has: none"):
        v1.import_from("coco", TINY, mode="update", layer="vendor-a")


def test_a_dry_run_stages_nothing(v1: Store) -> None:
    report = v1.import_from("coco", TINY, dataset="again", mode="add", dry_run=True)
    assert report.changed
    assert v1.staged() is None


def test_the_same_import_on_the_same_parent_gives_the_same_rows(
    v1_template: Path, tmp_path: Path
) -> None:
    roots = []
    for name in ("a", "b"):
        shutil.copytree(v1_template, tmp_path / name, symlinks=True)
        store = open_store(tmp_path / name)
        store.import_from("coco", TINY, dataset="more", mode="add")
        parts = store.manifest().parts_of("annotations") + store.manifest().parts_of("geometries")
        roots.append([(p.path, p.digest, p.root) for p in parts])
    assert roots[0] == roots[1]


def test_clones_that_add_different_rows_give_different_ids(
    v1_template: Path, tmp_path: Path
) -> None:
    found: list[set[int]] = []
    for name, x in (("a", 1.0), ("b", 2.0)):
        shutil.copytree(v1_template, tmp_path / name, symlinks=True)
        store = open_store(tmp_path / name)
        with store.edit(by="ada") as edit:
            boxes = [(x, 1.0, 5.0, 5.0)] * 50
            ids = edit.add_boxes(uri="000000397133.jpg", category="car", boxes=boxes)
        assert len(set(ids.tolist())) == 50
        known = store.query("SELECT annotation_id FROM annotations", at="v1").column(0).to_pylist()
        assert not set(known) & set(ids.tolist())
        found.append(set(ids.tolist()))
    assert not found[0] & found[1]


def test_edits_do_what_they_say(v1: Store, tmp_path: Path) -> None:
    with v1.edit(by="ada", message="pass") as edit:
        assert edit.update(where="is_crowd", set={"review_state": "'accepted'"}) == 5
        clock = edit.update(
            where="category_id = (SELECT category_id FROM categories WHERE name = 'clock')",
            set={"category": "$name", "box": "{'v0': 1.0, 'v1': 2.0, 'v2': 3.0, 'v3': 4.0}"},
            parameters={"name": "tv"},
        )
        gone = edit.delete(where="area < $a", parameters={"a": 50})
        new = edit.add(
            pa.table({"uri": ["000000397133.jpg"], "category": ["car"], "score": [0.5],
                      "polygons": [[[0.0, 0.0, 4.0, 0.0, 4.0, 3.0]]]})
        )  # fmt: skip
    assert clock > 0
    assert gone > 0
    added, removed, changed, provenance = counts(v1, "v1")
    assert (added, removed, provenance) == (1, gone, 0)
    assert 5 + clock - gone <= changed <= 5 + clock
    v1.commit("edited", tag="v2")
    moves = reclassified(v1.diff("v1", "v2"), class_names(v1.manifest("v1"), v1.manifest("v2")))
    assert moves == [("clock", "tv", clock)] or moves[0][:2] == ("clock", "tv")
    sql = "SELECT kind, xmin, ymin, xmax, ymax, area, score FROM labels WHERE annotation_id = $i"
    (row,) = v1.query(sql, at="v2", parameters={"i": int(new[0])}).to_pylist()
    assert row == {"kind": "polygon", "xmin": 0.0, "ymin": 0.0, "xmax": 4.0, "ymax": 3.0,
                   "area": None, "score": 0.5}  # fmt: skip
    sql = (
        "SELECT DISTINCT kind, xmin, xmax, area, polygons FROM labels WHERE xmin = 1 AND xmax = 4"
    )
    (row,) = v1.query(sql, at="v2").to_pylist()
    assert (row["kind"], row["area"], row["polygons"]) == ("box", None, None)
    with pytest.raises(LossRefused, match="--allow-loss coco-drops-review_state"):
        v1.export_to("coco", tmp_path / "out.json", at="v2")
    assert not (tmp_path / "out.json").exists()
    loss = "coco-drops-review_state"
    report = v1.export_to("coco", tmp_path / "out.json", at="v2", allow_loss=[loss])
    wanted = {"annotations-given-ids": 1, "annotations-completed": 2, loss: 5}
    assert report.notices == wanted
    back = json.loads((tmp_path / "out.json").read_bytes())
    assert len({a["id"] for a in back["annotations"]}) == 382 - gone + 1
    assert back["annotations"][-1]["id"] == 1 + max(a["id"] for a in DOCUMENT["annotations"])


def test_an_edit_that_fails_changes_nothing(v1: Store) -> None:
    def half_wrong() -> None:
        with v1.edit(by="ada") as edit:
            edit.delete(where="is_crowd")
            edit.update(where="true", set={"category": "'unicorn'"})

    with pytest.raises(NotFound, match="no class 'unicorn'"):
        half_wrong()
    assert v1.staged() is None
    for where, words in (("1; DROP TABLE x", "syntax error"), ("nonsense = 1", "nonsense"),
                         ("true) UNION (SELECT 1", "not one SQL expression")):  # fmt: skip
        with pytest.raises(InvalidInput, match=words), v1.edit(by="ada") as edit:
            edit.delete(where=where)
    with pytest.raises(InvalidInput, match="cannot be set"), v1.edit(by="ada") as edit:
        edit.update(where="true", set={"row_hash": "1"})
    with pytest.raises(InvalidInput, match="unknown columns"), v1.edit(by="ada") as edit:
        edit.add(pa.table({"uri": ["000000397133.jpg"], "colour": ["red"]}))
    with pytest.raises(InvalidInput, match="not-finite"), v1.edit(by="ada") as edit:
        edit.add_boxes(uri="000000397133.jpg", category="car", boxes=[(float("nan"), 1, 2, 3)])
    assert v1.staged() is None


def test_summaries_add_up(v1: Store) -> None:
    with v1.edit(by="ada") as edit:
        edit.delete(where="category_id = (SELECT category_id FROM categories WHERE name = 'car')")
    found = v1.diff("v1")
    (car,) = by_class(found, class_names(v1.manifest("v1")))
    assert (car.category, car.removed, car.total) == ("car", 34, 34)
    assert verdict(found) == "34 labels removed"
    assert verdict(v1.diff("v1", "v1")) == "the same"


def test_a_second_layer_rewrites_no_part_of_the_first(v1: Store) -> None:
    before = v1.manifest("v1")
    v1.import_from("coco", TINY, layer="model-x", by="model:x@2")
    after = v1.manifest()
    own = [p for p in after.parts if p.partition == "ground_truth"]
    assert own == [p for p in before.parts if p.partition == "ground_truth"]
    agents = v1.query("SELECT kind, name, version FROM agents WHERE kind = 'model'").to_pylist()
    assert agents == [{"kind": "model", "name": "x", "version": "2"}]


def test_people_are_stored_as_pseudonyms(v1: Store, sh: Run) -> None:
    with v1.edit(by="Grace Hopper") as edit:
        edit.delete(where="is_crowd")
    v1.commit("pass", tag="v2")
    stored = v1.query("SELECT name, key_id FROM agents WHERE kind = 'human'", at="v2").to_pylist()
    assert all(a["name"].startswith("person-") and a["key_id"] for a in stored)
    published = [p for p in v1.workspace.layout.cache.rglob("*") if p.is_file()]
    assert not any(b"Grace Hopper" in p.read_bytes() for p in published)
    assert "Grace" not in sh("git", "log", "-p", cwd=v1.workspace.folder).stdout


@pytest.mark.parametrize("mode", ["update", "replace"])
def test_labels_made_by_hand_survive_a_file_that_goes_out_and_comes_back(
    v1: Store, tmp_path: Path, mode: Any
) -> None:
    with v1.edit(by="ada") as edit:
        ids = edit.add_boxes(
            uri="000000397133.jpg", category="car", boxes=[(1, 2, 3, 4), (5, 6, 7, 8)]
        )
    with v1.edit(by="ada") as edit:
        more = edit.add_boxes(uri="000000037777.jpg", category="dog", boxes=[(9, 9, 9, 9)])
    v1.commit("by hand", tag="v2")
    source = tmp_path / "instances_val2017.json"
    v1.export_to("coco", source)
    v1.import_from("coco", source, mode=mode)
    if mode == "update":
        assert v1.staged() is None
    else:  # the file states area and crowd flag now, and the labels belong to its data set
        assert counts(v1, "v2")[:3] == (0, 0, 3)
        v1.restore()
    document = json.loads(source.read_text())
    document["annotations"][-1]["bbox"][0] = 30.0
    v1.import_from("coco", written(source, document), mode=mode)
    assert counts(v1, "v2")[:3] == (0, 0, 1 if mode == "update" else 3)
    there = set(v1.query("SELECT annotation_id FROM annotations").column(0).to_pylist())
    assert {*ids.tolist(), *more.tolist()} <= there


def test_a_renamed_class_stays_the_class(v1: Store, tmp_path: Path) -> None:
    after = copy.deepcopy(DOCUMENT)
    after["categories"][2]["name"] = "automobile"
    source = written(tmp_path / "instances_val2017.json", after)
    report = v1.import_from("coco", source, mode="update")
    assert report.difference == "1 class changed"
    v1.export_to("coco", tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == after


def test_split_rows_go_with_their_item_and_new_items_are_listed(v1: Store, tmp_path: Path) -> None:
    v1.split("default", ratios="train=0.5,val=0.5")
    v1.commit("split", tag="v2")
    after = copy.deepcopy(DOCUMENT)
    gone = after["images"].pop(5)["id"]
    after["annotations"] = [a for a in after["annotations"] if a["image_id"] != gone]
    after["images"].append({"id": 10**6, "file_name": "new.jpg"})
    source = written(tmp_path / "instances_val2017.json", after)
    v1.import_from("coco", source, mode="update")
    found = {f.code: f.count for f in v1.check()}
    assert found["item-without-split"] == 1
    assert "split-item-missing" not in found


def test_an_edit_of_several_layers_names_one(v1: Store) -> None:
    v1.import_from("coco", TINY, layer="model", dataset="m")
    with pytest.raises(InvalidInput, match="several layers"), v1.edit() as edit:
        edit.delete(where="area < 50")
    with v1.edit() as edit:
        assert edit.delete(where="area < 50", layer="model") > 0
        assert edit.update(where="layer = 'model'", set={"score": "0.5"}) > 0
    assert v1.stats().annotations == 382
    assert v1.stats(layer="model").annotations < 382


def test_edited_labels_are_complete_in_a_file(v1: Store, tmp_path: Path) -> None:
    a = DOCUMENT["annotations"][0]
    with v1.edit() as edit:
        box = "{'v0': 1.0, 'v1': 2.0, 'v2': 3.0, 'v3': 4.0}"
        assert edit.update(where=f"source_id = {a['id']}", set={"box": box}) == 1
        edit.add_boxes(uri="000000397133.jpg", category="car", boxes=[(1, 2, 5, 6)])
        ring = pa.array([[[0.0, 0, 10, 0, 10, 10, 0, 10]]])
        edit.add(pa.table({"uri": ["000000397133.jpg"], "category": ["car"], "polygons": ring}))
    report = v1.export_to("coco", tmp_path / "out.json")
    assert report.notices["annotations-completed"] == 3
    back = json.loads((tmp_path / "out.json").read_text())["annotations"]
    changed = next(b for b in back if b["id"] == a["id"])
    assert (changed["bbox"], changed["area"], changed["iscrowd"]) == ([1, 2, 3, 4], 12, 0)
    first, second = sorted(back[-2:], key=lambda b: b["area"])
    assert (first["area"], first["iscrowd"]) == (30, 0)
    assert (second["bbox"], second["area"], second["iscrowd"]) == ([0, 0, 10, 10], 100, 0)
    coco = COCO(str(tmp_path / "out.json"))
    assert len(coco.getAnnIds(areaRng=[0, 1e9], iscrowd=False)) == 379
    untouched = [b for b in back if b["id"] != a["id"]][:-2]
    assert untouched == [b for b in DOCUMENT["annotations"] if b["id"] != a["id"]]


def test_an_edited_mask_keeps_its_box_and_gets_the_area_of_its_pixels(
    v1: Store, tmp_path: Path
) -> None:
    crowd = next(a for a in DOCUMENT["annotations"] if isinstance(a["segmentation"], dict))
    with v1.edit() as edit:
        assert edit.update(where=f"source_id = {crowd['id']}", set={"area": "NULL"}) == 1
    v1.export_to("coco", tmp_path / "out.json")
    back = json.loads((tmp_path / "out.json").read_text())["annotations"]
    found = next(a for a in back if a["id"] == crowd["id"])
    runs = crowd["segmentation"]
    pixels = sum(runs["counts"][1::2])
    assert found == {**crowd, "area": pixels}
