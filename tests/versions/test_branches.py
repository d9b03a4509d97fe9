"""Branches and merges in real Git repositories, by our commands and by Git's own."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY, Run

from labelstore.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from labelstore.store import Store, open_store

DRIVER = f"{sys.executable} -m labelstore.cli merge-driver %O %A %B %P"


def label(store: Store, place: int) -> int:
    """Return the id of a label by its place."""
    ids = store.query("SELECT annotation_id FROM annotations ORDER BY 1").column(0)
    return int(ids[place].as_py())


def scored(store: Store, place: int, score: float, *, by: str = "ada") -> None:
    """Publish another score of one label."""
    with store.edit(by=by) as edit:
        edit.update(where=f"annotation_id = {label(store, place)}", set={"score": score})
    store.commit(f"{place} is {score}")


def score(store: Store, place: int) -> float | None:
    """Return the score of a label at HEAD."""
    sql = f"SELECT score FROM annotations WHERE annotation_id = {label(store, place)}"
    found: float | None = store.query(sql, at="HEAD").column(0)[0].as_py()
    return found


@pytest.fixture
def forked(v1: Store) -> Store:
    """Return a store whose branches changed the score of label 3 otherwise, and one each alone."""
    v1.switch("side", create=True)
    scored(v1, 1, 0.25, by="bob")
    scored(v1, 3, 0.5, by="bob")
    v1.switch("main")
    scored(v1, 2, 0.75)
    scored(v1, 3, 1.0)
    return v1


def test_branches_are_gits(v1: Store, sh: Run) -> None:
    made = {b.name: b for b in v1.branch("side", "v1")}
    assert set(made) == {"main", "side"}
    assert made["main"].current
    assert not made["side"].current
    shown = sh("git", "branch", "--format=%(refname:short)", cwd=v1.workspace.folder).stdout
    assert shown.split() == ["main", "side"]
    with pytest.raises(AlreadyExists, match="'side' is there"):
        v1.branch("side")
    with pytest.raises(InvalidInput, match="no name for a branch"):
        v1.branch("a..b")
    with pytest.raises(NotFound, match="no version 'v9'"):
        v1.branch("other", "v9")
    with pytest.raises(NotFound, match="switch --create nowhere"):
        v1.switch("nowhere")


def test_labels_follow_a_switch(forked: Store) -> None:
    def shown() -> dict[str, str]:
        record = json.loads((forked.workspace.private / "checkout.json").read_text())
        return dict(record)

    folder = forked.workspace.folder
    for branch in ("side", "main"):
        forked.switch(branch)
        files = dict(forked.manifest(branch).files)
        assert shown() == files
        there = {p.relative_to(folder / "labels").as_posix()
                 for p in (folder / "labels").rglob("*") if p.is_file()}  # fmt: skip
        assert there == set(files)


def test_labels_follow_after_another_tool_has_placed_some(forked: Store, sh: Run) -> None:
    """DVC puts its own copies of another version there, as the guide has it."""
    folder = forked.workspace.folder
    sh("git", "checkout", "-q", "v1", cwd=folder)
    sh("dvc", "checkout", "-q", "labels.dvc", cwd=folder)
    sh("git", "switch", "-q", "main", cwd=folder)
    (folder / "labels/annotations/ground_truth/note.parquet").write_text("mine, and in no cache")
    forked.switch("main")
    files = dict(forked.manifest("HEAD").files)
    there = {p.relative_to(folder / "labels").as_posix(): p
             for p in (folder / "labels").rglob("*") if p.is_file()}  # fmt: skip
    assert there.pop("annotations/ground_truth/note.parquet").read_text().startswith("mine")
    assert {path: hashlib.md5(p.read_bytes()).hexdigest() for path, p in there.items()} == files


def test_a_branch_of_a_remote_is_made_from_there(forked: Store, tmp_path: Path, sh: Run) -> None:
    sh("git", "clone", "-q", str(forked.workspace.folder), "clone", cwd=tmp_path)
    clone = open_store(tmp_path / "clone")
    shutil.copytree(forked.workspace.layout.cache, clone.workspace.layout.cache)
    clone.switch("side")
    assert clone.workspace.git.head() == forked.workspace.git.resolve("side")
    clone.switch("from-v1", create=True, at="v1")
    assert clone.workspace.git.head() == forked.workspace.git.resolve("v1")


def test_a_trace_follows_the_branch_and_names_who_wrote_what_came(forked: Store) -> None:
    mine, theirs = label(forked, 2), label(forked, 1)
    forked.merge("side", policy="ours", by="eve")
    steps = {n: [(s.change, s.agent, dict(s.columns)) for s in forked.trace(n).steps[1:]]
             for n in (mine, theirs)}  # fmt: skip
    assert steps[mine] == [("changed", "ada", {"score": (None, 0.75)})]
    assert steps[theirs] == [("changed", "bob", {"score": (None, 0.25)})]


def test_a_stage_stays_with_its_labels(forked: Store) -> None:
    with forked.edit() as edit:
        edit.update(where=f"annotation_id = {label(forked, 5)}", set={"score": 0.125})
    with pytest.raises(Conflict, match="something is staged"):
        forked.switch("side")
    with pytest.raises(Conflict, match="something is staged"):
        forked.merge("side", policy="ours")
    with pytest.raises(Conflict, match="something is staged"):
        forked.switch("left", create=True, at="side")
    assert "left" not in {b.name for b in forked.branch()}
    forked.switch("same", create=True)  # the same labels: the stage may come along
    forked.commit("on same")
    assert score(forked, 5) == 0.125


def test_a_merge_has_both_parents_and_both_edits(forked: Store, sh: Run) -> None:
    report = forked.merge("side", policy="theirs", by="eve")
    assert report.outcome == "merged"
    assert [score(forked, n) for n in (1, 2, 3)] == [0.25, 0.75, 0.5]
    folder = forked.workspace.folder
    assert len(sh("git", "rev-list", "--parents", "-1", "HEAD", cwd=folder).stdout.split()) == 3
    assert not sh("git", "status", "--porcelain", cwd=folder).stdout
    assert not sh("dvc", "status", cwd=folder).stdout.replace("up to date", "").count("modified")
    message = sh("git", "log", "-1", "--format=%B", cwd=folder).stdout
    assert f"Labelstore-Root: {report.root}" in message
    assert message.startswith("Merge side")
    activity = forked.query("SELECT parameters FROM activities WHERE kind = 'merge'").to_pylist()
    assert json.loads(activity[0]["parameters"])["taken"] == {"theirs": 1}
    assert not [f for f in forked.check() if f.severity == "error"]
    assert forked.merge("side").outcome == "up-to-date"


def test_open_conflicts_change_nothing_and_can_be_decided_in_a_file(
    forked: Store, tmp_path: Path, cli: Run
) -> None:
    folder, head = forked.workspace.folder, forked.workspace.git.head()
    file = tmp_path / "open.json"
    stopped = cli("merge", "side", "--conflicts", file, cwd=folder)
    assert stopped.returncode == 1
    assert f"--take {file}" in stopped.stdout
    assert forked.workspace.git.head() == head
    (conflict,) = told = json.loads(file.read_text())
    known = {"cell": "score", "base": None, "ours": 1.0, "theirs": 0.5, "ours_by": "ada",
             "theirs_by": "bob", "take": None, "id": str(label(forked, 3))}  # fmt: skip
    assert known.items() <= conflict.items()
    again = cli("merge", "side", "--take", file, cwd=folder)
    assert again.returncode == 1  # nothing is decided yet
    conflict["take"] = "theirs"
    file.write_text(json.dumps(told))
    done = cli("merge", "side", "--take", file, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcome"] == "merged"
    assert score(open_store(folder), 3) == 0.5


def test_one_person_may_work_on_both_branches(v1: Store) -> None:
    """The person is one row that both sides added."""
    v1.switch("side", create=True)
    scored(v1, 1, 0.25, by="zoe")
    v1.switch("main")
    scored(v1, 2, 0.75, by="zoe")
    assert v1.merge("side", by="zoe").outcome == "merged"
    assert [score(v1, n) for n in (1, 2)] == [0.25, 0.75]


def test_both_branches_may_take_the_same_delivery(v1: Store, tmp_path: Path) -> None:
    """Items, classes, labels and the activity are the same rows on both sides."""
    told = json.loads(TINY.read_text())
    gone = told["annotations"].pop()["id"]
    (tmp_path / "instances_val2017.json").write_text(json.dumps(told))
    for branch in ("side", "main"):
        if branch == "side":
            v1.switch(branch, create=True)
        v1.import_from("coco", tmp_path / "instances_val2017.json", mode="update", by="ada")
        v1.commit("update")
        scored(v1, 1 if branch == "side" else 2, 0.5)
        v1.switch("main")
    report = v1.merge("side")
    assert report.outcome == "merged", report.conflicts.to_pylist()
    count = v1.query(f"SELECT count(*) AS n FROM annotations WHERE source_id = {gone}")
    assert count.to_pylist() == [{"n": 0}]
    assert [score(v1, n) for n in (1, 2)] == [0.5, 0.5]
    assert not [f for f in v1.check() if f.severity == "error"]


def test_a_dry_run_changes_nothing(forked: Store, cli: Run) -> None:
    head = forked.workspace.git.head()
    said = cli("merge", "side", "--policy", "ours", "--dry-run", cwd=forked.workspace.folder)
    assert said.returncode == 0
    assert "side: would be merged; this branch: 1 label changed" in said.stdout
    assert forked.workspace.git.head() == head
    assert forked.staged() is None


def test_the_newest_wins_and_so_does_the_reviewer(forked: Store) -> None:
    dry = forked.merge("side", policy="newest", dry_run=True)
    assert dry.conflicts.column("take").to_pylist() == ["ours"]
    assert forked.merge("side", policy="reviewer").outcome == "conflicts"
    forked.switch("side")
    with forked.edit(by="rita") as edit:
        edit.update(where=f"annotation_id = {label(forked, 3)}",
                    set={"review_state": "'accepted'"})  # fmt: skip
    forked.commit("reviewed")
    forked.switch("main")
    dry = forked.merge("side", policy="reviewer", dry_run=True)
    assert dry.conflicts.column("take").to_pylist() == ["theirs"]
    dry = forked.merge("side", policy="newest", dry_run=True)
    assert dry.conflicts.column("take").to_pylist() == ["theirs"]


def test_a_function_may_decide(forked: Store) -> None:
    report = forked.merge("side", policy=lambda conflicts: ["theirs"] * conflicts.num_rows)
    assert report.outcome == "merged"
    assert score(forked, 3) == 0.5


def test_a_branch_that_only_went_on_is_followed(v1: Store) -> None:
    v1.switch("side", create=True)
    scored(v1, 1, 0.25)
    tip = v1.workspace.git.head()
    v1.switch("main")
    assert v1.merge("side", dry_run=True).commit is None
    assert v1.workspace.git.head() != tip
    assert v1.merge("side").outcome == "fast-forward"
    assert v1.workspace.git.head() == tip
    assert v1.query("SELECT count(*) AS n FROM activities WHERE kind = 'merge'").to_pylist() == [
        {"n": 0}
    ]


def test_other_files_are_merged_by_git_or_left_to_the_user(forked: Store, sh: Run) -> None:
    folder = forked.workspace.folder

    def written(name: str, text: str) -> None:
        (folder / name).write_text(text)
        sh("git", "add", name, cwd=folder)
        sh("git", "commit", "-q", "-m", name, cwd=folder)

    written("ours.txt", "ours")
    written("both.txt", "ours")
    forked.switch("side")
    written("theirs.txt", "theirs")
    written("both.txt", "theirs")
    forked.switch("main")
    with pytest.raises(Conflict, match=r"these files are not: both\.txt"):
        forked.merge("side", policy="ours")
    (folder / "both.txt").write_text("one")
    sh("git", "add", "both.txt", cwd=folder)
    sh("git", "commit", "-q", "--no-edit", cwd=folder)
    assert (folder / "theirs.txt").read_text() == "theirs"
    assert [score(forked, n) for n in (1, 2, 3)] == [0.25, 0.75, 1.0]
    message = sh("git", "log", "-1", "--format=%B", cwd=folder).stdout
    assert f"Labelstore-Root: {forked.manifest('HEAD').root}" in message


def plainly_merged(store: Store, driver: str) -> subprocess.CompletedProcess[str]:
    """Run `git merge` with our driver."""
    folder = store.workspace.folder
    git = ["git", "-c", f"merge.labelstore.driver={driver}"]
    (folder / ".git/info/attributes").write_text("labels.dvc merge=labelstore\n")
    return subprocess.run([*git, "merge", "-q", "--no-edit", "side"], cwd=folder,
                          capture_output=True, text=True)  # fmt: skip


def test_git_itself_merges_labels_by_the_driver(forked: Store, sh: Run) -> None:
    done = plainly_merged(forked, f"{DRIVER} --policy theirs")
    assert done.returncode == 0, done.stderr
    assert [score(forked, n) for n in (1, 2, 3)] == [0.25, 0.75, 0.5]
    folder = forked.workspace.folder
    assert not sh("git", "status", "--porcelain", cwd=folder).stdout
    sh("dvc", "checkout", cwd=folder)  # every object is where DVC looks for it
    same = forked.workspace.folder / "labels"
    assert {p.relative_to(same).as_posix() for p in same.rglob("*.parquet")} <= set(
        forked.manifest("HEAD").files
    )


def test_gits_merge_stops_where_conflicts_are_open(forked: Store, sh: Run) -> None:
    done = plainly_merged(forked, DRIVER)
    assert done.returncode == 1
    assert "1 conflict in labels is open" in done.stderr
    folder = forked.workspace.folder
    assert "<<<<<<< ours" in (folder / "labels.dvc").read_text()
    assert "UU labels.dvc" in sh("git", "status", "--porcelain", cwd=folder).stdout
    sh("git", "merge", "--abort", cwd=folder)
    assert score(forked, 3) == 1.0
    assert forked.merge("side", policy="ours").outcome == "merged"


def test_histories_without_a_common_beginning_are_refused(v1: Store, sh: Run) -> None:
    folder = v1.workspace.folder
    sh("git", "checkout", "-q", "--orphan", "lone", cwd=folder)
    sh("git", "commit", "-q", "-m", "alone", cwd=folder)
    with pytest.raises(Conflict, match="no common beginning"):
        v1.merge("main")
