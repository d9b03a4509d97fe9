"""Proofs: they hold without a store, and no field of them can be changed."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Run
from hypothesis import given
from hypothesis import strategies as st

from labelstore.errors import Corrupt, InvalidInput, LabelstoreError, NotFound
from labelstore.lineage.proofs import read_proof, verify_proof
from labelstore.model.plain import row_of
from labelstore.model.tables import TABLES
from labelstore.storage.digests import climb, merkle_path, merkle_root
from labelstore.store import Store


@pytest.fixture(scope="module")
def signed(v1_template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return a store with a signed tag, who may sign, and a proof of a label that was reviewed."""
    import shutil

    from labelstore.store import open_store

    folder = tmp_path_factory.mktemp("proofs")
    shutil.copytree(v1_template, folder / "store", symlinks=True)
    store = open_store(folder / "store")
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    allowed = folder / "allowed"
    allowed.write_text("auditor@example.org " + (folder / "key.pub").read_text())
    for name, value in (("gpg.format", "ssh"), ("user.signingKey", str(key))):
        subprocess.run(["git", "config", name, value], cwd=store.workspace.folder, check=True)
    store.review("accepted", where="category = 'person'", by="bob", reason="looked")
    store.commit("reviewed", tag="v2", sign=True)
    number = store.query("SELECT min(annotation_id) FROM labels WHERE category = 'person'"
                         ).column(0).to_pylist()[0]  # fmt: skip
    store.prove(number, folder / "label.json", at="v2")
    return {"store": store, "allowed": allowed, "id": number,
            "proof": read_proof(folder / "label.json"), "file": folder / "label.json"}  # fmt: skip


def test_a_proof_says_what_the_version_says(signed: dict[str, Any]) -> None:
    found = verify_proof(signed["proof"], "proof", allowed=signed["allowed"])
    assert found.annotation_id == signed["id"]
    assert found.root == signed["store"].show("v2").root
    assert (found.tag, found.signature.state, found.signature.by) == (
        "v2", "good", "auditor@example.org")  # fmt: skip
    (label,) = found.rows["annotations"]
    assert label["review_state"] == "accepted"
    assert found.rows["items"][0]["uri"].endswith(".jpg")
    assert [r["name"] for r in found.rows["categories"]] == ["person"]
    assert {r["kind"] for r in found.rows["activities"]} == {"import", "review"}
    assert len(found.rows["agents"]) == 2
    assert found.rows["datasets"][0]["format"] == "coco"
    assert signed["file"].stat().st_size < 64 * 1024


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each value within JSON that is no list or object."""
    if isinstance(value, dict):
        for name, own in value.items():
            yield from places(own, (*path, name))
    elif isinstance(value, list):
        for index, own in enumerate(value):
            yield from places(own, (*path, index))
    else:
        yield path


def changed(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return float(np.nextafter(value, np.inf))
    if isinstance(value, str):
        return value[:-1] + ("0" if value[-1:] != "0" else "1") if value else "x"
    return 1


def holds(content: Any, allowed: Path) -> bool:
    try:
        return verify_proof(content, "proof", allowed=allowed).signature.state == "good"
    except LabelstoreError:
        return False


def test_no_value_of_a_proof_can_be_changed(signed: dict[str, Any]) -> None:
    whole = signed["proof"]
    assert holds(whole, signed["allowed"])
    tried = 0
    for path in places(whole):
        if path in (("schema",), ("hash_definition",)):  # what reads it; see below
            continue
        bent = copy.deepcopy(whole)
        at = bent
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = changed(at[path[-1]])
        assert not holds(bent, signed["allowed"]), path
        tried += 1
    assert tried > 200


def test_no_field_can_be_added_or_taken_away(signed: dict[str, Any]) -> None:
    for index, entry in enumerate(signed["proof"]["rows"]):
        for name in entry["row"]:
            bent = copy.deepcopy(signed["proof"])
            del bent["rows"][index]["row"][name]
            assert not holds(bent, signed["allowed"]), (entry["table"], name)
        absent = set(TABLES[entry["table"]].schema.names) - entry["row"].keys()
        for name in ("no_such_field", *sorted(absent)[:3]):
            bent = copy.deepcopy(signed["proof"])
            bent["rows"][index]["row"][name] = True
            assert not holds(bent, signed["allowed"]), (entry["table"], name)


def test_rows_of_another_label_are_refused(signed: dict[str, Any], tmp_path: Path) -> None:
    store: Store = signed["store"]
    other = store.query("SELECT max(annotation_id) FROM labels").column(0).to_pylist()[0]
    store.prove(other, tmp_path / "other.json", at="v2")
    theirs = read_proof(tmp_path / "other.json")
    assert holds(theirs, signed["allowed"])
    for index, entry in enumerate(signed["proof"]["rows"]):
        own = next(e for e in theirs["rows"] if e["table"] == entry["table"])
        if own["row"] == entry["row"]:
            continue
        bent = copy.deepcopy(signed["proof"])
        bent["rows"][index] = own
        assert not holds(bent, signed["allowed"]), entry["table"]


def test_a_stranger_cannot_sign(signed: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "nobody").write_text("")
    with pytest.raises(Corrupt, match="the tag's signature is unknown"):
        verify_proof(signed["proof"], "proof", allowed=tmp_path / "nobody")
    with pytest.raises(NotFound, match="no such file of allowed signers"):
        verify_proof(signed["proof"], "proof", allowed=tmp_path / "none")
    assert verify_proof(signed["proof"], "proof").signature.state == "unchecked"


def test_every_label_can_be_proved(signed: dict[str, Any], tmp_path: Path) -> None:
    store: Store = signed["store"]
    ids = store.query("SELECT annotation_id FROM labels WHERE annotation_id % 31 = 0")
    assert ids.num_rows > 5
    for number in ids.column(0).to_pylist():
        store.prove(number, tmp_path / "p.json", at="v1")
        found = verify_proof(read_proof(tmp_path / "p.json"), "p", root=store.show("v1").root)
        assert found.annotation_id == number
    with pytest.raises(NotFound, match="has no annotation 5"):
        store.prove(5, tmp_path / "none.json")
    assert not (tmp_path / "none.json").exists()


def test_a_root_that_is_known_decides(signed: dict[str, Any]) -> None:
    with pytest.raises(Corrupt, match="is of a version with root"):
        verify_proof(signed["proof"], "proof", root="00" * 32)
    own = signed["proof"]["root"]
    assert verify_proof(signed["proof"], "proof", root=own[:16].upper()).root == own
    with pytest.raises(Corrupt):
        verify_proof(signed["proof"], "proof", root=own[:15])


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"schema": "labelstore/proof/2"}',
                                  "[" * 100_000, '{"schema": "labelstore/proof/1"}'])  # fmt: skip
def test_what_is_no_proof_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(InvalidInput):
        read_proof(tmp_path / "p.json")


@pytest.mark.parametrize("gone", ["rows", "root", "commit", "tag", "annotation_id"])
def test_a_proof_without_a_piece_is_none(signed: dict[str, Any], gone: str) -> None:
    bent = {name: own for name, own in signed["proof"].items() if name != gone}
    with pytest.raises(Corrupt):
        verify_proof(bent, "proof")


def test_the_command_needs_no_store(signed: dict[str, Any], cli: Run, tmp_path: Path) -> None:
    done = cli("verify-proof", signed["file"], "--signed", "--allowed-signers",
               signed["allowed"], cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "signed by auditor@example.org" in done.stdout
    assert "class: person" in done.stdout
    assert cli("verify-proof", signed["file"], "--signed", cwd=tmp_path).returncode == 1
    bent = json.loads(signed["file"].read_text())
    bent["rows"][0]["row"]["review_state"] = "gold"
    (tmp_path / "bent.json").write_text(json.dumps(bent))
    done = cli("verify-proof", tmp_path / "bent.json", cwd=tmp_path)
    assert done.returncode == 6
    assert "annotations: the row does not lead to root" in done.stderr


@given(count=st.integers(1, 600), data=st.data())
def test_a_path_leads_to_the_root_and_to_no_other(count: int, data: st.DataObject) -> None:
    tree = np.random.default_rng(count).integers(0, 256, (count, 32), dtype=np.uint8)
    index = data.draw(st.integers(0, count - 1))
    path = merkle_path(tree, index)
    assert climb(tree[index].tobytes(), path) == merkle_root(tree)
    bent = tree[index].copy()
    bent[data.draw(st.integers(0, 31))] ^= 1 << data.draw(st.integers(0, 7))
    assert climb(bent.tobytes(), path) != merkle_root(tree)


@pytest.mark.parametrize(
    "said",
    [{"tags": {"a": 1, "b": 2}}, {"tags": "ab"}, {"score": 1}, {"is_crowd": 1}, {"score": "1"},
     {"reviewed_at": "2026-01-01T00:00:00"}, {"attributes": {"a": "1"}}, {"tags": [1]},
     {"item_id": True}, {"row_hash": 0}, {"flag": None}],
)  # fmt: skip
def test_what_only_looks_like_a_value_is_refused(said: dict[str, Any]) -> None:
    """Each would give the bytes of another row, or of this one by another text."""
    table = TABLES["annotations"]
    whole = {"layer": "l", "item_id": 1, "annotation_id": 2, "kind": "box"}
    assert len(row_of(table, whole)) == 1
    with pytest.raises(ValueError, match="annotations"):
        row_of(table, {**whole, **said})
