"""Verify: every byte, row, root, tag and signature that somebody changed is found and named."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Run

from labelstore.errors import InvalidInput, NotFound, StorageFailed
from labelstore.lineage.proofs import read_proof, verify_proof
from labelstore.lineage.verifying import Verified
from labelstore.model import labels as l
from labelstore.model.arrow import with_column
from labelstore.model.canonical import with_hashes
from labelstore.model.tables import TABLES
from labelstore.storage.index import build, encode_index
from labelstore.storage.objects import object_path, put, put_as
from labelstore.storage.parquet import encode
from labelstore.store import Store, init_store, open_store
from labelstore.versions.dvc.pointer import directory_object, pointer_text
from labelstore.versions.manifest import PARTS, SCHEMA, Manifest
from labelstore.versions.publish import publish
from labelstore.versions.signing import signature_of


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return two versions of forty boxes."""
    made = init_store(tmp_path / "store", target=64)
    with made.edit(by="ada") as edit:
        edit.add([l.Box(item=f"{n % 4}.jpg", category="car", x=10.0 * n, y=1, width=5, height=5)
                  for n in range(40)], items=[{"uri": f"{n}.jpg", "width": 500, "height": 99}
                                              for n in range(4)],
                 categories=[{"name": "car"}])  # fmt: skip
    made.commit("boxes", tag="v1")
    made.review("accepted", where="xmin < 100", by="bob")
    made.commit("reviewed", tag="v2")
    return made


def git(store: Store, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=store.workspace.folder, check=True,
                          capture_output=True, text=True).stdout.strip()  # fmt: skip


def told(found: Verified) -> list[tuple[str, str, str]]:
    return [(f.version, f.where, f.what) for f in found.faults]


def test_what_nobody_touched_has_no_fault(store: Store) -> None:
    found = store.verify("v2")
    assert (found.versions, found.faults, found.rules) == (["v2"], [], [])
    assert found.signatures["v2"].state == "unsigned"
    every = store.verify(every=True)
    assert every.versions[:2] == ["v2", "v1"]
    assert every.faults == []
    files = store.workspace.manifest("v2").files
    assert found.read == {*files.values()}
    assert found.rows == sum(p.rows for p in store.workspace.manifest("v2").parts)
    more = {md5 for rev in ("v1", "v1~1") for md5 in store.workspace.manifest(rev).files.values()}
    assert every.read == found.read | more
    assert every.rows < 2 * found.rows  # what versions share is read once


def test_one_flipped_byte_in_any_object_is_found_and_named(store: Store) -> None:
    workspace = store.workspace
    directory = workspace.directory(workspace.git.resolve("v2")) or ""
    files = {**workspace.manifest("v2").files, "labels.dvc": directory}
    assert len(files) > 6
    for name, md5 in files.items():
        path = object_path(workspace.layout.cache, md5)
        whole, mode = path.read_bytes(), path.stat().st_mode
        for at in {0, len(whole) // 2, len(whole) - 1}:
            os.chmod(path, 0o644)
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            found = told(open_store(workspace.folder).verify("v2"))
            assert found, (name, at)
            assert any(v == "v2" and md5.removesuffix(".dir") in what for v, _, what in found)
        path.write_bytes(whole)
        os.chmod(path, mode)
    assert store.verify("v2").faults == []


def test_a_missing_object_is_named(store: Store) -> None:
    manifest = store.workspace.manifest("v2")
    path = next(p for p in manifest.files if p.startswith("geometries/"))
    object_path(store.workspace.layout.cache, manifest.files[path]).unlink()
    (found,) = told(store.verify("v2"))
    assert found[:2] == ("v2", path)
    assert "is not in the local cache" in found[2]


def forged(store: Store, *, hashed: bool, indexed: bool) -> Any:
    """Publish v2 with one label's class of review changed, and return the part it is in.

    Args:
        store: the store.
        hashed: mend the row's hash, too.
        indexed: mend the index, too.
    """
    workspace = store.workspace
    manifest = workspace.manifest("v2")
    (part,) = manifest.parts_of("annotations")
    table = TABLES["annotations"]
    rows = manifest.read(part).combine_chunks()
    state = rows.column("review_state").to_pylist()
    state[7] = "gold"
    rows = with_column(rows, "review_state", pa.array(state))
    if hashed:
        (batch,) = rows.to_batches()
        rows = pa.Table.from_batches([with_hashes(table, batch)[0]])
    files = {**manifest.files, part.path: put(workspace.layout.cache, encode(table, rows))}
    if indexed:
        made, _ = build(table, part.partition, rows)
        parts = [made if p.path == part.path else p for p in manifest.parts]
        files[PARTS] = put(workspace.layout.cache, encode_index(parts))
    publish(workspace, Manifest(files, manifest.folders), parent=workspace.git.head(),
            message="forged")  # fmt: skip
    return part


def test_a_changed_row_in_a_rewritten_part_is_found(store: Store) -> None:
    number = store.query("SELECT annotation_id FROM annotations").column(0).to_pylist()[7]
    part = forged(store, hashed=False, indexed=False)
    found = store.verify().faults
    assert {f.where for f in found} == {part.path}
    assert f"1 row changed without the hash: {number}" in {f.what for f in found}


def test_a_row_whose_hash_was_mended_differs_from_the_index(store: Store) -> None:
    part = forged(store, hashed=True, indexed=False)
    words = [f.what for f in store.verify().faults if f.where == part.path]
    assert any(w.startswith("the index states digest ") for w in words)
    assert any(w.startswith("the index states root ") for w in words)


def test_an_index_that_was_mended_differs_from_the_commit(store: Store) -> None:
    message = git(store, "log", "-1", "--format=%B", "v2")
    forged(store, hashed=True, indexed=True)
    assert store.verify().faults == []  # it is a version like any other, under another commit
    git(store, "commit", "-q", "--amend", "-m", message)
    (found,) = store.verify().faults
    assert (found.where, found.what[:12]) == ("commit", "states root ")
    git(
        store, "tag", "-f", "-a", "v2", "-m", git(store, "tag", "-l", "--format=%(contents)", "v2")
    )
    words = [f.what for f in store.verify("v2").faults if f.where == "tag v2"]
    assert any("but its version has" in w for w in words)
    assert any("somebody moved it or made it anew" in w for w in words)


def test_a_moved_tag_is_named(store: Store) -> None:
    git(store, "update-ref", "refs/tags/v1", git(store, "rev-parse", "refs/tags/v2"))
    words = [f.what for f in store.verify("v1").faults]
    assert "is the tag object of 'v2'; somebody moved it" in words
    assert any("when this clone saw it first" in w for w in words)
    git(store, "tag", "-f", "v1", "v2^{commit}")
    words = [f.what for f in store.verify("v1").faults]
    assert any("is no annotated tag and states no root" in w for w in words)
    git(store, "tag", "-d", "v1")
    assert any("is gone" in f.what for f in store.verify(every=True).faults)


def test_a_pin_knows_where_a_tag_was(store: Store, tmp_path: Path) -> None:
    store.pin("v1", tmp_path / "train.lock")
    (store.workspace.private / "tags.json").unlink()
    git(store, "tag", "-f", "-a", "v1", "v2", "-m", "moved")
    words = [f.what for f in store.verify("v1").faults]
    assert any(f"the pin {tmp_path / 'train.lock'} has it at" in w for w in words)


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Path]:
    """Return keys of an auditor and of a stranger, and a file that allows the first."""
    found = {}
    for name in ("auditor", "stranger"):
        found[name] = tmp_path / f"{name}.key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", found[name]],
                       check=True)  # fmt: skip
    found["allowed"] = tmp_path / "allowed"
    public = found["auditor"].with_suffix(".key.pub").read_text()
    found["allowed"].write_text(f"auditor@example.org {public}")
    return found


def signing(store: Store, key: Path) -> None:
    git(store, "config", "gpg.format", "ssh")
    git(store, "config", "user.signingKey", str(key))


def test_a_signed_tag_names_who_signed_it(store: Store, keys: dict[str, Path]) -> None:
    signing(store, keys["auditor"])
    store.tag("v3", "v2", message="for the audit", sign=True)
    assert store.verify("v3").signatures["v3"].state == "unchecked"
    own = store.verify("v3", allowed=keys["allowed"]).signatures["v3"]
    assert (own.state, own.by) == ("good", "auditor@example.org")
    git(store, "config", "gpg.ssh.allowedSignersFile", str(keys["allowed"]))
    assert store.verify("v3").signatures["v3"].state == "good"
    assert git(store, "verify-tag", "v3") == ""  # as Git itself has it: it says so on stderr


def test_git_settings_sign_every_version(store: Store, keys: dict[str, Path]) -> None:
    signing(store, keys["auditor"])
    git(store, "config", "tag.gpgSign", "true")
    store.review("gold", where="xmin < 50", by="bob")
    store.commit("gold", tag="v3")
    assert store.verify("v3", allowed=keys["allowed"]).signatures["v3"].state == "good"
    store.tag("v4", sign=False)
    assert store.verify("v4").signatures["v4"].state == "unsigned"


def test_a_key_that_nobody_allowed_is_named(store: Store, keys: dict[str, Path]) -> None:
    signing(store, keys["stranger"])
    store.tag("v3", "v2", sign=True)
    (found,) = store.verify("v3", allowed=keys["allowed"]).faults
    assert found.where == "tag v3"
    assert "signed by a key that nobody allowed" in found.what
    assert "SHA256:" in found.what


def test_a_signature_of_another_text_is_bad(store: Store, keys: dict[str, Path]) -> None:
    signing(store, keys["auditor"])
    store.tag("v3", "v2", message="for the audit", sign=True)
    text = subprocess.run(["git", "cat-file", "tag", "v3"], cwd=store.workspace.folder,
                          check=True, capture_output=True).stdout  # fmt: skip
    made = subprocess.run(["git", "mktag"], cwd=store.workspace.folder, check=True,
                          input=text.replace(b"for the audit", b"for the editor"),
                          capture_output=True).stdout.decode().strip()  # fmt: skip
    git(store, "update-ref", "refs/tags/v3", made)
    found = store.verify("v3", allowed=keys["allowed"])
    assert found.signatures["v3"].state == "bad"
    assert any("has a signature of another text" in f.what for f in found.faults)


def test_plain_tags_of_other_commits_are_left_alone(store: Store) -> None:
    (store.workspace.folder / "README").write_text("x")
    git(store, "add", "README")
    git(store, "commit", "-q", "-m", "code")
    git(store, "tag", "release-1")
    assert store.verify(every=True).faults == []


def test_the_remote_is_read_too(store: Store, tmp_path: Path) -> None:
    store.remote_add("team", str(tmp_path / "remote"), default=True)
    store.push()
    assert store.verify("v2", remote=True).faults == []
    manifest = store.workspace.manifest("v2")
    gone, bent = (next(p for p in manifest.files if p.startswith(name))
                  for name in ("annotations/", "geometries/"))  # fmt: skip
    folder = tmp_path / "remote" / "files" / "md5"
    object_path(folder, manifest.files[gone]).unlink()
    path = object_path(folder, manifest.files[bent])
    os.chmod(path, 0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    found = {f.where: f.what for f in store.verify("v2", remote=True).faults}
    assert "has no object" in found[f"{gone} on remote team"]
    assert "arrived with MD5" in found[f"{bent} on remote team"]
    assert store.verify("v2").faults == []


def test_rules_between_tables_are_told_apart(store: Store) -> None:
    from broken import BROKEN
    from broken import put as put_rows

    put_rows(store, BROKEN["annotation-item-missing"])
    store.commit("odd", tag="v3")
    found = store.verify("v3")
    assert found.faults == []
    assert [f.what.split(":")[0] for f in found.rules] == ["annotation-item-missing"]


def test_the_command_exits_as_it_finds(store: Store, cli: Run, keys: dict[str, Path]) -> None:
    own = store.workspace.folder
    done = cli("verify", "v2", cwd=own)
    assert done.returncode == 0
    assert "tag v2: not signed" in done.stdout
    assert ": no fault" in done.stdout
    assert cli("verify", "v2", "--signed", cwd=own).returncode == 1
    signing(store, keys["auditor"])
    assert cli("tag", "v3", "v2", "--sign", cwd=own).returncode == 0
    assert cli("verify", "v3", "--signed", "--allowed-signers", keys["allowed"],
               cwd=own).returncode == 0  # fmt: skip
    git(store, "tag", "-f", "v1", "v2")
    done = cli("verify", "--all", "--json", cwd=own)
    assert done.returncode == 6
    assert {f["version"] for f in json.loads(done.stdout)["faults"]} == {"v1"}
    assert cli("verify", "v99", cwd=own).returncode == 3


def test_git_that_makes_no_signature_makes_no_tag(store: Store) -> None:
    signing(store, Path("/no/such/key"))
    with pytest.raises(StorageFailed):
        store.tag("v3", sign=True)
    store.review("gold", where="true", by="bob")
    with pytest.raises(StorageFailed):
        store.commit("gold", tag="v4", sign=True)
    assert git(store, "tag").split() == ["v1", "v2"]
    assert store.staged() is not None


def test_a_file_of_allowed_signers_is_of_ssh_keys(keys: dict[str, Path], tmp_path: Path) -> None:
    other = (
        b"object x\n\nsaid\n-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n"
    )
    found = signature_of(other, allowed=keys["allowed"])
    assert (found.state, found.by) == ("unknown", None)
    more = other.replace(b"PGP", b"SSH") + b"This tag is void.\n"
    assert signature_of(more, allowed=keys["allowed"]).state == "bad"
    with pytest.raises(NotFound, match="no such file of allowed signers"):
        signature_of(other, allowed=tmp_path / "none")


def test_a_tag_of_a_tag_is_named(store: Store, tmp_path: Path) -> None:
    git(store, "tag", "-f", "-a", "v1", "-m", "moved", "v2")
    (store.workspace.private / "tags.json").unlink()
    words = [f.what for f in store.verify("v1").faults]
    assert any(w.startswith("states root None, but its version has") for w in words)
    assert {f.version for f in store.verify(every=True).faults} == {"v1"}


def test_a_tag_of_a_later_commit_of_other_files_is_looked_at(
    store: Store, keys: dict[str, Path]
) -> None:
    (store.workspace.folder / "README").write_text("x")
    git(store, "add", "README")
    git(store, "commit", "-q", "-m", "code")
    assert store.verify().versions == ["v2"]  # HEAD's labels
    assert store.verify().faults == []
    signing(store, keys["auditor"])
    store.tag("v3", sign=True)
    found = store.verify("v3", allowed=keys["allowed"])
    assert (found.signatures["v3"].state, found.faults) == ("good", [])
    assert "v3" in store.verify(every=True).signatures


def test_a_revert_by_plain_git_states_no_root(store: Store) -> None:
    git(store, "revert", "--no-edit", "HEAD")
    found = store.verify()
    assert found.faults == []
    assert [f.what.split(";")[0] for f in found.rules] == ["states no root"]
    number = store.query("SELECT min(annotation_id) FROM annotations").column(0).to_pylist()[0]
    with pytest.raises(InvalidInput, match="states no root, as plain git made it"):
        store.prove(number, store.workspace.folder / "p.json")
    store.tag("v3")
    store.prove(number, store.workspace.folder / "p.json", at="v3")
    proof = read_proof(store.workspace.folder / "p.json")
    assert verify_proof(proof, "p").tag == "v3"


def test_versions_that_came_by_a_merge_are_looked_at(store: Store) -> None:
    store.switch("side", create=True)
    with store.edit(by="eve") as edit:
        edit.update(where="xmin < 10", set={"score": 0.5})
    store.commit("scored", tag="side-1")
    store.switch("main")
    with store.edit(by="ada") as edit:
        edit.update(where="xmin > 300", set={"score": 0.25})
    store.commit("others")
    store.merge("side", by="dora")
    own = {p.path: p for p in store.manifest("side-1").parts_of("annotations")}
    manifest = store.manifest("side-1")
    elsewhere = {md5 for rev in ("HEAD", "HEAD~1", "v2", "v1")
                 for md5 in store.manifest(rev).files.values()}  # fmt: skip
    path = next(p for p in own if manifest.files[p] not in elsewhere)
    file = object_path(store.workspace.layout.cache, manifest.files[path])
    os.chmod(file, 0o644)
    file.write_bytes(b"?" + file.read_bytes()[1:])
    found = store.verify(every=True)
    assert {(f.version, f.where) for f in found.faults} == {("side-1", path)}


@pytest.mark.parametrize("how", ["table", "null", "text"])
def test_an_index_that_somebody_wrote_is_a_fault_and_no_crash(store: Store, how: str) -> None:
    workspace = store.workspace
    manifest = workspace.manifest("v2")
    index = manifest._index
    if how == "text":
        data: Any = pa.py_buffer(b"nothing")
    else:
        name, value = ("table", "evil") if how == "table" else ("rows", None)
        column = pa.array([value] * len(index), index.schema.field(name).type)
        at = index.schema.get_field_index(name)
        bent = index.set_column(at, pa.field(name, column.type), column)
        sink = pa.BufferOutputStream()
        pq.write_table(bent, sink)
        data = sink.getvalue()
    files = {**manifest.files, PARTS: put(workspace.layout.cache, data)}
    cache = workspace.layout.cache
    listed = directory_object(files)
    name = hashlib.md5(listed, usedforsecurity=False).hexdigest() + ".dir"
    put_as(cache, name, listed)
    sizes = [object_path(cache, md5).stat().st_size for md5 in files.values()]
    pointer = workspace.folder / "labels.dvc"
    pointer.write_text(pointer_text(name, sum(sizes), len(sizes)))
    git(store, "commit", "-qam", "forged")
    found = open_store(workspace.folder).verify(every=True)
    assert found.faults
    assert all(f.version == git(store, "rev-parse", "--short=12", "HEAD") for f in found.faults)
    assert found.versions[1:3] == ["v2", "v1"]


def with_schema(store: Store, schema: dict[str, Any]) -> list[str]:
    """Publish HEAD's rows under another `_schema.json`, and return the faults."""
    workspace = store.workspace
    manifest = workspace.manifest("HEAD")
    text = json.dumps(schema, indent=1, sort_keys=True).encode()
    files = {**manifest.files, SCHEMA: put(workspace.layout.cache, text)}
    publish(workspace, Manifest(files, manifest.folders), parent=workspace.git.head(),
            message="another schema")  # fmt: skip
    return [f.what for f in open_store(workspace.folder).verify().faults]


def test_a_schema_of_fewer_columns_is_an_older_one(store: Store) -> None:
    schema: dict[str, Any] = dict(store.workspace.manifest("HEAD").schema)
    del schema["tables"]["annotations"]["columns"]["flag"]
    del schema["tables"]["tracks"]
    assert with_schema(store, schema) == []
    schema["tables"]["annotations"]["columns"]["score"] = "int8"
    assert with_schema(store, schema) == [
        "states another table annotations than this labelstore has"
    ]
    del schema["tables"]
    assert with_schema(store, schema) == ["'tables'"]
