"""KITTI tracking labels: `label_02`, a file a sequence, with `image_02` beside it.

The length of a sequence is said by its images or by a seqmap (`evaluate_tracking.seqmap.*`:
name, `empty`, first frame, one after the last), since frames without objects have no line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from labelstore.errors import FormatError
from labelstore.plugins import Beside, Writing
from labelstore_converters.kitti.frames import in_camera
from labelstore_converters.kitti.objects import image_of, label_folders
from labelstore_converters.lined.documents import Document, Frames, images_in, size_of
from labelstore_converters.lined.tokens import Mask
from labelstore_converters.lined.writing import Row, Target

LABELS, IMAGES = "label_02", "image_02"
SEQMAPS = "evaluate_tracking.seqmap*"


def sequence_documents(
    source: Path, beside: Beside
) -> tuple[list[Document], dict[str, Any], Counter[str]]:
    """Return the label files of a data set, what else it says, and what is unusual, by code."""
    folders = label_folders(source, LABELS)
    maps = {p.relative_to(source).as_posix(): _text(p) for p in sorted(source.rglob(SEQMAPS))}
    lengths = {name: n for path, text in maps.items() for name, n in _lengths(path, text)}
    notices: Counter[str] = Counter()
    documents: list[Document] = []
    for folder in folders:
        documents += _documents(source, folder, beside, lengths, notices)
    return documents, {"labels": folders, **({"seqmaps": maps} if maps else {})}, notices


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(str(path), [f"byte {error.start}: is no UTF-8"]) from error


def _lengths(path: str, text: str) -> Iterator[tuple[str, int]]:
    for place, line in enumerate(text.splitlines(), 1):
        tokens = line.split()
        if not tokens:
            continue
        if len(tokens) != 4 or not (tokens[2].isdigit() and tokens[3].isdigit()):
            said = f"{path}, line {place}: is no `name empty first last`"
            raise FormatError(path, [said], code="kitti-seqmap")
        yield tokens[0], int(tokens[3])


def _documents(
    source: Path, folder: str, beside: Beside, lengths: dict[str, int], notices: Counter[str]
) -> Iterator[Document]:
    place = source / folder
    inner = PurePosixPath(folder).parent if folder != "." else PurePosixPath(".")
    media = inner / IMAGES if folder != "." else inner
    for path in sorted(p for p in place.glob("*.txt") if p.is_file()):
        below = beside.images / path.stem if beside.images else source / media / path.stem
        images = images_in(below)
        uri = (media / path.stem).as_posix()
        notices["kitti-tracking-image-missing"] += not images
        first = next(iter(images.values()), None)
        suffix = first.suffix if first else ".png"
        known = beside.size(uri) or (None, None)
        numbers = [int(name) for name in images if name.isdigit()]
        length = max(numbers) + 1 if numbers else lengths.get(path.stem)
        frames = Frames(
            0, length, partial(_frame_uri, uri, suffix), size_of(first) if first else known
        )
        yield Document(
            (PurePosixPath(folder) / path.name).as_posix(), path,
            {"modality": "video", "uri": uri}, {}, frames,
        )  # fmt: skip


def _frame_uri(sequence: str, suffix: str, number: int) -> str:
    return f"{sequence}/{number:06d}{suffix}"


class SequenceTarget(Target):
    """Label files of sequences, and the seqmaps beside them."""

    def __init__(self, data: Writing) -> None:
        super().__init__(data)
        self._bare = self.kept.get("labels") == ["."]

    def path(self, item: Row) -> str:
        """Return the label file of a sequence, below the folder."""
        parts = [p for p in PurePosixPath(item["uri"] or str(item["item_id"])).parts if p != "/"]
        if self._bare:
            return "/".join(parts) + ".txt"
        inside = [i for i, part in enumerate(parts[:-1]) if part == IMAGES]
        before = parts[: inside[-1]] if inside else []
        name = "_".join(parts[inside[-1] + 1 :] if inside else parts)
        return "/".join([*before, LABELS, name]) + ".txt"

    def uri(self, path: str) -> str:
        """Return what a sequence is called by the path of its label file."""
        return image_of(path, LABELS, IMAGES, "")

    def is_file(self, item: Row) -> bool:
        """Say whether an item is a sequence."""
        return bool(item["modality"] == "video")

    def placed(self, annotations: pa.RecordBatch) -> Mask:
        """Return which labels are on frames, shape (n,)."""
        ids = annotations.column("item_id").to_pylist()
        return np.array([self.parents[self.place[i]] is not None for i in ids], bool)

    def prepared(self, geometries: pa.RecordBatch) -> pa.RecordBatch:
        """Return shapes whose cuboids are in the camera's axes."""
        return in_camera(geometries, self)[0]

    def texts(self) -> Mapping[str, str]:
        """Return the seqmaps: those of the source, or one that says the lengths."""
        maps: dict[str, str] = self.kept.get("seqmaps", {})
        own = "labels" in self.kept
        return maps if own else {"evaluate_tracking.seqmap": self._seqmap()}

    def _seqmap(self) -> str:
        lengths: dict[int, int] = {}
        for item, up in zip(self.items, self.parents, strict=True):
            if up is not None:
                lengths[up] = max(lengths.get(up, 0), 1 + item["frame_index"])
        names = {at: PurePosixPath(self.path(self.items[at])).stem for at in lengths}
        return "".join(f"{names[at]} empty 000000 {n:06d}\n" for at, n in lengths.items())
