"""Images of samples, opened when their batch is made."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labelstore.errors import InvalidInput, NotFound
from labelstore.storage.failures import failure
from labelstore.storage.location import read_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

Opener = Callable[[Mapping[str, Any]], Any]
"""Given an item's row, returns its image."""


@dataclass(frozen=True)
class ImageFolder:
    """Reads an item's `uri` below a folder, a bucket, or whatever fsspec reads.

    Args:
        root: path or URL, such as `s3://bucket/images`.
        options: of the fsspec file system.
    """

    root: str
    options: Mapping[str, Any]

    def __call__(self, item: Mapping[str, Any]) -> NDArray[np.uint8]:
        """Return the image's pixels, RGB, shape (height, width, 3), turned as its EXIF says not.

        Raises:
            NotFound: there is no such file.
            StorageFailed: it cannot be reached.
            InvalidInput: it is no image that can be read.
        """
        from PIL import Image, UnidentifiedImageError

        uri = str(item["uri"] or "")
        if not uri or "://" in uri or uri.startswith("/") or ".." in uri.split("/"):
            raise InvalidInput(f"{uri!r} is no path below {self.root}; give a function instead",
                               code="image-uri")  # fmt: skip
        place = f"{self.root.rstrip('/')}/{item['uri']}"
        try:
            with Image.open(io.BytesIO(read_bytes(place, self.options))) as image:
                return np.asarray(image.convert("RGB"))
        except FileNotFoundError as error:
            raise NotFound(f"{place}: no such image", code="image-missing") from error
        except UnidentifiedImageError as error:
            raise InvalidInput(f"{place}: is no image that can be read", code="image-broken"
                               ) from error  # fmt: skip
        except Exception as error:  # botocore and aiohttp raise dozens of unrelated classes
            raise failure(self.root, f"reading {item['uri']}", error) from error


def opener(
    images: Opener | str | os.PathLike[str] | None, options: Mapping[str, Any]
) -> Opener | None:
    """Return what opens images: a function as it is, a folder or URL by fsspec, or None."""
    if images is None or callable(images):
        return images
    return ImageFolder(os.fspath(images), options)
