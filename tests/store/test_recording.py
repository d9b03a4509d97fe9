"""What an activity says of its agent, its means and its source, and whom a source names."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from conftest import DATA, TINY, Run

from labelstore.errors import InvalidInput
from labelstore.exchange.converting import convert
from labelstore.model.tables import TABLES
from labelstore.store import Store
from labelstore.versions.agents import names, pseudonym_of
from labelstore.versions.means import Means

STUDIO = DATA / "other" / "label_studio" / "test_export_csv" / "csv_test.json"
CVAT = DATA / "other" / "cvat_datumaro" / "for_video" / "annotations.xml"
RESULTS = DATA / "coco" / "results" / "instances_val2014_fakebbox100_results.json"


def activity(store: Store) -> dict[str, Any]:
    """Return the last activity, with its parameters as values."""
    rows = store.manifest().table(TABLES["activities"]).to_pylist()
    last: dict[str, Any] = max(rows, key=lambda row: row["ended_at"])
    return {**last, "parameters": json.loads(last["parameters"])}


def everything(store: Store) -> str:
    """Return all that the store's tables hold, as text."""
    manifest = store.manifest()
    found = ""
    for name, table in TABLES.items():
        for partition in manifest.partitions(name):
            found += str(manifest.table(table, partition=partition).to_pylist())
    return found


def test_people_in_a_file_of_label_studio_go_by_pseudonyms_and_come_back(
    store: Store, tmp_path: Path
) -> None:
    assert "heartex.com" in STUDIO.read_text()
    store.import_from("label-studio", STUDIO, by="ada")
    held = everything(store)
    assert "open-images" in held  # tables were read
    assert "hakan" not in held
    assert "heartex.com" not in held.replace("data.heartex", "")
    store.commit("labels", tag="v1")
    store.export_to("label-studio", tmp_path / "back.json")
    assert (tmp_path / "back.json").read_bytes() == STUDIO.read_bytes()


def test_who_labelled_when_and_how_long_is_kept(store: Store) -> None:
    store.import_from("label-studio", STUDIO, by="ada")
    store.commit("labels")
    said = json.loads(STUDIO.read_text())
    rows = store.query(
        "SELECT a.*, i.uri FROM annotations a JOIN items i USING (item_id) ORDER BY a.seq"
    ).to_pylist()
    for row, task in zip(rows, [t for t in said for _ in t["annotations"][0]["result"]],
                         strict=True):  # fmt: skip
        own = task["annotations"][0]
        assert row["created_at"].isoformat() == own["created_at"].replace("Z", "+00:00")
        assert json.loads(row["leftovers"])["pass"]["lead_time"] == own["lead_time"]
        labels = store.blame(row["uri"]).labels
        assert {one.created_by for one in labels} == {own["completed_by"]["email"]}
        state = "accepted" if own["reviews"][-1]["accepted"] else "rejected"
        assert {row["review_state"]} == {state}
        trace = store.trace(row["annotation_id"])
        assert trace.made_by == own["completed_by"]["email"]
        assert trace.review is not None
        assert (trace.review.by, trace.review.outdated) == (
            own["reviews"][-1]["created_by"]["email"], False)  # fmt: skip


def test_without_names_pseudonyms_go_out_and_that_is_told(store: Store, tmp_path: Path) -> None:
    store.import_from("label-studio", STUDIO, by="ada")
    (store.workspace.private / "names.json").unlink()
    report = store.export_to("label-studio", tmp_path / "back.json")
    assert report.notices["people-unnamed"] == 2
    text = (tmp_path / "back.json").read_text()
    assert "hakan@" not in text
    assert text.count("person-") >= 3
    assert len(json.loads(text)) == len(json.loads(STUDIO.read_text()))


@pytest.mark.parametrize("ascii_only", [True, False])
def test_names_with_escapes_come_back_as_they_were_spelt(
    store: Store, tmp_path: Path, ascii_only: bool
) -> None:
    tasks = json.loads(STUDIO.read_text())
    who = {"id": 1, "email": "zoë@x.org", "first_name": 'Jörg "J"', "last_name": "B\\S}"}
    tasks[0]["annotations"][0]["completed_by"] = who
    text = json.dumps(tasks, ensure_ascii=ascii_only)
    source = tmp_path / "tasks.json"
    source.write_text(text)
    store.import_from("label-studio", source, by="ada")
    held = everything(store)
    assert not [name for name in ("zoë@x", "Jörg", "u00f6rg", "S}") if name in held]
    store.export_to("label-studio", tmp_path / "back.json")
    assert (tmp_path / "back.json").read_text() == text
    convert(source, tmp_path / "twice.json", "label-studio", "label-studio")
    assert (tmp_path / "twice.json").read_text() == text
    assert store.forget("agent", "zoë@x.org").people


@pytest.mark.parametrize(
    "more",
    [
        {"created_username": " secret@x.org, 1"},
        {"created_by": {"id": 1, "more": {"email": "secret@x.org"}, "username": "secret"}},
        {"completed_by": {"id": 1, "first_name": "Le}ak", "email": "secret@x.org"}},
        {"completed_by": {"initials": "secret", "phone": "secret", "groups": [{"n": "secret"}]}},
        {"reviewers": ["secret", {"email": "secret"}]},
    ],
)
def test_no_name_of_label_studio_gets_in(
    store: Store, tmp_path: Path, more: dict[str, Any]
) -> None:
    tasks = json.loads(STUDIO.read_text())
    tasks[0]["annotations"][0] |= more
    tasks[0]["drafts"] = [{"user": "secret", "created_username": "secret", "result": []}]
    tasks[0]["data"] = {**tasks[0]["data"], "created_by": "camera-7"}
    source = tmp_path / "tasks.json"
    source.write_text(json.dumps(tasks))
    store.import_from("label-studio", source, by="ada")
    held = everything(store)
    assert "secret" not in held
    assert "Le}ak" not in held
    assert "camera-7" in held  # what is labelled is nobody
    store.export_to("label-studio", tmp_path / "back.json")
    assert (tmp_path / "back.json").read_bytes() == source.read_bytes()


@pytest.mark.parametrize(
    "owner",
    [
        '<owner id="3"><username>secret</username><email>secret@x.org</email></owner>',
        "<owner><username> secret</username><email>\n secret@x.org\n</email></owner>",
        "<owner><username><![CDATA[secret & co]]></username></owner>",
        "<assignee>secret</assignee>",
        "<owner><first_name>secret &amp; co</first_name></owner>",
    ],
)
def test_no_name_of_cvat_gets_in(store: Store, tmp_path: Path, owner: str) -> None:
    text = re.sub(r"<owner>.*?</owner>", owner, CVAT.read_text(), flags=re.DOTALL)
    assert "secret" in text
    source = tmp_path / "annotations.xml"
    source.write_text(text)
    store.import_from("cvat", source, by="ada")
    assert "secret" not in everything(store)
    store.export_to("cvat", tmp_path / "back.xml")
    assert (tmp_path / "back.xml").read_bytes() == source.read_bytes()


def test_the_job_of_a_cvat_file_is_kept_and_its_owner_is_not_named(
    store: Store, tmp_path: Path
) -> None:
    store.import_from("cvat", CVAT, by="ada", means=Means(tool="cvat@1.1"))
    found = activity(store)
    assert (found["tool"], found["tool_version"]) == ("cvat", "1.1")
    assert found["parameters"]["source"]["task"]["jobs"] == ["3", "4"]
    assert found["parameters"]["written_by"].startswith("labelstore@")
    assert "<username>max<" not in everything(store)
    assert "'max'" not in everything(store)
    store.export_to("cvat", tmp_path / "back.xml")
    assert (tmp_path / "back.xml").read_bytes() == CVAT.read_bytes()


def test_a_shape_that_cvat_drew_by_itself_is_a_models(store: Store, tmp_path: Path) -> None:
    shapes = "".join(
        f'<box label="car" source="{source}" occluded="0" xtl="{n}.0" ytl="1.0" xbr="9.0" '
        f'ybr="9.0" z_order="0"></box>'
        for n, source in enumerate(("manual", "auto", "semi-auto", "file", "consensus"))
    )
    path = tmp_path / "a.xml"
    path.write_text(
        f'<annotations><version>1.1</version><image id="0" name="a.jpg" width="10" '
        f'height="10">{shapes}</image></annotations>'
    )
    store.import_from("cvat", path, by="ada")
    rows = store.query("SELECT origin FROM annotations ORDER BY seq").column(0).to_pylist()
    assert rows == ["human", "model", "model", None, "derived"]


def test_a_model_run_names_model_version_weights_and_scores(store: Store, tmp_path: Path) -> None:
    weights = tmp_path / "detector.pt"
    weights.write_bytes(b"weights")
    store.import_from("coco", TINY)
    image = store.query("SELECT sources[1].source_id FROM items LIMIT 1").column(0)[0].as_py()
    kind = store.query("SELECT sources[1].source_id FROM categories LIMIT 1").column(0)[0].as_py()
    results = tmp_path / "results.json"
    results.write_text(json.dumps(
        [{"image_id": image, "category_id": kind, "bbox": [1.0, 2.0, 3.0, 4.0], "score": 0.25}]
    ))  # fmt: skip
    store.import_from("coco-results", results, layer="detector", by="model:detector@3",
                      means=Means(weights=str(weights)))  # fmt: skip
    found = activity(store)
    assert (found["kind"], found["model"]) == ("model_run", "detector@3")
    assert found["parameters"]["weights"] == {
        "path": str(weights), "size": 7, "sha256": hashlib.sha256(b"weights").hexdigest()
    }  # fmt: skip
    [row] = store.query("SELECT * FROM annotations WHERE layer = 'detector'").to_pylist()
    assert (row["score"], row["origin"]) == (0.25, "model")
    agents = store.manifest().table(TABLES["agents"]).to_pylist()
    assert next(a["name"] for a in agents if a["agent_id"] == row["created_by"]) == "detector"


def test_the_environment_says_tool_guideline_and_agent(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = tmp_path / "rules.md"
    rules.write_text("draw tight boxes\n")
    monkeypatch.setenv("LABELSTORE_TOOL", "vott@2")
    monkeypatch.setenv("LABELSTORE_GUIDELINE", str(rules))
    monkeypatch.setenv("LABELSTORE_AGENT", "tool:robot@1")
    store.import_from("coco", TINY)
    found = activity(store)
    assert (found["tool"], found["tool_version"]) == ("vott", "2")
    assert found["guideline"] == str(rules)
    assert found["guideline_sha256"] == hashlib.sha256(rules.read_bytes()).hexdigest()
    agents = store.manifest().table(TABLES["agents"]).to_pylist()
    assert [(a["kind"], a["name"], a["version"]) for a in agents if a["kind"] == "tool"] == [
        ("tool", "robot", "1")
    ]


@pytest.mark.parametrize(
    ("by", "means", "code"),
    [
        ("ada", Means(weights="sha256:" + "0" * 64), "weights-agent"),
        ("model:m", Means(weights="nowhere.pt"), "weights-missing"),
        ("ada", Means(tool="@2"), "tool-name"),
    ],
)
def test_means_that_cannot_be(store: Store, by: str, means: Means, code: str) -> None:
    with pytest.raises(InvalidInput) as told:
        store.import_from("coco", TINY, by=by, means=means)
    assert told.value.code == code
    assert store.staged() is None


def test_import_takes_tool_guideline_and_weights(store: Store, cli: Run) -> None:
    done = cli("import", "coco", TINY, "--by", "model:m@1", "--tool", "trainer@4",
               "--guideline", "https://example.org/rules", "--weights", "sha256:" + "a" * 64,
               "--store", store.workspace.folder)  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = activity(store)
    assert (found["tool"], found["guideline"], found["model"]) == (
        "trainer", "https://example.org/rules", "m@1")  # fmt: skip
    assert found["parameters"]["weights"] == {"sha256": "a" * 64}


def test_the_day_a_picture_was_taken_stays_with_its_item(v1: Store) -> None:
    said = {i["file_name"]: i["date_captured"] for i in json.loads(TINY.read_text())["images"]}
    rows = v1.query("SELECT uri, sources[1].leftovers AS kept FROM items").to_pylist()
    assert {row["uri"]: json.loads(row["kept"])["keys"]["date_captured"] for row in rows} == said


def test_the_key_of_pseudonyms_may_stand_in_the_environment(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABELSTORE_KEY", "ab" * 32)
    store.import_from("coco", TINY, by="ada")
    [row] = store.manifest().table(TABLES["agents"]).to_pylist()
    made = hmac.new(bytes.fromhex("ab" * 32), b"ada", hashlib.sha256).hexdigest()
    assert row["name"] == f"person-{made[:16]}"
    assert row["key_id"]
    monkeypatch.setenv("LABELSTORE_KEY", "no hex")
    with pytest.raises(InvalidInput, match="LABELSTORE_KEY"):
        store.import_from("coco", TINY, by="ada")


def test_names_that_are_learnt_at_once_are_all_known(store: Store) -> None:
    people = [f"person {n}" for n in range(24)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(partial(pseudonym_of, store.workspace), people))
    assert names(store.workspace).items() >= dict(zip(found, people, strict=True)).items()
