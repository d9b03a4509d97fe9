"""Traces: where in a file, which pins, what plain Git put back, and what came by a merge."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from conftest import TINY, Run

from labelstore.errors import NotFound
from labelstore.lineage.holding import Pinned, holding
from labelstore.lineage.sources import Source, source_of
from labelstore.lineage.trace import Trace
from labelstore.model import labels as l
from labelstore.storage.objects import object_path
from labelstore.store import Store, init_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = init_store(tmp_path / "store", target=64)
    made.import_from("coco", TINY, by="ada", message="first", commit=True, tag="v1")
    return made


def first(store: Store, where: str = "true") -> int:
    sql = f"SELECT min(annotation_id) FROM labels WHERE {where}"
    found: int = store.query(sql).column(0).to_pylist()[0]
    return found


def test_the_place_in_the_file_is_where_the_label_stands(store: Store) -> None:
    listed = json.loads(TINY.read_text())["annotations"]
    rows = store.query("SELECT annotation_id, source_id FROM annotations").to_pylist()
    for row in rows[::40]:
        source = store.trace(row["annotation_id"]).steps[0].source
        assert source is not None
        assert source.path == str(TINY)
        assert source.place is not None
        place = int(source.place.removeprefix("$.annotations[").removesuffix("]"))
        assert listed[place]["id"] == row["source_id"] == int(source.source_id or 0)


@pytest.mark.parametrize(("name", "folder"), [("yolo", "yolo/datumaro_roboflow"),
                                              ("kitti", "kitti/lgsvl_object")])  # fmt: skip
def test_of_a_folder_it_is_the_line(tmp_path: Path, name: str, folder: str) -> None:
    """The line says the label's class (by number in YOLO, by name in KITTI)."""
    data = TINY.parents[2] / folder
    store = init_store(tmp_path / "store")
    store.import_from(name, data, by="ada")
    store.commit("first", tag="v1")
    rows = store.query("SELECT l.annotation_id, l.uri, l.category, c.position FROM labels l "
                       "JOIN categories c USING (category_id)").to_pylist()  # fmt: skip
    assert len({row["uri"] for row in rows}) > 1
    for row in rows:
        source = store.trace(row["annotation_id"]).steps[0].source
        assert source is not None
        assert source.path == str(data)
        assert source.place is not None
        number = int(source.place.split()[1]) - 1
        (file,) = data.rglob(f"label*/{Path(row['uri']).stem}.txt")
        word = file.read_text().splitlines()[number].split()[0]
        assert word == (row["category"] if name == "kitti" else str(row["position"]))


def test_of_many_files_it_is_the_one_called_as_the_item() -> None:
    files = [{"path": f"in/{n}.txt", "sha256": str(n)} for n in range(3)]
    label = {"source_id": None, "source_key": '"x"', "seq": 4, "created_in": 1, "changed_in": 1}
    found = source_of({"inputs": files}, label, None, "images/2.jpg")
    assert found == Source("in/2.txt", "2", None, '"x"', 0)
    assert source_of({"inputs": files}, label, None, "z.jpg") == Source(
        "in/0.txt", "0", None, '"x"', 2)  # fmt: skip
    assert source_of({"inputs": None}, label, None, "z.jpg") is None


def test_pins_that_hold_it(store: Store, tmp_path: Path) -> None:
    number = first(store, "category = 'person'")
    store.split("default", ratios="train=0.5,val=0.5", by="ada")
    with store.edit(by="bob") as edit:
        edit.update(where=f"annotation_id = {number}", set={"score": 0.5})
    store.commit("scored", tag="v2")
    (subset,) = [p.subset for p in store.trace(number).subsets]
    other = "val" if subset == "train" else "train"
    store.pin("v1", tmp_path / "one.lock")
    store.pin("v2", tmp_path / "two.lock", split=f"default/{subset}")
    store.pin("v2", tmp_path / "three.lock", split=f"default/{other}")
    committed = store.workspace.folder / "four.lock"
    committed.write_text((tmp_path / "two.lock").read_text())
    subprocess.run(["git", "add", "four.lock"], cwd=store.workspace.folder, check=True)
    held = {Path(h.path).name: (h.revision, h.version) for h in store.trace(number).pins}
    assert held == {"one.lock": ("v1", "v1"), "two.lock": ("v2", "v2"), "four.lock": ("v2", "v2")}
    directory = store.workspace.directory(store.workspace.git.resolve("v1")) or ""
    object_path(store.workspace.layout.cache, directory).rename(tmp_path / "aside")
    pin = Pinned("one", "v1", "c", directory, "ground_truth", None)
    (one,) = holding(store.workspace, [pin], Trace(number, "", "", ""))
    assert (one.here, one.version) == (False, None)
    (tmp_path / "aside").rename(object_path(store.workspace.layout.cache, directory))
    (tmp_path / "one.lock").write_text("broken")
    (tmp_path / "two.lock").unlink()
    assert [Path(h.path).name for h in store.trace(number).pins] == ["four.lock"]


def test_what_plain_git_put_back_is_nobodys(store: Store) -> None:
    number = first(store, "category = 'person'")
    with store.edit(by="bob") as edit:
        edit.update(where=f"annotation_id = {number}", set={"category": "'car'"})
        edit.add([l.Box(item="000000397133.jpg", category="car", x=1, y=1, width=5, height=5)])
    store.commit("second", tag="v2")
    added = first(store, "category = 'car' AND xmin = 1")
    store.workspace.git.run("revert", "--no-edit", "HEAD")
    back = store.trace(number).steps[-1]
    assert (back.change, back.agent, back.activity) == ("changed", None, None)
    assert back.columns == {"category": ("car", "person")}
    gone = store.trace(added).steps[-1]
    assert (gone.change, gone.agent, gone.activity) == ("deleted", None, None)
    assert [c.name for c in store.log(author="bob")] == ["v2"]


def test_a_deletion_that_came_by_a_merge_is_of_who_deleted(store: Store) -> None:
    number = first(store)
    store.switch("side", create=True)
    with store.edit(by="bob", message="wrong") as edit:
        edit.delete(where=f"annotation_id = {number}")
    store.commit("deleted")
    store.switch("main")
    with store.edit(by="ada") as edit:
        edit.update(where=f"annotation_id = {number + 5}", set={"score": 0.5})
    store.commit("scored")
    store.merge("side", by="dora")
    gone = store.trace(number).steps[-1]
    assert (gone.change, gone.agent) == ("deleted", "bob")
    assert gone.activity is not None
    assert gone.activity["message"] == "wrong"


def test_an_item_is_named_by_uri_or_id_or_told_missing(store: Store) -> None:
    by_uri = store.blame("000000397133.jpg")
    assert store.blame(by_uri.item_id) == by_uri
    assert store.log(item=str(by_uri.item_id)) == store.log(item=by_uri.item)
    for ask in (lambda: store.blame("none.jpg"), lambda: store.log(item="none.jpg"),
                lambda: store.log(category="none")):  # fmt: skip
        with pytest.raises(NotFound):
            ask()


def test_the_log_knows_files_by_path_end_or_pattern(store: Store) -> None:
    for path in (str(TINY), TINY.name, "*/instances_*.json"):
        assert [c.name for c in store.log(path=path)] == ["v1"]
    assert store.log(path="other.json") == []


def test_commands_write_tables_json_and_pages(store: Store, cli: Run, tmp_path: Path) -> None:
    number, own = str(first(store, "category = 'person'")), store.workspace.folder
    store.review("accepted", ids=[int(number)], by="bob", reason="looked <twice>")
    store.commit("reviewed", tag="v2")
    said = cli("trace", number, cwd=own).stdout
    assert "by bob  review: looked <twice>" in said
    assert "review: accepted by bob at " in said
    assert "$.annotations[" in said
    found = json.loads(cli("trace", number, "--json", cwd=own).stdout)
    assert found["review"]["state"] == "accepted"
    assert [s["change"] for s in found["steps"]] == ["created", "changed"]
    assert cli("trace", number, "--html", tmp_path / "t.html", cwd=own).returncode == 0
    page = (tmp_path / "t.html").read_text()
    assert "looked &lt;twice&gt;" in page
    labels = json.loads(cli("blame", "000000397133.jpg", "--json", cwd=own).stdout)["labels"]
    assert {r["version"] for r in labels} == {"v1", "v2"}
    assert cli("blame", "000000397133.jpg", "--html", tmp_path / "b.html", cwd=own).returncode == 0
    assert "v2" in cli("log", "--author", "bob", cwd=own).stdout
    assert cli("log", "--author", "zoe", cwd=own).returncode == 3


def test_activities_that_shared_a_version_are_told(v1: Store) -> None:
    [label] = v1.query("SELECT min(annotation_id) FROM annotations").column(0).to_pylist()
    with v1.edit(by="bob", message="moved") as edit:
        edit.update(where=f"annotation_id = {label}", set={"occluded": "1.0"})
    v1.review("accepted", ids=[label], by="grace")
    v1.split("default", ratios="train=0.5,val=0.5", by="ada")
    v1.commit("two in one", tag="v2")
    step = v1.trace(label).steps[-1]
    assert step.agent == "grace"
    assert [(own["kind"], own["agent"], own["message"]) for own in step.others] == [
        ("edit", "bob", "moved")
    ]
    assert v1.trace(label).steps[0].others == []
