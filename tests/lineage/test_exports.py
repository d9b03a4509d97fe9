"""Lineage in the words of others: PROV, OpenLineage, Croissant, and the data card."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY, Run
from histories import told_history
from openlineage.client.event_v2 import RunEvent, RunState
from openlineage.client.serde import Serde
from openlineage.client.transport.file import FileConfig, FileTransport
from prov.model import ProvActivity, ProvAgent, ProvDocument, ProvEntity

from labelstore.errors import FormatError, InvalidInput, NotFound
from labelstore.lineage.exports.openlineage import openlineage_events
from labelstore.lineage.exports.recorded import recorded
from labelstore.model.tables import TABLES
from labelstore.store import Store

DIGEST = hashlib.sha256(TINY.read_bytes()).hexdigest()


@pytest.fixture
def told(store: Store, tmp_path: Path) -> Store:
    return told_history(store, tmp_path)


def activities(store: Store) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = store.manifest().table(TABLES["activities"]).to_pylist()
    return rows


def test_prov_has_every_version_activity_agent_and_file(told: Store, tmp_path: Path) -> None:
    told.prov(tmp_path / "prov.json")
    text = (tmp_path / "prov.json").read_text()
    document = ProvDocument.deserialize(content=text, format="json")
    assert ProvDocument.deserialize(content=document.serialize(), format="json") == document
    names = {kind: {str(r.identifier) for r in document.get_records(kind)}
             for kind in (ProvActivity, ProvEntity, ProvAgent)}  # fmt: skip
    assert names[ProvActivity] == {f"ls:activity-{r['activity_id']}" for r in activities(told)}
    assert {f"ls:version-{c.sha}" for c in told.log()} <= names[ProvEntity]
    assert f"ls:file-{DIGEST}" in names[ProvEntity]
    assert f"ls:file-{'c' * 64}" in names[ProvEntity]
    agents = told.manifest().table(TABLES["agents"]).to_pylist()
    assert {f"ls:agent-{row['agent_id']}" for row in agents} < names[ProvAgent]
    assert "ls:tool-cvat-40-2.5" in names[ProvAgent]
    assert not re.search(r"\bada\b", text)  # a hash may well hold these letters
    assert str(tmp_path) not in text  # nor where somebody keeps their files
    assert '"prov:label": "rules.md"' in text


def test_prov_says_what_was_made_of_what(told: Store, tmp_path: Path) -> None:
    told.prov(tmp_path / "prov.json", at="v2")
    said = json.loads((tmp_path / "prov.json").read_text())
    commits = {c.name: c.sha for c in told.log()}
    derived = {(d["prov:generatedEntity"], d["prov:usedEntity"])
               for d in said["wasDerivedFrom"].values()}  # fmt: skip
    assert (f"ls:version-{commits['v2']}", f"ls:version-{commits['v1']}") in derived
    assert f"ls:version-{commits['v3']}" not in said["entity"]
    run = next(r for r in activities(told) if r["kind"] == "model_run")
    [made] = [g for g in said["wasGeneratedBy"].values()
              if g["prov:activity"] == f"ls:activity-{run['activity_id']}"]  # fmt: skip
    assert made["prov:entity"] == f"ls:version-{commits['v2']}"
    plans = [a["prov:plan"] for a in said["wasAssociatedWith"].values() if "prov:plan" in a]
    assert len(plans) == 1
    assert plans[0] in said["entity"]


def test_each_activity_is_a_run_that_openlineages_own_client_accepts(
    told: Store, tmp_path: Path
) -> None:
    told.openlineage(tmp_path / "events.ndjson")
    lines = (tmp_path / "events.ndjson").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert [e["eventType"] for e in events] == ["START", "COMPLETE"] * len(activities(told))
    assert len({e["run"]["runId"] for e in events}) == len(activities(told))
    for event in events:  # the client checks ids, times and names as it builds an event
        again = RunEvent(
            eventTime=event["eventTime"], eventType=RunState(event["eventType"]),
            producer=event["producer"], run=_run(event), job=_job(event),
        )  # fmt: skip
        assert json.loads(Serde.to_json(again))["schemaURL"] == event["schemaURL"]
    assert str(tmp_path) not in "".join(lines)
    roots = [recorded(told.workspace, at).newest.root for at in ("v1", "v2", "v3")]
    ends = [e for e in events if e["eventType"] == "COMPLETE"]
    made = [e["outputs"][0]["facets"]["version"]["datasetVersion"] for e in ends]
    used = [e["inputs"][-1]["facets"]["version"]["datasetVersion"] for e in ends]
    assert made == [roots[0], roots[1], roots[2], roots[2]]
    assert used[1:] == [roots[0], roots[1], roots[1]]
    first = events[1]
    assert first["inputs"][0]["facets"]["version"]["datasetVersion"] == DIGEST
    root = recorded(told.workspace, "v1").newest.root
    [out] = first["outputs"]
    assert out["facets"]["version"]["datasetVersion"] == root
    rows = len(json.loads(TINY.read_text())["annotations"])
    assert out["outputFacets"]["outputStatistics"]["rowCount"] == rows


def _run(event: dict[str, Any]) -> Any:
    from openlineage.client.event_v2 import Run as LineageRun

    return LineageRun(event["run"]["runId"])


def _job(event: dict[str, Any]) -> Any:
    from openlineage.client.event_v2 import Job

    return Job(event["job"]["namespace"], event["job"]["name"])


def test_the_file_transport_of_the_client_writes_the_same(told: Store, tmp_path: Path) -> None:
    path = tmp_path / "theirs.ndjson"
    transport = FileTransport(FileConfig(log_file_path=str(path), append=True))
    from labelstore.lineage.exports import openlineage as ours

    version = recorded(told.workspace, "v1").newest
    kept = recorded(told.workspace, "v1")
    for event in ours._events(kept, version, version.activities[0], "0" * 64):
        transport.emit(event)
    theirs = [json.loads(line) for line in path.read_text().splitlines()]
    assert theirs == [json.loads(line) for line in openlineage_events(kept)]


def test_croissant_holds_the_parts_and_states_their_root(told: Store, tmp_path: Path) -> None:
    told.croissant(tmp_path / "out", at="v3")
    said = json.loads((tmp_path / "out" / "croissant.json").read_text())
    manifest = told.manifest("v3")
    assert said["identifier"] == f"urn:labelstore:root:{manifest.root}"
    index = (tmp_path / "out" / "labels" / "_parts.parquet").read_bytes()
    assert said["distribution"][0]["sha256"] == hashlib.sha256(index).hexdigest()
    for part in manifest.parts:
        copied = tmp_path / "out" / "labels" / part.path
        assert copied.read_bytes() == manifest.path(part).read_bytes()
    assert said["rai:machineAnnotationTools"] == [f"detector@3 (weights sha256 {'c' * 64})"]
    assert "cvat@2.5" in said["rai:dataAnnotationPlatform"]
    assert "rules.md (sha256 " in said["rai:dataAnnotationProtocol"]
    assert said["rai:dataLimitations"] == "no snow <b>at all</b>"
    with pytest.raises(InvalidInput):
        told.croissant(tmp_path / "out", at="v3")


def test_a_card_counts_what_the_store_holds(told: Store) -> None:
    card = told.card()
    rows = {s.title: [list(row) for row in s.rows] for s in card.sections}
    said = json.loads(TINY.read_text())
    assert ["labels in ground_truth", len(said["annotations"])] in rows["Counts"]
    assert ["labels in detector", 200] in rows["Counts"]
    assert ["items (image)", len(said["images"])] in rows["Counts"]
    people = [a["category_id"] for a in said["annotations"]].count(1)
    assert next(r for r in rows["Classes"] if r[:2] == ["ground_truth", "person"])[2] == people
    assert sum(row[2] for row in rows["Splits"]) == len(said["images"])
    assert rows["Sources"][0][4] == DIGEST
    assert rows["Licences"][0][1].startswith("https://creativecommons.org")
    assert len(rows["Licences"]) == 1 + len(said["licenses"])
    by_kind = {row[0]: row[2] for row in rows["Authors"]}
    assert by_kind["model:detector@3"] == 200
    sql = "SELECT COUNT(*) FROM annotations WHERE review_state = 'accepted'"
    accepted = told.query(sql).column(0)[0].as_py()
    assert ["ground_truth", "accepted", "", accepted] in rows["Review"]
    [alpha] = [row[1] for row in rows["Agreement"] if row[0].endswith("detector, ground_truth")]
    assert alpha.startswith(f"{told.agreement()[0].alpha:.3f} (")
    assert not any("agreement is not measured" in row[0] for row in rows["Known gaps"])
    unlabelled = len(said["images"]) - len({a["image_id"] for a in said["annotations"]})
    assert ["items without a label", str(unlabelled)] in rows["Known gaps"]


def test_a_card_names_nobody_and_escapes_what_people_write(told: Store) -> None:
    card = told.card()
    for text in (card.markdown(), card.html()):
        assert "person-" in text
        assert not {"ada", "grace"} & set(text.replace("-", " ").lower().split())
        assert "<b>" not in text
    assert "Boxes \\| and outlines" in card.markdown()


def test_cards_of_a_bare_store_tell_what_is_missing(v1: Store) -> None:
    gaps = {row[0] for s in v1.card().sections if s.title == "Known gaps" for row in s.rows}
    assert "no activity names a guideline" in gaps
    assert any("agreement is not measured" in gap for gap in gaps)
    assert any("licence of the labels" in gap for gap in gaps)


def test_what_people_say_wrongly_is_told_at_once(v1: Store) -> None:
    with (v1.workspace.folder / "labelstore.toml").open("a") as file:
        file.write('[about]\nlicence = "MIT"\ncreators = 3\n')
    with pytest.raises(FormatError, match=r"(?s)creators.*licence|licence.*creators"):
        v1.card()


def test_a_version_that_is_not_there(v1: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        v1.prov(tmp_path / "p.json", at="v9")
    assert not (tmp_path / "p.json").exists()


def test_the_commands_write_files(told: Store, cli: Run, tmp_path: Path) -> None:
    where = ("--store", told.workspace.folder)
    for words in (["prov", "p.json"], ["openlineage", "o.ndjson"], ["croissant", "cr"],
                  ["card", "card.html"], ["card", "card.md"]):  # fmt: skip
        done = cli(*words, "--at", "v2", *where)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "card.html").read_text().startswith("<!doctype html>")
    assert (tmp_path / "card.md").read_text() == told.card(at="v2").markdown()
    shown = json.loads(cli("card", "--json", *where).stdout)
    assert shown["version"] == "v3"
