"""Lines of text as columns of tokens, and numbers as text of given decimals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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

ALPHABET = np.frombuffer(b"i0123456789abcdefghjklmnopqstuvwxyzr", np.uint8)
"""How a number is written: `i` whole, a digit or letter for that many decimals, `r` shortest."""
SHORTEST = len(ALPHABET) - 1


@dataclass(frozen=True)
class Lines:
    """The lines of several files that are not blank.

    Attributes:
        files: shape (n,), the file of each.
        places: shape (n,), its line in the file, from 0.
        texts: what it says, without the end of the line.
        tokens: all tokens of all lines.
        starts: shape (n + 1,), where each line's tokens begin.
    """

    files: Ints
    places: Ints
    texts: pa.StringArray
    tokens: pa.StringArray
    starts: Ints

    def __len__(self) -> int:
        """Return how many lines there are."""
        return len(self.texts)

    @property
    def counts(self) -> Ints:
        """Return how many tokens each line has, shape (n,)."""
        return np.diff(self.starts)

    def where(self, kept: Mask) -> Lines:
        """Return some of the lines; kept of shape (n,)."""
        tokens = np.repeat(kept, self.counts)
        starts = np.concatenate([[0], np.cumsum(self.counts[kept])]).astype(np.int64)
        texts = self.texts.filter(pa.array(kept))
        inner = self.tokens.filter(pa.array(tokens))
        return Lines(self.files[kept], self.places[kept], texts, inner, starts)

    def column(self, at: int) -> pa.StringArray:
        """Return one token of each line, from the left or, where negative, from the right."""
        return self.tokens.take(pa.array((self.starts[1:] if at < 0 else self.starts[:-1]) + at))


def split_lines(files: Sequence[tuple[int, str]], separator: str = " ") -> Lines:
    """Return the lines of files as tokens.

    Args:
        files: number and text of each.
        separator: between tokens; a blank stands for any run of blanks and tabs.
    """
    split = [text.splitlines() for _, text in files]
    lengths = np.array([len(lines) for lines in split], np.int64)
    owners = np.repeat(np.array([number for number, _ in files], np.int64), lengths)
    places = np.arange(len(owners)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    texts = pa.array([line for lines in split for line in lines], pa.string())
    trimmed = pc.utf8_trim_whitespace(texts)
    full = np.asarray(pc.not_equal(trimmed, ""))
    trimmed = trimmed.filter(pa.array(full))
    parts = (
        pc.utf8_split_whitespace(trimmed)
        if separator == " "
        else pc.split_pattern(trimmed, separator)
    )
    counts = np.asarray(pc.list_value_length(parts)).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Lines(owners[full], places[full], texts.filter(pa.array(full)), parts.flatten(), starts)


def numbers(tokens: pa.StringArray) -> Floats:
    """Return tokens as numbers, each rounded correctly; NaN where one is none or not finite."""
    try:
        found = np.array(pc.cast(tokens, pa.float64()))
    except pa.ArrowInvalid:
        found = np.array([_number(token) for token in tokens.to_pylist()], np.float64)
    found[~np.isfinite(found)] = np.nan
    return found


def _number(token: str) -> float:
    try:
        return float(token) if "_" not in token else np.nan
    except ValueError:
        return np.nan


def styles(tokens: pa.StringArray) -> NDArray[np.uint8]:
    """Return how each number is written, as places in `ALPHABET`, shape (n,)."""
    return np.minimum(_decimals(tokens) + 1, SHORTEST).astype(np.uint8)


def number_texts(values: Floats, how: NDArray[np.uint8]) -> pa.StringArray:
    """Return numbers as text that reads back as the same numbers, shape (n,).

    Args:
        values: shape (n,).
        how: shape (n,), places in `ALPHABET`.
    """
    found = float_texts(values)
    sizes = np.abs(values)
    few = (sizes < 1e6) & ((sizes >= 1e-4) | (values == 0)) & (how <= 10)  # 15 digits are exact
    odd = ~few & (how != SHORTEST)
    zeros = _decimals(found) - np.where(few, np.maximum(how.astype(np.int64) - 1, 0), 0)
    for count in np.unique(zeros[few & (zeros < 0)]).tolist():
        own = pa.array(few & (zeros == count))
        longer = pc.binary_join_element_wise(found.filter(own), "0" * -count, "")
        found = pc.replace_with_mask(found, own, longer)
    whole = few & (how <= 1) & (values == np.floor(values))
    if whole.any():
        own = pa.array(whole)
        found = pc.replace_with_mask(found, own, pc.utf8_slice_codeunits(found.filter(own), 0, -2))
    if odd.any():
        pairs = zip(values[odd].tolist(), how[odd].tolist(), strict=True)
        texts = [_exact(f"{value:.{max(style - 1, 0)}f}", value) for value, style in pairs]
        found = pc.replace_with_mask(found, pa.array(odd), pa.array(texts, pa.string()))
    return found


def _decimals(texts: pa.StringArray) -> Ints:
    """Return how many digits stand after the point of each number; -1 where there is none."""
    point = np.asarray(pc.find_substring(texts, ".")).astype(np.int64)
    after = np.asarray(pc.binary_length(texts)).astype(np.int64) - point - 1
    return np.where(point < 0, -1, after)


def _exact(text: str, value: float) -> str:
    """Return a number's text, or its shortest exact one where that is another number."""
    return text if float(text) == value else repr(value)
