"""Images of ids: PNG files in which a pixel's value names its segment."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import InvalidInput
from labelstore.model.tables import TABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

Reader = Callable[[str], bytes]
"""Returns the bytes of the file at a URI."""
COLOURS = ("RGB", "RGBA")
PLAIN = ("1", "L", "P", "I;16", "I", "LA")


def pixel_ids(data: bytes, form: str) -> Ids:
    """Return the value of each pixel of a PNG, shape (h, w).

    Grey and palette images give the grey value or the index; colours of a panoptic image give
    R + 256 G + 65,536 B, as panopticapi has it. Transparency is not looked at.

    Args:
        data: the file.
        form: semantic, instance or panoptic, as in `raster`.

    Raises:
        InvalidInput: it is no such image.
    """
    from PIL.Image import DecompressionBombError

    try:
        mode, pixels = _decoded(data)
    except (DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise InvalidInput(f"is no PNG that can be read: {error}", code="raster") from error
    if mode not in PLAIN and not (form == "panoptic" and mode in COLOURS):
        said = f"has pixels of the mode {mode}, which hold no {form} ids"
        raise InvalidInput(said, code="raster")
    if pixels.ndim == 2:
        return pixels.astype(np.int64)
    if pixels.shape[2] == 2:  # grey with transparency
        return pixels[:, :, 0].astype(np.int64)
    found: Ids = pixels[:, :, :3].astype(np.int64) @ np.array([1, 256, 65_536])
    return found


def _decoded(data: bytes) -> tuple[str, NDArray[Any]]:
    """Return the mode and the pixels of a PNG; Pillow refuses what would not fit into memory."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            return image.mode, np.asarray(image)


def segment_masks(rasters: pa.Array, read: Reader) -> pa.Array:
    """Return the pixels of segments as masks, COCO's compressed runs of the whole image.

    What is lost: which other segments the image holds. A value that no pixel has gives an empty
    mask.

    Args:
        rasters: n values of `raster`.
        read: how to get at the images; asked once for each.

    Returns:
        n values of `mask`, null where there is no raster.

    Raises:
        InvalidInput: an image cannot be read; with its URI.
    """
    from pycocotools import mask as coco

    found: list[dict[str, object] | None] = [None] * len(rasters)
    uris, forms, values = (
        pc.struct_field(rasters, n).to_pylist() for n in ("uri", "form", "value")
    )
    for uri, form in sorted({(u, f) for u, f in zip(uris, forms, strict=True) if u is not None}):
        ids = _ids_at(uri, form, read)
        for i in (i for i, at in enumerate(zip(uris, forms, strict=True)) if at == (uri, form)):
            runs = coco.encode(np.asfortranarray(ids == values[i], dtype=np.uint8))
            h, w = ids.shape
            found[i] = {"encoding": "coco_rle", "h": h, "w": w, "counts": runs["counts"]}
    return pa.array(found, TABLES["geometries"].schema.field("mask").type)


def _ids_at(uri: str, form: str, read: Reader) -> Ids:
    try:
        return pixel_ids(read(uri), form)
    except InvalidInput as error:
        raise InvalidInput(f"{uri}: {error}", code="raster") from error


def mask_pixels(data: bytes, h: int, w: int) -> NDArray[np.uint8] | None:
    """Return where a PNG is not 0, shape (h, w); None where it is no such image of that size."""
    try:
        ids = pixel_ids(data, "panoptic")
    except InvalidInput:
        return None
    return (ids > 0).astype(np.uint8) if ids.shape == (h, w) else None
