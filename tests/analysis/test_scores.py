"""Scores against a gold set: as pycocotools has them of the files, and as counted by hand."""

from __future__ import annotations

import contextlib
import copy
import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from authors import CLASSES, boxes, store_of
from conftest import DATA, TINY, Run
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from labelstore.errors import InvalidInput, NotFound
from labelstore.model import labels as l
from labelstore.store import Store

KEYPOINTS = DATA / "coco" / "tiny_coco" / "person_keypoints_val2017.json"


def quiet_coco(file: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(file))


def guessed(gold: COCO, kind: str) -> list[dict[str, Any]]:
    """Return results of a model that errs: moved, of other classes, missing, doubled, scored."""
    rng = np.random.default_rng(11)
    classes = gold.getCatIds()
    found = []
    for ann in gold.loadAnns(gold.getAnnIds()):
        for _ in range(rng.choice([0, 1, 1, 1, 2])):
            moved = np.array(ann["bbox"]) + rng.normal(0, 0.08, 4) * np.tile(ann["bbox"][2:], 2)
            moved[2:] = np.maximum(moved[2:], 2)
            own: dict[str, Any] = {
                "image_id": ann["image_id"], "score": float(rng.random()),
                "category_id": ann["category_id"] if rng.random() < 0.9
                else int(rng.choice(classes)),
            }  # fmt: skip
            if kind == "bbox":
                own["bbox"] = [round(float(v), 2) for v in moved]
            elif kind == "segm":
                run = np.roll(gold.annToMask(ann), rng.integers(0, 12), axis=1)
                size, counts = coco_mask.encode(np.asfortranarray(run)).values()
                own["segmentation"] = {"size": size, "counts": counts.decode()}
            else:
                points = np.array(ann["keypoints"], float).reshape(-1, 3)
                points[:, :2] += rng.normal(0, 0.05, (len(points), 2)) * ann["bbox"][2:]
                points[:, 2] = rng.random(len(points))  # how sure the model is of each
                own["keypoints"] = points.round(3).reshape(-1).tolist()
            found.append(own)
    return found


def official(gold: COCO, results: list[dict[str, Any]], kind: str) -> COCOeval:
    """Return pycocotools' own evaluation of the files."""
    with contextlib.redirect_stdout(io.StringIO()):
        run = COCOeval(gold, gold.loadRes(copy.deepcopy(results)), kind)
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run


@pytest.mark.parametrize(("kind", "file"), [("bbox", TINY), ("segm", TINY),
                                            ("keypoints", KEYPOINTS)])  # fmt: skip
def test_average_precision_is_that_of_the_files(
    tmp_path: Path, store: Store, kind: str, file: Path
) -> None:
    """Of real labels and a model's results, crowds among them, to the last digit."""
    gold = quiet_coco(file)
    results = guessed(gold, kind)
    (tmp_path / "results.json").write_text(json.dumps(results))
    store.import_from("coco", file)
    store.import_from("coco-results", tmp_path / "results.json", layer="model")
    (own,) = store.score(["model"], gold="ground_truth", items="TRUE")
    told = next(p for p in own.precision if p.by == kind)
    expected = official(gold, results, kind)
    stats = expected.stats.tolist()
    if kind == "keypoints":
        names = ["ap", "ap50", "ap75", "medium", "large", "recall"]
        stats = stats[:6]
    else:
        names = ["ap", "ap50", "ap75", "small", "medium", "large", "recall"]
        stats = [*stats[:6], stats[8]]
    assert [getattr(told, n) for n in names] == pytest.approx(stats, abs=1e-12)
    assert 0.02 < stats[0] < 0.98
    each = expected.eval["precision"][:, :, :, 0, -1].mean(axis=(0, 1))
    classes = {c["name"]: v for c, v in zip(gold.loadCats(expected.params.catIds), each,
                                            strict=True) if v >= 0}  # fmt: skip
    assert {n: v for n, v in told.classes.items() if v is not None} == pytest.approx(classes)


@pytest.fixture
def kinds() -> Any:
    return np.random.default_rng(2).integers(0, 4, (40, 4))


def test_precision_recall_and_confusion_are_counted(tmp_path: Path, kinds: Any) -> None:
    rng = np.random.default_rng(3)
    said = np.where(rng.random(kinds.shape) < 0.2, (kinds + 1) % 4, kinds)
    leave = {(n, 2) for n in range(0, 40, 3)}
    extra = [l.Box(item=str(n), category="bus", x=370, y=80, width=9, height=9)
             for n in range(7)]  # fmt: skip
    store = store_of(tmp_path / "s", {"gold": boxes(kinds),
                                      "vendor": [*boxes(said, 6.0, leave), *extra]})  # fmt: skip
    (own,) = store.score()
    found = [(n, i) for n in range(40) for i in range(4) if (n, i) not in leave]
    correct = sum(kinds[at] == said[at] for at in found)
    whole = (own.whole.gold, own.whole.labels, own.whole.correct)
    assert (own.name, own.items, *whole) == ("vendor", 40, 160, len(found) + 7, correct)
    assert own.whole.precision == pytest.approx(correct / (len(found) + 7))
    assert own.whole.recall == pytest.approx(correct / 160)
    for k, name in enumerate(CLASSES):
        told = next(c for c in own.classes if c.name == name)
        assert told.gold == (kinds == k).sum()
        assert told.labels == sum(said[at] == k for at in found) + 7 * (name == "bus")
        assert told.correct == sum(kinds[at] == said[at] == k for at in found)
    assert [c.name for c in own.classes] == list(CLASSES)
    f1 = [2 * c.correct / (c.gold + c.labels) for c in own.classes]
    assert own.macro_f1 == pytest.approx(np.mean(f1))
    pairs = {(c.gold, c.said): c.count for c in own.confusion}
    assert pairs["(background)", "bus"] == 7
    assert sum(n for (_, s), n in pairs.items() if s == "(background)") == len(leave)
    for a in range(4):
        b = (a + 1) % 4
        assert pairs[CLASSES[a], CLASSES[b]] == sum((kinds[p], said[p]) == (a, b) for p in found)
    assert own.shapes is not None
    assert own.shapes.count == len(found)
    assert own.shapes.mean == pytest.approx(54 / 66)
    assert own.shapes.bins[8] == len(found)
    assert own.texts is None


def test_the_same_labels_score_one_and_none_score_nothing(tmp_path: Path, kinds: Any) -> None:
    far: list[l.Label] = [l.Box(item="0", category="car", x=370, y=80, width=9, height=9)]
    store = store_of(tmp_path / "s", {"gold": boxes(kinds), "same": boxes(kinds), "far": far})
    far_off, same = store.score()
    assert (same.whole.precision, same.whole.recall, same.macro_f1) == (1, 1, 1)
    assert (same.confusion, same.precision[0].ap) == ([], 1)
    assert (far_off.whole.precision, far_off.whole.recall, far_off.whole.f1) == (0, 0, 0)
    assert far_off.precision[0].ap == 0
    assert (far_off.items, far_off.shapes) == (40, None)


def test_scores_below_count_for_average_precision_alone(tmp_path: Path, kinds: Any) -> None:
    scored = [label.model_copy(update={"score": 0.9 if i % 2 else 0.1})
              for i, label in enumerate(boxes(kinds))]  # fmt: skip
    store = store_of(tmp_path / "s", {"gold": boxes(kinds), "model": scored})
    (every,), (sure,) = store.score(), store.score(min_score=0.5)
    assert (every.whole.labels, sure.whole.labels, sure.whole.recall) == (160, 80, 0.5)
    assert sure.precision == every.precision


def test_what_the_gold_set_covers(tmp_path: Path, kinds: Any) -> None:
    """An item without objects counts only where somebody says that the gold set covers it."""
    some = [label for label in boxes(kinds) if int(str(label.item)) < 10]
    store = store_of(tmp_path / "s", {"gold": some, "vendor": boxes(kinds)})
    (own,) = store.score()
    assert (own.items, own.whole.labels, own.whole.precision) == (10, 40, 1)
    (own,) = store.score(items="CAST(uri AS INT) < 15")
    assert (own.items, own.whole.labels) == (15, 60)
    assert own.whole.precision == pytest.approx(40 / 60)


def test_authors_of_one_layer(tmp_path: Path, kinds: Any) -> None:
    """Each is scored on the items at which they have been seen."""
    store = store_of(tmp_path / "s", {"gold": boxes(kinds)})
    for by, items in (("bob", range(20)), ("eve", range(20, 40))):
        with store.edit(by=by) as edit:
            own = kinds if by == "bob" else (kinds + (kinds == 3)) % 4
            edit.add([b for b in boxes(own) if int(str(b.item)) in items])
    bob, eve = store.score(["ground_truth"], by="author")
    assert (bob.name, bob.items, bob.whole.f1) == ("bob", 20, 1)
    assert (eve.name, eve.items) == ("eve", 20)
    assert eve.whole.correct == (kinds[20:] != 3).sum()


def test_crowds_do_not_count(tmp_path: Path) -> None:
    crowd = l.Box(item="0", category="car", x=0, y=0, width=100, height=80)
    gold: list[l.Label] = [l.Box(item="0", category="car", x=200, y=0, width=20, height=20)]
    said: list[l.Label] = [*gold, *(l.Box(item="0", category="car", x=x, y=10, width=20, height=20)
                                    for x in (10, 40, 60, 95))]  # fmt: skip
    store = store_of(tmp_path / "s", {"gold": [*gold, crowd], "vendor": said}, 1)
    with store.edit() as edit:
        edit.update(where="xmax = 100", set={"is_crowd": True}, layer="gold")
    (own,) = store.score()
    assert (own.whole.gold, own.whole.labels, own.whole.correct) == (1, 2, 1)
    assert own.ignored == 4  # the crowd, and three labels of which half lies within
    assert own.precision[0].ap == pytest.approx(1)


WORDS = [
    ("the quick brown fox", "the quick brown fox", 0),
    ("the quick brown fox", "the quick fox", 1),
    ("the quick brown fox", "a quick brown fox jumps", 2),
    ("one two three", "nothing of the sort here", 5),
]


def test_word_error_rate(tmp_path: Path) -> None:
    """Edits over the words of the gold set; what is missing or too much counts, too."""
    gold: list[l.Label] = [l.Text(item=str(i), text=a) for i, (a, _, _) in enumerate(WORDS)]
    said: list[l.Label] = [l.Text(item=str(i), text=b) for i, (_, b, _) in enumerate(WORDS)]
    gold.append(l.Text(item="5", text="never transcribed"))
    said.append(l.Text(item="0", text="made up"))
    store = store_of(tmp_path / "s", {"gold": gold, "asr": said}, 6)
    (own,) = store.score()
    assert own.texts is not None
    assert (own.texts.count, own.texts.words) == (5, 4 * 3 + 3 + 2)
    assert own.texts.word_edits == sum(n for *_, n in WORDS) + 2 + 2
    assert own.texts.word_error_rate == pytest.approx(12 / 17)
    assert own.texts.letters == sum(len(a) for a, _, _ in WORDS) + len("never transcribed")
    assert own.precision == []


def test_masks_of_windows_and_parts_of_images(tmp_path: Path) -> None:
    """A window is placed in its image, and shares of an image become pixels."""
    square = np.ones((10, 10), np.uint8)
    whole = np.zeros((100, 400), np.uint8)
    whole[20:30, 30:40] = 1
    runs = [coco_mask.encode(np.asfortranarray(m))["counts"] for m in (whole, square)]
    store = store_of(tmp_path / "s", {}, 1)
    names = ("encoding", "h", "w", "counts", "x0", "y0")
    rows = [("coco_rle", 100, 400, runs[0], None, None), ("coco_rle", 10, 10, runs[1], 30, 20)]
    with store.edit() as edit:
        for layer, row in zip(("gold", "model"), rows, strict=True):
            edit.add([{"uri": "0", "category": "car", "layer": layer, "kind": "mask",
                       "mask": dict(zip(names, row, strict=True))}])  # fmt: skip
        for layer, frame, box in (("gold", None, (100, 10, 40, 20)),
                                  ("model", "unit", (0.25, 0.1, 0.1, 0.2))):  # fmt: skip
            edit.add([{"uri": "0", "category": "bus", "layer": layer, "frame": frame,
                       "box": dict(zip(("v0", "v1", "v2", "v3"), box, strict=True))}])  # fmt: skip
    (own,) = store.score()
    assert {p.by: p.ap for p in own.precision} == {"bbox": pytest.approx(1),
                                                   "segm": pytest.approx(1)}  # fmt: skip


def test_a_text_whose_label_was_found_without_one(tmp_path: Path, kinds: Any) -> None:
    store = store_of(tmp_path / "s", {"gold": boxes(kinds[:1]), "v": boxes(kinds[:1])}, 1)
    with store.edit() as edit:
        edit.update(where="xmin < 10", set={"text": "'hello brave world'"}, layer="gold")
    (own,) = store.score()
    assert own.texts is not None
    assert (own.texts.words, own.texts.word_edits) == (3, 3)


def test_masks_of_images_of_unknown_size(tmp_path: Path) -> None:
    """An outline is drawn where the other's mask is, and a window may lie outside."""
    whole = np.zeros((100, 120), np.uint8)
    whole[10:60, 10:60] = 1
    counts = coco_mask.encode(np.asfortranarray(whole))["counts"]
    store = store_of(tmp_path / "s", {}, 1)
    mask = {"encoding": "coco_rle", "h": 100, "w": 120, "counts": counts}
    square: list[tuple[float, float]] = [(10, 10), (60, 10), (60, 60), (10, 60)]
    with store.edit() as edit:
        edit.add([], items=[{"uri": "bare"}])
        edit.add([l.Polygon(item="bare", category="car", layer="gold", rings=[square])])
        edit.add([{"uri": "bare", "category": "car", "layer": "v", "kind": "mask", "mask": mask}])
        for layer in ("gold", "v"):
            edit.add([{"uri": "0", "category": "bus", "layer": layer, "kind": "mask",
                       "mask": {**mask, "x0": 900, "y0": 50}}])  # fmt: skip
    (own,) = store.score()
    (told,) = (p for p in own.precision if p.by == "segm")
    assert told.classes["car"] == pytest.approx(1)


def test_classes_of_one_name_are_told_apart(tmp_path: Path, store: Store) -> None:
    content = json.loads(TINY.read_text())
    for category in content["categories"][1:3]:
        category["name"] = "person"
    (tmp_path / "a.json").write_text(json.dumps(content))
    for layer in ("gold", "v"):
        store.import_from("coco", tmp_path / "a.json", layer=layer, dataset=layer)
    (own,) = store.score()
    used = store.query("SELECT count(DISTINCT category_id) AS n FROM annotations")
    assert len({c.name for c in own.classes}) == used.column(0)[0].as_py()
    assert len(own.precision[0].classes) == len(own.classes)


def test_crowds_stand_for_their_class_alone(tmp_path: Path) -> None:
    crowd = l.Box(item="0", category="car", x=0, y=0, width=300, height=80)
    said: list[l.Label] = [l.Box(item="0", category=c, x=x, y=10, width=20, height=20)
                           for c, x in (("car", 10), ("bus", 60), ("bus", 100))]  # fmt: skip
    store = store_of(tmp_path / "s", {"gold": [crowd], "vendor": said}, 1)
    for flag, left in (("is_crowd", 2), ("ignore", 0)):
        with store.edit() as edit:
            edit.update(where="xmax = 300", set={flag: True}, layer="gold")
        if flag == "ignore":
            with store.edit() as edit:
                edit.update(where="xmax = 300", set={"is_crowd": False}, layer="gold")
        (own,) = store.score(precision=False)
        assert own.whole.labels == left


def test_the_command(tmp_path: Path, kinds: Any, cli: Run) -> None:
    said = (kinds + (kinds == 3)) % 4
    folder = store_of(tmp_path / "s", {"gold": boxes(kinds), "v": boxes(said, 6)}).workspace.folder
    told = json.loads(cli("score", "v", "--json", cwd=folder).stdout)
    assert told["scores"][0]["whole"]["correct"] == (kinds != 3).sum()
    assert told["scores"][0]["precision"][0]["by"] == "bbox"
    done = cli("score", "v", "--no-ap", "--confusion", tmp_path / "c.csv", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "classes, the worst first" in done.stdout
    assert "average precision" not in done.stdout
    rows = {r["gold"]: r for r in csv.DictReader((tmp_path / "c.csv").read_text().splitlines())}
    assert int(rows["van"]["car"]) == (kinds == 3).sum()
    assert int(rows["bus"]["bus"]) == (kinds == 1).sum()


def test_wrong_questions(tmp_path: Path, kinds: Any) -> None:
    store = store_of(tmp_path / "s", {"a": boxes(kinds), "b": boxes(kinds)})
    with pytest.raises(NotFound):
        store.score()
    with pytest.raises(InvalidInput, match="name the layer whose authors"):
        store.score(gold="a", by="author", layers=["a", "b"])
    with pytest.raises(InvalidInput):
        store.score(gold="a", items="no_such_column > 1")
    only = store_of(tmp_path / "t", {"a": boxes(kinds)})
    with pytest.raises(InvalidInput, match="name the layer whose labels"):
        only.score(gold="a")
    with pytest.raises(InvalidInput, match="is the gold set itself"):
        store.score(["a"], gold="a")
    with pytest.raises(InvalidInput, match="is no number"):
        store.score(["b"], gold="a", min_score=float("nan"))
