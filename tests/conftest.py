"""Stores in temporary folders, cut off from the user's own Git, DVC and keys."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from labelstore.store import Store, init_store, open_store

DATA = Path(__file__).parent / "data"
TINY = DATA / "coco" / "tiny_coco" / "instances_val2017.json"
settings.register_profile("labelstore", deadline=None)  # no test depends on how long it takes
settings.load_profile("labelstore")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session", autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the session a home of its own."""
    home = tmp_path_factory.mktemp("home")
    os.environ.update(
        HOME=str(home),
        XDG_CONFIG_HOME=str(home / "config"),
        XDG_CACHE_HOME=str(home / "cache"),
        LABELSTORE_KEY_FILE=str(home / "key"),
        DVC_SITE_CACHE_DIR=str(home / "dvc-site"),
        DVC_GLOBAL_CONFIG_DIR=str(home / "dvc-global"),
        DVC_SYSTEM_CONFIG_DIR=str(home / "dvc-system"),
        DVC_NO_ANALYTICS="1",
        GIT_CONFIG_NOSYSTEM="1",
        GIT_AUTHOR_NAME="Ada",
        GIT_AUTHOR_EMAIL="ada@example.org",
        GIT_COMMITTER_NAME="Ada",
        GIT_COMMITTER_EMAIL="ada@example.org",
    )
    subprocess.run(["git", "config", "--global", "init.defaultBranch", "main"], check=True)
    return home


@pytest.fixture(scope="session")
def empty_template(tmp_path_factory: pytest.TempPathFactory, isolated: Path) -> Path:
    """Return an empty store with small parts, to be copied."""
    folder = tmp_path_factory.mktemp("template") / "store"
    init_store(folder, target=64)
    return folder


@pytest.fixture(scope="session")
def v1_template(tmp_path_factory: pytest.TempPathFactory, empty_template: Path) -> Path:
    """Return a store whose v1 is tiny_coco's instances, to be copied."""
    folder = tmp_path_factory.mktemp("template") / "store"
    shutil.copytree(empty_template, folder, symlinks=True)
    store = open_store(folder)
    store.import_from("coco", TINY)
    store.commit("first delivery", tag="v1")
    return folder


@pytest.fixture
def store(tmp_path: Path, empty_template: Path) -> Store:
    """Return an empty store."""
    shutil.copytree(empty_template, tmp_path / "store", symlinks=True)
    return open_store(tmp_path / "store")


@pytest.fixture
def v1(tmp_path: Path, v1_template: Path) -> Store:
    """Return a store whose v1 is tiny_coco's instances."""
    shutil.copytree(v1_template, tmp_path / "store", symlinks=True)
    return open_store(tmp_path / "store")


@pytest.fixture
def cli(tmp_path: Path) -> Run:
    """Return a function that runs the command line in a folder, as a process of its own."""

    def run(
        *words: str | Path, cwd: Path = tmp_path, **env: str
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "labelstore.cli", *map(str, words)]
        return subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, env={**os.environ, **env}
        )

    return run


@pytest.fixture
def sh() -> Run:
    """Return a function that runs another program and fails when that does."""

    def run(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
        command = list(map(str, words))
        if command[0] == "dvc":
            command = [sys.executable, "-m", *command]
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done

    return run
