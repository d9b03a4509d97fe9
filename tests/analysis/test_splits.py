"""Splits: nothing moves, no group is cut, classes are shared out; what leaks is told."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from conftest import Run
from PIL import Image, ImageFilter

from labelstore.analysis.splits import hashed
from labelstore.analysis.splits.balanced import FREE, place
from labelstore.analysis.splits.duplicates import alike, hashes_of
from labelstore.analysis.splits.groups import Groups, Strata
from labelstore.analysis.splits.present import Mode
from labelstore.errors import InvalidInput, NotFound
from labelstore.model.labels import Box
from labelstore.store import Store, init_store

THIRDS = "train=0.6,val=0.2,test=0.2"
CLASSES = ("car", "bus", "rare")


def strata(counts: Any) -> Strata:
    """Return counts, shape (groups, classes), as strata."""
    group, kind = np.nonzero(counts)
    names = [str(n) for n in range(counts.shape[1])]
    return Strata(names, group, kind, counts[group, kind])


def draws(count: int, seed: int) -> Any:
    numbers = np.random.default_rng(seed).integers(0, 2**32, count)
    return np.array([f"{n:08x}" for n in numbers])


def worst(counts: Any, subset: Any, ratios: Any) -> float:
    """Return the largest distance of a class's share from what was asked."""
    totals = counts.sum(0)
    shares = [counts[subset == s].sum(0)[totals > 0] / totals[totals > 0]
              for s in range(len(ratios))]  # fmt: skip
    return float(np.abs(np.array(shares) - np.array(ratios)[:, None]).max())


def test_no_group_moves_when_data_grow() -> None:
    """In 500 random sequences of growth, of groups with several labels of several classes."""
    for seed in range(500):
        rng = np.random.default_rng(seed)
        ratios = rng.dirichlet(np.full(int(rng.integers(2, 5)), 4.0)).tolist()
        chances = rng.uniform(0.01, 0.6, int(rng.integers(1, 9)))
        counts, sizes = np.empty((0, len(chances)), np.int64), np.empty(0, np.int64)
        subset = np.empty(0, np.int64)
        for _ in range(int(rng.integers(2, 6))):
            more = int(rng.integers(1, 60))
            own = rng.binomial(1, chances, (more, len(chances)))
            counts = np.concatenate([counts, own * rng.integers(1, 5, own.shape)])
            sizes = np.concatenate([sizes, rng.integers(1, 6, more)])
            fixed = np.concatenate([subset, np.full(more, FREE)])
            found = place(ratios, sizes, strata(counts), draws(len(sizes), seed), fixed)
            assert (found[: len(subset)] == subset).all(), seed
            assert ((found >= 0) & (found < len(ratios))).all()
            subset = found


def test_large_splits_meet_sizes_and_classes() -> None:
    rng = np.random.default_rng(3)
    counts = rng.poisson(1 / np.arange(1, 41) ** 1.1, (4000, 40))
    ratios = (0.8, 0.1, 0.1)
    ones = np.ones(len(counts), np.int64)
    found = place(ratios, ones, strata(counts), draws(4000, 1), ones * FREE)
    assert np.abs(np.bincount(found) / 4000 - ratios).max() <= 0.005
    assert worst(counts, found, ratios) < 0.02


def grown(folder: Path, count: int = 40, per_group: int = 4) -> Store:
    """Return a store of items in scenes, with a rare class."""
    store = init_store(folder)
    rng = np.random.default_rng(8)
    items = [{"uri": f"{n}.jpg", "group": f"scene-{n // per_group}", "width": 100, "height": 100}
             for n in range(count)]  # fmt: skip
    with store.edit(by="ada") as edit:
        edit.add(boxes(rng, range(count)), items=items, categories=[{"name": n} for n in CLASSES])
    return store


def boxes(rng: np.random.Generator, items: Any) -> list[Box]:
    kinds = rng.choice(3, (len(items), 3), p=[0.6, 0.3, 0.1])
    return [Box(item=f"{n}.jpg", category=CLASSES[k], x=float(9 * i), y=0, width=8, height=8)
            for n, own in zip(items, kinds, strict=True) for i, k in enumerate(own)]  # fmt: skip


def subsets(store: Store, scheme: str = "default", at: str | None = None) -> dict[str, str]:
    """Return the subset of each item, by URI."""
    sql = "SELECT uri, subset FROM splits JOIN items USING (item_id) WHERE scheme = $scheme"
    rows = store.query(sql, at=at, parameters={"scheme": scheme}).to_pylist()
    return {r["uri"]: r["subset"] for r in rows}


def scenes(store: Store, found: dict[str, str]) -> dict[str, set[str]]:
    groups = defaultdict(set)
    for row in store.query('SELECT uri, "group" AS scene FROM items').to_pylist():
        if row["uri"] in found:
            groups[row["scene"]].add(found[row["uri"]])
    return groups


@pytest.mark.parametrize("mode", ["hash", "balanced"])
def test_scenes_stay_whole_and_where_they_are(tmp_path: Path, mode: Any) -> None:
    store = grown(tmp_path / "s")
    first = store.split("default", ratios=THIRDS, mode=mode)
    before = subsets(store)
    assert len(before) == 40
    assert all(len(own) == 1 for own in scenes(store, before).values())
    assert first.groups == dict(Counter(s for (s,) in scenes(store, before).values())) | {
        n: 0 for n in first.groups if first.groups[n] == 0
    }
    store.commit("split", tag="v1")
    store.split("default", ratios=THIRDS, mode=mode)
    assert store.staged() is None  # nothing differs
    rng = np.random.default_rng(9)
    for begin in (40, 60):
        items = [{"uri": f"{n}.jpg", "group": f"scene-{n // 4 if n % 5 else n // 9}"}
                 for n in range(begin, begin + 20)]  # fmt: skip
        with store.edit(by="ada") as edit:
            edit.add(boxes(rng, range(begin, begin + 20)), items=items)
        assert store.split("default", ratios=THIRDS, mode=mode).moved == 0
    after = subsets(store)
    assert {uri: after[uri] for uri in before} == before
    assert len(after) == 80
    assert all(len(own) == 1 for own in scenes(store, after).values())


def test_a_balanced_split_is_a_recorded_and_diffable_edit(tmp_path: Path, cli: Run) -> None:
    store = grown(tmp_path / "s")
    store.split("default", ratios=THIRDS, mode="balanced", by="eve")
    store.commit("split", tag="v1")
    store.split("default", ratios="train=0.2,val=0.4,test=0.4", mode="balanced", fresh=True)
    store.commit("other shares", tag="v2")
    moves = json.loads(cli("diff", "v1", "v2", "--json", cwd=store.workspace.folder).stdout)
    before, after = subsets(store, at="v1"), subsets(store, at="v2")
    expected = Counter((before[u], after[u]) for u in before if before[u] != after[u])
    assert {(m["from"], m["to"]): m["items"] for m in moves["split_moves"]} == expected
    sql = "SELECT kind, parameters FROM activities WHERE kind = 'split'"
    first = next(json.loads(r["parameters"]) for r in store.query(sql).to_pylist()
                 if "0.6" in r["parameters"])  # fmt: skip
    assert (first["mode"], first["ratios"]) == ("balanced", THIRDS)


def test_frozen_test_sets_take_and_lose_nothing(tmp_path: Path) -> None:
    store = grown(tmp_path / "s")
    report = store.split("default", ratios=THIRDS, mode="balanced", freeze=["test"])
    assert report.frozen == ["test"]
    frozen = {u for u, s in subsets(store).items() if s == "test"}
    store.commit("split", tag="v1")
    rng = np.random.default_rng(9)
    member = next(u for u in frozen)
    scene = store.query(f"""SELECT "group" AS g FROM items WHERE uri = '{member}'""")
    items = [{"uri": f"{n}.jpg", "group": scene["g"][0].as_py() if n == 40 else f"new-{n}"}
             for n in range(40, 80)]  # fmt: skip
    with store.edit(by="ada") as edit:
        edit.add(boxes(rng, range(40, 80)), items=items)
    tries: tuple[tuple[Mode, int], ...] = (("balanced", 0), ("hash", 5), ("hash", 6))
    for mode, seed in tries:
        report = store.split("default", ratios=THIRDS, mode=mode, seed=seed)
        found = subsets(store)
        assert {u for u, s in found.items() if s == "test"} == frozen
        assert report.left_out == 1
        assert "40.jpg" not in found  # of a scene in the test set: neither a leak nor a new test
        assert report.frozen == ["test"]
    store.split("default", ratios="train=0.7,val=0.3", mode="balanced", fresh=True)
    assert {u for u, s in subsets(store).items() if s == "test"} == frozen
    thawed = store.split("default", ratios=THIRDS, mode="balanced", thaw=["test"])
    assert (thawed.frozen, thawed.left_out, subsets(store)["40.jpg"]) == ([], 0, "test")
    store.split("one", ratios="all=1", freeze=["all"])
    with pytest.raises(InvalidInput, match="every subset is frozen"):
        store.split("one", ratios="all=1")


def test_scenes_that_were_joined_later_are_named(tmp_path: Path) -> None:
    store = grown(tmp_path / "s")
    store.split("default", ratios=THIRDS, mode="balanced")
    store.commit("split", tag="v1")
    found = subsets(store)
    one, other = (next(u for u, s in found.items() if s == name) for name in ("train", "val"))
    group = f"CASE WHEN uri IN ('{one}', '{other}') THEN 'joined' ELSE uri END"
    with pytest.raises(InvalidInput, match=r"'joined' is in train \(item \d+\) and in val"):
        store.split("default", ratios=THIRDS, mode="balanced", group=group)
    assert store.staged() is None
    store.split("default", ratios=THIRDS, mode="balanced", group=group, fresh=True)
    found = subsets(store)
    assert found[one] == found[other]


def test_anything_can_be_balanced(tmp_path: Path) -> None:
    store = grown(tmp_path / "s", count=120)
    report = store.split("a", ratios="a=0.5,b=0.5", mode="balanced", group="uri",
                         stratify="category || '/' || (xmin > 5)",
                         stratify_items="CAST(split_part(uri, '.', 1) AS INT) % 2")  # fmt: skip
    told = {d.stratum for d in report.deviations}
    assert "category || '/' || (xmin > 5) = car/true" in told
    assert "CAST(split_part(uri, '.', 1) AS INT) % 2 = 1" in told
    assert max(d.error for d in report.deviations) < 0.06
    store.split("b", ratios="a=0.5,b=0.5", group="width")
    assert len(set(subsets(store, "b").values())) == 1
    assert len(subsets(store, "a")) == 120
    with pytest.raises(InvalidInput, match=r"more than one value|may not run"):
        store.split("a", ratios="a=0.5,b=0.5", mode="balanced", stratify="unnest([1, 2])")
    with pytest.raises(InvalidInput, match="Items have"):
        store.split("a", ratios="a=0.5,b=0.5", group="nonsense")


def test_shares_that_cannot_be_met_are_told(tmp_path: Path, cli: Run) -> None:
    store = grown(tmp_path / "s", count=12)
    said = cli("split", "default", "--ratios", "train=0.9,test=0.1", "--mode", "balanced",
               cwd=store.workspace.folder)  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert "train, test: the nearest that was found with whole groups" in said.stdout
    told = json.loads(
        cli("split", "default", "--ratios", "train=0.9,test=0.1", "--mode", "balanced", "--json",
            cwd=store.workspace.folder).stdout)  # fmt: skip
    assert sorted(told["shares"].values()) in ([0.0, 1.0], [1 / 3, 2 / 3])
    assert told["wanted"] == {"train": 0.9, "test": 0.1}


def test_a_class_of_one_group_and_one_without_labels(tmp_path: Path, cli: Run) -> None:
    store = grown(tmp_path / "s")
    with store.edit(by="ada") as edit:
        edit.add([Box(item="0.jpg", category="lone", x=0, y=0, width=5, height=5)],
                 categories=[{"name": "lone"}, {"name": "none"}])  # fmt: skip
    report = store.split("default", ratios=THIRDS, mode="balanced")
    (lone,) = (d for d in report.deviations if d.stratum == "lone")
    assert (lone.groups, lone.count, max(lone.shares.values())) == (1, 1, 1.0)
    assert "none" not in {d.stratum for d in report.deviations}
    said = cli("split", "default", "--check", cwd=store.workspace.folder).stdout
    assert "lone" in said


def test_a_store_without_items_can_be_split(tmp_path: Path) -> None:
    store = init_store(tmp_path / "s")
    modes: tuple[Mode, Mode] = ("hash", "balanced")
    for mode in modes:
        report = store.split("default", ratios=THIRDS, mode=mode)
        assert (sum(report.subsets.values()), report.deviations) == (0, [])


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--ratios", "a=0.5,b=0.6"], "add up to 1"), (["--ratios", "a=0.5,a=0.5"], "twice"),
     ([], "--ratios"), (["--ratios", "a=1", "--at", "v1"], "--at is for --check"),
     (["--ratios", "a=1", "--freeze", "b"], "no subset 'b'"),
     (["--ratios", "a=1", "--mode", "balanced"], "which the ratios do not name")],
)  # fmt: skip
def test_wishes_that_are_none_are_refused(
    tmp_path: Path, cli: Run, words: list[str], said: str
) -> None:
    store = grown(tmp_path / "s", count=8)
    store.split("default", ratios="x=0.5,y=0.5")
    done = cli("split", "default", *words, cwd=store.workspace.folder)
    assert done.returncode == 2
    assert said in done.stderr


def leaky(store: Store, assigned: dict[str, str]) -> None:
    """Put items into subsets by hand."""
    store.split("default", ratios="train=0.5,test=0.5")
    manifest = store.manifest()
    rows = store.query("SELECT item_id, uri FROM items").to_pylist()
    ids = {r["uri"]: r["item_id"] for r in rows}
    from labelstore.model.tables import TABLES
    from labelstore.storage.rewriting import Edits
    from labelstore.versions.stage import drafting

    table = TABLES["splits"]
    own = manifest.table(table)
    subset = dict(zip(own["item_id"].to_pylist(), own["subset"].to_pylist(), strict=True))
    subset |= {ids[uri]: name for uri, name in assigned.items()}
    names = pa.array([subset[i] for i in own["item_id"].to_pylist()])
    changed = own.set_column(own.schema.get_field_index("subset"), "subset", names)
    with drafting(store.workspace, "split", by="ada", parameters={}) as draft:
        nothing = table.schema.empty_table().select(list(table.key))
        draft.apply({("splits", "default"): Edits(changed.cast(table.schema), nothing)})
        draft.stage()


def test_every_kind_of_leak_is_found(tmp_path: Path, cli: Run) -> None:
    store = init_store(tmp_path / "s")
    same = "ab" * 32
    with store.edit(by="ada") as edit:
        edit.add([], items=[
            {"uri": "g1", "group": "ward 7"}, {"uri": "g2", "group": "ward 7"},
            {"uri": "c1", "sha256": same}, {"uri": "c2", "sha256": same},
            {"uri": "dog_jpg.rf.0a1b.jpg"}, {"uri": "dog_jpg.rf.77ff.jpg"},
            {"uri": "v.mp4", "modality": "video"},
        ])  # fmt: skip
    (video,) = store.query("SELECT item_id FROM items WHERE uri = 'v.mp4'")["item_id"].to_pylist()
    with store.edit(by="ada") as edit:
        edit.add([], items=[{"uri": f"f{n}", "parent_id": video, "frame_index": 10 * n}
                            for n in range(4)])  # fmt: skip
    folder = store.workspace.folder
    clean = cli("split", "default", "--ratios", "train=0.5,test=0.5", cwd=folder)
    found = subsets(store)
    assert len({found[f"f{n}"] for n in range(4)} | {found["v.mp4"]}) == 1  # one group
    assert found["g1"] == found["g2"]
    assert clean.returncode == int("leak: " in clean.stdout)
    leaky(store, {"g1": "train", "g2": "test", "c1": "test", "c2": "train",
                  "dog_jpg.rf.0a1b.jpg": "train", "dog_jpg.rf.77ff.jpg": "test",
                  "f0": "train", "f1": "train", "f2": "test", "f3": "test",
                  "v.mp4": "train"})  # fmt: skip
    told = cli("split", "default", "--check", "--json", cwd=folder)
    assert told.returncode == 1
    leaks = {k["kind"]: k for k in json.loads(told.stdout)["leaks"]}
    assert set(leaks) == {"groups", "content", "copies", "frames"}
    assert {e[0] for e in leaks["groups"]["examples"]} == {"ward 7", "v.mp4"}
    assert leaks["content"]["items"] == leaks["copies"]["items"] == 2
    assert leaks["frames"]["items"] == 1  # the later of two neighbours
    assert sorted(leaks["content"]["examples"][0][1:3]) == ["test", "train"]
    shown = cli("split", "default", "--check", cwd=folder)
    assert shown.returncode == 1
    assert "leak: files of the same content in several subsets: 1 (2 items)" in shown.stdout
    with pytest.raises(NotFound, match="no split scheme 'other' \\(there is: default\\)"):
        store.check_split("other")


def scenery(seed: int) -> Image.Image:
    """Return a picture with soft structure, as photographs have."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (6, 8, 3), np.uint8))
    return coarse.resize((320, 240), Image.Resampling.BICUBIC).filter(ImageFilter.SMOOTH)


def test_images_that_look_the_same_are_found(tmp_path: Path, cli: Run) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for seed in range(60):
        scenery(seed).save(images / f"{seed}.jpg", quality=95)
    scenery(3).save(images / "again.jpg", quality=60)
    scenery(4).resize((160, 120)).save(images / "small.png")
    scenery(5).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(images / "mirrored.jpg")
    Image.new("RGB", (99, 99)).save(images / "black.png")
    Image.new("RGB", (99, 99)).save(images / "dark.png")
    (images / "broken.jpg").write_bytes(b"no image")
    names = sorted(p.name for p in images.iterdir())
    pairs = alike(hashes_of([images / n for n in names], None))
    assert {frozenset(names[i] for i in pair) for pair in pairs.tolist()} == {
        frozenset({"3.jpg", "again.jpg"}), frozenset({"4.jpg", "small.png"}),
        frozenset({"5.jpg", "mirrored.jpg"}),
    }  # fmt: skip
    store = init_store(tmp_path / "s")
    with store.edit(by="ada") as edit:
        edit.add([], items=[{"uri": n} for n in [*names, "../outside.jpg", "missing.jpg"]])
    leaky(store, {"3.jpg": "train", "again.jpg": "test", "4.jpg": "train", "small.png": "train"})
    said = cli("split", "default", "--check", "--images", images, "--json",
               cwd=store.workspace.folder)  # fmt: skip
    (leak,) = json.loads(said.stdout)["leaks"]
    assert leak["kind"] == "duplicates"
    assert "3.jpg and again.jpg" in {e[0] for e in leak["examples"]}
    assert "4.jpg and small.png" not in {e[0] for e in leak["examples"]}


def test_what_is_frozen_now_stays_as_it_is(tmp_path: Path) -> None:
    store = grown(tmp_path / "s")
    store.split("default", ratios="train=0.5,test=0.5")
    test = {u for u, s in subsets(store).items() if s == "test"}
    store.split("default", ratios="train=0.9,test=0.1", freeze=["test"])
    assert {u for u, s in subsets(store).items() if s == "test"} == test
    store.split("default", ratios="train=1", freeze=["test"])
    assert {u for u, s in subsets(store).items() if s == "test"} == test
    both = "CASE WHEN true THEN 'one' END"
    store.split("other", ratios="a=0.5,b=0.5")
    store.split("other", ratios="a=0.4,b=0.4,c=0.2", freeze=["a", "b"])
    with pytest.raises(InvalidInput, match="Both are frozen: thaw one"):
        store.split("other", ratios="a=0.4,b=0.4,c=0.2", group=both, fresh=True)


def test_groups_stay_whichever_subset_is_closed_next() -> None:
    names = pa.array([f"g{n}" for n in range(2000)])
    groups = Groups(np.arange(2000), np.arange(2000), names, draws(2000, 4))
    ratios = {"a": 0.3, "b": 0.3, "c": 0.3, "test": 0.1}
    closed = [list(ratios)[s] for s in (3, 2)]
    before, after = (hashed.place(ratios, groups, closed[:n], "0") for n in (1, 2))
    stay = before != 2
    assert (before[stay] == after[stay]).all()
    assert set(after.tolist()) == {0, 1}
    shares = np.bincount(before, minlength=4) / 2000
    assert np.abs(shares[:3] - 1 / 3).max() < 0.04


def test_items_that_are_left_out_are_not_counted(tmp_path: Path) -> None:
    store = grown(tmp_path / "s")
    store.split("default", ratios="train=0.5,test=0.5", mode="balanced", freeze=["test"])
    scene = next(g for g, own in scenes(store, subsets(store)).items() if own == {"test"})
    with store.edit(by="ada") as edit:
        edit.add(boxes(np.random.default_rng(1), range(40, 80)),
                 items=[{"uri": f"{n}.jpg", "group": scene} for n in range(40, 80)])  # fmt: skip
    report = store.split("default", ratios="train=0.5,test=0.5", mode="balanced")
    assert report.left_out == 40
    present, _ = store.check_split("default")
    told = {d.stratum: d.count for d in report.deviations}
    assert told == {d.stratum: d.count for d in present.deviations}


def test_layers_without_the_default_one_are_split_together(tmp_path: Path) -> None:
    store = init_store(tmp_path / "s")
    with store.edit(by="ada") as edit:
        edit.add([Box(item=n, category="c", x=0, y=0, width=5, height=5, layer=layer)
                  for n in "ab" for layer in ("vendor-a", "vendor-b")],
                 items=[{"uri": n} for n in "ab"], categories=[{"name": "c"}])  # fmt: skip
    report = store.split("default", ratios="train=0.5,test=0.5", mode="balanced")
    assert report.deviations[0].count == 4


def test_neighbours_are_told_with_two_subsets(tmp_path: Path) -> None:
    store = init_store(tmp_path / "s")
    with store.edit(by="ada") as edit:
        edit.add([], items=[{"uri": "v.mp4", "modality": "video"}])
    (video,) = store.query("SELECT item_id FROM items")["item_id"].to_pylist()
    with store.edit(by="ada") as edit:
        edit.add([], items=[{"uri": f"f{n}", "parent_id": video, "frame_index": n}
                            for n in range(3)])  # fmt: skip
    leaky(store, {"f0": "val", "f1": "train", "f2": "test", "v.mp4": "train"})
    (frames,) = (k for k in store.check_split("default")[1] if k.kind == "frames")
    assert frames.examples[0][1] != frames.examples[0][2]


def test_many_equal_images_are_one_pair(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for n in range(30):
        scenery(1).save(images / f"{n}.png")
    store = init_store(tmp_path / "s")
    with store.edit(by="ada") as edit:
        edit.add([], items=[{"uri": f"{n}.png"} for n in range(30)])
    leaky(store, {f"{n}.png": "train" if n < 20 else "test" for n in range(30)})
    _, (leak,) = store.check_split("default", images=images)
    assert (leak.count, len(leak.examples)) == (200, 1)


def test_a_split_that_is_there_is_held_against_what_was_asked(tmp_path: Path) -> None:
    """What was asked last, that is; a scheme that came by an edit has only what it is."""
    store = grown(tmp_path / "s")
    for ratios in ("train=0.5,test=0.5", "train=0.7,test=0.3"):
        store.split("default", ratios=ratios)
    present, _ = store.check_split("default")
    assert dict(present.wanted) == {"train": 0.7, "test": 0.3}
    other, _ = store.check_split("default", ratios="train=0.6,test=0.4")
    assert dict(other.wanted) == {"train": 0.6, "test": 0.4}
