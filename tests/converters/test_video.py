"""COCO files of videos: frames, tracks, and what goes through them from other formats."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from deliveries import tao
from told import DATA

from labelstore.errors import LossRefused
from labelstore.store import Store, init_store

HOWTO = Path(__file__).parents[2] / "docs/howto.md"
ON_FRAMES = """
    SELECT v.uri AS video, i.uri AS frame, i.frame_index, i.modality, t.source_id AS track,
           c.name AS class
    FROM annotations a JOIN items i USING (item_id) LEFT JOIN items v ON v.item_id = i.parent_id
    LEFT JOIN tracks t USING (track_id) LEFT JOIN categories c ON c.category_id = t.category_id
    ORDER BY a.source_id"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return init_store(tmp_path / "store")


def taken(store: Store, document: dict[str, Any], path: Path, **how: Any) -> bool:
    """Write and import a document; say whether anything changed."""
    path.write_text(json.dumps(document))
    return store.import_from("coco", path, message="in", commit=True, dataset="d", **how).changed


def test_frames_and_tracks_are_rows(store: Store, tmp_path: Path) -> None:
    taken(store, tao(), tmp_path / "a.json")
    rows = store.query(ON_FRAMES).to_pylist()
    assert rows[0] == {"video": "train/7", "frame": "train/0.jpg", "frame_index": 0,
                       "modality": "frame", "track": 0, "class": "car"}  # fmt: skip
    assert [(r["video"], r["frame_index"], r["track"]) for r in rows[3:]] == [
        ("train/3", 0, 2), ("train/3", 30, 2), ("train/3", 60, 2),
    ]  # fmt: skip
    assert not [f for f in store.check() if f.severity == "error"]
    store.export_to("coco", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_bytes() == (tmp_path / "a.json").read_bytes()


def test_tracks_that_only_labels_name_are_tracks_of_their_video(
    store: Store, tmp_path: Path
) -> None:
    told = tao()
    del told["tracks"]
    for label in told["annotations"]:
        label["instance_id"] = 0 * label.pop("track_id")  # of each video one, by the same number
    taken(store, told, tmp_path / "a.json")
    rows = store.query("SELECT count(DISTINCT track_id) AS n FROM annotations").to_pylist()
    assert rows == [{"n": 2}]
    store.export_to("coco", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_bytes() == (tmp_path / "a.json").read_bytes()


@pytest.mark.parametrize("mode", ["update", "replace"])
def test_a_shuffled_delivery_keeps_every_track(store: Store, tmp_path: Path, mode: str) -> None:
    told = tao()
    taken(store, told, tmp_path / "a.json")
    ids = store.query("SELECT track_id, source_id FROM tracks ORDER BY 2").to_pylist()
    for key in ("tracks", "videos", "images", "annotations"):
        random.Random(3).shuffle(told[key])
    assert taken(store, told, tmp_path / "b.json", mode=mode) == (mode == "replace")
    assert store.query("SELECT track_id, source_id FROM tracks ORDER BY 2").to_pylist() == ids
    store.export_to("coco", tmp_path / "out.json")
    expected = {"update": "a.json", "replace": "b.json"}[mode]
    assert (tmp_path / "out.json").read_bytes() == (tmp_path / expected).read_bytes()


def test_what_no_row_can_hold_stays_as_it_is(store: Store, tmp_path: Path) -> None:
    """Lists of anything but objects with ids, and images of videos that nobody lists."""
    oddities: list[dict[str, Any]] = [
        {"videos": [{"name": "no id"}]}, {"videos": "none"}, {"tracks": [{"id": 1}, {"id": 1}]},
        {"videos": []}, {"tracks": [{"id": [1]}]},
    ]  # fmt: skip
    for i, broken in enumerate(oddities):
        told = {**tao(), **broken}
        other = init_store(tmp_path / f"s{i}")
        taken(other, told, tmp_path / "a.json")
        other.export_to("coco", tmp_path / "out.json")
        assert (tmp_path / "out.json").read_bytes() == (tmp_path / "a.json").read_bytes()


def test_the_guides_question_about_tracks_is_answered(store: Store, tmp_path: Path) -> None:
    taken(store, tao(), tmp_path / "a.json")
    section = HOWTO.read_text().partition("## Read COCO files of videos")[2]
    sql = section.partition("```sql\n")[2].partition("```")[0]
    rows = store.query(sql).to_pylist()
    assert [(r["video"], r["track"], r["frame_index"]) for r in rows] == [
        (f"train/{v}", t, f) for v, t in ((3, 2), (7, 0)) for f in (0, 30, 60)
    ]


def test_sequences_of_another_format_come_back_from_coco(store: Store, tmp_path: Path) -> None:
    source = DATA / "other/mot_datumaro/mot_seq_with_seqinfo"
    store.import_from("mot", source, message="in", commit=True)
    report = store.export_to("coco", tmp_path / "out.json", allow_loss=["all"], sidecar=False)
    assert not {"coco-drops-items.parent_id", "coco-drops-track_id"} & report.notices.keys()
    assert not {code for code in report.notices if "modality" in code or "no-" in code}
    told = json.loads((tmp_path / "out.json").read_text())
    (video,) = told["videos"]
    assert {image["video_id"] for image in told["images"]} == {video["id"]}
    other = init_store(tmp_path / "other")
    other.import_from("coco", tmp_path / "out.json", message="back", commit=True)
    sql = """
        SELECT i.frame_index, i.modality, v.uri, dense_rank() OVER (ORDER BY a.track_id) AS track
        FROM annotations a JOIN items i USING (item_id) JOIN items v ON v.item_id = i.parent_id
        ORDER BY a.seq, a.source_id"""
    assert other.query(sql).to_pylist() == store.query(sql).to_pylist()


def test_labels_of_whole_videos_are_told_to_go(store: Store, tmp_path: Path) -> None:
    taken(store, tao(), tmp_path / "a.json")
    before = store.export_to("coco", tmp_path / "before.json").annotations
    (video,) = store.query("SELECT item_id FROM items WHERE uri = 'train/7'").to_pylist()
    with store.edit(message="tag") as edit:
        edit.add([{"item_id": video["item_id"], "kind": "tag", "category": "car"}])
    store.commit("tagged")
    with pytest.raises(LossRefused, match="coco-on-videos"):
        store.export_to("coco", tmp_path / "out.json")
    store.export_to("coco", tmp_path / "out.json", allow_loss=["coco-on-videos"])
    assert len(json.loads((tmp_path / "out.json").read_text())["annotations"]) == before
    other = init_store(tmp_path / "other")
    other.import_from("coco", tmp_path / "out.json", message="back", commit=True)
    (row,) = other.query("SELECT count(*) AS n FROM annotations WHERE kind = 'tag'").to_pylist()
    assert row["n"] == 1  # the sidecar has it


def test_frames_of_one_name_stay_with_their_videos(store: Store, tmp_path: Path) -> None:
    told = tao()
    for n, image in enumerate(told["images"]):
        image["file_name"] = f"{n % 3}.jpg"
    taken(store, told, tmp_path / "a.json")
    sql = """SELECT i.item_id, v.uri AS video, i.uri
             FROM items i JOIN items v ON v.item_id = i.parent_id"""
    before = {(r["video"], r["uri"]): r["item_id"] for r in store.query(sql).to_pylist()}
    told["videos"], told["images"] = told["videos"][1:], told["images"][3:]
    told["annotations"], told["tracks"] = told["annotations"][3:], told["tracks"][2:]
    for n, (image, label) in enumerate(zip(told["images"], told["annotations"], strict=True), 1):
        image["id"] = label["image_id"] = n
    taken(store, told, tmp_path / "b.json", mode="update")
    after = {(r["video"], r["uri"]): r["item_id"] for r in store.query(sql).to_pylist()}
    assert after == {key: item for key, item in before.items() if key[0] == "train/3"}


def test_what_others_need_of_a_video_that_is_gone_stays(store: Store, tmp_path: Path) -> None:
    taken(store, tao(), tmp_path / "a.json")
    with store.edit(message="by hand") as edit:
        edit.add([{"uri": "train/0.jpg", "kind": "tag", "category": "car", "layer": "mine"}])
        edit.add_tracks([{"category": "car", "uri": "train/7"}])
    store.commit("by hand")
    told = tao()
    told["videos"], told["images"] = told["videos"][1:], told["images"][3:]
    told["annotations"], told["tracks"] = told["annotations"][3:], told["tracks"][2:]
    taken(store, told, tmp_path / "b.json", mode="update")
    assert not [f for f in store.check() if f.severity == "error"]
    left = store.query(
        "SELECT uri FROM items WHERE uri IN ('train/7', 'train/0.jpg', 'train/1.jpg')"
    )
    assert sorted(left.column(0).to_pylist()) == ["train/0.jpg", "train/7"]


def test_videos_and_tracks_made_by_hand_are_told_apart(store: Store, tmp_path: Path) -> None:
    told = tao()
    for n, (image, label) in enumerate(zip(told["images"], told["annotations"], strict=True), 1):
        image["id"] = label["image_id"] = n
    taken(store, told, tmp_path / "a.json")
    with store.edit(message="by hand") as edit:
        edit.add([{"uri": "newvid", "kind": "tag", "category": "car"}],
                 items=[{"uri": "newvid", "modality": "video"}])  # fmt: skip
        edit.add_tracks([{"category": "car", "uri": "train/7", "attributes": {"colour": "red"}}])
    store.commit("by hand")
    lost = ["coco-on-videos", "coco-drops-tracks.attributes"]
    report = store.export_to("coco", tmp_path / "out.json", allow_loss=lost)
    assert set(lost) <= report.notices.keys()
    found = json.loads((tmp_path / "out.json").read_text())
    for key, count in (("videos", 3), ("tracks", 5)):
        assert len({o["id"] for o in found[key]}) == len(found[key]) == count


@pytest.mark.parametrize("name", ["coco", "coco-panoptic"])
def test_a_file_without_any_label_is_read(store: Store, tmp_path: Path, name: str) -> None:
    record = {"image_id": 1, "file_name": "a.png", "segments_info": []}
    told = {"images": [{"id": 1, "file_name": "a.jpg", "width": 4, "height": 4}],
            "annotations": [record if name == "coco-panoptic" else {"id": 1, "category_id": 1}],
            "categories": [{"id": 1, "name": "c", "isthing": 1}]}  # fmt: skip
    (tmp_path / "in.json").write_text(json.dumps(told))
    how: dict[str, Any] = {"on_error": "skip"} if name == "coco" else {}
    assert store.import_from(name, tmp_path / "in.json", message="in", **how).annotations == 0


def test_a_video_without_a_name_stays_without(store: Store, tmp_path: Path) -> None:
    told = tao()
    told["videos"][0]["coco_url"] = "http://there/7"
    del told["videos"][0]["name"]
    taken(store, told, tmp_path / "a.json")
    store.export_to("coco", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_bytes() == (tmp_path / "a.json").read_bytes()


def test_what_is_not_listed_is_counted(store: Store, tmp_path: Path) -> None:
    told = tao()
    told["annotations"][0]["track_id"] = 999
    told["images"][1]["video_id"] = 998
    told["images"][2]["video_id"] = None
    (tmp_path / "a.json").write_text(json.dumps(told))
    notices = store.import_from("coco", tmp_path / "a.json", message="in").notices
    assert notices["coco-track-unlisted"] == notices["coco-video-unlisted"] == 1
