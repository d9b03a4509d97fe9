"""Masks of a batch, decoded when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pycocotools import mask as coco

from labelstore.errors import InvalidInput
from labelstore.geometry.masks import Runs, on_canvas
from labelstore.geometry.rings import lengths

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.training.batches.targets import Labels

    Pixels = NDArray[np.uint8]

FAR = 100
"""How far outside an image an outline may be, in image sizes; what is in parts of it is less."""
COLUMNS = ("mask", "polygons", "holes_of", "frame")


def masks(labels: Labels) -> tuple[Pixels, NDArray[np.int64]]:
    """Return the pixels of each label's mask, else of its polygons, by the rules of pycocotools.

    Args:
        labels: m of them.

    Returns:
        All pixels, 0 or 1, one label after another, each row by row; and where those of each label
        begin and end, shape (m + 1,). A label without mask and polygons has only zeros.

    Raises:
        InvalidInput: the size of an item is not known, or a mask cannot be read.
    """
    sizes = labels.sizes[labels.owners]
    if (sizes < 0).any():
        item = labels.names[int(labels.owners[(sizes < 0).any(axis=1)][0])]
        raise InvalidInput(f"{item}: its size is not known, so its masks cannot be drawn; import "
                           "with --images DIR or --sizes FILE", code="size-unknown")  # fmt: skip
    ends = np.concatenate([[0], np.cumsum(sizes[:, 0] * sizes[:, 1])])
    pixels = np.zeros(int(ends[-1]), np.uint8)
    drawn = _stated(labels, sizes) | _outlined(labels, sizes)
    for row, runs in drawn.items():
        _draw(runs, pixels[ends[row] : ends[row + 1]].reshape(sizes[row]))
    return pixels, ends


def _draw(runs: Runs, target: Pixels) -> None:
    """Write a mask into zeros; only its covering box is copied, as COCO's run down columns."""
    x, y, w, h = coco.toBbox(runs).astype(int).tolist()
    target[y : y + h, x : x + w] = coco.decode(runs)[y : y + h, x : x + w]


def _stated(labels: Labels, sizes: NDArray[np.int64]) -> dict[int, Runs]:
    column = labels.column("mask")
    found = {}
    for row in np.flatnonzero(np.asarray(column.is_valid())).tolist():
        h, w = sizes[row].tolist()
        runs = on_canvas(column[row].as_py(), h, w)
        if runs is None:
            item = labels.names[int(labels.owners[row])]
            raise InvalidInput(f"{item}: a mask cannot be read; `labelstore check` names it",
                               code="mask-broken")  # fmt: skip
        found[row] = runs
    return found


def _outlined(labels: Labels, sizes: NDArray[np.int64]) -> dict[int, Runs]:
    """Return the masks of labels that have polygons and no mask."""
    column, holes = labels.column("polygons"), labels.column("holes_of")
    asked = np.asarray(column.is_valid()) & ~np.asarray(labels.column("mask").is_valid())
    scales = labels.scales()
    starts = _starts(column)
    rings = column.flatten()
    points, values = _starts(rings), np.asarray(rings.flatten(), np.float64)
    told = _starts(holes)
    of = np.asarray(holes.flatten().fill_null(-1), np.int64)
    found = {}
    for row in np.flatnonzero(asked).tolist():
        h, w = sizes[row].tolist()
        own = range(starts[row], starts[row + 1])
        around = values[points[own.start] : points[own.stop]]
        if not (np.abs(around) <= FAR * max(h, w)).all():  # pycocotools walks along every outline
            item = labels.names[int(labels.owners[row])]
            raise InvalidInput(f"{item}: an outline is far outside the image; `labelstore check` "
                               "names it", code="mask-broken")  # fmt: skip
        xy = [_scaled(values[points[i] : points[i + 1]], scales[row]) for i in own]
        outer = [True] * len(xy)
        if told[row + 1] - told[row] == len(xy):
            outer = (of[told[row] : told[row + 1]] < 0).tolist()
        found[row] = _drawn(xy, outer, h, w)
    return found


def _drawn(rings: list[NDArray[np.float64]], outer: list[bool], h: int, w: int) -> Runs:
    filled = _joined([r for r, is_outer in zip(rings, outer, strict=True) if is_outer], h, w)
    holes = [r for r, is_outer in zip(rings, outer, strict=True) if not is_outer]
    if not holes:
        return filled
    left = coco.decode(filled) & ~coco.decode(_joined(holes, h, w)) & 1
    own: Runs = coco.encode(np.asfortranarray(left))
    return own


def _joined(rings: list[NDArray[np.float64]], h: int, w: int) -> Runs:
    whole = [ring for ring in rings if len(ring) >= 6]
    if not whole:
        empty: Runs = coco.encode(np.zeros((h, w), np.uint8, order="F"))
        return empty
    found: Runs = coco.merge(coco.frPyObjects(whole, h, w))
    return found


def _scaled(ring: NDArray[np.float64], scale: NDArray[np.float32]) -> NDArray[np.float64]:
    return ring if (scale == 1).all() else ring * np.resize(scale, len(ring))


def _starts(lists: pa.Array) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths(lists))])
