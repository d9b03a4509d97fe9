"""Areas of planar shapes, for those whose source states none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def areas(geometries: pa.Table) -> Floats:
    """Return the area of each row's outline, else of its stated box.

    Args:
        geometries: rows of `geometries`, n of them; boxes as x, y, width, height.

    Returns:
        Shape (n,), float64, in square units of the row's frame: the sum over rings of the absolute
        area by the shoelace formula, holes taken off; NaN where there is neither outline nor box.
    """
    box = geometries.column("box").combine_chunks()
    sides = [np.asarray(box.field(i).to_numpy(zero_copy_only=False), float) for i in (2, 3)]
    found = np.where(np.asarray(box.is_valid()), sides[0] * sides[1], np.nan)
    for i, (rings, holes) in enumerate(
        zip(*(geometries.column(n).to_pylist() for n in ("polygons", "holes_of")), strict=True)
    ):
        if rings:
            signs = [1 if at < 0 else -1 for at in holes] if holes else [1] * len(rings)
            found[i] = sum(s * ring_area(r) for s, r in zip(signs, rings, strict=True))
    return found


def ring_area(ring: list[float]) -> float:
    """Return the absolute area of one ring of interleaved x, y.

    Example:
        >>> ring_area([0, 0, 4, 0, 4, 3])
        6.0
    """
    x, y = np.asarray(ring[0::2]), np.asarray(ring[1::2])
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
