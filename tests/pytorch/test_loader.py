"""The loaders under PyTorch itself: every sample once, in one order, and the rest after a stop."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from kinds import every_kind

import labelstore
from labelstore.errors import Conflict, InvalidInput
from labelstore.store import Store
from labelstore.training.batches.batch import split
from labelstore.training.samples import Samples

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # PyTorch's own
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]
HASHES = ("row_hash", "geometry_hash")
EVERYTHING = ("boxes", "labels", "area", "iscrowd", "annotation_id", "masks")


@pytest.fixture
def samples(v1: Store) -> Samples:
    return labelstore.load(v1.workspace.folder, at="v1")


def plain(batch: dict[str, Any]) -> dict[str, Any]:
    """Return a batch as values that can be compared."""
    return {n: v.tolist() if isinstance(v, torch.Tensor) else v for n, v in batch.items()}


@pytest.mark.parametrize("context", ["fork", "spawn", "forkserver"])
def test_workers_change_nothing(samples: Samples, context: str) -> None:
    truth = [plain(b) for b in samples.loader(8, shuffle=True, seed=3, targets=EVERYTHING)]
    assert len(truth) == 7
    for workers in (1, 2):
        loader = samples.loader(8, shuffle=True, seed=3, targets=EVERYTHING, workers=workers,
                                context=context)  # fmt: skip
        assert [plain(b) for b in loader] == truth


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_every_sample_of_every_kind_once_an_epoch(
    tmp_path: Path, workers: int, ranks: int
) -> None:
    store = every_kind(tmp_path / "store")
    samples = labelstore.load(store.workspace.folder, at="v1")
    held = ("layer", "item_id", "annotation_id")
    columns = tuple(n for n in samples.annotations.column_names if n not in held)
    truth = {r["annotation_id"]: r for r in samples.annotations.to_pylist()}
    for epoch in (0, 1):
        seen = []
        for rank in range(ranks):
            loader = samples.loader(2, shuffle=True, rank=rank, ranks=ranks, uneven="keep",
                                    workers=workers, targets=("annotation_id",),
                                    columns=columns)  # fmt: skip
            loader.set_epoch(epoch)
            seen += [one for batch in loader for one in split(batch)]
        assert sorted(int(s["item_id"]) for s in seen) == samples.item_ids.tolist()
        found = {}
        for sample in seen:
            for i, number in enumerate(sample["annotation_id"].tolist()):
                found[number] = {n: sample[n][i] for n in columns}
        assert found.keys() == truth.keys()
        for number, row in found.items():
            for name, value in row.items():
                assert same(value, truth[number][name]), name


def same(value: Any, truth: Any) -> bool:
    """Say whether a value of a batch is what a row has; null is -1 or NaN among numbers."""
    if isinstance(value, torch.Tensor):
        number = value.item()
        return number in (-1,) or number != number if truth is None else number == truth
    return bool(value == (dict(truth) if isinstance(value, dict) and isinstance(truth, list)
                          else truth))  # fmt: skip


def test_training_goes_on_where_it_stopped(samples: Samples) -> None:
    whole = samples.loader(4, shuffle=True, seed=1)
    first, second = ([plain(b) for b in whole] for _ in range(2))
    assert first != second  # another epoch, another order
    for workers in (0, 2):
        loader = samples.loader(4, shuffle=True, seed=1, workers=workers)
        seen = []
        for batch in loader:
            seen.append(plain(batch))
            if len(seen) == 5:
                state = json.loads(json.dumps(loader.state_dict()))
                break
        again = samples.loader(4, shuffle=True, seed=1, workers=2 - workers)
        again.load_state_dict(state)
        assert len(again) == len(first) - 5
        assert seen + [plain(b) for b in again] == first
        assert [plain(b) for b in again] == second
        assert again.epoch == 2


def test_it_goes_on_with_other_ranks_workers_and_batches(samples: Samples) -> None:
    seen = []
    for rank in range(2):
        loader = samples.loader(4, shuffle=True, rank=rank, ranks=2, uneven="keep")
        for step, batch in enumerate(loader):
            seen += batch["item_id"].tolist()
            if step == 2:
                state = loader.state_dict()
                break
    assert len(seen) == state["done"] == 24
    for rank in range(3):
        loader = samples.loader(5, shuffle=True, rank=rank, ranks=3, uneven="keep", workers=1)
        loader.load_state_dict(state)
        seen += [n for batch in loader for n in batch["item_id"].tolist()]
    assert sorted(seen) == samples.item_ids.tolist()


def test_a_state_of_something_else_is_refused(samples: Samples, v1: Store) -> None:
    state = samples.loader(4, seed=1).state_dict()
    with pytest.raises(Conflict, match="another seed"):
        samples.loader(4, seed=2).load_state_dict(state)
    v1.split("default", ratios="train=0.8,val=0.2")
    v1.commit("split", tag="v2")
    other = labelstore.load(v1.workspace.folder, at="v2", split="default/train")
    with pytest.raises(Conflict, match="another samples"):
        other.loader(4, seed=1).load_state_dict(state)


def test_two_machines_with_one_pin_read_in_one_order(v1: Store, tmp_path: Path) -> None:
    v1.remote_add("team", str(tmp_path / "remote"), default=True)
    v1.push()
    pin = tmp_path / "train.lock"
    v1.pin("v1", pin)
    orders = []
    for name in ("a", "b"):
        there = tmp_path / name
        shutil.copytree(tmp_path / "remote", there / "remote")
        samples = labelstore.load(there / "remote", pin=pin, cache=there / "cache")
        orders.append([plain(b) for b in samples.loader(7, shuffle=True, seed=9)])
    assert orders[0] == orders[1]


def test_the_map_style_set_serves_samplers_and_collation_of_ones_own(samples: Samples) -> None:
    dataset = samples.dataset(targets=("boxes", "labels", "masks"))
    one = dataset[3]
    assert one["masks"].shape == (len(one["labels"]), *one["size"].tolist())
    sampler = torch.utils.data.RandomSampler(dataset, generator=torch.Generator().manual_seed(0))
    loader = torch.utils.data.DataLoader(dataset, 6, sampler=sampler, collate_fn=list,
                                         num_workers=2)  # fmt: skip
    seen = {int(s["item_id"]): s for batch in loader for s in batch}
    assert sorted(seen) == samples.item_ids.tolist()
    again = seen[int(one["item_id"])]
    assert all(torch.equal(one[n], again[n]) for n in ("boxes", "labels", "masks"))
    with pytest.raises(IndexError):
        dataset[50]


def test_lists_of_samples_are_views_of_batches(samples: Samples) -> None:
    ragged = next(iter(samples.loader(8)))
    listed = next(iter(samples.loader(8, as_list=True)))
    assert torch.equal(torch.cat([s["boxes"] for s in listed]), ragged["boxes"])
    assert {s["boxes"].untyped_storage().data_ptr() for s in listed} == {
        listed[0]["boxes"].untyped_storage().data_ptr()
    }
    assert listed[0]["boxes"].dtype == torch.float32
    assert listed[0]["labels"].dtype == torch.int64


def test_persistent_workers_see_the_next_epoch(samples: Samples) -> None:
    own = samples.loader(8, shuffle=True, workers=2, persistent=True)
    fresh = samples.loader(8, shuffle=True)
    for _ in range(3):
        assert [plain(b) for b in own] == [plain(b) for b in fresh]


def opened(item: Mapping[str, Any]) -> Any:
    return np.full((item["height"], item["width"], 3), len(item["uri"]), np.uint8)


def test_images_come_with_their_batch(samples: Samples) -> None:
    for workers in (0, 2):
        [batch] = list(samples.loader(50, images=opened, workers=workers))
        sizes = [list(image.shape[:2]) for image in batch["images"]]
        assert sizes == batch["size"].tolist()
        assert isinstance(batch["images"][0], torch.Tensor)


RANK = """
import json, sys
import torch, labelstore
rank, meet, place = int(sys.argv[1]), sys.argv[2], sys.argv[3]
torch.distributed.init_process_group("gloo", init_method=f"file://{meet}", rank=rank, world_size=2)
loader = labelstore.load(place, at="v1").loader(4, shuffle=True)
print(json.dumps([n for batch in loader for n in batch["item_id"].tolist()]))
torch.distributed.destroy_process_group()
"""


def test_ranks_are_those_of_pytorch(samples: Samples, v1: Store, tmp_path: Path) -> None:
    running = [subprocess.Popen([sys.executable, "-c", RANK, str(rank), tmp_path / "meet",
                                 v1.workspace.folder], stdout=subprocess.PIPE, text=True)
               for rank in range(2)]  # fmt: skip
    seen = [json.loads(process.communicate()[0]) for process in running]
    assert [len(own) for own in seen] == [25, 25]
    assert sorted(seen[0] + seen[1]) == samples.item_ids.tolist()


def test_a_source_without_torch_serves_others(samples: Samples) -> None:
    """What Grain and others ask of a source: a length, and samples by index; it is pickled."""
    ask: Callable[[int], Any] = samples.__getitem__
    assert [ask(i)["item"]["item_id"] for i in range(len(samples))] == samples.item_ids.tolist()


def test_hugging_face_has_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    store = every_kind(tmp_path / "store")
    samples = labelstore.load(store.workspace.folder, at="v1")
    dataset = samples.hugging_face()
    assert dataset.num_rows == len(samples)
    for row, sample in zip(dataset, samples, strict=True):
        assert row["uri"] == sample["item"]["uri"]
        truth = sample["annotations"].to_pylist()
        assert [a["annotation_id"] for a in row["annotations"]] == [
            a["annotation_id"] for a in truth
        ]
        for own, expected in zip(row["annotations"], truth, strict=True):
            for name, value in expected.items():
                if name not in HASHES and own[name] != value:  # maps are lists of pairs there
                    pairs = [(p["key"], p["value"]) for p in own[name]]
                    assert pairs == list(value), name


def test_a_state_that_is_loaded_in_mid_epoch_begins_there(samples: Samples) -> None:
    loader = samples.loader(8, shuffle=True)
    whole = [plain(b) for b in samples.loader(8, shuffle=True)]
    for step, _ in enumerate(loader):
        if step == 1:
            state = loader.state_dict()
        if step == 2:
            loader.load_state_dict(state)  # ends this one
    assert step == 2
    assert [plain(b) for b in loader] == whole[2:]
    assert len([*loader]) == 7
    wrong: Any
    for wrong in (None, {**state, "done": -4}, {**state, "epoch": "x"}):
        with pytest.raises(InvalidInput):
            loader.load_state_dict(wrong)


def test_arguments_that_make_no_sense_are_refused(samples: Samples) -> None:
    for wrong in ({"ranks": 2}, {"rank": 0}, {"rank": 2, "ranks": 2}, {"rank": 0, "ranks": 0},
                  {"seed": 1.5}, {"columns": ("item_id",)}, {"columns": ("area",),
                  "targets": ("area",)}):  # fmt: skip
        with pytest.raises(InvalidInput):
            samples.loader(4, **wrong)
    loose: Any = samples
    with pytest.raises(TypeError, match="num_workers"):
        loose.loader(4, num_workers=2)
    with pytest.raises(TypeError, match="one whole number"):
        loose[0:2]


def test_the_first_class_may_be_one(samples: Samples) -> None:
    a, b = (next(iter(samples.loader(8, first_class=n)))["labels"] for n in (0, 1))
    assert torch.equal(a + 1, b)


def test_hugging_face_gives_tensors_of_any_slice(tmp_path: Path) -> None:
    store = every_kind(tmp_path / "store")
    store.pin("v1", tmp_path / "a.lock", query="SELECT item_id FROM items WHERE uri = 'note.txt'")
    dataset = labelstore.load(store.workspace.folder, pin=tmp_path / "a.lock").hugging_face()
    assert dataset.num_rows == 1
    assert dataset.with_format("torch")[0]["item_id"].dtype == torch.int64
    whole = labelstore.load(store.workspace.folder, at="v1").hugging_face()
    assert len(whole.map(lambda row: {"n": len(row["annotations"])})["n"]) == whole.num_rows
