"""Batches are what pycocotools reads, and orders deal every sample once."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import DATA, TINY
from hypothesis import given
from hypothesis import strategies as st
from kinds import every_kind
from PIL import Image
from pycocotools.coco import COCO

import labelstore
from labelstore.errors import InvalidInput, NotFound
from labelstore.store import Store
from labelstore.training.batches.batch import split
from labelstore.training.batches.images import ImageFolder
from labelstore.training.batches.order import Order, Uneven

KEYPOINTS = DATA / "coco" / "tiny_coco" / "person_keypoints_val2017.json"


def coco(path: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def test_targets_are_what_pycocotools_gives(v1: Store) -> None:
    truth = coco(TINY)
    samples = labelstore.load(v1.workspace.folder, at="v1")
    targets = ("boxes", "labels", "area", "iscrowd", "masks", "annotation_id")
    made = samples.batches(targets=targets, columns=("source_id", "review_state", "kind"))
    names = {image["file_name"]: image for image in truth.dataset["images"]}
    order = [c["id"] for c in truth.dataset["categories"]]
    seen = 0
    for sample in split(made.make(range(len(samples)))):
        image = names[sample["uri"]]
        own = {a["id"]: a for a in truth.loadAnns(truth.getAnnIds(imgIds=image["id"]))}
        assert sorted(sample["source_id"]) == sorted(own)
        assert sample["size"].tolist() == [image["height"], image["width"]]
        for i, number in enumerate(sample["source_id"].tolist()):
            x, y, w, h = own[number]["bbox"]
            np.testing.assert_allclose(sample["boxes"][i], [x, y, x + w, y + h], rtol=1e-6)
            assert order[sample["labels"][i]] == own[number]["category_id"]
            assert sample["area"][i] == np.float32(own[number]["area"])
            assert sample["iscrowd"][i] == own[number]["iscrowd"]
            assert (sample["masks"][i] == truth.annToMask(own[number])).all()
            seen += 1
    assert seen == 382


def test_keypoints_are_what_the_file_says(store: Store) -> None:
    store.import_from("coco", KEYPOINTS)
    store.commit("people", tag="v1")
    truth = {a["id"]: a for a in coco(KEYPOINTS).dataset["annotations"]}
    samples = labelstore.load(store.workspace.folder, at="v1")
    made = samples.batches(targets=("keypoints",), columns=("source_id",))
    found = made.make(range(len(samples)))
    assert found["keypoints"].shape[1:] == (17, 3)
    for number, points in zip(found["source_id"].tolist(), found["keypoints"], strict=True):
        expected = np.reshape(truth[number]["keypoints"], (17, 3)).astype(np.float32)
        assert (points == expected).all()
    assert (found["keypoints"][..., 2] > 0).sum() > 100


def test_other_targets_are_the_rows(tmp_path: Path) -> None:
    store = every_kind(tmp_path / "store")
    samples = labelstore.load(store.workspace.folder, at="v1")
    rows = samples.annotations.to_pylist()
    made = samples.batches(targets=("rotated_boxes", "cuboids", "boxes", "labels"))
    found = made.make(range(len(samples)))
    for i, row in enumerate(rows):
        if row["rotated_box"]:
            turned = list(row["rotated_box"].values())
            np.testing.assert_allclose(found["rotated_boxes"][i], turned, rtol=1e-6)
        else:
            assert np.isnan(found["rotated_boxes"][i]).all()
        if row["cuboid3d"]:
            own = [v for v in row["cuboid3d"].values() if not isinstance(v, str)]
            np.testing.assert_allclose(found["cuboids"][i], own, rtol=1e-6)
        assert np.isnan(found["boxes"][i]).any() == (row["xmin"] is None)
        places = [number for number, _ in samples.classes]
        assert found["labels"][i] == (
            places.index(row["category_id"]) if row["category_id"] is not None else -1
        )


def test_parts_of_an_image_become_pixels(store: Store, tmp_path: Path) -> None:
    from labelstore.model import labels as l

    with store.edit(by="ada") as edit:
        edit.add([l.Box(item="a.jpg", category="c", x=0.25, y=0.5, width=0.5, height=0.25,
                        frame="unit"),
                  l.Box(item="a.jpg", category="c", x=1, y=2, width=3, height=4)],
                 items=[{"uri": "a.jpg", "width": 200, "height": 100}],
                 categories=[{"name": "c"}])  # fmt: skip
    store.commit("one", tag="v1")
    samples = labelstore.load(store.workspace.folder, at="v1")
    boxes = samples.batches().make([0])["boxes"].tolist()
    assert boxes == [[50, 50, 150, 75], [1, 2, 4, 6]]
    with store.edit(by="ada") as edit:
        edit.add([l.Box(item="b.jpg", category="c", x=0.25, y=0.5, width=0.5, height=0.25,
                        frame="unit")], items=[{"uri": "b.jpg"}])  # fmt: skip
    store.commit("two", tag="v2")
    samples = labelstore.load(store.workspace.folder, at="v2")
    with pytest.raises(InvalidInput, match=r"b\.jpg: its labels are parts of the image"):
        samples.batches().make([0, 1])
    with pytest.raises(InvalidInput, match=r"b\.jpg: its size is not known"):
        samples.batches(targets=("masks",)).make([0, 1])


def test_targets_that_the_rows_cannot_give_are_refused(store: Store) -> None:
    from labelstore.model import labels as l

    with store.edit(by="ada") as edit:
        edit.add([l.RotatedBox(item="a.jpg", category="c", cx=0.5, cy=0.5, width=0.5, height=0.1,
                               angle=1.5, frame="unit"),
                  l.Polygon(item="b.jpg", category="c", rings=[[(0, 0), (3e9, 0), (3e9, 3e9)]])],
                 items=[{"uri": uri, "width": 200, "height": 100} for uri in ("a.jpg", "b.jpg")],
                 categories=[{"name": "c"}])  # fmt: skip
    store.commit("odd ones", tag="v1")
    samples = labelstore.load(store.workspace.folder, at="v1")
    with pytest.raises(InvalidInput, match="turn into no rectangle"):
        samples.batches(targets="rotated_boxes").make([0, 1])
    with pytest.raises(InvalidInput, match="far outside the image"):
        samples.batches(targets="masks").make([0, 1])


def test_keypoints_are_as_wide_in_every_batch(tmp_path: Path) -> None:
    samples = labelstore.load(every_kind(tmp_path / "store").workspace.folder, at="v1",
                              where="kind = 'keypoints' OR kind = 'box'")  # fmt: skip
    made = samples.batches(targets="keypoints")
    widths = {made.make([i])["keypoints"].shape[1] for i in range(len(samples))}
    assert len(widths) == 1
    assert widths != {0}


def test_images_are_opened_by_a_function_or_below_a_folder(v1: Store, tmp_path: Path) -> None:
    samples = labelstore.load(v1.workspace.folder, at="v1")
    uri = samples[3]["item"]["uri"]
    Image.new("L", (4, 3), 7).save(tmp_path / "x.png")
    (tmp_path / "x.png").rename(tmp_path / uri)
    for root in (tmp_path, f"file://{tmp_path}"):
        [image] = samples.batches(images=root).make([3])["images"]
        assert image.shape == (3, 4, 3)
        assert (image == 7).all()
    own = samples.batches(images=lambda item: item["uri"].upper()).make([3, 4])
    assert own["images"][0] == uri.upper()
    with pytest.raises(NotFound, match="no such image"):
        samples.batches(images=tmp_path).make([4])
    for uri in ("../secret.png", "/etc/passwd", "http://elsewhere/a.jpg", ""):
        with pytest.raises(InvalidInput, match="is no path below"):
            ImageFolder(str(tmp_path), {})({"uri": uri})
    (tmp_path / samples[5]["item"]["uri"]).write_bytes(b"no image")
    with pytest.raises(InvalidInput, match="no image that can be read"):
        samples.batches(images=tmp_path).make([5])


def test_what_is_no_target_is_refused(v1: Store) -> None:
    samples = labelstore.load(v1.workspace.folder, at="v1")
    with pytest.raises(InvalidInput, match="no target mask;"):
        samples.batches(targets=("mask",))
    with pytest.raises(InvalidInput, match="no column weather"):
        samples.batches(columns=("weather",))
    for wrong in ({"batch": 0}, {"rank": 3, "ranks": 3}, {"seed": -1}, {"uneven": "x"}):
        with pytest.raises(InvalidInput):
            Order(**wrong)


ORDER_OF_EPOCH_0 = [9, 6, 7, 0, 1, 5, 8, 11, 3, 4, 2, 10]
"""Printed once; another order would mean that a run cannot be repeated."""
IDS = st.lists(st.integers(-(2**63), 2**63 - 1), unique=True, max_size=60).map(
    lambda ids: np.array(sorted(ids), np.int64)
)


def dealt(ids: Any, ranks: int, batch: int, done: int = 0, **what: Any) -> list[list[Any]]:
    return [Order(batch=batch, rank=r, ranks=ranks, **what).batches(ids, 3, done)
            for r in range(ranks)]  # fmt: skip


@given(IDS, st.integers(1, 5), st.integers(1, 7), st.booleans(),
       st.sampled_from(["pad", "drop", "keep"]))  # fmt: skip
def test_every_sample_is_dealt_once(
    ids: Any, ranks: int, batch: int, shuffle: bool, uneven: Uneven
) -> None:
    own = dealt(ids, ranks, batch, shuffle=shuffle, uneven=uneven, seed=5)
    flat = [int(i) for rank in own for one in rank for i in one]
    counts = np.bincount(flat, minlength=len(ids))
    spare = -len(ids) % ranks
    if uneven == "keep":
        assert (counts == 1).all()
    elif uneven == "pad":
        assert (counts >= 1).all()
        assert counts.sum() == len(ids) + (spare if len(ids) else 0)
    else:
        assert (counts <= 1).all()
        assert len(ids) - counts.sum() < ranks
    if uneven != "keep":
        assert len({sum(map(len, rank)) for rank in own}) == 1
    for rank, batches in enumerate(own):
        order = Order(batch=batch, rank=rank, ranks=ranks, uneven=uneven)
        assert order.count(len(ids)) == len(batches)
        full = Order(batch=batch, rank=rank, ranks=ranks, uneven=uneven, drop_last=True)
        assert full.count(len(ids)) == len(full.batches(ids, 0))
        assert all(len(one) == batch for one in full.batches(ids, 0))


@given(IDS, st.integers(1, 4), st.integers(1, 5), st.integers(0, 9), st.integers(1, 4),
       st.integers(1, 5))  # fmt: skip
def test_the_rest_is_seen_once_with_other_ranks_and_batches(
    ids: Any, ranks: int, batch: int, steps: int, then: int, size: int
) -> None:
    first = dealt(ids, ranks, batch, shuffle=True, uneven="keep")
    before = [int(i) for rank in first for one in rank[:steps] for i in one]
    done = min(steps * batch * ranks, len(ids))
    assert len(before) == done
    after = [int(i) for rank in dealt(ids, then, size, done, shuffle=True, uneven="keep")
             for one in rank for i in one]  # fmt: skip
    assert sorted(before + after) == list(range(len(ids)))


def test_the_order_of_an_epoch_is_fixed_for_good() -> None:
    ids = np.arange(100, 112) * 7919
    order = Order(shuffle=True, seed=42, batch=12)
    assert order.samples(ids, 0).tolist() == ORDER_OF_EPOCH_0
    assert order.samples(ids, 1).tolist() != ORDER_OF_EPOCH_0
    assert Order(shuffle=True, seed=43, batch=12).samples(ids, 0).tolist() != ORDER_OF_EPOCH_0
    fewer = np.delete(ids, 5)
    kept = [ids[i] for i in order.samples(ids, 0) if i != 5]
    assert [fewer[i] for i in order.samples(fewer, 0)] == kept  # what stays keeps its order
    many = np.arange(100_000)
    spread = order.samples(many, 0)
    assert abs(np.corrcoef(many, spread)[0, 1]) < 0.02
