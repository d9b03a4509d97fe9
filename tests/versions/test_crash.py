"""The process group killed at every step of a commit: every version stays whole."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import DATA, Run

from labelstore.store import Store, open_store

MINI = DATA / "coco" / "labelformat_masks" / "instances.json"
STEPS = ("link", "replace", "fsync", "unlink", "chmod")

CHILD = """
import json, os, signal, subprocess, sys
from labelstore.store import open_store
folder, stop, record = sys.argv[1], int(sys.argv[2]), sys.argv[3]
store = open_store(folder)
steps = []
def step(name):
    if len(steps) == stop:
        os.killpg(0, signal.SIGKILL)
    steps.append(name)
def before(module, name, label):
    original = getattr(module, name)
    def wrapped(*args, **kwargs):
        step(label(args))
        return original(*args, **kwargs)
    setattr(module, name, wrapped)
for name in {steps}:
    before(os, name, lambda args, name=name: name)
before(subprocess, 'run', lambda args: ' '.join(map(str, args[0][:7])))
store.commit('second', tag='v2')
json.dump(steps, open(record, 'w'))
""".replace("{steps}", repr(STEPS))

HOOK = """#!/bin/sh
if [ "$1" = "{state}" ]; then kill -9 0; fi
exit 0
"""


def commit_killed(folder: Path, stop: int, record: Path) -> int:
    """Run a commit in a process group of its own that dies before a step; return its status."""
    words = [sys.executable, "-c", CHILD, str(folder), str(stop), str(record)]
    return subprocess.run(words, start_new_session=True, capture_output=True).returncode


@pytest.fixture
def staged(v1: Store) -> Path:
    """Return a store with a second delivery staged."""
    v1.import_from("coco", MINI)
    return v1.workspace.folder


def assert_whole(folder: Path, sh: Run, v1_root: str, v2_root: str) -> None:
    """The next command clears what is left; every version there is can be read to the last row."""
    store = open_store(folder)
    assert not (folder / ".labelstore" / "publishing.json").exists()
    assert not list((folder / ".git").glob("*.lock"))
    assert not list((folder / ".git" / "refs").rglob("*.lock"))
    assert not list((folder / ".labelstore").glob("tree.*"))
    assert store.show("v1").root == v1_root
    tags = sh("git", "tag", cwd=folder).stdout.split()
    if "v2" in tags:
        assert store.show("v2").root == v2_root
        assert store.show("HEAD").root == v2_root
        assert store.staged() is None
    else:
        assert store.show("HEAD").root == v1_root
        left = store.staged()
        assert left is not None
        assert left.manifest.root == v2_root
    for version in tags:
        manifest = store.manifest(version)
        for part in manifest.parts:
            assert manifest.read(part).num_rows == part.rows
    (folder / "other.txt").write_text("x")
    sh("git", "add", "other.txt", cwd=folder)
    root = store.show("HEAD").root
    sh("git", "commit", "-qm", "another file", cwd=folder)
    assert open_store(folder).show("HEAD").root == root
    assert sh("git", "status", "--porcelain", cwd=folder).stdout == ""
    assert open_store(folder).recovered == []


def copied(folder: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target, symlinks=True)
    return target


def test_killed_before_every_step(staged: Path, sh: Run, tmp_path: Path) -> None:
    record = tmp_path / "steps.json"
    whole = copied(staged, tmp_path / "whole")
    assert commit_killed(whole, 10**6, record) == 0
    steps = json.loads(record.read_text())
    store = open_store(whole)
    roots = store.show("v1").root, store.show("v2").root
    assert sum("update-ref" in s for s in steps) == 1
    assert any("update-index" in s for s in steps)
    said = set()
    # The first and last of a run of equal steps stand for those between.
    chosen = [
        i for i, s in enumerate(steps)
        if i in (0, len(steps) - 1) or steps[i - 1] != s or steps[i + 1] != s
    ]  # fmt: skip
    assert len(chosen) > 30
    for stop in chosen:
        folder = copied(staged, tmp_path / "killed")
        assert commit_killed(folder, stop, record) == -signal.SIGKILL, steps[stop]
        said.update(open_store(folder).recovered)
        assert_whole(folder, sh, *roots)
    assert any("undid" in s for s in said)
    assert any("finished" in s for s in said)
    folder = copied(staged, tmp_path / "last")
    commit_killed(folder, len(steps) - 1, record)
    open_store(folder)
    assert sh("dvc", "status", cwd=folder).stdout.strip().endswith("up to date.")


@pytest.mark.parametrize("state", ["prepared", "committed"])
def test_killed_within_gits_transaction(staged: Path, sh: Run, tmp_path: Path, state: str) -> None:
    whole = copied(staged, tmp_path / "whole")
    assert commit_killed(whole, 10**6, tmp_path / "steps") == 0
    store = open_store(whole)
    roots = store.show("v1").root, store.show("v2").root
    folder = copied(staged, tmp_path / "killed")
    hook = folder / ".git" / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(HOOK.format(state=state))
    hook.chmod(0o755)
    assert commit_killed(folder, 10**6, tmp_path / "steps") == -signal.SIGKILL
    hook.unlink()
    locks = [*(folder / ".git").glob("*.lock"), *(folder / ".git" / "refs").rglob("*.lock")]
    assert bool(locks) == (state == "prepared")
    recovered = open_store(folder).recovered
    assert any(".lock" in s for s in recovered) == (state == "prepared")
    assert_whole(folder, sh, *roots)


def test_a_stale_index_lock_is_cleared(staged: Path, sh: Run, tmp_path: Path) -> None:
    record = tmp_path / "steps.json"
    whole = copied(staged, tmp_path / "whole")
    commit_killed(whole, 10**6, record)
    steps = json.loads(record.read_text())
    store = open_store(whole)
    roots = store.show("v1").root, store.show("v2").root
    real = [i for i, s in enumerate(steps) if "core.fsync=all" in s and "update-index" in s][-1]
    folder = copied(staged, tmp_path / "killed")
    assert commit_killed(folder, real, record) == -signal.SIGKILL
    (folder / ".git" / "index.lock").write_bytes(b"")
    assert any("index.lock" in s for s in open_store(folder).recovered)
    assert_whole(folder, sh, *roots)


@pytest.mark.parametrize("spilt", [True, False], ids=["with scratch files", "in order"])
def test_a_killed_import_leaves_nothing_behind(v1: Store, spilt: bool) -> None:
    folder = v1.workspace.folder
    code = (
        "from labelstore_converters.coco.reading import CocoReading\n"
        f"CocoReading.owners = (lambda self: None) if {spilt} else CocoReading.owners\n"
        "import os, signal, labelstore.exchange.importing as i\n"
        "i.write_layer = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from labelstore.store import open_store\n"
        f"open_store({str(folder)!r}).import_from('coco', {str(MINI)!r}, layer='other')"
    )
    done = subprocess.run([sys.executable, "-c", code], env=os.environ)
    assert done.returncode == -signal.SIGKILL
    assert bool(list((folder / ".labelstore").glob("scratch.*"))) == spilt
    store = open_store(folder)
    assert any("scratch" in s for s in store.recovered) == spilt
    assert not list((folder / ".labelstore").glob("scratch.*"))
    assert store.staged() is None
    assert not store.workspace.objects.exists() or store.import_from("coco", MINI).changed
