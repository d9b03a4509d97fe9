"""Label files, and the images or sequences that they are of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labelstore.errors import FormatError

IMAGES = frozenset((".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"))


@dataclass(frozen=True)
class Frames:
    """The frames of a sequence.

    Attributes:
        first: number of the first one.
        length: how many there are, where that is said.
        uri: of a frame, by its number.
        size: width and height, where they are known.
    """

    first: int
    length: int | None
    uri: Callable[[int], str]
    size: tuple[int | None, int | None] = (None, None)


@dataclass(frozen=True)
class Document:
    """One label file, there or not.

    Attributes:
        path: below the source's folder.
        file: where it is; None where there is none.
        item: columns of the item that it is of: an image, or a sequence.
        kept: what else is to be kept of it.
        frames: of a sequence.
    """

    path: str
    file: Path | None
    item: Mapping[str, Any]
    kept: Mapping[str, Any] = field(default_factory=dict)
    frames: Frames | None = None

    def text(self) -> str | None:
        """Return what the file says; None where there is none.

        Raises:
            FormatError: it is no UTF-8.
        """
        if self.file is None:
            return None
        try:
            return self.file.read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            said = f"byte {error.start}: is no UTF-8"
            raise FormatError(str(self.file), [said]) from error


def size_of(image: Path | None) -> tuple[int | None, int | None]:
    """Return width and height of an image, from its header; None where it cannot be read."""
    from PIL import Image

    if image is None:
        return None, None
    try:
        with Image.open(image) as opened:
            return opened.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None, None


def images_in(folder: Path) -> dict[str, Path]:
    """Return the images of a folder by their names without suffix, in the order of the names."""
    if not folder.is_dir():
        return {}
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGES)
    return {path.stem: path for path in found}
