"""Some items go out, are worked on, and come back: no other item is touched."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY, Run

from labelstore.errors import InvalidInput
from labelstore.store import Store

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
