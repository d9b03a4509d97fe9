"""Reviews: who says what of which labels, when it is outdated, and what tags may hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY, Run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelstore.changes.reviewing.listing import read_ids
from labelstore.errors import AlreadyExists, CheckFailed, FormatError, InvalidInput, NotFound
from labelstore.lineage.blame import Blamed
from labelstore.model import labels as l
from labelstore.store import Store, init_store, open_store

MOVED = {"box": "{'v0': 1.0, 'v1': 2.0, 'v2': 30.0, 'v3': 40.0}"}
POLICY = '\n[review]\nrequire = ["accepted", "gold"]\n'


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return ten boxes by ada, in v1."""
    made = init_store(tmp_path / "store")
    with made.edit(by="ada") as edit:
        edit.add([l.Box(item="a.jpg", category="car", x=10.0 * n, y=1, width=5, height=5)
                  for n in range(10)], items=[{"uri": "a.jpg"}],
                 categories=[{"name": "car"}])  # fmt: skip
    made.commit("boxes", tag="v1")
    return made


def ids(store: Store) -> list[int]:
    found: list[int] = store.query(
        "SELECT annotation_id FROM annotations ORDER BY xmin").column(0).to_pylist()  # fmt: skip
    return found


def states(store: Store) -> list[tuple[Any, ...]]:
    """Return state, outdated, own and labels."""
    rows = store.review_states().to_pylist()
    return [(r["state"], r["outdated"], r["own"], r["annotations"]) for r in rows]


def blamed(store: Store) -> list[Blamed]:
    """Return the labels of what is staged, as `blame` tells them once it is committed."""
    if store.staged() is None:
        return store.blame("a.jpg").labels
    store.commit("acts")
    found = store.blame("a.jpg").labels
    store.workspace.git.run("reset", "-q", "--hard", "v1")
    return found


def asking(store: Store, text: str = POLICY) -> Store:
    """Return the store with a policy."""
    file = store.workspace.folder / "labelstore.toml"
    file.write_text(file.read_text() + text)
    return open_store(store.workspace.folder)


def test_a_review_has_a_reviewer_a_time_and_a_reason(store: Store) -> None:
    done = store.review("accepted", where="xmin < 30", by="bob", reason="spot check")
    assert (done.labels, done.changed, done.before) == (3, 3, {"none": 3})
    rows = store.query(
        "SELECT a.review_state, g.name, t.kind, t.message, a.reviewed_at = t.started_at AS then, "
        "a.created_by IS NULL AS unsaid, COUNT(*) AS n FROM annotations a "
        "JOIN activities t ON t.activity_id = a.changed_in "
        "JOIN agents g ON g.agent_id = a.reviewed_by AND g.agent_id = t.agent_id GROUP BY ALL"
    ).to_pylist()
    bob = rows[0].pop("name")
    assert bob.startswith("person-")
    assert rows == [{"review_state": "accepted", "kind": "review", "message": "spot check",
                     "then": True, "unsaid": True, "n": 3}]  # fmt: skip
    assert states(store) == [("accepted", False, False, 3), (None, False, False, 7)]
    difference = store.status()
    assert difference is not None
    assert difference.labels.num_rows == 3


def test_what_the_same_person_said_already_is_not_said_again(store: Store) -> None:
    store.review("accepted", where="xmin < 30", by="bob")
    store.commit("reviewed", tag="v2")
    again = store.review("accepted", where="xmin < 50", by="bob")
    assert (again.labels, again.changed) == (5, 2)
    other = store.review("accepted", where="xmin < 30", by="eve")
    assert (other.changed, other.before) == (3, {"accepted": 3})
    assert store.review("accepted", where="xmin < 0", by="eve").labels == 0


def test_a_review_is_taken_back(store: Store) -> None:
    store.review("gold", where="true", by="bob")
    assert store.review("none", where="xmin < 30", by="bob").before == {"gold": 3}
    rows = store.query("SELECT DISTINCT review_state, reviewed_by, reviewed_at FROM annotations "
                       "WHERE xmin < 30").to_pylist()  # fmt: skip
    assert rows == [dict.fromkeys(("review_state", "reviewed_by", "reviewed_at"))]
    assert store.review("none", where="xmin < 30", by="bob").changed == 0


def test_an_edit_that_sets_a_state_signs_it(store: Store) -> None:
    with store.edit(by="bob") as edit:
        edit.update(where="xmin < 30", set={"review_state": "'accepted'"})
    assert states(store) == [("accepted", False, False, 3), (None, False, False, 7)]
    for name in ("reviewed_by", "reviewed_at"):
        with pytest.raises(InvalidInput, match="cannot be set"), store.edit(by="eve") as edit:
            edit.update(where="true", set={"review_state": "'gold'", name: "NULL"})


def test_what_the_same_edit_changes_after_its_review_is_outdated(store: Store) -> None:
    with store.edit(by="bob") as edit:
        edit.update(where="xmin < 30", set={"review_state": "'accepted'"})
        edit.update(where="xmin < 10", set=MOVED)
    assert states(store)[:2] == [("accepted", False, False, 2), ("accepted", True, False, 1)]


def test_what_is_written_after_a_review_is_outdated_until_the_next(store: Store) -> None:
    store.review("accepted", where="true", by="bob")
    store.commit("reviewed", tag="v2")
    with store.edit(by="ada") as edit:
        edit.update(where="xmin < 10", set=MOVED)
    assert states(store) == [("accepted", False, False, 9), ("accepted", True, False, 1)]
    (found,) = [f for f in store.check() if f.code == "review-outdated"]
    assert (found.count, found.example) == (1, ids(store)[0])
    assert store.review("accepted", where="true", by="bob").changed == 1
    assert states(store) == [("accepted", False, False, 10)]


def test_a_delivery_that_changes_a_reviewed_label_outdates_it(tmp_path: Path) -> None:
    store = init_store(tmp_path / "store")
    store.import_from("coco", TINY, by="ada")
    store.review("accepted", where="true", by="bob")
    content = json.loads(TINY.read_text())
    content["annotations"][5]["bbox"][0] += 1
    (tmp_path / TINY.name).write_text(json.dumps(content))
    store.import_from("coco", tmp_path / TINY.name, mode="update", by="ada")
    count = len(content["annotations"])
    assert states(store) == [("accepted", False, False, count - 1), ("accepted", True, False, 1)]


def test_a_merge_of_a_review_and_a_change_is_no_review_of_the_change(store: Store) -> None:
    store.switch("check", create=True)
    store.review("accepted", where="true", by="bob")
    store.commit("reviewed")
    store.switch("main")
    with store.edit(by="ada") as edit:
        edit.update(where="xmin < 10", set=MOVED)
    store.commit("moved")
    assert not store.merge("check").conflicts
    assert states(store) == [("accepted", False, False, 9), ("accepted", True, False, 1)]


def test_a_source_that_states_reviews_is_believed_until_something_changes(store: Store) -> None:
    with store.edit(by="vendor") as edit:
        edit.add([l.Box(item="a.jpg", category="car", x=200 + n, y=1, width=5, height=5,
                        review_state="accepted") for n in range(2)])  # fmt: skip
    assert states(store)[0] == ("accepted", False, True, 2)  # nobody says who reviewed them
    with store.edit(by="ada") as edit:
        edit.update(where="xmin = 200", set=MOVED)
    assert [row[:2] for row in states(store)[:2]] == [("accepted", False), ("accepted", True)]


def test_unknown_ids_are_told_all_at_once(store: Store) -> None:
    with pytest.raises(NotFound, match=r"2 ids of no label: 5, 6") as caught:
        store.review("accepted", ids=[5, *ids(store), 6])
    with pytest.raises(NotFound, match=r"2 ids of no label: -1, 99999999999999999999"):
        store.review("accepted", ids=[10**20 - 1, -1])
    assert caught.value.code == "annotation-unknown"
    assert store.staged() is None


def test_ids_and_a_condition_are_both_to_hold(store: Store) -> None:
    assert store.review("gold", ids=ids(store)[:4], where="xmin < 20", by="bob").labels == 2
    assert store.review("gold", ids=[], by="bob").labels == 0


@pytest.mark.parametrize("where", [None, "true; DROP TABLE labels", "nope = 1", "true) OR (true"])
def test_what_names_no_labels_is_refused(store: Store, where: str | None) -> None:
    with pytest.raises(InvalidInput):
        store.review("accepted", where=where)
    assert store.staged() is None


def test_there_are_six_states(store: Store) -> None:
    with pytest.raises(InvalidInput, match="'fine' is no state of review; these are: draft"):
        store.review("fine", where="true")


@pytest.mark.parametrize(
    ("text", "found"),
    [("7\n8\n7\n", [7, 8]), ("annotation_id,score\n7,0.5\n8,\n", [7, 8]), ("", []),
     ("7, 8;9\n\n", [7, 8, 9]),
     ("\ufeffitem,annotation a,annotation b\nx.jpg,7,\ny.jpg,,9\n", [7, 9]),
     ("id\n12\n", [12])],
)  # fmt: skip
def test_ids_are_read_from_what_people_have(tmp_path: Path, text: str, found: list[int]) -> None:
    (tmp_path / "ids.csv").write_text(text, encoding="utf-8")
    assert read_ids(tmp_path / "ids.csv") == found


def test_every_line_that_is_no_id_is_told(tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    file.write_text(f"7\nx\n-3\n{2**63}\n٣\n")
    with pytest.raises(FormatError) as caught:
        read_ids(file)
    assert [f.split(":")[0] for f in caught.value.faults] == ["line 2", "line 3", "line 4",
                                                             "line 5"]  # fmt: skip
    file.write_text("name,score\na,1\n")
    with pytest.raises(InvalidInput, match="no column of ids; there is name, score"):
        read_ids(file)
    with pytest.raises(NotFound):
        read_ids(tmp_path / "none.txt")
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput, match="is no text with ids"):
        read_ids(file)


def test_only_reviewed_labels_enter_a_tagged_version(store: Store) -> None:
    store = asking(store)
    store.review("accepted", where="xmin < 80", by="bob")
    store.review("submitted", where="xmin = 80", by="bob")
    with pytest.raises(CheckFailed, match=r"2 labels of ground_truth may not enter: 1 submitted; "
                                          r"1 without a review") as caught:  # fmt: skip
        store.commit("reviewed", tag="v2")
    assert (caught.value.code, caught.value.exit_code) == ("not-reviewed", 1)
    assert store.staged() is not None
    assert [c.tags for c in store.log()] == [("v1",), ()]
    assert store.commit("half of it")
    with pytest.raises(CheckFailed):
        store.tag("v2")
    store.review("gold", where="xmin >= 80", by="bob")
    store.commit("all of it", tag="v2")
    store.tag("v3")
    with pytest.raises(AlreadyExists):
        store.tag("v3")
    with store.edit(by="ada") as edit:
        edit.update(where="xmin < 10", set=MOVED)
    with pytest.raises(CheckFailed, match="1 changed after their review"):
        store.commit("moved", tag="v4")


FOUR_EYES = POLICY + "four_eyes = true\n"


def test_nobody_accepts_their_own(store: Store) -> None:
    store.review("accepted", where="true", by="ada")  # before there was a policy
    store.commit("reviewed")
    store = asking(store, FOUR_EYES)
    with pytest.raises(CheckFailed, match="10 reviewed by their author"):
        store.tag("v2")
    with pytest.raises(CheckFailed, match="somebody else must review 10 labels"):
        store.review("gold", where="true", by="ada")
    store.review("accepted", where="true", by="bob")
    store.review("gold", where="xmin < 30", by="bob")  # what they had accepted already
    assert store.commit("reviewed", tag="v2")


def test_nobody_accepts_what_they_changed_last(store: Store) -> None:
    store = asking(store, FOUR_EYES)
    with store.edit(by="bob") as edit:
        edit.update(where="xmin < 10", set=MOVED)
    with pytest.raises(CheckFailed, match="somebody else must review 1 label"):
        store.review("accepted", where="true", by="bob")
    store.review("submitted", where="true", by="bob")
    with pytest.raises(CheckFailed, match="somebody else must review 10 labels"):
        store.review("accepted", where="true", by="bob")
    store.review("accepted", where="true", by="eve")
    with (
        pytest.raises(InvalidInput, match="are reviewed by `labelstore review`"),
        store.edit(by="bob") as edit,
    ):
        edit.update(where="true", set={"review_state": "'gold'"})


def test_a_policy_that_is_committed_is_not_dropped_by_hand(store: Store) -> None:
    file = store.workspace.folder / "labelstore.toml"
    before = file.read_text()
    store = asking(store)
    store.workspace.git.run("commit", "-qam", "a policy")
    file.write_text(before)
    with pytest.raises(CheckFailed):
        open_store(store.workspace.folder).tag("v2")
    store.workspace.git.run("commit", "-qam", "no policy")
    open_store(store.workspace.folder).tag("v2")


def test_a_policy_of_a_layer_that_is_not_there_is_refused(store: Store) -> None:
    with pytest.raises(InvalidInput, match="there is no layer groundtruth"):
        asking(store, POLICY + 'layers = ["groundtruth"]\n').tag("v2")


def test_other_layers_may_be_as_they_are(store: Store) -> None:
    store.review("accepted", where="true", by="bob")
    with store.edit(by="model:m@1") as edit:
        edit.add([l.Box(item="a.jpg", category="car", x=1, y=1, width=5, height=5, layer="m")])
    asking(store).commit("with predictions", tag="v2")
    with pytest.raises(CheckFailed, match="1 label of m may not enter"):
        asking(store, 'layers = ["m"]\n').tag("v3")


def test_an_import_that_may_not_be_tagged_stays_staged(tmp_path: Path) -> None:
    store = asking(init_store(tmp_path / "store"))
    with pytest.raises(CheckFailed, match="What was read is staged"):
        store.import_from("coco", TINY, message="first", commit=True, tag="v1")
    assert store.staged() is not None
    assert [c.tags for c in store.log()] in ([], [()])


def test_every_fault_of_a_policy_is_told(store: Store) -> None:
    asked = asking(store, '\n[review]\nrequire = ["fine"]\nfour_eyes = "yes"\nwho = 1\n')
    with pytest.raises(FormatError) as caught:
        asked.tag("v2")
    told = sorted(f.split(":")[0] for f in caught.value.faults)
    assert told == ["review.four_eyes", "review.require.0", "review.who"]
    file = store.workspace.folder / "labelstore.toml"
    file.write_text("review = 3\n")
    with pytest.raises(FormatError, match="review"):
        open_store(store.workspace.folder).tag("v2")


def test_the_command_shows_and_sets_states(store: Store, cli: Run, tmp_path: Path) -> None:
    own = store.workspace.folder
    queue = tmp_path / "q.csv"
    queue.write_text("annotation_id\n" + "\n".join(map(str, ids(store)[:3])))
    told = json.loads(cli("review", "accepted", "--from", queue, "--by", "bob", "--json",
                          cwd=own).stdout)  # fmt: skip
    assert (told["labels"], told["changed"]) == (3, 3)
    done = cli("review", "rejected", str(ids(store)[9]), "--reason", "blurred", cwd=own)
    assert done.stdout.startswith("1 label chosen, 1 changed (before: 1 none)\nstaged;")
    rows = json.loads(cli("review", "--json", cwd=own).stdout)["states"]
    assert [(r["state"], r["annotations"]) for r in rows] == [
        ("accepted", 3), ("rejected", 1), (None, 6)]  # fmt: skip
    assert "accepted       3" in cli("review", cwd=own).stdout
    assert cli("review", "accepted", cwd=own).returncode == 2
    assert cli("review", "--where", "true", cwd=own).returncode == 2


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.tuples(st.sampled_from(["accepted", "gold", "none", "edit"]),
                               st.sets(st.integers(0, 9), min_size=1)), max_size=5))  # fmt: skip
def test_states_are_those_of_a_plain_model(store: Store, acts: Any) -> None:
    store.restore()
    numbers, model = ids(store), dict.fromkeys(range(10), ("none", False))
    for what, chosen in acts:
        own = [numbers[n] for n in chosen]
        if what == "edit":
            with store.edit(by="ada") as edit:
                edit.update(where=f"annotation_id IN ({', '.join(map(str, own))})",
                            set={"is_crowd": "NOT COALESCE(is_crowd, FALSE)"})  # fmt: skip
        else:
            store.review(what, ids=own, by="bob")
        for n in chosen:
            before = model[n][0]
            model[n] = (before, before != "none") if what == "edit" else (what, False)
    counted: dict[tuple[str, bool], int] = {}
    for state in model.values():
        counted[state] = counted.get(state, 0) + 1
    found = {(state or "none", outdated): n for state, outdated, _, n in states(store)}
    assert found == counted
    outdated = {numbers[n] for n, (_, own) in model.items() if own}
    assert {f.annotation for own in store.check() if own.code == "review-outdated"
            for f in own.faults} == outdated  # fmt: skip
    seen = {own.annotation_id: own.review for own in blamed(store)}
    assert {n for n, review in seen.items() if review and review.outdated} == outdated
