"""Texts: how many letters and words differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


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
    from rapidfuzz.distance import Levenshtein

    letters = _measured(reference, told, Levenshtein.distance)
    words = [pa.array([None if t is None else t.split() for t in c.to_pylist()],
                      pa.list_(pa.string())) for c in (reference, told)]  # fmt: skip
    edits = _measured(words[0], words[1], Levenshtein.distance)
    return _rate(letters, reference), _rate(edits, words[0])


def _measured(a: pa.Array, b: pa.Array, scorer: Any) -> Floats:
    """Return a measure of pairs of texts or lists of words, NaN where one is null."""
    from rapidfuzz.process import cpdist

    there = np.asarray(a.is_valid()) & np.asarray(b.is_valid())
    found = np.full(len(a), np.nan)
    sides = [column.filter(pa.array(there)).to_pylist() for column in (a, b)]
    if there.any():
        found[there] = cpdist(*sides, scorer=scorer, dtype=np.float64)
    return found


def _rate(edits: Floats, reference: pa.Array) -> Floats:
    lengths = np.array([0 if t is None else len(t) for t in reference.to_pylist()], np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(edits == 0, 0.0, edits / lengths)
