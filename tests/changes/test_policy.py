"""Rules that a difference keeps or breaks, and what is no rule."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Run

from labelstore.analysis.reporting.policy import broken_rules, read_policy
from labelstore.changes.report import Report
from labelstore.errors import FormatError, InvalidInput, counted
from labelstore.model import labels as l
from labelstore.store import Store, init_store


@pytest.fixture
def edited(tmp_path: Path) -> Store:
    """Return a store of 20 labels on two tracks; v2 has one each gone, come, moved, renamed."""
    store = init_store(tmp_path / "s")
    items = [{"uri": f"{n}.jpg", "width": 100, "height": 100} for n in range(20)]
    with store.edit() as edit:
        edit.add([], items=items, categories=[{"name": "c"}, {"name": "d"}])
        (track,) = edit.add_tracks([{"category": "c"}]).tolist()
        edit.add([l.Box(item=f"{n}.jpg", category="c", x=10, y=10, width=20, height=20,
                        track_id=None if n > 1 else track) for n in range(20)])  # fmt: skip
    store.split("default", ratios="train=0.5,test=0.5", seed=1)
    store.commit("first", tag="v1")
    ids = store.query("SELECT annotation_id FROM annotations ORDER BY 1").column(0).to_pylist()
    with store.edit() as edit:
        edit.delete(where=f"annotation_id IN ({ids[0]}, {ids[1]})")
        edit.update(where=f"annotation_id = {ids[2]}", set={"category": "'d'"})
        edit.update(where=f"annotation_id = {ids[3]}",
                    set={"box": "{v0: 20, v1: 10, v2: 20, v3: 20}"})  # fmt: skip
        edit.add([l.Box(item="5.jpg", category="d", x=50, y=10, width=20, height=20)])
    store.commit("second", tag="v2")
    return store


def judged(store: Store, text: str, folder: Path) -> list[tuple[str, str]]:
    """Return the rules of a policy that v1 to v2 breaks, and what was found."""
    (folder / "p.toml").write_text(text)
    sides = store.manifest("v1"), store.manifest("v2")
    report = Report(store.diff("v1", "v2"), sides, ("v1", "v2"))
    return [(b.rule, b.found) for b in broken_rules(read_policy(folder / "p.toml"), report)]


@pytest.mark.parametrize(
    ("kept", "broken", "found"),
    [
        ("removed = 2", "removed = 1", "2 (10.000% of 20)"),
        ("removed = 0.1", "removed = 0.09", "2 (10.000% of 20)"),
        ("added = 1", "added = 0", "1 (5.000% of 20)"),
        ("changed = 2", "changed = 0.0", "2 (10.000% of 20)"),
        ("reclassified = 1", "reclassified = 0.01", "1 (5.000% of 20)"),
        ("lost_tracks = 1", "lost_tracks = 0", "1 track has no label now"),
        ("agreement = 0.3", "agreement = 0.5", "1 label below, 0.333 the least"),
        ("drift = 0.5", "drift = 0.01", ""),
    ],
)
def test_a_rule_is_kept_up_to_its_limit(
    edited: Store, tmp_path: Path, kept: str, broken: str, found: str
) -> None:
    assert judged(edited, kept, tmp_path) == []
    ((rule, said),) = judged(edited, broken, tmp_path)
    assert broken.startswith(rule)
    assert found in said


def test_labels_of_frozen_subsets_stay(edited: Store, tmp_path: Path) -> None:
    sql = """SELECT s.subset, count(*) AS n FROM splits s JOIN items i USING (item_id)
             WHERE i.uri IN ('0.jpg', '1.jpg', '2.jpg', '3.jpg', '5.jpg') GROUP BY 1"""
    expected = {r["subset"]: r["n"] for r in edited.query(sql, at="v1").to_pylist()}
    for subset in ("train", "test"):
        told = judged(edited, f'frozen = ["default/{subset}"]', tmp_path)
        count = expected.get(subset, 0)
        assert told == (
            [(f"frozen default/{subset}", counted(count, "label differs", "labels differ"))]
            * bool(count)
        )
    with pytest.raises(InvalidInput, match="no version has items in default/val"):
        judged(edited, 'frozen = ["default/val"]', tmp_path)


def test_items_that_leave_a_frozen_subset_are_told(edited: Store, tmp_path: Path) -> None:
    edited.split("default", ratios="train=0.5,test=0.5", seed=7)
    edited.commit("moved", tag="v3")
    (tmp_path / "p.toml").write_text('frozen = ["default/test"]\n')
    sides = edited.manifest("v2"), edited.manifest("v3")
    report = Report(edited.diff("v2", "v3"), sides, ("v2", "v3"))
    (broken,) = broken_rules(read_policy(tmp_path / "p.toml"), report)
    moves = report.found.moves.to_pylist()
    assert broken.found == f"{sum('test' in (m['before'], m['after']) for m in moves)} items did"


def test_classes_may_be_kept(edited: Store, tmp_path: Path) -> None:
    with edited.edit() as edit:
        edit.add([], categories=[{"name": "e"}])
    edited.commit("class", tag="v3")
    (tmp_path / "p.toml").write_text("ontology = false\n")
    sides = edited.manifest("v2"), edited.manifest("v3")
    report = Report(edited.diff("v2", "v3"), sides, ("v2", "v3"))
    (broken,) = broken_rules(read_policy(tmp_path / "p.toml"), report)
    assert broken.found == "1, such as added e"


def test_the_command_exits_with_1_where_a_rule_is_broken(
    edited: Store, tmp_path: Path, cli: Run
) -> None:
    folder, file = edited.workspace.folder, tmp_path / "p.toml"
    file.write_text("removed = 0\nadded = 5\n")
    done = cli("diff", "v1", "v2", "--policy", file, cwd=folder)
    assert done.returncode == 1
    assert "removed  at most 0  2 (10.000% of 20)" in done.stdout
    done = cli("diff", "v1", "v2", "--policy", file, "--json", cwd=folder)
    assert [b["rule"] for b in json.loads(done.stdout)["policy"]] == ["removed"]
    file.write_text("removed = 2\n")
    done = cli("diff", "v1", "v2", "--policy", file, "--markdown", cwd=folder)
    assert done.returncode == 0
    assert "Policy: every rule holds." in done.stdout


def test_every_fault_of_a_policy_is_told(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text('removd = 0\nadded = -1\ndrift = "much"\n')
    with pytest.raises(FormatError) as refused:
        read_policy(file)
    assert {f.partition(":")[0] for f in refused.value.faults} == {"removd", "added", "drift"}
    file.write_text("added = \n")
    with pytest.raises(FormatError, match="line 1"):
        read_policy(file)
    with pytest.raises(InvalidInput, match="No such file"):
        read_policy(tmp_path / "none.toml")


def test_a_track_that_a_model_found_is_not_lost(tmp_path: Path) -> None:
    """Layers number their tracks for themselves; lost is one none of whose labels was found."""
    store = init_store(tmp_path / "s")
    items = [{"uri": f"{n}.jpg", "width": 100, "height": 100} for n in range(6)]
    for layer, missing in (("ground_truth", set()), ("model", {3, 4, 5})):
        with store.edit(by="ada") as edit:
            if not missing:
                edit.add([], items=items, categories=[{"name": "c"}])
            one, two = edit.add_tracks([{"category": "c"}, {"category": "c"}]).tolist()
            edit.add([l.Box(item=f"{n}.jpg", category="c", x=10, y=10, width=20, height=20,
                            track_id=one if n < 3 else two, layer=layer)
                      for n in range(6) if n not in missing])  # fmt: skip
    store.commit("both", tag="v1")
    (tmp_path / "p.toml").write_text("lost_tracks = 0\n")
    layers = ("ground_truth", "model")
    found = store.diff(*(f"v1:{n}" for n in layers))
    report = Report(found, (store.manifest("v1"),) * 2, layers, layers)
    (broken,) = broken_rules(read_policy(tmp_path / "p.toml"), report)
    assert broken.found == "1 track has no label now"


def test_a_rule_of_agreement_looks_at_every_label(
    edited: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More labels than are listed must not hide the one that strayed."""
    monkeypatch.setattr("labelstore.changes.report.LISTED", 1)
    assert judged(edited, "agreement = 0.5", tmp_path) == [
        ("agreement", "1 label below, 0.333 the least")
    ]


def test_tracks_whose_labels_went_to_another_track_are_lost(tmp_path: Path) -> None:
    store = init_store(tmp_path / "s")
    with store.edit() as edit:
        edit.add([], items=[{"uri": "a.jpg"}], categories=[{"name": "c"}])
        one, other = edit.add_tracks([{"category": "c"}, {"category": "c"}]).tolist()
        edit.add([l.Box(item="a.jpg", category="c", x=n, y=1, width=2, height=2, track_id=track)
                  for n, track in enumerate((one, one, other))])  # fmt: skip
    store.commit("first", tag="v1")
    with store.edit() as edit:
        edit.update(where=f"track_id = {one}", set={"track_id": other})
    store.commit("second", tag="v2")
    assert judged(store, "lost_tracks = 0", tmp_path) == [
        ("lost_tracks", "1 track has no label now")
    ]
    with store.edit() as edit:
        edit.delete(where="true")
    store.commit("none", tag="v3")
    (tmp_path / "p.toml").write_text("drift = 0.5\n")
    report = Report(store.diff("v2", "v3"), (store.manifest("v2"), store.manifest("v3")), ("", ""))
    (broken,) = broken_rules(read_policy(tmp_path / "p.toml"), report)
    assert broken.found == "one side has no labels"
