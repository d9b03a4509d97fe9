"""Forgetting: nothing that is left holds what was erased, and every version verifies."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import DATA, Run

import labelstore
from labelstore.errors import Conflict, InvalidInput, NotFound, StorageFailed
from labelstore.lineage.forgetting import publishing as module
from labelstore.lineage.forgetting.mentions import Words
from labelstore.model import labels as l
from labelstore.model.tables import TABLES
from labelstore.storage.cache import user_cache
from labelstore.store import Store, init_store, open_store
from labelstore.training.pins.pin import read_pin
from labelstore.versions.forgotten import forgotten

FACE = "clinic/face-0412.jpg"
PATIENT = "patient 4711"
"""What a label of it says."""
OTHER = "clinic/face-04123.jpg"
"""An item whose name begins with that of the one that goes."""
STUDIO = DATA / "other" / "label_studio" / "test_export_yolo" / "data.json"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return three versions, a branch, pins and a remote; the face is in each version."""
    made = init_store(tmp_path / "store", target=64)
    made.remote_add("team", str(tmp_path / "remote"))
    git(made, "commit", "-q", "-am", "a remote")
    items = [FACE, OTHER, *(f"street/{n}.jpg" for n in range(30))]
    with made.edit(by="ada", message=f"labels of {FACE} and others") as edit:
        edit.add([l.Box(item=uri, category="face", x=10.0 * n, y=1, width=5, height=5,
                        attributes={"who": PATIENT if uri == FACE else "nobody"})
                  for uri in items for n in range(6)],
                 items=[{"uri": uri, "width": 99, "height": 99} for uri in items],
                 categories=[{"name": "face"}])  # fmt: skip
    made.commit(f"boxes, also of {FACE}", tag="v1")
    made.review("accepted", where=f"uri = '{FACE}' OR xmin < 20", by="grace")
    made.split("default", ratios="train=0.8,val=0.2")
    made.commit("reviewed", tag="v2")
    made.branch("side")
    with made.edit(by="ada") as edit:
        edit.update(
            where="xmin > 30", set={"box": "{'v0': 40.0, 'v1': 2.0, 'v2': 3.0, 'v3': 4.0}"}
        )
    made.commit("moved", tag="v3")
    made.pin("v2", tmp_path / "train.lock")
    made.push()
    return made


def git(store: Store, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=store.workspace.folder, check=True,
                          capture_output=True, text=True).stdout.strip()  # fmt: skip


def texts(store: Store, tmp_path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield all bytes of the cache, the remote and the history of tags and branches.

    Parquet is compressed, so its values are told as text, too.
    """
    workspace = store.workspace
    folders = [workspace.layout.cache, tmp_path / "remote", workspace.folder / "labels",
               workspace.private]  # fmt: skip
    for path in (p for folder in folders for p in folder.rglob("*") if p.is_file()):
        data = path.read_bytes()
        yield str(path), data
        if data[:4] == b"PAR1":
            yield str(path), json.dumps(pq.read_table(path).to_pylist(), default=str).encode()
    listed = git(store, "rev-list", "--objects", "--tags", "--branches").splitlines()
    tags = git(store, "for-each-ref", "--format=%(objectname)", "refs/tags").splitlines()
    for name in {line.split(" ")[0] for line in listed} | set(tags):
        kind = git(store, "cat-file", "-t", name)
        yield name, store.workspace.git.object(name, kind)


def mapped_files(cache: Path) -> list[bytes]:
    """Return what training keeps of rows."""
    return [path.read_bytes() for path in (cache / "arrow").rglob("*") if path.is_file()]


def rows(store: Store, at: str) -> dict[str, list[dict[str, Any]]]:
    """Return what a version says of all items but the one that goes."""
    manifest = store.manifest(at)
    gone = [r["item_id"] for r in manifest.table(TABLES["items"]).to_pylist() if r["uri"] == FACE]
    return {
        name: [r for r in manifest.table(TABLES[name]).to_pylist() if r["item_id"] not in gone]
        for name in ("items", "annotations", "geometries", "splits")
    }


def test_no_byte_that_is_left_holds_an_erased_item(store: Store, tmp_path: Path) -> None:
    before = {at: rows(store, at) for at in ("v1", "v2", "v3")}
    held = [
        where
        for where, data in texts(store, tmp_path)
        if FACE.encode() in data.replace(b"\\/", b"/")
    ]
    assert len(held) > 6  # the search finds it where it is
    assert sum(PATIENT.encode() in data for _, data in texts(store, tmp_path)) > 2
    plan = store.forget("item", FACE, reason="erasure request 17", force=True)
    assert plan.name == "forgotten/1"
    for where, data in texts(open_store(store.workspace.folder), tmp_path):
        assert FACE.encode() not in data.replace(b"\\/", b"/").replace(OTHER.encode(), b""), where
        assert PATIENT.encode() not in data, where
    again = open_store(store.workspace.folder)
    assert {at: rows(again, at) for at in before} == before
    found = again.verify(every=True, remote=True)
    assert (found.faults, found.rules) == ([], [])


def test_the_map_leads_from_old_roots_to_new_ones_and_counts(store: Store) -> None:
    roots = {at: store.manifest(at).root for at in ("v1", "v2", "v3")}
    commits = {at: store.workspace.git.resolve(at) for at in roots}
    plan = store.forget("item", FACE, reason="erasure request 17", force=True)
    [one] = forgotten(store.workspace.git)
    assert (one.what, one.reason) == ("item", "erasure request 17")
    told = {v.root: v for v in one.versions}
    for at, root in roots.items():
        assert told[root].new_root == store.manifest(at).root != root
        assert one.commits[commits[at]] == store.workspace.git.resolve(at)
        assert told[root].counts["annotations"] == told[root].counts["geometries"] == 6
        assert told[root].counts["items"] == 1
        assert told[root].counts["activities"] >= 1
    assert plan.tags == ["v1", "v2", "v3"]
    assert plan.removed["team"] > 0
    assert plan.removed["cache"] > 0


def test_other_commits_messages_people_and_days_stay(store: Store) -> None:
    form = "--format=%an|%ae|%aI|%cn|%cI|%s"
    before = git(store, "log", form, "--all").replace(FACE, "[forgotten]").splitlines()
    store.forget("item", FACE, reason="erasure", force=True)
    after = git(store, "log", form, "--branches").splitlines()
    assert sorted(after) == sorted(before)
    assert git(store, "status", "--porcelain") == ""
    assert store.workspace.git.branch() == "refs/heads/main"
    assert (
        git(store, "tag", "-l", "--format=%(contents:subject)", "v1")
        == "boxes, also of [forgotten]"
    )


def test_a_pin_goes_on_by_the_map(store: Store, tmp_path: Path) -> None:
    folder, lock = store.workspace.folder, tmp_path / "train.lock"
    before = labelstore.load(folder, pin=lock).items.column("uri").to_pylist()
    cache = user_cache()
    assert any(FACE.encode() in data for data in mapped_files(cache))
    store.forget("item", FACE, reason="erasure request 17", force=True)
    assert not any(FACE.encode() in data.replace(OTHER.encode(), b"")
                   for data in mapped_files(cache))  # fmt: skip
    assert open_store(folder).check_pin(lock) == []
    with pytest.warns(
        UserWarning, match=r"v2 was written anew to forget an item, erasure request"
    ):
        after = labelstore.load(folder, pin=lock)
    uris = set(before) - {FACE}
    assert set(after.items.column("uri").to_pylist()) == uris
    label = after.annotations.column("annotation_id")[0].as_py()
    assert open_store(folder).trace(label).pins[0].version == "v2"
    assert read_pin(lock).root != after.manifest.root  # the file itself is as it was
    again = open_store(folder)
    assert again.pin_note(lock)
    assert [s.rows for s in again.card().sections if s.title == "Forgotten"]
    with pytest.raises(NotFound, match="forgotten/1: 3 versions"):
        again.trace(1)


def test_only_force_does_it(store: Store) -> None:
    before = git(store, "for-each-ref"), {p for p in store.workspace.layout.cache.rglob("*")}
    plan = store.forget("item", FACE, reason="erasure")
    assert len(plan.versions) >= 3
    assert not plan.done
    assert (
        git(store, "for-each-ref"),
        {p for p in store.workspace.layout.cache.rglob("*")},
    ) == before


def test_the_real_dvc_agrees(store: Store, sh: Run) -> None:
    store.forget("item", FACE, reason="erasure", force=True)
    folder = store.workspace.folder
    assert "up to date" in sh("dvc", "status", cwd=folder).stdout
    assert "in sync" in sh("dvc", "status", "-c", cwd=folder).stdout
    sh("dvc", "push", "--all-commits", cwd=folder)
    said = sh("dvc", "gc", "-A", "--force", cwd=folder).stdout
    assert "No unused 'repo' cache to remove" in said


def test_another_clone_is_told_and_cleans_its_own_cache(
    store: Store, tmp_path: Path, sh: Run
) -> None:
    folder, bare, clone = store.workspace.folder, tmp_path / "bare.git", tmp_path / "clone"
    sh("git", "clone", "-q", "--bare", str(folder), str(bare), cwd=tmp_path)
    git(store, "remote", "add", "origin", str(bare))
    sh("git", "clone", "-q", str(bare), str(clone), cwd=tmp_path)
    theirs = open_store(clone)
    theirs.pull()
    assert theirs.verify(every=True).faults == []
    store.forget("item", FACE, reason="erasure", force=True)
    git(store, "push", "-q", "--force", "--all", "origin")
    git(store, "push", "-q", "--force", "--tags", "origin")
    sh("git", "fetch", "-q", "--force", "--tags", cwd=clone)
    sh("git", "reset", "-q", "--hard", "@{upstream}", cwd=clone)
    theirs = open_store(clone)
    theirs.pull()
    plan = theirs.forget(force=True)
    assert plan.removed["cache"] > 0
    theirs.push()
    theirs.pull()
    assert theirs.verify(every=True, remote=True).faults == []
    cache = theirs.workspace.layout.cache
    for path in (p for p in cache.rglob("*") if p.is_file()):
        if path.read_bytes()[:4] == b"PAR1":
            assert FACE not in str(pq.read_table(path).to_pylist()).replace(OTHER, "")


def test_a_clone_that_brings_it_back_is_refused_or_found(
    store: Store, tmp_path: Path, sh: Run
) -> None:
    clone = tmp_path / "clone"
    sh("git", "clone", "-q", str(store.workspace.folder), str(clone), cwd=tmp_path)
    theirs = open_store(clone)
    theirs.pull()
    store.forget("item", FACE, reason="erasure", force=True)
    theirs.push()  # it has not fetched, so it cannot know
    found = open_store(store.workspace.folder).verify("v2", remote=True)
    assert {f.version for f in found.faults} == {"forgotten/1"}
    assert found.forgotten[0].startswith("forgotten/1: 3 versions written anew on 20")
    again = open_store(store.workspace.folder)
    assert again.forget().objects > 3
    assert again.forget(force=True).removed["team"] > 3
    assert again.verify("v2", remote=True).faults == []
    sh("git", "fetch", "-q", "--force", "--tags", cwd=clone)
    for act in (theirs.push, theirs.pull, lambda: theirs.forget(force=True)):
        with pytest.raises(Conflict, match="forgotten/1"):
            act()


def test_a_forgotten_version_below_a_new_commit_is_refused_too(
    store: Store, tmp_path: Path, sh: Run
) -> None:
    clone = tmp_path / "clone"
    sh("git", "clone", "-q", str(store.workspace.folder), str(clone), cwd=tmp_path)
    theirs = open_store(clone)
    theirs.pull()
    with theirs.edit(by="eve") as edit:
        edit.delete(where="TRUE")
    theirs.commit("nothing left")
    store.forget("item", FACE, reason="erasure", force=True)
    sh("git", "fetch", "-q", "--force", "--tags", cwd=clone)
    for act in (theirs.push, theirs.pull):
        with pytest.raises(Conflict, match="forgotten/1"):
            act()


def test_a_remote_that_refuses_is_cleaned_later(store: Store, tmp_path: Path) -> None:
    remote, away = tmp_path / "remote", tmp_path / "away"
    remote.rename(away)
    remote.write_text("no folder")
    with pytest.raises(StorageFailed, match="Not a directory"):
        store.forget("item", FACE, reason="erasure", force=True)
    again = open_store(store.workspace.folder)
    for where, data in texts(again, tmp_path):
        assert FACE.encode() not in data.replace(OTHER.encode(), b""), where
    remote.unlink()
    away.rename(remote)
    assert again.forget(force=True).removed["team"] > 3
    assert again.verify(every=True, remote=True).faults == []


def test_forgetting_again_follows_both_maps(store: Store, tmp_path: Path) -> None:
    store.forget("item", FACE, reason="first", force=True)
    again = open_store(store.workspace.folder)
    again.forget("item", "street/3.jpg", reason="second", force=True)
    again = open_store(store.workspace.folder)
    assert [one.name for one in forgotten(again.workspace.git)] == ["forgotten/1", "forgotten/2"]
    assert again.check_pin(tmp_path / "train.lock") == []
    assert again.verify(every=True).faults == []
    with pytest.raises(NotFound):
        again.forget("item", FACE, reason="first")


def test_a_source_goes_with_what_only_it_lists(store: Store, tmp_path: Path) -> None:
    store.import_from("label-studio", STUDIO, by="ada", layer="vendor", dataset="vendor-b")
    uris = {r["uri"] for r in store.query(
        "SELECT DISTINCT uri FROM labels WHERE layer = 'vendor'").to_pylist()}  # fmt: skip
    store.commit("a vendor's", tag="v4")
    count = len(store.query("SELECT 1 FROM annotations WHERE layer <> 'vendor'"))
    store.push()
    store.forget("source", "vendor-b", reason="contract ended", force=True)
    again = open_store(store.workspace.folder)
    assert again.query("SELECT * FROM annotations WHERE layer = 'vendor'").num_rows == 0
    assert again.query("SELECT COUNT(*) FROM annotations").column(0)[0].as_py() == count
    assert again.manifest("v4").table(TABLES["datasets"]).num_rows == 0
    for where, data in texts(again, tmp_path):
        assert b"vendor-b" not in data, where
        assert not any(uri.encode() in data for uri in uris), where
    assert again.verify(every=True).faults == []


def test_one_item_of_a_file_that_tells_all_at_once(store: Store, tmp_path: Path) -> None:
    store.import_from("label-studio", STUDIO, by="ada", layer="vendor")
    uris = store.query("SELECT uri FROM items WHERE uri NOT LIKE 'clinic%' AND uri NOT LIKE "
                       "'street%' ORDER BY uri").column(0).to_pylist()  # fmt: skip
    store.commit("a vendor's", tag="v4")
    store.push()
    store.forget("item", uris[-1], reason="erasure", force=True)
    again = open_store(store.workspace.folder)
    for where, data in texts(again, tmp_path):
        assert uris[-1].encode() not in data, where
    assert again.verify(every=True).faults == []
    again.export_to("label-studio", tmp_path / "out.json", layer="vendor", allow_loss=["all"])
    assert uris[-1] not in (tmp_path / "out.json").read_text()


def test_a_person_goes_by_dropping_the_name(store: Store) -> None:
    root = store.manifest("v3").root
    [label] = store.query("SELECT annotation_id FROM annotations LIMIT 1").column(0).to_pylist()
    assert store.trace(label).steps[0].agent == "ada"
    assert store.forget("agent", "ada").people == store.forget("agent", "ada", force=True).people
    again = open_store(store.workspace.folder)
    assert (again.trace(label).steps[0].agent or "").startswith("person-")
    assert again.manifest("v3").root == root
    assert "ada" not in json.loads((again.workspace.private / "names.json").read_text()).values()
    with pytest.raises(NotFound):
        again.forget("agent", "ada")


@pytest.mark.parametrize("step", ["move", "finish", "replace_seen", "note"])
def test_a_run_that_dies_changed_nothing_or_goes_on(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Died(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise Died

    refs = git(store, "for-each-ref")
    with monkeypatch.context() as patched:
        patched.setattr(module, step, die)
        with pytest.raises(Died):
            store.forget("item", FACE, reason="erasure", force=True)
    again = open_store(store.workspace.folder)
    if step == "move":
        assert git(store, "for-each-ref") == refs
        again.forget("item", FACE, reason="erasure", force=True)
    else:
        again.forget(force=True)
    again = open_store(store.workspace.folder)
    assert git(again, "status", "--porcelain") == ""
    assert again.verify(every=True, remote=True).faults == []
    for where, data in texts(again, tmp_path):
        assert FACE.encode() not in data.replace(OTHER.encode(), b""), where


def test_what_cannot_be_forgotten(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nobody"):
        store.forget("agent", "nobody")
    with pytest.raises(NotFound):
        store.forget("item", "nowhere.jpg", reason="x")
    with pytest.raises(NotFound):
        store.forget("source", "nothing", reason="x")
    with pytest.raises(InvalidInput, match="reason"):
        store.forget("item", FACE, reason=f"erase {FACE}")
    with pytest.raises(InvalidInput, match="reason"):
        store.forget("item", FACE)
    with store.edit(by="ada") as edit:
        edit.delete(where="xmin = 10")
    with pytest.raises(Conflict, match="staged"):
        store.forget("item", FACE, reason="x")


def test_the_map_is_signed_and_so_are_tags_again(store: Store, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    allowed = tmp_path / "allowed"
    allowed.write_text(f"ada@example.org {key.with_suffix('.pub').read_text()}")
    for name, value in (("gpg.format", "ssh"), ("user.signingKey", key), ("tag.gpgSign", "true"),
                        ("gpg.ssh.allowedSignersFile", allowed)):  # fmt: skip
        git(store, "config", name, str(value))
    store.tag("signed", "v2")
    plan = store.forget("item", FACE, reason="erasure", force=True)
    assert plan.unsigned == []
    for name in ("signed", "forgotten/1"):
        git(store, "verify-tag", name)
    assert store.verify(every=True).signatures["signed"].state == "good"
    assert len(forgotten(store.workspace.git)) == 1


def test_the_command_shows_then_does(store: Store, cli: Run) -> None:
    where = ("--store", store.workspace.folder)
    shown = cli("forget", "item", FACE, "--reason", "erasure", *where)
    assert shown.returncode == 0, shown.stderr
    assert "nothing was done" in shown.stderr
    assert FACE not in shown.stdout
    done = cli("forget", "item", FACE, "--reason", "erasure", "--force", *where)
    assert done.returncode == 0, done.stderr
    assert "forgotten/1" in done.stdout
    assert "git push --force" in done.stderr
    assert cli("verify", "--all", *where).returncode == 0
    assert json.loads(cli("forget", "agent", "ada", "--json", *where).stdout)["done"] is False


@pytest.mark.parametrize("uri", ["clinic/O'Brien.jpg", "import", "xywh", "true", "a b.jpg"])
def test_only_what_people_wrote_is_blanked(store: Store, tmp_path: Path, uri: str) -> None:
    with store.edit(by="ada", message=f"seen:\n{uri}\tand more") as edit:
        edit.add([l.Box(item=uri, category="face", x=1, y=1, width=5, height=5)],
                 items=[{"uri": uri, "width": 99, "height": 99}])  # fmt: skip
    store.review("accepted", where="uri = '{}'".format(uri.replace("'", "''")), by="grace")
    store.commit("one more", tag="v4")
    with store.edit(by="ada") as edit:
        edit.delete(where="uri = '{}'".format(uri.replace("'", "''")))
    store.commit("without")
    before = {n: r for n, r in rows(store, "HEAD").items() if n != "items"}
    store.forget("item", uri, reason="request 17", force=True)
    again = open_store(store.workspace.folder)
    after = rows(again, "HEAD")
    assert {n: after[n] for n in before} == before
    acts = again.manifest().table(TABLES["activities"]).to_pylist()
    assert {a["kind"] for a in acts} == {"edit", "review", "split"}
    said = [text for a in acts for text in (a["message"] or "", json.loads(a["parameters"]))]
    assert uri.replace("'", "''") not in str(said).replace("'import'", "")
    assert not any(a["message"] and uri in a["message"] for a in acts)
    assert again.verify(every=True).faults == []
    assert not [f for f in again.check() if f.severity == "error"]


def test_other_tasks_of_a_file_keep_what_they_had(store: Store, tmp_path: Path) -> None:
    shape = json.loads(STUDIO.read_text())[0]["annotations"][0]["result"][0]
    choice = {"type": "choices", "value": {"choices": ["day"]}, "from_name": "c", "to_name": "i"}
    tasks = [
        {"id": n, "data": {"images": [f"secret/{n}.jpg"]},
         "annotations": [{"id": 10 * n + k, "completed_by": k, "lead_time": 1.5,
                          "result": [{**shape, "id": f"r{n}{k}"}, choice]} for k in (1, 2)]}
        for n in (1, 2, 3)
    ]  # fmt: skip
    source = tmp_path / "tasks.json"
    source.write_text(json.dumps(tasks))
    for gone in (2, 1):
        store.import_from("label-studio", source, by="ada", layer=f"vendor{gone}")
        store.commit(f"tasks {gone}")
        store.push()
        store.forget("item", f"task {gone}", reason="erasure", force=True)
        store = open_store(store.workspace.folder)
        for where, data in texts(store, tmp_path):
            assert f"secret/{gone}.jpg".encode() not in data, where
        target = tmp_path / f"out{gone}.json"
        store.export_to("label-studio", target, layer="vendor2")
        left = [task for task in tasks if f"task {task['id']}" not in (f"task {gone}", "task 2")]
        assert json.loads(target.read_text()) == left


def test_repositories_that_cannot_be_written_anew_are_refused(
    store: Store, tmp_path: Path, sh: Run
) -> None:
    folder = store.workspace.folder
    git(store, "worktree", "add", "-q", str(tmp_path / "w2"), "side")
    with pytest.raises(Conflict, match="work trees"):
        store.forget("item", FACE, reason="erasure", force=True)
    git(store, "worktree", "remove", str(tmp_path / "w2"))
    shallow = tmp_path / "shallow"
    sh("git", "clone", "-q", "--depth", "1", f"file://{folder}", str(shallow), cwd=tmp_path)
    with pytest.raises(Conflict, match="shallow"):
        open_store(shallow).forget("item", FACE, reason="erasure", force=True)
    git(store, "symbolic-ref", "refs/heads/trunk", "refs/heads/main")
    store.forget("item", FACE, reason="erasure", force=True)
    assert open_store(folder).verify(every=True, remote=True).faults == []


def test_a_name_within_a_longer_one_is_no_mention() -> None:
    words = Words.of(["a.jpg", "dir/b c.png"])
    for text in ("aa.jpg", "x/a.jpg", "a.jpg.png", "a.jpgs", "-a.jpg"):
        assert not words.named(text), text
    assert Words.of(["a.jpg"], loose=True).named('{"train.txt": "data/a.jpg\\n"}')
    for text in ("a.jpg", '"a.jpg"', "see a.jpg.", "uri = 'a.jpg'", '{"x":"dir\\/b c.png"}',
                 '{"x":"one\\na.jpg"}', '{"a.jpg": 1}', json.dumps([json.dumps({"y": "\ta.jpg"})])
                 ):  # fmt: skip
        assert words.named(text), text


def test_files_that_git_tracks_and_that_name_it_are_told(store: Store) -> None:
    (store.workspace.folder / "notes.md").write_text(f"look at {FACE}\n")
    git(store, "add", "notes.md")
    git(store, "commit", "-q", "-m", "notes")
    assert store.forget("item", FACE, reason="erasure").tracked == ["notes.md"]


def test_a_tag_of_that_name_that_is_no_map_is_refused(store: Store) -> None:
    git(store, "tag", "-m", "mine", "forgotten/x")
    with pytest.raises(labelstore.errors.Corrupt, match="forgotten/x"):
        store.check_pin(store.workspace.folder.parent / "train.lock")
