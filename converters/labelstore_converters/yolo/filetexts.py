"""Label files, written as their lines come."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.plugins import shared
from labelstore_converters.yolo.files import LabelFiles
from labelstore_converters.yolo.numbertext import Ints


class FileTexts:
    """The label files of images, of which each is complete when the next one's lines come.

    Args:
        files: where they go, and how they end.
        folder: where to write.
    """

    def __init__(self, files: LabelFiles, folder: Path) -> None:
        self._files, self._place = files, files.place_in(folder)
        self._seen, self._made = set[str](), set[str]()
        self._done = np.zeros(len(files.items), bool)
        self._image = -1
        self._text = pa.array([], pa.string())

    def add(self, images: Ints, lines: pa.StringArray) -> None:
        """Take lines, those of an image one after the other.

        Args:
            images: shape (n,), their places among all images.
            lines: n of them.
        """
        if not len(lines):
            return
        images = np.concatenate([np.full(len(self._text), self._image), images])
        lines = pa.concat_arrays([self._text, lines])
        begins = np.flatnonzero(np.diff(images, prepend=-1))
        offsets = pa.array(np.append(begins, len(images)).astype(np.int32))
        texts = pc.binary_join(pa.ListArray.from_arrays(offsets, lines), "\n")
        last = len(begins) - 1
        for image, text in zip(images[begins[:last]].tolist(), texts[:last].to_pylist(),
                               strict=True):  # fmt: skip
            self._write(image, text)
        self._image, self._text = int(images[-1]), texts[last:]

    def finish(self) -> None:
        """Write what is left, and the files of images without labels."""
        if len(self._text):
            self._write(self._image, self._text[0].as_py())
        for image in np.flatnonzero(~self._done).tolist():
            if self._files.items[image]["labelled_state"] != "listed_no_file":
                self._write(image, "")

    def _write(self, image: int, lines: str) -> None:
        item, label = self._files.items[image], self._files.labels[image]
        path = os.path.join(self._place, label)
        data = self._files.text(item, lines).encode()
        if label in self._seen and (not self._files.own or Path(path).read_bytes() != data):
            raise shared(label, item["uri"], "yolo")
        self._seen.add(label)
        self._done[image] = True
        if (parent := os.path.dirname(path)) not in self._made:
            os.makedirs(parent, exist_ok=True)
            self._made.add(parent)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            while data:
                data = data[os.write(file, data) :]
        finally:
            os.close(file)
