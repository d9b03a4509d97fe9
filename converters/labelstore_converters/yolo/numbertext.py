"""How a label file writes its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore_converters.numerals import float_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

Ints: TypeAlias = "NDArray[np.int64]"
Floats: TypeAlias = "NDArray[np.float64]"
Mask: TypeAlias = "NDArray[np.bool_]"

STYLES = ("6f", "6g", "r", "5f", "4f", "3f", "2f", "16f", "17g")
"""Ways of writing that programs use, the most frequent first; `r` is the shortest exact text."""


def words(values: Floats, whole: Mask, style: str | None) -> pa.StringArray:
    """Return numbers as text.

    Args:
        values: shape (m,).
        whole: shape (m,), which of them are counted, and written without a point.
        style: see `STYLES`; the shortest exact text where there is none.
    """
    if style is None or style == "r":
        found = float_texts(values)
    else:
        found = pa.array(map(f"%.{style}".__mod__, values.tolist()), pa.string())
    if not whole.any():
        return found
    counted = pa.array(map(str, values[whole].astype(np.int64).tolist()), pa.string())
    return pc.replace_with_mask(found, pa.array(whole), counted)


def line_texts(
    classes: Ints, values: Floats, whole: Mask, counts: Ints, styles: pa.Array
) -> pa.StringArray:
    """Return lines: a class, and the numbers after it.

    Args:
        classes: shape (n,).
        values: shape (m,), the numbers of all lines.
        whole: shape (m,), see `words`.
        counts: shape (n,), how many numbers each line has.
        styles: shape (n,), null where there is none.
    """
    encoded = styles.dictionary_encode()
    names = [*encoded.dictionary.to_pylist(), None]
    codes = encoded.indices.fill_null(len(names) - 1).to_numpy(zero_copy_only=False)
    owners = np.repeat(codes, counts)
    places = [np.flatnonzero(owners == code) for code in range(len(names))]
    pieces = [words(values[own], whole[own], name)
              for own, name in zip(places, names, strict=True)]  # fmt: skip
    found = pa.concat_arrays(pieces).take(pa.array(np.argsort(np.concatenate(places))))
    return joined(classes, found, counts)


def joined(classes: Ints, numbers: pa.StringArray, counts: Ints) -> pa.StringArray:
    """Return lines of a class and numbers that are text already; see `line_texts`."""
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(offsets), numbers)
    names = pa.array(classes).cast(pa.string())
    return pc.binary_join_element_wise(names, pc.binary_join(lists, " "), " ")


def spans(begins: Ints, counts: Ints) -> Ints:
    """Return the places from each beginning on, so many, one span after the other."""
    found: Ints = np.repeat(begins - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    return found


def style_of(values: Floats, whole: Mask, tokens: pa.StringArray, counts: Ints) -> pa.StringArray:
    """Return for each line the style in which its tokens are written, null where it is no such.

    Args:
        values: shape (m,), numbers as they are to be written.
        whole: shape (m,), see `words`.
        tokens: what was written, for each number.
        counts: shape (n,), how many numbers each line has.
    """
    found = np.full(len(counts), None, object)
    found[counts == 0] = STYLES[0]
    begins, left = np.cumsum(counts) - counts, np.flatnonzero(counts)

    def alike(places: Ints, style: str) -> Mask:
        own = words(values[places], whole[places], style)
        return np.asarray(pc.equal(own, tokens.take(pa.array(places))))

    for style in STYLES:
        near = left[alike(begins[left], style)]  # by the first number of each
        own = counts[near]
        same = alike(spans(begins[near], own), style)
        wrong = np.bincount(np.repeat(np.arange(len(near)), own)[~same], minlength=len(near))
        found[near[wrong == 0]] = style
        left = np.setdiff1d(left, near[wrong == 0], assume_unique=True)
    return pa.array(found, pa.string())
