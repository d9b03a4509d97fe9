"""Lines of label files as arrays: a class, and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelstore_converters.numerals import numbers
from labelstore_converters.yolo.numbertext import Floats, Ints, Mask


@dataclass(frozen=True)
class Lines:
    """The lines of several label files that are not blank.

    Attributes:
        files: shape (n,), the file of each.
        places: shape (n,), its line in the file, from 0.
        texts: what it says, without the end of the line.
        tokens: all tokens of all lines.
        starts: shape (n + 1,), where each line's tokens begin.
        values: shape (m,), the tokens as numbers; NaN where one is none.
    """

    files: Ints
    places: Ints
    texts: list[str]
    tokens: list[str]
    starts: Ints
    values: Floats

    def __len__(self) -> int:
        """Return how many lines there are."""
        return len(self.texts)

    @property
    def counts(self) -> Ints:
        """Return how many numbers follow each class, shape (n,)."""
        return np.diff(self.starts) - 1

    @property
    def classes(self) -> Floats:
        """Return the first number of each line, shape (n,)."""
        return self.values[self.starts[:-1]]

    def where(self, kept: Mask) -> Lines:
        """Return some of the lines; kept of shape (n,)."""
        counts = np.diff(self.starts)
        inner = np.repeat(kept, counts)
        starts = np.concatenate([[0], np.cumsum(counts[kept])]).astype(np.int64)
        texts = [text for text, own in zip(self.texts, kept.tolist(), strict=True) if own]
        tokens = [token for token, own in zip(self.tokens, inner.tolist(), strict=True) if own]
        return Lines(
            self.files[kept], self.places[kept], texts, tokens, starts, self.values[inner]
        )

    def block(self, rows: Ints, count: int) -> Floats:
        """Return the numbers after the class, of lines that have so many; shape (k, count)."""
        found: Floats = self.values[self.starts[rows][:, None] + 1 + np.arange(count)]
        return found


def split_lines(files: Sequence[tuple[int, str]]) -> Lines:
    """Return the lines of label files.

    Args:
        files: number and text of each.
    """
    owners, places, texts = [], [], []
    for number, text in files:
        for place, line in enumerate(text.splitlines()):
            if line and not line.isspace():
                owners.append(number)
                places.append(place)
                texts.append(line)
    split = [line.split() for line in texts]
    tokens = [token for line in split for token in line]
    starts = np.concatenate([[0], np.cumsum([len(line) for line in split])]).astype(np.int64)
    return Lines(
        np.array(owners, np.int64), np.array(places, np.int64), texts, tokens, starts,
        _numbers(tokens),
    )  # fmt: skip


def _numbers(tokens: Sequence[str]) -> Floats:
    """Return tokens as numbers, NaN where one is none or not finite."""
    found = numbers(",".join(tokens).encode())
    if found is not None and len(found) == len(tokens):
        return np.array(found)
    return np.array([_number(token) for token in tokens])


def _number(token: str) -> float:
    try:
        value = float(token) if "_" not in token else np.nan
    except ValueError:
        return np.nan
    return value if np.isfinite(value) else np.nan
