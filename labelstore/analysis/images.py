"""Sizes of images, for what is told in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from labelstore.model.tables import TABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.versions.manifest import Manifest

    Ids = NDArray[np.int64]
    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ImageSizes:
    """Width and height of images in pixels.

    Attributes:
        items: shape (n,), ids, rising.
        sides: shape (n, 2), width and height; NaN where nobody knows them.
    """

    items: Ids
    sides: Floats

    @classmethod
    def none(cls) -> ImageSizes:
        """Return the sizes of no image."""
        return cls(np.empty(0, np.int64), np.empty((0, 2)))

    @classmethod
    def of(cls, manifest: Manifest) -> ImageSizes:
        """Return the sizes of a version's items."""
        rows = manifest.table(TABLES["items"], ["item_id", "width", "height"])
        sides = [np.asarray(rows.column(n).cast(pa.float64()).fill_null(np.nan))
                 for n in ("width", "height")]  # fmt: skip
        return cls(np.asarray(rows.column("item_id")), np.stack(sides, axis=1))

    def of_items(self, items: Ids) -> Floats:
        """Return the size of each item given, shape (m, 2); NaN where nobody knows it."""
        if not len(self.items):
            return np.full((len(items), 2), np.nan)
        at = np.minimum(np.searchsorted(self.items, items), len(self.items) - 1)
        return np.where((self.items[at] == items)[:, None], self.sides[at], np.nan)
