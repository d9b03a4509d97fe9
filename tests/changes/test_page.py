"""The page and the Markdown of a difference, as texts."""

from __future__ import annotations

from pathlib import Path

from conftest import Run

from labelstore.analysis.reporting.markdown import markdown
from labelstore.changes.report import Report
from labelstore.model import labels as l
from labelstore.store import Store, init_store

EVIL = "a|b`<i>*\n#"


def changed(folder: Path) -> Store:
    """Return a store in which a label of a strange class came."""
    store = init_store(folder)
    with store.edit(by="ada") as edit:
        edit.add([], items=[{"uri": "a.jpg"}], categories=[{"name": EVIL}])
    store.commit("first", tag="v1")
    with store.edit(by="ada") as edit:
        edit.add([l.Box(item="a.jpg", category=EVIL, x=0, y=0, width=9, height=9)])
    store.commit("second", tag="v2")
    return store


def test_markdown_has_no_markup_of_names(tmp_path: Path) -> None:
    store = changed(tmp_path / "s")
    sides = store.manifest("v1"), store.manifest("v2")
    text = markdown(Report(store.diff("v1", "v2"), sides, ("v1", "v2")))
    assert "**1 label added**" in text
    line = next(row for row in text.splitlines() if row.startswith("| a"))
    assert line == "| a\\|b\\`\\<i\\>\\* \\# | 1 | 0 | 0 | 0 | 0 |"


def test_the_page_is_one_file_without_script(tmp_path: Path, cli: Run) -> None:
    folder = changed(tmp_path / "s").workspace.folder
    done = cli("diff", "v1", "v2", "--html", tmp_path / "d.html", cwd=folder)
    assert done.returncode == 0
    text = (tmp_path / "d.html").read_text()
    assert "default-src 'none'" in text
    assert "<script" not in text
    assert "<i>" not in text
    assert "http" not in text.replace("http-equiv", "")
    assert '<g class="now"><g><title>' in text


def test_an_image_that_cannot_be_read_is_a_blank_canvas(tmp_path: Path, cli: Run) -> None:
    folder = changed(tmp_path / "s").workspace.folder
    (folder / "a.jpg").write_bytes(b"no image")
    assert cli("diff", "v1", "v2", "--html", tmp_path / "d.html", cwd=folder).returncode == 0
    assert "<image" not in (tmp_path / "d.html").read_text()
