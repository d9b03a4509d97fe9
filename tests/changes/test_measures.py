"""By how much labels changed is what was done to them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from labelstore.changes.measures import measured
from labelstore.cli.app import app
from labelstore.errors import InvalidInput
from labelstore.model import labels as l
from labelstore.storage.index import Part
from labelstore.store import Store, init_store
from labelstore.versions.manifest import Manifest

ON = {"item": "a", "category": "c"}
SQUARE = [(0.0, 0.0), (40.0, 0.0), (40.0, 40.0), (0.0, 40.0)]
TURNED = (math.cos(0.1), 0.0, 0.0, math.sin(0.1))
EDITS: dict[str, tuple[l.Label, l.Label, dict[str, Any]]] = {
    "box": (
        l.Box(**ON, x=10, y=10, width=40, height=40), l.Box(**ON, x=13, y=14, width=40, height=40),
        {"agreement": 37 * 36 / (2 * 1600 - 37 * 36), "distance": 5.0, "unit": "px"},
    ),
    "box in parts": (
        l.Box(**ON, x=0.5, y=0.5, width=0.25, height=0.25, frame="unit"),
        l.Box(**ON, x=0.5, y=0.5, width=0.25, height=0.125, frame="unit"),
        {"agreement": 0.5, "distance": 0.0625, "unit": "of the image"},
    ),
    "rotated box": (
        l.RotatedBox(**ON, cx=50, cy=50, width=40, height=40, angle=6.2),
        l.RotatedBox(**ON, cx=50, cy=50, width=40, height=40, angle=0.1),
        {"turn": math.degrees(0.1 - 6.2 + 2 * math.pi), "distance": 0.0, "unit": "px"},
    ),
    "ellipse": (
        l.Ellipse(**ON, cx=50, cy=50, rx=30, ry=20, angle=0.1),
        l.Ellipse(**ON, cx=50, cy=50, rx=30, ry=20, angle=math.pi - 0.1),
        {"turn": math.degrees(0.2), "distance": 0.0, "unit": "px"},
    ),
    "cuboid": (
        l.Cuboid3D(**ON, center=(10, 2, 1), size=(4, 2, 2), rotation=(1, 0, 0, 0), frame="lidar"),
        l.Cuboid3D(**ON, center=(11, 2, 1), size=(4, 2, 2), rotation=TURNED, frame="lidar"),
        {"distance": 1.0, "unit": "m", "turn": math.degrees(0.2)},
    ),
    "interval": (
        l.Interval(**ON, start=1.0, end=3.0), l.Interval(**ON, start=2.0, end=3.0),
        {"agreement": 0.5, "distance": 0.5, "unit": "s"},
    ),
    "span": (
        l.Span(**ON, spans=[(0, 4)]), l.Span(**ON, spans=[(0, 3)]), {"agreement": 0.75},
    ),
    "text": (
        l.Text(**ON, text="hello there"), l.Text(**ON, text="hello then"),
        {"character_error_rate": 2 / 11, "word_error_rate": 0.5, "agreement": 9 / 11},
    ),
}  # fmt: skip


def store_of(folder: Path, before: l.Label, after: l.Label) -> Store:
    """Return a store whose v2 has one label that is another than in v1."""
    store = init_store(folder)
    items = [{"uri": "a", "width": 100, "height": 100, "text": "some text"}]
    with store.edit(message="in") as edit:
        edit.add([before], items=items, categories=[{"name": "c"}])
    store.commit("in", tag="v1")
    with store.edit(message="again") as edit:
        edit.delete(where="true")
        edit.add([after])
    store.commit("again", tag="v2")
    return store


@pytest.mark.parametrize("name", EDITS)
def test_what_was_done_is_what_is_measured(tmp_path: Path, name: str) -> None:
    before, after, expected = EDITS[name]
    store = store_of(tmp_path / "s", before, after)
    found = store.diff("v1", "v2", match="geometry")
    sides = store.manifest("v1"), store.manifest("v2")
    (row,) = measured(found.labels, sides).to_pylist()
    assert {k: row[k] for k in expected} == pytest.approx(expected)


def test_the_command_tells_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after, expected = EDITS["box"]
    store_of(tmp_path / "s", before, after)
    monkeypatch.chdir(tmp_path / "s")
    words = ["diff", "v1", "v2", "--match", "geometry"]
    shown = CliRunner().invoke(app, words).stdout
    assert "a     c      moved         0.713      5 px" in shown
    (told,) = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)["measures"]
    assert told["agreement"] == pytest.approx(expected["agreement"])
    assert told["distance"] == 5.0


def test_nothing_is_measured_where_nothing_changed(tmp_path: Path) -> None:
    box = EDITS["box"][0]
    store = store_of(tmp_path / "s", box, box)
    found = store.diff("v1", "v2", match="geometry")
    assert not found.tables["annotations"].content
    assert not measured(found.labels, (store.manifest("v1"), store.manifest("v2"))).num_rows


def test_measuring_opens_the_parts_of_changed_labels_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cost follows the change: two labels far apart, and none of the many between."""
    store = init_store(tmp_path / "s", target=64)
    items = [{"uri": f"{n}.jpg", "width": 100, "height": 100} for n in range(1000)]
    labels = [l.Box(item=i["uri"], category="c", x=1, y=1, width=9, height=9) for i in items]
    with store.edit(message="in") as edit:
        edit.add(labels, items=items, categories=[{"name": "c"}])
    store.commit("in", tag="v1")
    keys = store.query("SELECT item_id, annotation_id FROM annotations ORDER BY 1").to_pylist()
    ends = ", ".join(str(keys[at]["annotation_id"]) for at in (0, -1))
    with store.edit(message="move") as edit:
        edit.update(where=f"annotation_id IN ({ends})", set={"score": 0.5})
    store.commit("move", tag="v2")
    sides = store.manifest("v1"), store.manifest("v2")
    parts = len(sides[0].parts_of("annotations"))
    assert parts > 2, "too few parts to tell"
    found = store.diff("v1", "v2")
    opened: list[str] = []
    read = Manifest.read

    def counted(self: Manifest, part: Part, columns: Sequence[str] | None = None) -> pa.Table:
        opened.append(part.table)
        return read(self, part, columns)

    monkeypatch.setattr(Manifest, "read", counted)
    assert measured(found.labels, sides).num_rows == 2
    assert opened.count("annotations") == opened.count("geometries") == 4


def test_an_agreement_is_asked_of_pairs_by_geometry_alone(tmp_path: Path) -> None:
    before, after, _ = EDITS["box"]
    store = store_of(tmp_path / "s", before, after)
    with pytest.raises(InvalidInput, match="--match geometry") as refused:
        store.diff("v1", "v2", least=0.5)
    assert refused.value.code == "diff-agreement"
