"""The page and the Markdown of a difference, as texts."""

from __future__ import annotations

from pathlib import Path

from conftest import Run

from labelstore.analysis.reporting.markdown import markdown
from labelstore.changes.report import Report
from labelstore.model import labels as l
from labelstore.store import Store, init_store

EVIL = "a|b`<i>*\n#&lt;@me ~~x~~ $y$ https://z \x1b"


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
    assert line == (
        "| a\\|b\\`\\<i\\>\\* \\#&amp;lt;&#64;me \\~\\~x\\~\\~ \\$y\\$ https&#58;//z   "
        "| 1 | 0 | 0 | 0 | 0 |"
    )


def test_the_page_is_one_file_without_script(tmp_path: Path, cli: Run) -> None:
    folder = changed(tmp_path / "s").workspace.folder
    done = cli("diff", "v1", "v2", "--html", tmp_path / "d.html", cwd=folder)
    assert done.returncode == 0
    text = (tmp_path / "d.html").read_text()
    assert "default-src 'none'" in text
    assert "<script" not in text
    assert "<i>" not in text
    assert "http" not in text.replace("http-equiv", "").replace("https://z", "")
    assert '<g class="now"><g><title>' in text


def test_an_image_that_cannot_be_read_is_a_blank_canvas(tmp_path: Path, cli: Run) -> None:
    folder = changed(tmp_path / "s").workspace.folder
    (folder / "a.jpg").write_bytes(b"no image")
    assert cli("diff", "v1", "v2", "--html", tmp_path / "d.html", cwd=folder).returncode == 0
    assert "<image" not in (tmp_path / "d.html").read_text()


def test_images_outside_the_folder_stay_outside(tmp_path: Path) -> None:
    """A delivery names its images; it must not bring other files into the page."""
    from PIL import Image

    from labelstore.analysis.reporting.page import page

    images, secret = tmp_path / "img", tmp_path / "secret.png"
    images.mkdir()
    Image.new("RGB", (8, 8)).save(secret)
    Image.new("RGB", (8, 8)).save(images / "fine.png")
    (images / "link.png").symlink_to(secret)
    uris = ["../secret.png", str(secret), "link.png", "fine.png", "x" * 5000]
    store = init_store(tmp_path / "s")
    with store.edit(by="ada") as edit:
        edit.add([], items=[{"uri": u} for u in uris], categories=[{"name": "c"}])
    store.commit("first", tag="v1")
    with store.edit(by="ada") as edit:
        edit.add([l.Box(item=u, category="c", x=0, y=0, width=9, height=9) for u in uris])
    store.commit("second", tag="v2")
    sides = store.manifest("v1"), store.manifest("v2")
    text = page(Report(store.diff("v1", "v2"), sides, ("v1", "v2")), images)
    assert text.count("<figure>") == 5
    assert text.count("<image") == 1


def test_a_shape_that_cannot_be_drawn_leaves_the_page(tmp_path: Path) -> None:
    from labelstore.analysis.reporting.page import page

    store = init_store(tmp_path / "s")
    with store.edit(by="ada") as edit:
        edit.add([], items=[{"uri": "a", "text": "words"}], categories=[{"name": "c"}])
    store.commit("first", tag="v1")
    on = {"item": "a", "category": "c"}
    with store.edit(by="ada") as edit:
        edit.add([l.Mesh(**on, frame="lidar", vertices=[(0, 0, 0), (1, 0, 0), (0, 1, 0)],
                         faces=[(0, 1, 2)]),
                  l.Span(**on, spans=[(0, 10**10)]),
                  l.Box(**on, x=0, y=0, width=9, height=9)])  # fmt: skip
        edit.update(where="kind = 'mesh'",
                    set={"mesh": "{vertices: [0.0, 0.0, 0.0], faces: [0, 5, 9]}"})  # fmt: skip
    store.commit("second", tag="v2")
    sides = store.manifest("v1"), store.manifest("v2")
    text = page(Report(store.diff("v1", "v2"), sides, ("v1", "v2")), tmp_path)
    assert text.count("<figure>") == 1
    assert '<path class="s"' in text
