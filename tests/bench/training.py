"""Reading a pinned version for training, beside pycocotools and Hugging Face's library.

    .venv-training/bin/python tests/bench/training.py [--scale 0.2]

Generated COCO of train2017's shape; at --scale 0.85 it has 100,000 images.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import generate
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from measure import Watch, measured, report

import labelstore
from labelstore.store import init_store
from labelstore.training.samples import Samples

BATCH = 32
WORKERS = 2
RANDOM_BATCHES = 50
MASK_IMAGES = 1_500


def built(source: str, folder: str, pin: str) -> dict[str, Any]:
    store = init_store(folder)
    store.import_from("coco", source)
    store.commit("first", tag="v1")
    store.pin("v1", pin)
    return {}


def opened(folder: str, pin: str) -> Samples:
    return labelstore.load(folder, pin=pin)


def warm(folder: str, pin: str) -> dict[str, Any]:
    """Open a version for the first time, and make all its Arrow files."""
    with Watch() as opening:
        samples = opened(folder, pin)
        samples.batches().make([0])
    with Watch() as watch:
        for columns in (None, samples.batches().needed, MASKED(samples).needed):
            for family in samples.families(columns):
                for part in range(len(family.paths) if family.columns else 0):
                    family.part(part)
    return {"cpu": opening.cpu, "wall": opening.wall, "rest": watch.cpu, "images": len(samples)}


def MASKED(samples: Samples) -> Any:
    return samples.batches(targets=("boxes", "labels", "masks"))


def coco_of(source: str) -> Any:
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(source)


def chosen(count: int) -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.choice(count, BATCH, replace=False) for _ in range(RANDOM_BATCHES)]


def timed(batches: Iterable[Any], read: Any) -> dict[str, Any]:
    own, used = [], time.process_time()
    for batch in batches:
        started = time.perf_counter()
        read(batch)
        own.append(time.perf_counter() - started)
    return {"cpu": time.process_time() - used, "wall": float(np.median(own)),
            "p99": float(np.quantile(own, 0.99)), "mean": float(np.mean(own))}  # fmt: skip


def random_ours(folder: str, pin: str) -> dict[str, Any]:
    samples = opened(folder, pin)
    before = rss()
    made = samples.batches(columns=("polygons",))

    def read(batch: Any) -> float:
        found = samples.rows(batch, made.needed)[0]
        rings = found.column("polygons").flatten().flatten()
        return float((pc.sum(rings).as_py() or 0.0) + np.asarray(found.column("xmin")).sum())

    for mapped in samples.families(made.needed):
        for part in range(len(mapped.paths)):
            mapped.part(part)
    single = timed(([i] for b in chosen(len(samples)) for i in b), read)
    return timed(chosen(len(samples)), read) | {"held": rss() - before, "one": single}


def random_row_groups(folder: str, pin: str) -> dict[str, Any]:
    """Read the parts that hold the images from Parquet, as one does without Arrow files."""
    manifest = opened(folder, pin).manifest
    ids = np.asarray(
        manifest.table(labelstore.model.tables.TABLES["items"], ["item_id"]).column(0)
    )
    parts = {name: manifest.parts_of(name) for name in ("annotations", "geometries")}
    columns = {"annotations": ["item_id", "xmin", "ymin", "xmax", "ymax", "category_id"],
               "geometries": ["item_id", "polygons"]}  # fmt: skip

    def read(batch: Any) -> None:
        wanted = ids[batch]
        for name, own in parts.items():
            for part in own:
                if ((wanted >= part.first_key) & (wanted <= part.last_key)).any():
                    rows = pq.read_table(manifest.path(part), columns=columns[name],
                                         use_threads=False)  # fmt: skip
                    rows.filter(pc.is_in(rows.column("item_id"), value_set=pc.cast(
                        wanted.tolist(), "int64")))  # fmt: skip

    return timed(chosen(len(ids))[:10], read)


def random_coco(source: str) -> dict[str, Any]:
    before = rss()
    with Watch() as watch:
        coco = coco_of(source)
    held = rss() - before
    ids = np.array(sorted(coco.imgs))

    def read(batch: Any) -> float:
        found = coco.loadAnns(coco.getAnnIds(imgIds=ids[batch].tolist()))
        rings = (r for a in found if not a["iscrowd"] for r in a["segmentation"])
        return float(sum(np.asarray(r).sum() for r in rings) + sum(a["bbox"][0] for a in found))

    single = timed(([i] for b in chosen(len(ids)) for i in b), read)
    return timed(chosen(len(ids)), read) | {"held": held, "open": watch.cpu, "one": single}


def rss() -> float:
    """Return the resident memory of this process in MB, without files that others share."""
    text = Path("/proc/self/status").read_text()
    return float(text.split("RssAnon:")[1].split()[0]) / 1024


def epoch(loader: Iterable[Any], count: Any) -> dict[str, Any]:
    labels = 0
    with Watch() as watch:
        for batch in loader:
            labels += count(batch)
    children = os.times()
    return {"cpu": watch.cpu + children.children_user + children.children_system,
            "wall": watch.wall, "labels": labels}  # fmt: skip


def epoch_ours(folder: str, pin: str, masks: bool) -> dict[str, Any]:
    samples = opened(folder, pin)
    if masks:
        samples = first(samples)
    targets = ("boxes", "labels", *(["masks"] if masks else []))
    loader = samples.loader(BATCH if not masks else 4, shuffle=True, workers=WORKERS,
                            targets=targets)  # fmt: skip
    return epoch(loader, lambda b: len(b["labels"]))


def first(samples: Samples) -> Samples:
    from dataclasses import replace

    from labelstore.training.selection import Selection

    return replace(samples, selection=Selection(items=samples.item_ids[:MASK_IMAGES]))


def epoch_coco(source: str, masks: bool) -> dict[str, Any]:
    import torch

    coco = coco_of(source)
    order = {c: i for i, c in enumerate(sorted(coco.cats))}

    class Coco(torch.utils.data.Dataset):
        ids = sorted(coco.imgs)[: MASK_IMAGES if masks else None]

        def __len__(self) -> int:
            return len(self.ids)

        def __getitem__(self, index: int) -> dict[str, Any]:
            own = coco.loadAnns(coco.getAnnIds(imgIds=self.ids[index]))
            boxes = torch.as_tensor([a["bbox"] for a in own], dtype=torch.float32).reshape(-1, 4)
            boxes[:, 2:] += boxes[:, :2]
            found = {"boxes": boxes, "labels": torch.as_tensor(
                [order[a["category_id"]] for a in own], dtype=torch.int64)}  # fmt: skip
            if masks and own:
                found["masks"] = torch.as_tensor(np.stack([coco.annToMask(a) for a in own]))
            return found

    loader = torch.utils.data.DataLoader(
        Coco(), BATCH if not masks else 4, shuffle=True, num_workers=WORKERS, collate_fn=list
    )
    return epoch(loader, lambda b: sum(len(one["labels"]) for one in b))


def saved_for_hugging_face(source: str, target: str) -> dict[str, Any]:
    import datasets

    coco = coco_of(source)
    rows: dict[str, list[Any]] = {"image_id": [], "bbox": [], "category": []}
    for image in sorted(coco.imgs):
        own = coco.imgToAnns[image]
        rows["image_id"].append(image)
        rows["bbox"].append([a["bbox"] for a in own])
        rows["category"].append([a["category_id"] for a in own])
    datasets.Dataset.from_dict(rows).save_to_disk(target)
    return {}


def epoch_hugging_face(source: str) -> dict[str, Any]:
    import datasets
    import torch

    dataset = datasets.load_from_disk(source).with_format("torch")
    loader = torch.utils.data.DataLoader(dataset, BATCH, shuffle=True, num_workers=WORKERS,
                                         collate_fn=list)  # fmt: skip
    return epoch(loader, lambda b: sum(len(one["category"]) for one in b))


def memory_of(folder: str, pin: str, workers: int) -> dict[str, Any]:
    """Return the memory of this process and its workers in the middle of an epoch, in MB."""
    samples = opened(folder, pin)
    loader = samples.loader(BATCH, shuffle=True, workers=workers)
    peak = 0.0
    for number, _ in enumerate(loader):
        if number % 200 == 100:
            peak = max(peak, sum(proportional(pid) for pid in family()))
    return {"memory": peak}


def family() -> Iterator[int]:
    own = os.getpid()
    yield own
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if path.read_text().rsplit(")", 1)[1].split()[1] == str(own):
                yield int(path.parent.name)


def proportional(pid: int) -> float:
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return float(text.split("\nPss:")[1].split()[0]) / 1024
    return 0.0


@contextlib.contextmanager
def s3() -> Iterator[Mapping[str, str]]:
    """Start moto's S3 server in a process of its own and yield the environment that reaches it."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [str(Path(sys.executable).with_name("moto_server")), "-p", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    env = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s",
           "AWS_DEFAULT_REGION": "us-east-1",
           "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}  # fmt: skip
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield env
    finally:
        server.kill()
        server.wait()


def uploaded(folder: str, prefix: str) -> dict[str, Any]:
    import s3fs

    system = s3fs.S3FileSystem()
    system.mkdir("labels")
    source = Path(folder) / ".dvc" / "cache" / "files"
    system.put(str(source), f"labels/{prefix}/files", recursive=True)
    return {}


def first_batch(pin: str, cache: str) -> dict[str, Any]:
    for name in ("s3fs", "labelstore.training.torch"):  # both sides have these loaded
        importlib.import_module(name)

    pa.scalar(0)  # here pyarrow loads pandas, where that is installed
    load = labelstore.load  # imports what it needs
    with Watch() as watch:
        samples = load("s3://labels/team", pin=pin, cache=cache)
        next(iter(samples.loader(BATCH, shuffle=True)))
    return {"cpu": watch.cpu, "wall": watch.wall}


def plain_download(names: list[str], target: str) -> dict[str, Any]:
    import s3fs

    paths = [f"labels/team/files/md5/{n[:2]}/{n[2:]}" for n in names]
    with Watch() as watch:
        s3fs.S3FileSystem().get(paths, [f"{target}/{n}" for n in names])
    return {"cpu": watch.cpu, "wall": watch.wall}


def from_s3(folder: str, pin: str, work: Path) -> bool:
    cache = work / "s3-cache"
    (work / "plain").mkdir()
    with s3() as env:
        os.environ.update(env)
        measured("training:uploaded", folder, "team")
        ours = measured("training:first_batch", pin, str(cache))
        names = [p.parent.name + p.name for p in (cache / "objects").glob("??/*")]
        plain = measured("training:plain_download", names, str(work / "plain"))
    size = sum(p.stat().st_size for p in (work / "plain").iterdir()) / 1e6
    return report("L4", "first batch from S3, cold / plain s3fs download", ours.wall / plain.wall,
                  3.0, f"{ours.wall:.2f} s and {plain.wall:.2f} s, {len(names)} objects, "
                  f"{size:.0f} MB")  # fmt: skip


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=0.2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        return 0 if all([*_all(Path(work), given.scale)]) else 1


def _all(work: Path, scale: float) -> Iterator[bool]:
    os.environ["XDG_CACHE_HOME"] = str(work / "cache")
    source, folder, pin, hf = (str(work / n) for n in ("a.json", "store", "train.lock", "hf"))
    print(generate.coco(Path(source), scale, 7), flush=True)
    measured("training:built", source, folder, pin)
    opening = measured("training:warm", folder, pin)
    ours, groups = (measured(f"training:random_{n}", folder, pin) for n in ("ours", "row_groups"))
    peer = measured("training:random_coco", source)
    a, b, c = ours.answer, groups.answer, peer.answer
    yield report("P10a", "32 random images / row groups of Parquet", a["wall"] / b["wall"], 1 / 20,
                 f"{a['wall'] * 1e3:.2f} and {b['wall'] * 1e3:.1f} ms")  # fmt: skip
    yield report("P10b", "32 random images / pycocotools in memory", a["wall"] / c["wall"], 5.0,
                 f"{a['wall'] * 1e3:.2f} and {c['wall'] * 1e3:.2f} ms")  # fmt: skip
    yield report("P10c", "memory for it / pycocotools", a["held"] / c["held"], 0.2,
                 f"{a['held']:.0f} and {c['held']:.0f} MB")  # fmt: skip
    yield report("P20a", "open a pinned version, one image / pycocotools, CPU",
                 opening.answer["cpu"] / c["open"], 0.2,
                 f"{opening.answer['cpu']:.2f} and {c['open']:.2f} s; all Arrow files "
                 f"{opening.answer['rest']:.2f} s")  # fmt: skip
    yield report("P20b", "one random image / pycocotools, median",
                 a["one"]["wall"] / c["one"]["wall"], 1.0,
                 f"{a['one']['wall'] * 1e6:.0f} and {c['one']['wall'] * 1e6:.0f} µs")  # fmt: skip
    measured("training:saved_for_hugging_face", source, hf)
    boxes = measured("training:epoch_ours", folder, pin, False)
    coco = measured("training:epoch_coco", source, False)
    face = measured("training:epoch_hugging_face", hf)
    yield report("L1a", "epoch with boxes, 2 workers / pycocotools", boxes.wall / coco.wall, 0.2,
                 f"{boxes.wall:.1f} and {coco.wall:.1f} s, {boxes.answer['labels']:,} labels"
                 )  # fmt: skip
    yield report("L1b", "epoch with boxes, 2 workers / Hugging Face", boxes.wall / face.wall, 0.2,
                 f"{boxes.wall:.1f} and {face.wall:.1f} s")  # fmt: skip
    masks = measured("training:epoch_ours", folder, pin, True)
    drawn = measured("training:epoch_coco", source, True)
    yield report("L2", f"{MASK_IMAGES} images with masks / pycocotools", masks.wall / drawn.wall,
                 1.0, f"{masks.wall:.1f} and {drawn.wall:.1f} s")  # fmt: skip
    one, four = (measured("training:memory_of", folder, pin, n).answer["memory"] for n in (1, 4))
    yield report("L3", "memory with 4 workers / with 1", four / one, 1.3,
                 f"{four:.0f} and {one:.0f} MB")  # fmt: skip
    yield from_s3(folder, pin, work)


if __name__ == "__main__":
    sys.exit(main())
