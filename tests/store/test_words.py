"""What the command line is given and is no good: one sentence, an exit code, nothing changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import DATA, TINY, Run

from labelstore.errors import AlreadyExists, InvalidInput
from labelstore.store import Store, init_store

STRANGE = DATA / "coco" / "labelformat_masks" / "instances.json"


@pytest.mark.parametrize(
    "words",
    [
        ["import", "coco", str(TINY), "-m", " "],
        ["import", "coco", str(TINY), "--tag", "v2"],
        ["import", "coco", str(STRANGE), "--layer", ""],
        ["import", "coco", str(STRANGE), "--layer", "../x"],
        ["import", "coco", str(STRANGE), "--by", ""],
        ["import", "coco", str(STRANGE), "--by", "model:"],
        ["split", "", "--ratios", "a=1"],
        ["query", "SELECT 1", "--seconds", "nan"],
        ["query", "SELECT 1", "--memory", "0"],
        ["query", "SELECT * FROM nothing"],
        ["query", "SELECT INTERVAL 1 MONTH AS x", "--format", "parquet"],
        ["export", "coco", "."],
    ],
)
def test_bad_words_are_refused(v1: Store, cli: Run, words: list[str]) -> None:
    done = cli(*words, cwd=v1.workspace.folder)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert v1.staged() is None


def test_an_argument_that_is_no_text_is_named(v1: Store) -> None:
    command = [os.fsencode(sys.executable), b"-m", b"labelstore.cli", b"tag", b"\xff"]
    done = subprocess.run(command, cwd=v1.workspace.folder, capture_output=True, text=True)
    assert done.returncode == 2
    assert "argument 2 is no UTF-8" in done.stderr


def test_an_export_follows_a_link_and_leaves_it(v1: Store, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "out.json").write_text("old")
    (tmp_path / "link.json").symlink_to(tmp_path / "real" / "out.json")
    v1.export_to("coco", tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real" / "out.json").read_bytes() == TINY.read_bytes()


def test_an_export_leaves_pipes_alone(v1: Store, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInput, match="no regular file"):
        v1.export_to("coco", tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("text", ["layer = [1]", "checkout = 3", "layer = ", 'scheme = {"a" = 1}'])
def test_settings_of_the_wrong_type_are_named(v1: Store, cli: Run, text: str) -> None:
    (v1.workspace.folder / "labelstore.toml").write_text(text)
    done = cli("export", "coco", "x.json", cwd=v1.workspace.folder)
    assert done.returncode == 2
    assert "labelstore.toml" in done.stderr


@pytest.mark.parametrize(("first", "second"), [("a", "a/b"), ("a/b", "a")])
def test_a_tag_cannot_lie_below_another(v1: Store, first: str, second: str) -> None:
    v1.tag(first)
    with pytest.raises(AlreadyExists, match="as paths"):
        v1.tag(second)


def test_json_of_a_query_is_json(v1: Store, cli: Run) -> None:
    sql = "SELECT 'nan'::DOUBLE AS x, 1 AS n, 2 AS n, 'NaN' AS t"
    done = cli("query", sql, "--json", cwd=v1.workspace.folder)
    found = json.loads(done.stdout, parse_constant=lambda _: pytest.fail("no JSON"))
    assert found["rows"] == [{"x": None, "n": 1, "n_1": 2, "t": "NaN"}]


@pytest.mark.parametrize("name", ["file", "file/below", "a\nb"])
def test_a_store_needs_a_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput):
        init_store(tmp_path / name)


def test_warnings_say_what_they_count(v1: Store, cli: Run, tmp_path: Path) -> None:
    document = {"images": [], "categories": [], "annotations": [{"id": 1, "image_id": 7}]}
    (tmp_path / "x.json").write_text(json.dumps(document))
    done = cli("import", "coco", str(tmp_path / "x.json"), cwd=v1.workspace.folder)
    assert "warning: 1 items that labels use and the source does not list" in done.stderr
    assert "staged x in layer ground_truth: 1 label on 0 items" in done.stdout


def test_the_shell_completes_tags_and_formats(v1: Store, cli: Run) -> None:
    for words, number, wanted in (("diff v", "2", "v1"), ("import c", "2", "coco")):
        done = cli(
            cwd=v1.workspace.folder,
            _LABELSTORE_COMPLETE="complete_bash",
            COMP_WORDS=f"labelstore {words}",
            COMP_CWORD=number,
        )
        assert done.stdout.split()[0] == wanted, done.stderr
