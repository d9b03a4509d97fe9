"""Numbers of annotations as text, with the types that their source wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore_converters.coco.numbers import RUN
from labelstore_converters.numerals import float_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Member:
    """The numbers of one key of n annotations.

    Attributes:
        counts: shape (n,), how many each has.
        values: shape (m,).
    """

    counts: NDArray[np.int64]
    values: NDArray[np.float64]


def member_texts(members: Sequence[Member], styles: pa.Array) -> list[pa.StringArray]:
    """Return the numbers of each member as text.

    Args:
        members: in the order in which styles count their numbers.
        styles: n of them, see `numbers`.

    Returns:
        Shape (m,) for each member.
    """
    if styles.null_count == len(styles):
        return [float_texts(member.values) for member in members]
    counts = np.stack([member.counts for member in members])
    totals = counts.sum(axis=0)
    whole = _whole(styles, totals)
    begins = np.cumsum(totals) - totals + np.cumsum(counts, axis=0) - counts
    found = []
    for member, begin in zip(members, begins, strict=True):
        places = np.repeat(begin, member.counts) + inside(member.counts)
        found.append(_typed(member.values, whole[places]))
    return found


def _whole(styles: pa.Array, totals: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which numbers of all rows, one row after the other, were written as integers.

    A style made for another count of numbers (the row was edited) is not applied.
    """
    encoded = styles.dictionary_encode()
    flags = [_flags(style) for style in encoded.dictionary.to_pylist()]
    lengths = np.array([*map(len, flags), -1])  # of no style at last
    begins = np.cumsum([0, *map(len, flags)])
    codes = encoded.indices.fill_null(len(flags)).to_numpy(zero_copy_only=False)
    fits = np.repeat(lengths[codes] == totals, totals)
    places = np.repeat(begins[codes], totals) + inside(totals)
    table = np.concatenate([*flags, [False]])
    found: NDArray[np.bool_] = table[np.where(fits, places, len(table) - 1)].astype(bool)
    return found


def inside(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place of each number among those of its row; counts of shape (n,)."""
    found: NDArray[np.int64] = np.arange(counts.sum()) - np.repeat(
        np.cumsum(counts) - counts, counts
    )
    return found


def _flags(style: str) -> NDArray[np.bool_]:
    """Return which numbers of a style are integers."""
    runs = RUN.findall(style)
    return np.repeat([kind == "i" for _, kind in runs], [int(count) for count, _ in runs])


def _typed(values: NDArray[np.float64], whole: NDArray[np.bool_]) -> pa.StringArray:
    """Return numbers as text, without a point where they are to be integers."""
    texts = float_texts(values)
    whole = whole & (values == np.floor(values))
    if not whole.any():
        return texts
    integers = pa.array([str(int(v)) for v in values[whole].tolist()], pa.string())
    return pc.replace_with_mask(texts, pa.array(whole), integers)
