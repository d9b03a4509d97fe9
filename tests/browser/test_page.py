"""The page of a difference in a real browser: it opens alone, silent, and shows text as text.

Run by `make browser`, which installs Chromium where it is missing.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labelstore.analysis.drift.shares import class_drift
from labelstore.analysis.reporting.page import write_page
from labelstore.analysis.reporting.policy import Broken
from labelstore.changes.report import Report
from labelstore.model import labels as l
from labelstore.store import Store, init_store

EVIL = "</script><script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(2)>.png'
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr"]  # fmt: skip


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the browser; `make browser` sees that it is there."""
    found = shutil.which("chromium")
    assert found, "chromium is missing: run `make browser`"
    return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store whose labels of many kinds changed, with names that are markup."""
    store = init_store(tmp_path / "store")
    Image.new("RGB", (200, 120), (200, 220, 240)).save(store.workspace.folder / "real.png")
    on = {"category": "car"}
    ring = [(20.0, 20.0), (90.0, 25.0), (60.0, 90.0)]
    with store.edit(by=EVIL, message=EVIL) as edit:
        edit.add(
            [l.Box(item="real.png", **on, x=120, y=20, width=50, height=60),
             l.Polygon(item="real.png", **on, rings=[ring]),
             l.Keypoints(item=IMAGE, **on, points=ring, visibility=[2, 1, 2]),
             l.Box(item=IMAGE, **on, x=0.5, y=0.5, width=0.25, height=0.25, frame="unit"),
             l.Tag(item=IMAGE, **on)],
            items=[{"uri": "real.png", "width": 200, "height": 120}, {"uri": IMAGE}],
            categories=[{"name": "car"}, {"name": EVIL}],
        )  # fmt: skip
    store.commit("first", tag="v1")
    with store.edit(by=EVIL, message=EVIL) as edit:
        edit.update(where="kind = 'box'", set={"box": "{v0: box.v0 * 0.9, v1: box.v1, "
                                               "v2: box.v2, v3: box.v3}"})  # fmt: skip
        edit.update(where="kind <> 'box'", set={"category": f"'{EVIL}'"})
        edit.add([l.Box(item="real.png", category=EVIL, x=5, y=95, width=20, height=20)])
    store.commit("second", tag="v2")
    return store


@pytest.fixture
def written(store: Store, tmp_path: Path) -> Path:
    """Return the page."""
    sides = store.manifest("v1"), store.manifest("v2")
    report = Report(store.diff("v1", "v2"), sides, ("v1", EVIL))
    broken = [Broken("added", "at most 0", EVIL)]
    write_page(report, tmp_path / "diff.html", store.workspace.folder,
               drift=class_drift(*sides), broken=broken)  # fmt: skip
    return tmp_path / "diff.html"


def opened(chromium: str, page: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Open a page from its file, with no network."""
    profile = page.parent / "profile"
    return subprocess.run(
        [chromium, *FLAGS, f"--user-data-dir={profile}", *words, page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip


def test_it_opens_without_a_word_from_the_console(chromium: str, written: Path) -> None:
    done = opened(chromium, written, "--dump-dom")
    assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert "<h2>Items that changed most</h2>" in done.stdout
    assert done.stdout.count("<figure>") == 2


def test_the_console_would_be_heard(chromium: str, tmp_path: Path) -> None:
    page = tmp_path / "loud.html"
    page.write_text("<script>console.error('heard')</script><p>done</p>")
    done = opened(chromium, page, "--dump-dom")
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line and "heard" in line]


def test_names_are_text_and_nothing_is_loaded(chromium: str, written: Path) -> None:
    dom = opened(chromium, written, "--dump-dom").stdout
    assert "<script" not in dom
    assert "onerror" not in re.sub(r"&lt;.*?&gt;", "", dom)
    assert dom.count("&lt;/script&gt;&lt;script&gt;alert(1)") >= 6  # title, class, rule, by, …
    assert IMAGE in unescape(dom)
    assert {src[:10] for src in re.findall(r'(?:src|href)="([^"]*)"', dom)} == {"data:image"}


def test_what_changed_is_drawn_over_the_image(
    chromium: str, written: Path, tmp_path: Path
) -> None:
    """Before and after have their colours, on the image where there is one."""
    opened(chromium, written, f"--screenshot={tmp_path / 'shot.png'}", "--window-size=1200,2400")
    with Image.open(tmp_path / "shot.png") as shot:
        pixels = np.unique(np.asarray(shot.convert("RGB"), np.int64).reshape(-1, 3), axis=0)
    for expected in ((0xD1, 0x49, 0x5B), (0x00, 0x79, 0x8C), (200, 220, 240)):
        assert (np.abs(pixels - expected).max(axis=1) < 6).any(), expected
