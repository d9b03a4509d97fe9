"""What is of videos, tracks or no label, in formats that hold it otherwise or not at all."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from deliveries import tao
from typer.testing import CliRunner

from labelstore.cli.app import app
from labelstore.errors import InvalidInput, LossRefused
from labelstore.store import Store, init_store


def store_of(document: dict[str, Any], folder: Path) -> Store:
    """Return a store of one COCO document."""
    store = init_store(folder / "store")
    (folder / "told.json").write_text(json.dumps(document))
    store.import_from("coco", folder / "told.json", message="in", commit=True)
    return store


def one_video() -> dict[str, Any]:
    """Return a document of one video."""
    told = tao(2)
    told["videos"] = told["videos"][:1]
    for key in ("images", "annotations"):
        told[key] = told[key][:3]
    told["tracks"] = told["tracks"][:1]
    return told


def losses_of(store: Store, format_name: str, target: Path) -> dict[str, int]:
    """Return what an export says it loses, by code."""
    with pytest.raises(LossRefused) as refused:
        store.export_to(format_name, target)
    return {loss["code"]: loss["count"] for loss in refused.value.losses}


def test_cvat_refuses_several_videos_by_name(tmp_path: Path) -> None:
    store = store_of(tao(), tmp_path)
    with pytest.raises(InvalidInput, match=r"of 2: train/7, train/3\. MOT and COCO") as refused:
        store.export_to("cvat", tmp_path / "out.xml", allow_loss=["all"])
    assert refused.value.code == "cvat-videos"
    assert not (tmp_path / "out.xml").exists()


def test_cvat_names_the_video_and_says_every_flag_its_reader_asks_for(tmp_path: Path) -> None:
    store = store_of(one_video(), tmp_path)
    store.export_to("cvat", tmp_path / "out.xml", allow_loss=["all"])
    root = ET.parse(tmp_path / "out.xml").getroot()
    assert [node.text for node in root.findall("meta/source")] == ["train/7"]
    boxes = root.findall("track/box")
    assert [box.get("frame") for box in boxes] == ["0", "30", "60"]
    said = {(b.get("outside"), b.get("occluded"), b.get("keyframe")) for b in boxes}
    assert said == {("0", "0", "1")}


@pytest.mark.parametrize(
    ("format_name", "files", "names"),
    [
        ("mot", ["train/3/gt/gt.txt", "train/7/gt/gt.txt"], ["train/3", "train/7"]),
        ("kitti-tracking", ["label_02/train_3.txt", "label_02/train_7.txt"],
         ["image_02/train_3", "image_02/train_7"]),
    ],
)  # fmt: skip
def test_sequences_in_folders_keep_apart(
    tmp_path: Path, format_name: str, files: list[str], names: list[str]
) -> None:
    store = store_of(tao(), tmp_path)
    target = tmp_path / "out"
    store.export_to(format_name, target, allow_loss=["all"], sidecar=False)
    written = (p.relative_to(target).as_posix() for p in target.rglob("*.txt"))
    assert sorted(name for name in written if "labels.txt" not in name) == files
    other = init_store(tmp_path / "other")
    other.import_from(format_name, target, message="back", commit=True)
    sql = "SELECT uri FROM items WHERE modality = 'video' ORDER BY uri"
    assert other.query(sql).column("uri").to_pylist() == names
    sql = "SELECT frame_index FROM items JOIN annotations USING (item_id) ORDER BY 1"
    assert other.query(sql).to_pylist() == store.query(sql).to_pylist()


def test_the_description_of_a_sequence_names_it_and_its_folder(tmp_path: Path) -> None:
    told = one_video()
    for n, image in enumerate(told["images"]):
        image["file_name"] = f"train/7/deep/{n}.png"
    store = store_of(told, tmp_path)
    store.export_to("mot", tmp_path / "out", allow_loss=["all"])
    (info,) = (tmp_path / "out").rglob("seqinfo.ini")
    lines = info.read_text().splitlines()
    assert {"name=7", "imDir=deep", "seqLength=61", "imWidth=64", "imExt=.png"} <= {*lines}


def test_formats_of_images_tell_videos_and_do_not_list_them(tmp_path: Path) -> None:
    store = store_of(tao(), tmp_path)
    told = losses_of(store, "voc", tmp_path / "voc")
    assert told["voc-videos-out"] == 2
    store.export_to("voc", tmp_path / "voc", allow_loss=["all"])
    assert len([*(tmp_path / "voc").rglob("*.xml")]) == 6


def test_tracks_and_classes_without_labels_are_told_where_they_go(tmp_path: Path) -> None:
    told = tao()
    told["categories"] += [{"id": 9, "name": "bus"}, {"id": 10, "name": "tram"}]
    store = store_of(told, tmp_path)
    voc = losses_of(store, "voc", tmp_path / "voc")
    assert voc["voc-unused-classes"] == 2
    assert "voc-tracks-without-labels" not in voc  # it knows no tracks, which is told by column
    assert losses_of(store, "mot", tmp_path / "mot")["mot-tracks-without-labels"] == 2


def test_ids_of_tracks_stay_whole_numbers_where_they_are_unique(tmp_path: Path) -> None:
    """MOT's second column is the track's own number where each is one, by no other."""
    store = store_of(tao(), tmp_path)
    store.export_to("mot", tmp_path / "out", allow_loss=["all"], sidecar=False)
    tracks = {line.split(",")[1] for path in (tmp_path / "out").rglob("gt.txt")
              for line in path.read_text().splitlines()}  # fmt: skip
    assert tracks == {"0", "2"}


def test_outside_counts_where_it_is_true(tmp_path: Path) -> None:
    store = store_of(one_video(), tmp_path)
    ids = store.query("SELECT annotation_id FROM annotations ORDER BY 1").column(0).to_pylist()
    with store.edit(message="flags") as edit:
        edit.update(where="true", set={"outside": False})
        edit.update(where=f"annotation_id = {ids[0]}", set={"outside": True})
    store.commit("flags")
    assert losses_of(store, "voc", tmp_path / "voc")["voc-drops-outside"] == 1


def test_a_code_that_is_none_is_refused_with_the_nearest(tmp_path: Path) -> None:
    store = store_of(tao(), tmp_path)
    with pytest.raises(InvalidInput, match=r"no such code; is it voc-videos-out\?"):
        store.export_to("voc", tmp_path / "voc", allow_loss=["voc-video-out"])


def test_the_command_says_how_many_labels_of_all_were_written(tmp_path: Path) -> None:
    store = store_of(tao(), tmp_path)
    (video,) = store.query("SELECT item_id FROM items WHERE uri = 'train/7'").to_pylist()
    with store.edit(message="tag") as edit:
        edit.add([{"item_id": video["item_id"], "kind": "tag", "category": "car"}])
    store.commit("tagged")
    args = ["export", "coco", str(tmp_path / "out.json"), "--allow-loss", "all"]
    done = CliRunner().invoke(app, [*args, "--store", str(store.workspace.folder)])
    assert done.exit_code == 0, done.output
    assert "wrote 6 of 7 labels" in done.output


def test_a_yolo_list_names_topmost_folders_alone(tmp_path: Path) -> None:
    told = one_video()
    for n, image in enumerate(told["images"]):
        image["file_name"] = f"images/train/{'deep/' * (n % 2)}{n}.jpg"
    store = store_of(told, tmp_path)
    target = tmp_path / "out"
    store.export_to("yolo", target, task="detect", allow_loss=["all"], sidecar=False)
    (listing,) = target.glob("*.yaml")
    listed = [line for line in listing.read_text().splitlines() if line.startswith("train")]
    assert listed == ["train: images/train"]
