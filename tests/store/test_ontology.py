"""Classes are changed by a file: what happens, what is told, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from conftest import Run
from hypothesis import example, given
from hypothesis import strategies as st

from labelstore.changes.ontology.text import ontology_text, read_ontology
from labelstore.errors import FormatError, InvalidInput, NotFound
from labelstore.model.annotations import CategoryScore
from labelstore.model.labels import Box, Tag
from labelstore.model.tables import TABLES
from labelstore.store import Store, init_store
from labelstore.versions.stage import additions, drafting

NAMES = ("vehicle", "car", "lorry", "truck", "person", "unused")


@pytest.fixture
def small(tmp_path: Path) -> Store:
    store = init_store(tmp_path / "store")
    with store.edit(by="ada") as edit:
        edit.add(items=[{"uri": "a.jpg"}], categories=[{"name": n} for n in NAMES])
    ids = ids_of(store)
    further = [CategoryScore(category_id=ids["lorry"], score=0.4)]
    with store.edit(by="ada") as edit:
        boxes = [("car", 10), ("car", 200), ("lorry", 20), ("truck", 20), ("person", 5)]
        edit.add([Box(item="a.jpg", category=n, x=0, y=0, width=w, height=9) for n, w in boxes])
        edit.add([Tag(item="a.jpg", category="person", category_scores=further)])
        edit.add([Tag(item="a.jpg", category="lorry", layer="model")])
    store.commit("first", tag="v1")
    return store


def ids_of(store: Store) -> dict[str, int]:
    found = store.query("SELECT name, category_id FROM categories").to_pylist()
    return {r["name"]: r["category_id"] for r in found}


def counts(store: Store) -> dict[str, int]:
    found = store.query("SELECT category, count(*) AS n FROM labels GROUP BY category").to_pylist()
    return {r["category"]: r["n"] for r in found}


def told(store: Store, text: str, **options: bool) -> list[tuple[str, str, str, int]]:
    path = store.workspace.folder / "classes.yaml"
    path.write_text(text)
    found = store.apply_ontology(path, by="ada", **options)
    return [(c.what, c.category, c.detail, c.labels) for c in found]


def faults(store: Store, text: str) -> list[str]:
    with pytest.raises(FormatError) as error:
        told(store, text)
    assert store.staged() is None
    return [str(f) for f in error.value.faults]


def test_what_is_shown_changes_nothing(small: Store, cli: Run) -> None:
    folder = small.workspace.folder
    told(small, "classes: [{name: person, keypoint_names: [a, b], skeleton: [[0, 1]], "
                "flip_pairs: [1, 0], is_thing: true, color: [1, 2, 3], synonyms: ['yes'], "
                "kinds: [box, tag], parent: vehicle, position: 9, supercategory: x, "
                "attribute_types: [{name: n, type: enum, values: ['1'], "
                "default: no}]}]")  # fmt: skip
    small.commit("more", tag="v2")
    shown = cli("ontology", "show", cwd=folder).stdout
    (folder / "classes.yaml").write_text(shown)
    done = cli("ontology", "apply", "classes.yaml", cwd=folder)
    assert done.stdout == "no class differs; nothing to store\n"
    assert small.staged() is None
    entries = json.loads(cli("ontology", "show", "--json", cwd=folder).stdout)["classes"]
    assert entries == small.ontology()
    person = entries[-1]
    assert (person["parent"], person["synonyms"], person["position"]) == ("vehicle", ["yes"], 9)
    assert person["attribute_types"][0]["default"] == "no"


def test_classes_are_renamed_and_keep_their_labels(small: Store) -> None:
    before = ids_of(small)
    text = f"classes: [{{id: {before['car']}, name: auto}}, {{was: person, name: human}}]"
    assert told(small, text) == [
        ("renamed", "auto", "was car", 0), ("renamed", "human", "was person", 0),
    ]  # fmt: skip
    after = ids_of(small)
    assert (after["auto"], after["human"]) == (before["car"], before["person"])
    assert counts(small) == {"auto": 2, "lorry": 2, "truck": 1, "human": 2}
    difference = small.status()
    assert difference is not None
    assert difference.labels.num_rows == 0


def test_classes_swap_their_names(small: Store) -> None:
    before = ids_of(small)
    told(small, "classes: [{was: car, name: person}, {was: person, name: car}]")
    after = ids_of(small)
    assert (after["car"], after["person"]) == (before["person"], before["car"])


def test_classes_are_merged_with_all_that_refers_to_them(small: Store) -> None:
    text = "classes: [{name: truck, merge: [lorry]}, {name: car, parent: lorry}]"
    assert told(small, text) == [
        ("re-parented", "car", "none → truck", 0), ("merged", "truck", "lorry", 2),
    ]  # fmt: skip
    ids = ids_of(small)
    assert "lorry" not in ids
    assert counts(small) == {"car": 2, "truck": 3, "person": 2}
    sql = "SELECT category_scores AS s FROM annotations WHERE category_scores IS NOT NULL"
    (scores,) = small.query(sql).to_pylist()
    assert scores["s"] == [{"category_id": ids["truck"], "score": 0.4}]
    assert small.check() == []
    (activity,) = small.query("SELECT * FROM activities WHERE kind = 'ontology'").to_pylist()
    assert [c["what"] for c in json.loads(activity["parameters"])["changes"]] == [
        "re-parented", "merged",
    ]  # fmt: skip
    assert activity["inputs"][0]["path"].endswith("classes.yaml")


def test_a_class_is_split(small: Store) -> None:
    text = """
classes:
  - name: big car
    parent: car
    take:
      - {from: car, where: xmax - xmin > 100}
      - {from: truck, where: "TRUE"}
"""
    assert told(small, text) == [
        ("added", "big car", "", 0),
        ("split", "big car", "from car where xmax - xmin > 100", 1),
        ("split", "big car", "from truck where TRUE", 1),
    ]
    assert counts(small) == {"car": 1, "big car": 2, "lorry": 2, "person": 2}
    (row,) = [c for c in small.ontology() if c["name"] == "big car"]
    assert (row["parent"], row["position"]) == ("car", len(NAMES))


def test_conditions_know_the_old_names(small: Store) -> None:
    text = """
classes:
  - {was: car, name: auto}
  - {name: van, take: [{from: car, where: category = 'car' AND xmax > 100}]}
"""
    told(small, text)
    assert counts(small) == {"auto": 1, "van": 1, "lorry": 2, "truck": 1, "person": 2}


def test_a_label_has_a_merged_class_once_among_its_further_classes(small: Store) -> None:
    ids = ids_of(small)
    scores = [
        CategoryScore(category_id=ids[n], score=s) for n, s in (("truck", 0.3), ("lorry", 1))
    ]
    with small.edit() as edit:
        edit.add([Tag(item="a.jpg", category="unused", category_scores=scores)])
    told(small, "classes: [{name: truck, merge: [lorry]}]")
    sql = "SELECT category_scores AS s FROM labels WHERE category = 'unused'"
    (found,) = small.query(sql).to_pylist()
    assert found["s"] == [{"category_id": ids["truck"], "score": 0.3}]


def test_what_is_shown_is_what_there_is(small: Store, cli: Run) -> None:
    long = "a" * 97 + "  b"
    defaults = ['"é"', "[1,2]", "null", '{"a":  1}', "1e2"]
    types = [{"name": str(i), "type": "list", "default": d} for i, d in enumerate(defaults)]
    with small.edit() as edit:
        edit.add(categories=[{"name": long, "attribute_types": types}])
    small.commit("odd", tag="v2")
    assert told(small, ontology_text(small.ontology())) == []


def test_a_split_that_takes_nothing_is_none(small: Store, cli: Run) -> None:
    text = "classes: [{name: car, take: [{from: unused, where: 'TRUE'}]}]"
    assert told(small, text) == []
    folder = small.workspace.folder
    assert "nothing to store" in cli("ontology", "apply", "classes.yaml", cwd=folder).stdout
    assert small.staged() is None


def test_a_rename_that_was_done_is_no_fault(small: Store) -> None:
    text = "classes: [{was: car, name: auto}]"
    assert told(small, text) == [("renamed", "auto", "was car", 0)]
    assert told(small, text) == []


def test_a_new_class_of_nearly_the_same_name_is_told_so(small: Store) -> None:
    assert told(small, "classes: [{name: persons}]") == [("added", "persons", "not person", 0)]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
DEFAULT = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)


@given(TEXT, st.lists(TEXT, min_size=1, max_size=3, unique=True), DEFAULT)
@example("a\x85b", ["?a", "- b", "#", "no", "1e3", "&x"], {"?": [":"]})
def test_whatever_a_class_is_called_it_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, name: str, words: list[str], default: Any
) -> None:
    typed = [{"name": n, "type": "enum", "values": words, "default": default} for n in words]
    entry = {"id": "5", "name": name, "synonyms": words, "attribute_types": typed}
    path = tmp_path_factory.mktemp("classes") / "c.yaml"
    path.write_text(ontology_text([entry]), encoding="utf-8", newline="")
    ontology, _ = read_ontology(path)
    (found,) = ontology.classes
    assert found.model_dump(exclude_unset=True) == entry


def test_null_clears_and_silence_keeps(small: Store) -> None:
    told(small, "classes: [{name: car, parent: vehicle, supercategory: x}]")
    assert told(small, "classes: [{name: car, parent: null}]") == [
        ("re-parented", "car", "vehicle → none", 0)
    ]
    (car,) = [c for c in small.ontology() if c["name"] == "car"]
    assert "parent" not in car
    assert car["supercategory"] == "x"


def test_an_unused_class_goes_and_a_used_one_stays(small: Store) -> None:
    assert told(small, "classes: [{name: unused, remove: true}]") == [("removed", "unused", "", 0)]
    small.restore()
    with pytest.raises(InvalidInput, match="class car cannot go: 2 labels and 0 tracks"):
        told(small, "classes: [{name: car, remove: true}]")
    assert small.staged() is None


def test_a_change_of_classes_alone_is_a_difference(small: Store, cli: Run) -> None:
    told(small, "classes: [{was: unused, name: spare}]")
    small.commit("renamed", tag="v2")
    folder = small.workspace.folder
    done = cli("diff", "v1", "v2", "--exit-code", cwd=folder)
    assert (done.returncode, "verdict: 1 class changed" in done.stdout) == (1, True), done.stdout
    assert cli("diff", "v2", "v2", "--exit-code", cwd=folder).returncode == 0


def test_a_dry_run_stages_nothing(small: Store, cli: Run) -> None:
    folder = small.workspace.folder
    (folder / "c.yaml").write_text("classes: [{name: truck, merge: [lorry]}]")
    done = cli("ontology", "apply", "c.yaml", "--dry-run", "--json", cwd=folder)
    found = json.loads(done.stdout)
    assert found["changes"] == [
        {"what": "merged", "category": "truck", "detail": "lorry", "labels": 2}
    ]
    assert small.staged() is None


def test_the_same_file_gives_the_same_ids(small: Store) -> None:
    text = "classes: [{name: van, take: [{from: car, where: xmax > 100}]}]"
    found = []
    for _ in range(2):
        told(small, text)
        found.append(ids_of(small))
        small.restore()
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("classes: [", ["line 1: "]),
        ("classes:\n  - name: a\n    name: b\n", ["line 3: found duplicate key"]),
        ("- a", ["line 1: the file: input should be"]),
        ("", ["line 1: the file: input should be"]),
        ("classes:\n  - name: car\n    colour: red\n", ["line 3: classes.0.colour: extra"]),
        ("classes:\n  - name: car\n    color: [1, 2]\n    kinds: [boxx]\n",
         ["line 3: classes.0.color: list should", "line 4: classes.0.kinds.0: in"]),
        ("classes:\n  - id: 5\n    name: a\n  - was: b\n    name: c\n  - position: 4\n",
         ["line 2: classes.0.id: there is no class with the id 5",
          "line 4: classes.1.was: there is no class 'b'",
          "line 6: classes.2.name: a class needs a name"]),
        ("classes:\n  - name: car\n  - was: car\n    name: auto\n", ["line 4: classes.1.name: t"]),
        ("classes:\n  - name: car\n    parent: nobody\n    merge: [nobody, car, person]\n"
         "  - name: person\n    merge: [lorry]\n  - name: truck\n    merge: [lorry]\n",
         ["line 3: classes.0.parent: there is no class 'nobody'",
          "line 4: classes.0.merge.0: there is no class 'nobody'",
          "line 4: classes.0.merge.1: a class cannot be merged into itself",
          "line 4: classes.0.merge.2: this class has an entry of its own",
          "line 8: classes.2.merge.0: this class is merged already"]),
        ("classes:\n  - name: car\n    parent: truck\n  - name: truck\n    parent: car\n",
         ["line 3: classes.0.parent: the way up", "line 5: classes.1.parent: the way up"]),
        ("classes:\n  - was: car\n    name: person\n", ["line 3: classes.0.name: another class"]),
        ("classes:\n  - name: new\n  - name: new\n",
         ["line 2: classes.0.name: another class", "line 3: classes.1.name: another class"]),
        ("classes:\n  - name: hand\n    keypoint_names: [a, b]\n    skeleton: [[0, 2]]\n"
         "    flip_pairs: [0, 0]\n",
         ["line 4: classes.0.skeleton: names", "line 5: classes.0.flip_pairs: needs"]),
        ("classes:\n  - name: nobody\n    remove: true\n", ["line 3: classes.0.remove: there is"]),
        ("classes:\n  - name: vehicle\n    remove: true\n  - name: car\n    parent: vehicle\n",
         ["line 3: classes.0.remove: car is below it"]),
        ("classes:\n  - name: car\n    take:\n      - {from: car, where: a}\n",
         ["line 4: classes.0.take.0.from: a class cannot take from itself"]),
        ("classes:\n  - name: car\n    take: [{from: lorry, where: a}]\n  - name: lorry\n"
         "    take: [{from: person, where: a}]\n",
         ["line 5: classes.1.take: this class gives labels to another one"]),
        ("classes:\n  - name: 2024-13-45\n", ["month must be"]),
        ("classes: " + "[" * 3000, [""]),
        ('classes:\n  - name: car\n    synonyms: ["\\ud800"]\n', ["holds what is no text"]),
        ("classes:\n  - name: car\n    merge: ['" + "9" * 5000 + "']\n",
         ["line 3: classes.0.merge"]),
        ("classes:\n  - name: car\n    position: null\n", ["line 3: classes.0.position: a class"]),
        ("classes:\n  - name: car\n    attribute_types:\n      - {name: a, type: int}\n"
         "      - {name: b, type: enum}\n      - {name: a, type: enum, values: []}\n",
         ["line 5: classes.0.attribute_types.1.type: an enum needs",
          "line 6: classes.0.attribute_types.2.name: this class has the attribute twice",
          "line 6: classes.0.attribute_types.2.type: an enum needs"]),
        ("classes:\n  - name: no\n  - name: 12\n", ["line 3: classes.1.name: input should be"]),
    ],
)  # fmt: skip
def test_every_fault_is_told_with_its_line(small: Store, text: str, wanted: list[str]) -> None:
    found = faults(small, text)
    assert len(found) == len(wanted), found
    for fault, begin in zip(found, wanted, strict=True):
        assert fault.startswith(begin)


def test_a_class_that_shares_its_name_is_given_by_id(small: Store) -> None:
    """An import can bring two classes of one name; both are asked for by id."""
    row = {"category_id": 5, "name": "car", "position": 99, "sources": [], "row_hash": 0}
    with drafting(small.workspace, "edit") as draft:
        table = TABLES["categories"]
        rows = pa.Table.from_pylist([row], schema=table.schema)
        draft.apply({("categories", ""): additions(table, rows)})
        draft.stage()
    small.commit("another car", tag="v2")
    (fault,) = faults(small, "classes: [{name: car, color: [1, 2, 3]}]")
    assert "several classes are called 'car': give one of the ids 5, " in fault
    assert told(small, "classes: [{id: '5', color: [1, 2, 3]}]") == [
        ("changed", "car", "color", 0)
    ]
    told(small, "classes: [{name: truck, parent: '5'}]")
    assert [c["parent"] for c in small.ontology() if c["name"] == "truck"] == ["5"]


def test_a_missing_file_and_a_bad_condition_are_refused(small: Store, cli: Run) -> None:
    folder = small.workspace.folder
    with pytest.raises(NotFound, match="no such file"):
        small.apply_ontology(folder / "nothing.yaml")
    for condition in ("nonsense > 1", "1); DROP TABLE annotations; --", "SELECT 1; SELECT 1",
                      "false) OR (true"):  # fmt: skip
        (folder / "c.yaml").write_text(
            f"classes: [{{name: van, take: [{{from: car, where: '{condition}'}}]}}]"
        )
        done = cli("ontology", "apply", "c.yaml", cwd=folder)
        assert done.returncode == 2, done.stdout
        assert "Traceback" not in done.stderr
        assert small.staged() is None
    text = "classes:\n  - name: van\n    take:\n      - {from: car, where: nonsense > 1}\n"
    with pytest.raises(FormatError, match=r"classes.yaml, line 4: classes.0.take.0.where: "):
        told(small, text)
