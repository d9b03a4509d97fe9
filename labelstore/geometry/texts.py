"""Texts: how many letters and words differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = tuple[Floats, Floats]


def text_similarity(a: pa.Array, b: pa.Array) -> Floats:
    """Return 1 - d / l of pairs of texts: d is their edit distance, l the length of the longer.

    Shape (n,), 0 to 1; NaN where one is null. Letters are Unicode code points.
    """
    from rapidfuzz.distance import Levenshtein

    return _measured(a, b, Levenshtein.normalized_similarity)


def error_rates(reference: pa.Array, told: pa.Array) -> tuple[Floats, Floats]:
    """Return character and word error rate of texts.

    The edits that turn the reference into what is told, by the reference's length: above 1 where
    more is told than there is; infinite where the reference is empty and the other is not. Words
    stand between blanks.

    Args:
        reference: n texts.
        told: n texts.

    Returns:
        Shapes (n,); NaN where one is null.
    """
    letters, words = edit_counts(reference, told)
    return _rate(*letters), _rate(*words)


def edit_counts(reference: pa.Array, told: pa.Array) -> tuple[Counts, Counts]:
    """Return the edits that turn each reference into what is told, and the reference's length.

    Args:
        reference: n texts.
        told: n texts.

    Returns:
        Both of letters, then both of words; shapes (n,), edits NaN where one text is null.
    """
    from rapidfuzz.distance import Levenshtein

    words = [pa.array([None if t is None else t.split() for t in c.to_pylist()],
                      pa.list_(pa.string())) for c in (reference, told)]  # fmt: skip
    sides = (reference, told), (words[0], words[1])
    of_letters, of_words = ((_measured(a, b, Levenshtein.distance), _lengths(a)) for a, b in sides)
    return of_letters, of_words


def _measured(a: pa.Array, b: pa.Array, scorer: Any) -> Floats:
    """Return a measure of pairs of texts or lists of words, NaN where one is null."""
    from rapidfuzz.process import cpdist

    there = np.asarray(a.is_valid()) & np.asarray(b.is_valid())
    found = np.full(len(a), np.nan)
    sides = [column.filter(pa.array(there)).to_pylist() for column in (a, b)]
    if there.any():
        found[there] = cpdist(*sides, scorer=scorer, dtype=np.float64)
    return found


def _lengths(texts: pa.Array) -> Floats:
    return np.array([0 if t is None else len(t) for t in texts.to_pylist()], np.float64)


def _rate(edits: Floats, lengths: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(edits == 0, 0.0, edits / lengths)
