"""COCO results: labels of a model on the images of another data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from labelstore.errors import FormatError, InvalidInput
from labelstore.store import Store, init_store

DATA = Path(__file__).parents[1] / "data"
TRUTH = DATA / "coco/tiny_coco/instances_val2017.json"
WAYS: dict[str, dict[str, Any]] = {
    "plain": {}, "packed": {"separators": (",", ":")}, "indented": {"indent": 2},
}  # fmt: skip


def results(count: int = 382) -> list[dict[str, Any]]:
    """Return the truth as a model would have said it."""
    truth = json.loads(TRUTH.read_text())["annotations"][:count]
    return [
        {"image_id": a["image_id"], "category_id": a["category_id"], "bbox": a["bbox"],
         "score": round(1 - i / 1000, 3)}
        for i, a in enumerate(truth)
    ]  # fmt: skip


def average_precision(path: Path) -> float:
    """Return what pycocotools says of a file of results."""
    truth = COCO(str(TRUTH))
    evaluation = COCOeval(truth, truth.loadRes(str(path)), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return float(evaluation.stats[0])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = init_store(tmp_path / "store")
    store.import_from("coco", TRUTH, message="truth", commit=True)
    return store


@pytest.mark.parametrize("way", WAYS)
def test_results_are_of_the_images_that_the_truth_lists(
    store: Store, tmp_path: Path, way: str
) -> None:
    source = tmp_path / "predictions.json"
    source.write_text(json.dumps(results(), **WAYS[way]))
    report = store.import_from("coco-results", source, layer="model", message="in", commit=True)
    assert (report.annotations, dict(report.notices)) == (382, {})
    found = store.query("SELECT count(*) AS n FROM items").to_pylist()
    assert found == [{"n": 50}]
    same = store.query(
        "SELECT count(*) AS n FROM annotations a JOIN annotations b USING (item_id, category_id) "
        "WHERE a.layer = 'model' AND b.layer <> 'model' AND a.seq = b.seq"
    ).to_pylist()
    assert same == [{"n": 382}]
    store.export_to("coco-results", tmp_path / "out.json", layer="model")
    assert (tmp_path / "out.json").read_bytes() == source.read_bytes()
    assert not store.import_from("coco-results", source, layer="model", mode="update").changed
    store.export_to("coco", tmp_path / "truth.json", dataset="instances_val2017")
    assert (tmp_path / "truth.json").read_bytes() == TRUTH.read_bytes()


def test_pycocotools_reads_what_is_written(store: Store, tmp_path: Path) -> None:
    """Labels of the truth go out as results with the ids of the truth: AP is 1."""
    with store.edit() as edit:
        edit.update(where="true", set={"score": "1.0"})
    store.commit("sure")
    report = store.export_to("coco-results", tmp_path / "out.json", allow_loss=["all"])
    assert "coco-results-drops-items.source_id" not in report.notices
    assert report.notices["coco-results-drops-source_id"] == 382
    assert set(json.loads((tmp_path / "out.json").read_text())[0]) >= {"image_id", "score"}
    assert average_precision(tmp_path / "out.json") == 1.0


def test_a_new_delivery_of_results_keeps_the_links(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "predictions.json"
    source.write_text(json.dumps(results()))
    store.import_from("coco-results", source, layer="model", message="in", commit=True)
    source.write_text(json.dumps(results(300)))
    store.import_from("coco-results", source, layer="model", mode="update", message="b",
                      commit=True)  # fmt: skip
    store.export_to("coco-results", tmp_path / "out.json", layer="model")
    assert (tmp_path / "out.json").read_bytes() == source.read_bytes()
    assert not [f for f in store.check() if f.severity == "error"]


def test_what_results_are_of_has_to_be_clear(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "predictions.json"
    source.write_text(json.dumps(results(3)))
    with pytest.raises(InvalidInput, match="--layer"):
        store.import_from("coco-results", source)
    other = DATA / "coco/tiny_coco/person_keypoints_val2017.json"
    store.import_from("coco", other, layer="points", message="b", commit=True)
    with pytest.raises(InvalidInput, match="--of"):
        store.import_from("coco-results", source, layer="model")
    with pytest.raises(InvalidInput, match="no data set 'x'"):
        store.import_from("coco-results", source, layer="model", of="x")
    store.import_from("coco-results", source, layer="model", of="instances_val2017")
    name = "ground_truth/instances_val2017"
    store.import_from("coco-results", source, layer="other", of=name)


@pytest.mark.parametrize(
    "path", sorted((DATA / "coco/results").glob("*.json")), ids=lambda p: p.stem
)
def test_real_results_come_back_byte_for_byte(tmp_path: Path, path: Path) -> None:
    store = init_store(tmp_path / "bare")
    report = store.import_from("coco-results", path, message="in", commit=True)
    assert report.annotations == len(json.loads(path.read_text()))
    store.export_to("coco-results", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_bytes() == path.read_bytes()
    kinds = store.query("SELECT DISTINCT kind FROM annotations").to_pylist()
    assert len(kinds) == 1


def test_results_alone_are_of_unknown_images(tmp_path: Path) -> None:
    source = tmp_path / "predictions.json"
    source.write_text(json.dumps(results(40)))
    store = init_store(tmp_path / "bare")
    report = store.import_from("coco-results", source, message="in", commit=True)
    assert report.notices["unlisted-items"] == len({r["image_id"] for r in results(40)})
    store.export_to("coco-results", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_bytes() == source.read_bytes()


@pytest.mark.parametrize(
    ("text", "told"),
    [("{}", "expected `array`"), ("[1]", "annotations[0]: must be an object"),
     ('[{"bbox": [1, 2, 3, 4]}]', "annotations[0], image_id: missing"), ("[", "line 1")],
)  # fmt: skip
def test_what_is_no_file_of_results_is_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(FormatError) as caught:
        init_store(tmp_path / "store").import_from("coco-results", tmp_path / "a.json")
    assert told in str(caught.value)


def test_a_list_is_no_coco_file_and_its_reader_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(results(2)))
    with pytest.raises(FormatError, match="read as `coco-results`"):
        init_store(tmp_path / "store").import_from("coco", tmp_path / "a.json")


def test_a_layer_of_results_goes_out_as_coco_with_the_ids_of_the_truth(
    store: Store, tmp_path: Path
) -> None:
    source = tmp_path / "predictions.json"
    source.write_text(json.dumps(results()))
    store.import_from("coco-results", source, layer="model", message="in", commit=True)
    store.export_to("coco", tmp_path / "out.json", layer="model", allow_loss=["all"])
    found, truth = (json.loads(p.read_text()) for p in (tmp_path / "out.json", TRUTH))
    ids = {image["file_name"]: image["id"] for image in truth["images"]}
    assert all(ids[image["file_name"]] == image["id"] for image in found["images"])
    names = {c["id"]: c["name"] for c in truth["categories"]}
    assert all(names[c["id"]] == c["name"] for c in found["categories"])
    pairs = zip(found["annotations"], truth["annotations"], strict=True)
    assert all(a["image_id"] == b["image_id"] and a["bbox"] == b["bbox"] for a, b in pairs)


def test_results_alone_become_coco_that_pycocotools_reads(tmp_path: Path) -> None:
    source = tmp_path / "predictions.json"
    source.write_text(json.dumps(results(40)))
    store = init_store(tmp_path / "bare")
    store.import_from("coco-results", source, message="in", commit=True)
    store.export_to("coco", tmp_path / "out.json", allow_loss=["all"])
    found = COCO(str(tmp_path / "out.json"))
    assert set(found.getImgIds()) == {r["image_id"] for r in results(40)}
    assert set(found.getCatIds()) == {r["category_id"] for r in results(40)}


def test_what_results_cannot_say_is_told(store: Store, tmp_path: Path) -> None:
    report = store.export_to("coco-results", tmp_path / "out.json", allow_loss=["all"])
    assert report.notices["coco-results-without-score"] == 382
    assert report.notices["coco-results-drops-categories.name"] == 80
    assert report.notices["coco-results-drops-items.uri"] == 50
    assert "coco-results-drops-items.modality" not in report.notices


def truth_of(path: Path, images: dict[int, str], classes: dict[int, str]) -> Path:
    """Write ground truth of images and classes by their ids, each image with a box."""
    path.write_text(json.dumps({
        "images": [{"id": i, "file_name": n, "width": 9, "height": 9} for i, n in images.items()],
        "categories": [{"id": i, "name": n} for i, n in classes.items()],
        "annotations": [{"id": i, "image_id": i, "category_id": min(classes), "area": 4,
                         "bbox": [1, 1, 2, 2], "iscrowd": 0} for i in images],
    }))  # fmt: skip
    return path


def said_of(path: Path, pairs: list[tuple[int, int]]) -> Path:
    """Write results of images and classes."""
    path.write_text(json.dumps([
        {"image_id": image, "category_id": kind, "bbox": [1.5, 2, 3, 4], "score": i / 10}
        for i, (image, kind) in enumerate(pairs, 1)
    ]))  # fmt: skip
    return path


def links(store: Store) -> list[tuple[str | None, str | None]]:
    """Return image and class of each label of the model, in order."""
    rows = store.query(
        "SELECT uri, name FROM annotations JOIN items USING (item_id) JOIN categories "
        "USING (category_id) WHERE layer = 'm' ORDER BY seq"
    ).to_pylist()
    return [(row["uri"], row["name"]) for row in rows]


@pytest.mark.parametrize("mode", ["update", "replace"])
def test_results_follow_a_truth_that_is_renumbered(tmp_path: Path, mode: Any) -> None:
    truth, source = tmp_path / "g.json", tmp_path / "r.json"
    store = init_store(tmp_path / "store")
    words: dict[str, Any] = {"layer": "m", "message": "r", "commit": True}
    store.import_from(
        "coco", truth_of(truth, {1: "x", 2: "y"}, {1: "a"}), message="g", commit=True
    )
    store.import_from("coco-results", said_of(source, [(1, 1), (2, 1)]), **words)
    assert links(store) == [("x", "a"), ("y", "a")]
    store.import_from("coco", truth_of(truth, {2: "x", 1: "y", 5: "z"}, {1: "a"}), mode="replace",
                      message="g", commit=True)  # fmt: skip
    store.import_from(
        "coco-results", said_of(source, [(2, 1), (1, 1), (5, 1)]), mode=mode, **words
    )
    assert links(store) == [("x", "a"), ("y", "a"), ("z", "a")]
    store.export_to("coco-results", tmp_path / "out.json", layer="m")
    assert (tmp_path / "out.json").read_bytes() == source.read_bytes()


def test_results_stay_on_an_image_that_the_truth_drops(tmp_path: Path) -> None:
    truth, source = tmp_path / "g.json", tmp_path / "r.json"
    store = init_store(tmp_path / "store")
    words: dict[str, Any] = {"layer": "m", "message": "r", "commit": True}
    whole = truth_of(truth, {1: "x", 2: "y"}, {1: "a", 2: "b"})
    store.import_from("coco", whole, message="g", commit=True)
    store.import_from("coco-results", said_of(source, [(1, 1), (2, 2)]), **words)
    store.import_from("coco", truth_of(truth, {1: "x"}, {1: "a"}), mode="replace", message="g",
                      commit=True)  # fmt: skip
    assert not store.import_from("coco-results", source, layer="m", mode="update").changed
    assert links(store) == [("x", "a"), ("y", "b")]


def test_results_of_an_image_that_the_truth_gets_later(tmp_path: Path) -> None:
    truth, source = tmp_path / "g.json", tmp_path / "r.json"
    store = init_store(tmp_path / "store")
    words: dict[str, Any] = {"layer": "m", "message": "r", "commit": True}
    store.import_from("coco", truth_of(truth, {1: "x"}, {1: "a"}), message="g", commit=True)
    store.import_from("coco-results", said_of(source, [(1, 1), (5, 1)]), **words)
    assert links(store) == [("x", "a"), (None, "a")]
    store.import_from("coco", truth_of(truth, {1: "x", 5: "z"}, {1: "a"}), mode="update",
                      message="g", commit=True)  # fmt: skip
    store.import_from("coco-results", source, mode="update", **words)
    assert links(store) == [("x", "a"), ("z", "a")]
    assert store.query("SELECT count(*) AS n FROM items").to_pylist() == [{"n": 2}]


def test_scores_of_keypoints_come_back(store: Store, tmp_path: Path) -> None:
    """The third number of a point is a model's score, if it is no visibility."""
    source, out = tmp_path / "points.json", tmp_path / "out.json"
    image = json.loads(TRUTH.read_text())["images"][0]["id"]
    thirds: list[list[float]] = [[0.5, 0.25, 1], [2, 1, 0], [0.1, 3, -1], [1.0, 2.0, 0.0]]
    rows = [{"image_id": image, "category_id": 1, "score": 0.5,
             "keypoints": [v for i, mark in enumerate(marks) for v in (10 + i, 20.5, mark)]}
            for marks in thirds]  # fmt: skip
    source.write_text(json.dumps(rows))
    report = store.import_from("coco-results", source, layer="model", message="in", commit=True)
    assert dict(report.notices) == {}
    store.export_to("coco-results", out, layer="model")
    assert out.read_bytes() == source.read_bytes()
    told = store.query(
        "SELECT visibility, keypoint_scores, kind FROM labels WHERE layer = 'model' ORDER BY seq"
    ).to_pylist()
    assert [r["keypoint_scores"] for r in told] == [thirds[0], None, thirds[2], thirds[3]]
    assert [r["visibility"] for r in told] == [None, thirds[1], None, None]
    assert {r["kind"] for r in told} == {"keypoints"}
