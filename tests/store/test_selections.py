"""Some items go out, are worked on, and come back: no other item is touched."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY, Run

from labelstore.errors import InvalidInput, NotFound
from labelstore.store import Store, init_store

FORMATS = {"coco": "tasks.json", "label-studio": "tasks.json", "cvat": "tasks.xml"}
SOME = "item_id IN (SELECT i.item_id FROM items i ORDER BY i.uri LIMIT 12)"


def sent(store: Store, format_name: str, folder: Path, items: str = SOME) -> Path:
    """Return a file of some items."""
    target = folder / FORMATS[format_name]
    store.export_to(format_name, target, allow_loss=["all"], items=items)
    return target


def returned(store: Store, format_name: str, file: Path, **more: Any) -> list[tuple[str, ...]]:
    """Take a file back, and return change, item and columns of each label."""
    store.import_from(format_name, file, mode="update", dataset="instances_val2017", **more)
    diff = store.status()
    if diff is None:
        return []
    assert diff.items.num_rows == 0
    return [(r["change"], str(r["item_id"])) for r in diff.labels.to_pylist()]


def counts(store: Store, at: str | None = None) -> Any:
    return store.query("SELECT count(*) AS n, count(DISTINCT source_id) AS ids FROM annotations",
                       at=at).to_pylist()[0]  # fmt: skip


@pytest.mark.parametrize("format_name", FORMATS)
def test_what_comes_back_as_it_went_changes_nothing(
    v1: Store, tmp_path: Path, format_name: str
) -> None:
    file = sent(v1, format_name, tmp_path)
    assert returned(v1, format_name, file) == []
    assert v1.staged() is None


def test_a_selection_has_its_items_and_their_labels(v1: Store, tmp_path: Path) -> None:
    content = json.loads(sent(v1, "coco", tmp_path).read_text())
    whole = json.loads(TINY.read_text())
    names = sorted(i["file_name"] for i in whole["images"])[:12]
    ids = {i["id"] for i in whole["images"] if i["file_name"] in names}
    assert {i["file_name"] for i in content["images"]} == set(names)
    assert content["annotations"] == [a for a in whole["annotations"] if a["image_id"] in ids]
    assert content["categories"] == whole["categories"]


def test_edits_of_a_coco_selection(v1: Store, tmp_path: Path) -> None:
    file = sent(v1, "coco", tmp_path)
    content = json.loads(file.read_text())
    moved, gone, *_ = (a for a in content["annotations"] if not a["iscrowd"])
    moved["bbox"][0] += 1
    content["annotations"].remove(gone)
    highest = max(a["id"] for a in content["annotations"])
    outline = [5.0, 5.0, 35.0, 5.0, 35.0, 25.0]
    content["annotations"].append(
        {**moved, "id": highest + 1, "bbox": [5.0, 5.0, 30.0, 20.0], "segmentation": [outline]}
    )
    file.write_text(json.dumps(content))
    before = counts(v1)
    changes = returned(v1, "coco", file)
    assert sorted(c for c, _ in changes) == ["added", "changed", "removed"]
    after = counts(v1)
    assert after == before  # one more, one less; and no id is there twice
    v1.commit("worked on", tag="v2")
    assert returned(v1, "coco", file) == []  # the same file again says nothing new


def test_edits_of_a_cvat_selection(v1: Store, tmp_path: Path) -> None:
    """The file went through a tool that numbers images anew; one box was moved there."""
    file = sent(v1, "cvat", tmp_path)
    text = file.read_text()
    text = re.sub(r'(<image id=")(\d+)', lambda m: f"{m[1]}{int(m[2]) + 500}", text)
    at = re.search(r'points="([\d.]+),', text)
    assert at is not None
    file.write_text(text[: at.start(1)] + f"{float(at[1]) + 2:.2f}" + text[at.end(1) :])
    assert [c for c, _ in returned(v1, "cvat", file)] == ["changed"]
    assert counts(v1)["n"] == counts(v1, "v1")["n"]


def test_without_a_sidecar_the_command_is_told(v1: Store, tmp_path: Path, cli: Run) -> None:
    file = sent(v1, "coco", tmp_path)
    (tmp_path / "tasks.json.labelstore.sidecar.parquet").unlink()
    folder = v1.workspace.folder
    words = ("import", "coco", file, "--mode", "update", "--dataset", "instances_val2017")
    told = cli(*words, "--only-listed", "--json", cwd=folder)
    assert json.loads(told.stdout)["changed"] is False
    told = cli(*words, "--dry-run", "--json", cwd=folder)
    assert json.loads(told.stdout)["changed"] is True  # a whole delivery takes the rest away
    with pytest.raises(InvalidInput, match="--only-listed is for --mode update"):
        v1.import_from("coco", file, mode="add", dataset="x", only_listed=True)


def test_a_selection_cannot_replace_all(v1: Store, tmp_path: Path) -> None:
    file = sent(v1, "coco", tmp_path)
    with pytest.raises(InvalidInput, match="is a selection of items"):
        v1.import_from("coco", file, mode="replace", dataset="instances_val2017")


def test_labels_made_by_hand_are_recognised(v1: Store, tmp_path: Path) -> None:
    """They have no numbers of their own; those that an export gives them are of all items."""
    uris = v1.query("SELECT uri FROM items ORDER BY uri").column(0).to_pylist()
    with v1.edit() as edit:
        for n, uri in enumerate([*uris[20:24], *uris[:4]]):
            own = [(4.0 * n, 5.0, 30.0, 20.0), (50.0, 60.0 + n, 8.0, 9.0)]
            edit.add_boxes(uri=uri, category="person", boxes=own)
    v1.commit("by hand", tag="v2")
    for format_name in FORMATS:
        assert returned(v1, format_name, sent(v1, format_name, tmp_path)) == []


def test_items_without_labels_and_none_at_all(v1: Store, tmp_path: Path) -> None:
    bare = "item_id NOT IN (SELECT a.item_id FROM annotations a)"
    content = json.loads(sent(v1, "coco", tmp_path, bare).read_text())
    assert (len(content["images"]), content["annotations"]) == (2, [])
    assert returned(v1, "coco", tmp_path / "tasks.json") == []
    content = json.loads(sent(v1, "coco", tmp_path, "FALSE").read_text())
    assert content["images"] == []


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_label_that_is_drawn_anew(v1: Store, tmp_path: Path, format_name: str) -> None:
    """One goes and one comes on an item whose neighbours in the store are not of the selection."""
    store, chosen = v1, v1.curate(3, by={"rare": 1}).items.tolist()
    target = tmp_path / FORMATS[format_name]
    store.export_to(format_name, target, allow_loss=["all"], items=chosen)
    if format_name == "cvat":
        text = target.read_text()
        old = re.search(r"<polygon .*?</polygon>\n|<polygon [^>]*/>\n", text, re.S)
        assert old is not None
        new = re.sub(r'points="[^"]*"', 'points="1.00,1.00;9.00,1.00;9.00,9.00"', old[0])
        target.write_text(text.replace(old[0], new, 1))
    elif format_name == "coco":
        content = json.loads(target.read_text())
        gone = content["annotations"].pop(0)
        outline = [1, 1, 10, 1, 10, 10, 1, 10]
        content["annotations"].append(
            {**gone, "id": 10**7, "bbox": [1, 1, 9, 9], "area": 81, "segmentation": [outline]}
        )
        target.write_text(json.dumps(content))
    else:
        content = json.loads(target.read_text())
        results = content[0]["annotations"][0]["result"]
        results[0] = {**results[0], "id": "new", "type": "rectanglelabels",
                      "value": {"x": 1, "y": 1, "width": 2, "height": 2, "rotation": 0,
                                "rectanglelabels": ["person"]}}  # fmt: skip
        target.write_text(json.dumps(content))
    changes = sorted(c for c, _ in returned(store, format_name, target))
    assert changes == ["added", "removed"]


def test_regions_of_a_task_have_ids_of_their_own(v1: Store, tmp_path: Path) -> None:
    """Label Studio knows regions by their ids."""
    content = json.loads(sent(v1, "label-studio", tmp_path).read_text())
    ids = [r["id"] for task in content for r in task["annotations"][0]["result"]]
    assert len(set(ids)) == len(ids) > 50


def test_new_items_get_numbers_after_all_others(v1: Store, tmp_path: Path) -> None:
    file = sent(v1, "coco", tmp_path)
    content = json.loads(file.read_text())
    others = {i["id"] for i in json.loads(TINY.read_text())["images"]}
    other = min(others - {i["id"] for i in content["images"]})
    content["images"].append({**content["images"][0], "id": other, "file_name": "new.jpg"})
    content["annotations"].append({**content["annotations"][0], "id": 77, "image_id": other})
    file.write_text(json.dumps(content))
    v1.import_from("coco", file, mode="update", dataset="instances_val2017")
    v1.commit("a new image", tag="v2")
    v1.export_to("coco", tmp_path / "all.json")
    images = json.loads((tmp_path / "all.json").read_text())["images"]
    assert len({i["id"] for i in images}) == len(images) == 51
    assert [f.code for f in v1.check(at="v2")] == [f.code for f in v1.check(at="v1")]


def test_all_labels_of_a_selection_may_go(v1: Store, tmp_path: Path) -> None:
    file = sent(v1, "coco", tmp_path)
    content = json.loads(file.read_text())
    count = len(content["annotations"])
    content["annotations"] = []
    file.write_text(json.dumps(content))
    assert [c for c, _ in returned(v1, "coco", file)] == ["removed"] * count


def test_labels_of_items_that_are_not_listed_are_refused(v1: Store, tmp_path: Path) -> None:
    file = sent(v1, "coco", tmp_path)
    content = json.loads(file.read_text())
    others = {i["id"] for i in json.loads(TINY.read_text())["images"]}
    content["annotations"][0]["image_id"] = min(others - {i["id"] for i in content["images"]})
    file.write_text(json.dumps(content))
    with pytest.raises(InvalidInput, match="the selection does not list"):
        v1.import_from("coco", file, mode="update", dataset="instances_val2017")
    assert v1.staged() is None


def test_results_cannot_be_a_selection(v1: Store, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="lists no items"):
        v1.export_to("coco-results", tmp_path / "r.json", allow_loss=["all"], items=SOME)
    v1.export_to("coco-results", tmp_path / "r.json", allow_loss=["all"])
    v1.import_from("coco-results", tmp_path / "r.json", layer="model")
    with pytest.raises(InvalidInput, match="lists no items"):
        v1.import_from("coco-results", tmp_path / "r.json", layer="model", mode="update",
                       dataset="r", only_listed=True)  # fmt: skip


CVAT = """<?xml version="1.0"?>
<annotations><version>1.1</version><meta><project><name>keep me</name></project></meta>
{}</annotations>
"""
IMAGE = (
    '<image id="{n}" name="a.jpg" subset="{subset}" width="200" height="100">'
    '<box label="car" occluded="0" xtl="{x}" ytl="10" xbr="50" ybr="40" z_order="0"/></image>\n'
)


def test_items_of_one_name_are_not_taken_for_each_other(store: Store, tmp_path: Path) -> None:
    images = [IMAGE.format(n=0, subset="Train", x=10), IMAGE.format(n=0, subset="Test", x=20)]
    (tmp_path / "a.xml").write_text(CVAT.format("".join(images)))
    store.import_from("cvat", tmp_path / "a.xml", dataset="d")
    store.commit("x", tag="v1")
    last = store.query("SELECT max(item_id) AS i FROM items").column(0).to_pylist()
    store.export_to("cvat", tmp_path / "sel.xml", items=last)
    with pytest.raises(InvalidInput, match="no number tells which"):
        store.import_from("cvat", tmp_path / "sel.xml", mode="update", dataset="d")


def test_what_a_file_says_of_itself_stays(store: Store, tmp_path: Path) -> None:
    images = [IMAGE.format(n=i, subset="Train", x=10 + i).replace("a.jpg", f"{i}.jpg")
              for i in range(3)]  # fmt: skip
    (tmp_path / "a.xml").write_text(CVAT.format("".join(images)))
    store.import_from("cvat", tmp_path / "a.xml", dataset="d")
    store.commit("x", tag="v1")
    file = tmp_path / "sel.xml"
    store.export_to("cvat", file, items="uri = '1.jpg'", sidecar=False)
    store.import_from("cvat", file, mode="update", dataset="d", only_listed=True)
    assert store.staged() is None
    store.export_to("cvat", tmp_path / "b.xml")
    assert (tmp_path / "b.xml").read_text() == (tmp_path / "a.xml").read_text()


def test_relations_of_labels_that_a_delivery_drops_go_too(v1: Store, tmp_path: Path) -> None:
    v1.import_from("coco", TINY, layer="b", dataset="b")
    v1.consensus(["ground_truth", "b"])
    v1.commit("consensus", tag="v2")
    content = json.loads(TINY.read_text())
    content["annotations"] = content["annotations"][10:]
    (tmp_path / "less.json").write_text(json.dumps(content))
    v1.import_from("coco", tmp_path / "less.json", mode="update", dataset="instances_val2017")
    assert not [f for f in v1.check() if f.severity == "error"]


def test_items_that_are_not_there(v1: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there are no items 1, 2"):
        v1.export_to("coco", tmp_path / "x.json", items=[1, 2])


def test_a_selection_elsewhere_is_all_that_there_is(v1: Store, tmp_path: Path) -> None:
    """In another store its items and labels have the numbers that they had."""
    file = sent(v1, "coco", tmp_path)
    other = init_store(tmp_path / "other")
    other.import_from("coco", file, message="some", commit=True)
    other.export_to("coco", tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == json.loads(file.read_text())


def test_items_of_another_data_set_are_not_taken(store: Store, tmp_path: Path) -> None:
    whole = json.loads(TINY.read_text())
    for name, own in (("p1", whole["images"][:25]), ("p2", whole["images"][25:])):
        ids = {i["id"] for i in own}
        labels = [a for a in whole["annotations"] if a["image_id"] in ids]
        content = {**whole, "images": own, "annotations": labels}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
        store.import_from("coco", tmp_path / f"{name}.json", dataset=name)
    store.commit("two", tag="v1")
    store.export_to("coco", tmp_path / "s.json", dataset="p1", items="TRUE")
    assert len(json.loads((tmp_path / "s.json").read_text())["images"]) == 25
    store.import_from("coco", tmp_path / "s.json", mode="update", dataset="p1")
    assert store.staged() is None
