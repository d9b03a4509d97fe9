"""Writing a tree of a version, and bringing it up to date when the version changes.

    labelstore.lock            the pin
    labelstore.tree.json       every file that was written, with its SHA-256; every medium
                               that was placed, with its device and inode
    images/…                   media, linked or copied
    labels/…, data.yaml, train.txt, val.txt                for YOLO
    annotations/instances_train.json, …                    for COCO

What is as it should be is not touched. Files that were not written here are never changed.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from labelstore.errors import Conflict, Corrupt, InvalidInput, shown
from labelstore.exchange.exporting import export_to
from labelstore.exchange.notices import words
from labelstore.trees.media import Link, Media, place_media, remove_empty
from labelstore.versions.files import read_json, write_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.training.samples import Samples

    Ids = NDArray[np.int64]

LISTED = "labelstore.tree.json"
PIN = "labelstore.lock"
TREE_FORMAT = 1
Kind = Literal["yolo", "coco"]


@dataclass
class TreeReport:
    """What became of a tree.

    Attributes:
        target: its folder.
        subsets: items of each.
        written, removed, kept: files of labels.
        media: media that were linked or copied now, and those that were there.
        losses: what the format cannot hold, in words, with how many.
        notices: what else there is to know.
    """

    target: str
    subsets: dict[str, int] = field(default_factory=dict)
    written: int = 0
    removed: int = 0
    kept: int = 0
    media: tuple[int, int] = (0, 0)
    losses: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Wanted:
    """What a tree is to be.

    Attributes:
        kind: `yolo` or `coco`.
        task: of the format; `detect` where it is YOLO and nothing is said.
        scheme: split scheme all of whose subsets are written; else the samples are one.
        allow_loss: codes of losses that are accepted, or `all`.
    """

    kind: Kind
    task: str | None = None
    scheme: str | None = None
    allow_loss: Collection[str] = ("all",)


def materialise(
    samples: Samples, pin: str, target: Path, wanted: Wanted, *, media: Path | None = None,
    link: Link = "hard", force: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> TreeReport:  # fmt: skip
    """Write a tree, or bring it up to date.

    Args:
        samples: what is in it.
        pin: text of the pin that is put into it.
        target: its folder.
        wanted: what it is to be.
        media: folder that the items' `uri` are below; without it no media are placed.
        link: how media are placed.
        force: replace files of labels that somebody changed.
        progress: told how far things are.

    Raises:
        NotFound: media are missing; nothing is written.
        Conflict: a file in the way was not written here, or changed since.
        InvalidInput: the selection is of labels, not of items; or a `uri` leaves the tree.
        LossRefused: something would be lost that is not accepted.
    """
    if samples.selection.labels is not None:
        raise InvalidInput("a tree holds all labels of its items: pin items, not labels "
                           "(item_id without annotation_id)", code="tree-labels")  # fmt: skip
    report = TreeReport(str(target))
    placed = place_media(samples, media, wanted.kind)
    placed.check(media, target)
    before = _listed(target)
    if media is None:  # what was placed before stays
        placed = placed.only(before["media"])
    placed.refuse_foreign(target, before["media"])
    with tempfile.TemporaryDirectory(prefix=".tree-", dir=_parent(target)) as scratch:
        made = _made(samples, Path(scratch), wanted, placed, report, progress)
        made[PIN] = Path(scratch) / PIN
        made[PIN].write_text(pin, encoding="utf-8")
        digests = {name: _digest(path) for name, path in sorted(made.items())}
        _refuse(target, before, digests, force)
        both = {**dict.fromkeys(placed.files, ""), **before["media"]}
        _note(target, {**before["files"], **digests}, both, "begun")
        _apply(target, before["files"], digests, made, report)
    report.media, listed = placed.apply(target, before["media"], link, progress)
    _note(target, digests, listed, "whole")
    return report


def check_tree(target: Path) -> list[str]:
    """Return what is not as it was written; nothing for a good tree."""
    listed = _listed(target)
    if listed["state"] == "none":
        return [f"{target}: no {LISTED} there; `labelstore materialise` writes one"]
    faults = [] if listed["state"] == "whole" else [f"{target}: is unfinished; write it again"]
    for name, digest in listed["files"].items():
        path = target / name
        if not path.is_file():
            faults.append(f"{path}: is missing")
        elif _digest(path) != digest:
            faults.append(f"{path}: was changed")
    faults += [f"{target / name}: medium is missing" for name in listed["media"]
               if not (target / name).exists()]  # fmt: skip
    return faults


def _made(samples: Samples, scratch: Path, wanted: Wanted, placed: Media, report: TreeReport,
          progress: Callable[[str, int, int], None] | None) -> dict[str, Path]:  # fmt: skip
    """Write the labels aside and return each file by its place in the tree."""
    subsets = _subsets(samples, wanted.scheme)
    report.subsets = {name: len(ids) for name, ids in subsets.items()}

    task = wanted.task or ("detect" if wanted.kind == "yolo" else None)

    def export(where: str, ids: Ids) -> None:
        written = export_to(
            samples.manifest, wanted.kind, scratch / where, layer=samples.layer, task=task,
            allow_loss=wanted.allow_loss, sidecar=False, among=ids, progress=progress,
        )  # fmt: skip
        report.losses += [
            f"{loss['count']:,} {words(wanted.kind, loss['code'])}".removesuffix(", as allowed")
            for loss in written.losses
        ]

    if wanted.kind == "coco":
        (scratch / "annotations").mkdir()
        for name, ids in subsets.items():
            export(f"annotations/instances_{name}.json", ids)
        return _below(scratch)
    export("tree", np.unique(np.concatenate([*subsets.values(), np.empty(0, np.int64)])))
    _describe(scratch / "tree", subsets, placed, report)
    return _below(scratch / "tree")


def _describe(folder: Path, subsets: Mapping[str, Ids], placed: Media, report: TreeReport) -> None:
    """List the images of each subset, and name these lists in `data.yaml`."""
    for name, ids in subsets.items():
        lines = [f"./{placed.places[int(i)]}\n" for i in ids]
        (folder / f"{name}.txt").write_text("".join(lines), encoding="utf-8")
    files = {name: f"{name}.txt" for name in subsets}
    for needed in ("train", "val"):
        if needed not in files:
            files[needed] = next(iter(files.values()))
            report.notices.append(f"there is no subset {needed}; {files[needed]} stands for it")
    path = folder / "data.yaml"
    kept = [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True)
            if line.partition(":")[0] not in ("path", "train", "val", "test")]  # fmt: skip
    lines = [f"{name}: {files[name]}\n" for name in ("train", "val", "test") if name in files]
    path.write_text("".join([*lines, *kept]), encoding="utf-8")


def _subsets(samples: Samples, scheme: str | None) -> dict[str, Ids]:
    if scheme is None:
        name = samples.split.rpartition("/")[2] if samples.split else "train"
        return {name: samples.item_ids}
    from labelstore.training.selection import subset_items, subsets_of

    found = {}
    for name in subsets_of(samples.manifest, scheme):
        ids = subset_items(samples.manifest, f"{scheme}/{name}")
        found[name] = np.intersect1d(samples.item_ids, ids)
    return found


def _refuse(target: Path, before: Mapping[str, Any], digests: Mapping[str, str], force: bool) -> (
    None
):  # fmt: skip
    """Refuse to write over what was not written here, or was changed since."""
    if target.exists() and not target.is_dir():
        raise Conflict(f"{target}: is no folder", code="tree-foreign")
    foreign = [n for n in digests if n not in before["files"] and (target / n).exists()]
    if foreign:
        raise Conflict(f"{target}: has files of these names that were not written here: "
                       f"{shown(foreign)}. Name another folder.", code="tree-foreign")  # fmt: skip
    changed = [n for n, digest in before["files"].items()
               if before["state"] == "whole" and (target / n).is_file()
               and _digest(target / n) not in (digest, digests.get(n))]  # fmt: skip
    if changed and not force:
        raise Conflict(f"{target}: these were changed since they were written: {shown(changed)}. "
                       "Bring the changes into the store (`labelstore import`), or write over "
                       "them with --force.", code="tree-changed")  # fmt: skip


def _apply(target: Path, before: Mapping[str, str], digests: Mapping[str, str],
           made: Mapping[str, Path], report: TreeReport) -> None:  # fmt: skip
    for name, digest in digests.items():
        path = target / name
        if path.is_file() and _digest(path) == digest:
            report.kept += 1
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        made[name].replace(path)
        report.written += 1
    for name in before.keys() - digests.keys():
        if (target / name).is_file():
            (target / name).unlink()
            remove_empty((target / name).parent, target)
            report.removed += 1


def _listed(target: Path) -> dict[str, Any]:
    found = read_json(target / LISTED, {"format": int, "files": dict, "media": dict, "state": str})
    if found is not None and found["format"] != TREE_FORMAT:
        raise InvalidInput(f"{target / LISTED}: is of format {found['format']}; this labelstore "
                           f"writes {TREE_FORMAT}", code="tree-format")  # fmt: skip
    for name in (*found["files"], *found["media"]) if found else ():
        if name.startswith("/") or ".." in name.split("/"):
            raise Corrupt(f"{target / LISTED}: {name!r} leaves the tree", code="tree-format")
    return found or {"files": {}, "media": {}, "state": "none"}


def _note(target: Path, files: Mapping[str, str], media: Mapping[str, str], state: str) -> None:
    target.mkdir(parents=True, exist_ok=True)
    write_json(target / LISTED, {"format": TREE_FORMAT, "state": state, "files": dict(files),
                                 "media": dict(media)})  # fmt: skip


def _below(folder: Path) -> dict[str, Path]:
    return {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parent(target: Path) -> Path:
    target.absolute().parent.mkdir(parents=True, exist_ok=True)
    return target.absolute().parent
