"""Tracks, relations and groups by hand: what ties labels and items together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from labelstore.errors import InvalidInput, NotFound
from labelstore.geometry.tracks import interpolated
from labelstore.model.labels import Box, Span
from labelstore.store import Store, init_store


@pytest.fixture
def scene(tmp_path: Path) -> Store:
    store = init_store(tmp_path / "store")
    with store.edit(by="ada") as edit:
        edit.add(
            items=[{"uri": "scene", "modality": "group", "group": "scene 1"}],
            categories=[{"name": "car"}, {"name": "person"}, {"name": "place"}],
        )
    (parent,) = store.query("SELECT item_id FROM items").column(0).to_pylist()
    with store.edit(by="ada") as edit:
        edit.add(
            items=[
                {"uri": "clip.mp4", "modality": "video", "parent_id": parent, "group": "scene 1"},
                {"uri": "sweep.pcd", "modality": "point_cloud", "parent_id": parent,
                 "group": "scene 1"},
                {"uri": "note.txt", "modality": "text", "text": "Ada met Grace in Paris.",
                 "parent_id": parent, "group": "scene 1"},
            ]
        )  # fmt: skip
    return store


def test_a_group_ties_image_cloud_and_text_of_a_scene(scene: Store) -> None:
    sql = "SELECT i.uri FROM items i JOIN items g ON i.parent_id = g.item_id WHERE g.uri = 'scene'"
    assert sorted(scene.query(sql).column(0).to_pylist()) == ["clip.mp4", "note.txt", "sweep.pcd"]


def test_a_track_is_drawn_at_keyframes_and_known_between(scene: Store) -> None:
    sql = "SELECT item_id FROM items WHERE uri = 'clip.mp4'"
    (clip,) = scene.query(sql).column(0).to_pylist()
    frames: list[dict[str, Any]] = [
        {"uri": f"clip.mp4#{i}", "modality": "frame", "parent_id": clip, "frame_index": i}
        for i in (0, 10)
    ]
    with scene.edit(by="ada") as edit:
        (track,) = edit.add_tracks([{"category": "car", "uri": "clip.mp4"}]).tolist()
        keyframes = [
            Box(item=f"clip.mp4#{i}", category="car", x=i, y=0, width=4, height=3,
                track_id=track, keyframe=True)
            for i in (0, 10)
        ]  # fmt: skip
        edit.add(keyframes, items=frames)
    scene.commit("a track", tag="v1")
    found = scene.query(
        "SELECT t.track_id, t.item_id, c.name FROM tracks t JOIN categories c USING (category_id)"
    )
    assert found.to_pylist() == [{"track_id": track, "item_id": clip, "name": "car"}]
    drawn = scene.query(
        "SELECT l.track_id, i.frame_index, l.outside, l.box, l.box_form "
        "FROM labels l JOIN items i USING (item_id) WHERE l.track_id IS NOT NULL"
    )
    boxes = interpolated(drawn).column("box").to_pylist()
    assert [b["v0"] for b in boxes] == [float(i) for i in range(11)]
    assert scene.check(at="v1") == []


def test_relations_tie_labels_and_go_with_them(scene: Store) -> None:
    with scene.edit(by="ada") as edit:
        spans = [("person", 0, 3), ("person", 8, 13), ("place", 17, 22)]
        ids = edit.add(
            [Span(item="note.txt", category=c, spans=[(a, b)]) for c, a, b in spans]
        ).tolist()
        edit.add_relations(
            [
                {"from_id": ids[0], "to_id": ids[1], "label": "met", "direction": "both"},
                {"from_id": ids[0], "to_id": ids[2], "label": "was in"},
            ]
        )
    scene.commit("who met whom", tag="v1")
    assert scene.check(at="v1") == []
    sql = ("SELECT r.label, a.item_id = b.item_id AS same FROM relations r "
           "JOIN annotations a ON a.annotation_id = r.from_id "
           "JOIN annotations b ON b.annotation_id = r.to_id ORDER BY r.label")  # fmt: skip
    assert scene.query(sql).to_pylist() == [
        {"label": "met", "same": True}, {"label": "was in", "same": True},
    ]  # fmt: skip
    with scene.edit(by="ada") as edit:
        edit.delete(where=f"annotation_id = {ids[2]}")
    scene.commit("no place", tag="v2")
    assert scene.query("SELECT label FROM relations").column(0).to_pylist() == ["met"]
    counts = scene.diff("v1", "v2").tables["relations"]
    assert (counts.added, counts.removed, counts.changed) == (0, 1, 0)
    assert scene.check(at="v2") == []


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ([{"from_id": 1, "to_id": 2}], NotFound, "no label 1, 2"),
        ([{"from_id": 1}], InvalidInput, "relations need to_id"),
        ([{"from_id": 1, "to_id": None}], InvalidInput, "two labels"),
        ([{"from_id": "a", "to_id": "b"}], InvalidInput, "from_id. needs ids"),
        ([{"from_id": 1, "to_id": 2, "kind": "x"}], InvalidInput, "unknown columns of relations"),
        ([{"relation_id": 1, "from_id": 1, "to_id": 2}], InvalidInput, "relation_id"),
    ],
)
def test_bad_relations_are_refused(
    scene: Store, given: Any, error: type[Exception], said: str
) -> None:
    scene.commit("items", tag="v1")
    with pytest.raises(error, match=said), scene.edit() as edit:
        edit.add_relations(given)
    assert scene.staged() is None


def test_bad_tracks_are_refused(scene: Store) -> None:
    scene.commit("items", tag="v1")
    cases: list[tuple[Any, str]] = [
        ([{"category": "boat"}], "no class 'boat'"),
        ([{"uri": "other.mp4"}], "no item 'other.mp4'"),
        ([{"name": "first"}], "unknown columns of tracks: name"),
        (pa.table({"category": ["car"], "category_id": [1]}), "columns given twice"),
    ]
    for given, said in cases:
        with pytest.raises((InvalidInput, NotFound), match=said), scene.edit() as edit:
            edit.add_tracks(given)
        assert scene.staged() is None
