"""The members of a JSON list, by where they stand in a mapped text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

BLANKS = np.frombuffer(b" \t\r\n", np.uint8)
COMMA = ord(",")
WIDEST = 64
"""Bytes between members that are looked at in all of them at once."""


class Members:
    """The members of a list, of which nothing is copied or kept but places.

    Args:
        text: what the list stands in, from the first byte of its memory.
        raws: its members in order, as msgspec finds them in this very text.

    Attributes:
        begins: shape (n,), the first byte of each.
        ends: shape (n,), the byte after each.
    """

    def __init__(self, text: memoryview, raws: Sequence[msgspec.Raw]) -> None:
        self._text = text
        sizes = np.fromiter(map(len, raws), np.int64, len(raws))
        self.begins = _begins(text, raws, sizes)
        self.ends = self.begins + sizes

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.begins)

    def __iter__(self) -> Iterator[memoryview]:
        """Yield the text of each."""
        return iter(self.at(np.arange(len(self))))

    def at(self, places: Ints) -> list[memoryview]:
        """Return the texts of some of them."""
        spans = zip(self.begins[places].tolist(), self.ends[places].tolist(), strict=True)
        return [self._text[begin:end] for begin, end in spans]

    def listed(self, begin: int = 0, end: int | None = None) -> bytes:
        """Return neighbours as a JSON list.

        Args:
            begin: the first of them.
            end: the one after the last; None for all that follow.
        """
        begins, ends = self.begins[begin:end], self.ends[begin:end]
        inner = self._text[int(begins[0]) : int(ends[-1])] if len(begins) else b""
        return b"".join([b"[", inner, b"]"])


def _begins(text: memoryview, raws: Sequence[msgspec.Raw], sizes: Ints) -> Ints:
    """Return where each member begins."""
    if not raws:
        return np.empty(0, np.int64)
    data = np.frombuffer(text, np.uint8)
    base = _address(data)
    first, last = (_address(np.frombuffer(raws[i], np.uint8)) - base for i in (0, -1))
    before = np.cumsum(sizes) - sizes
    gap, odd = divmod(last - first - int(before[-1]), max(len(raws) - 1, 1))
    found: Ints = first + before + gap * np.arange(len(raws))
    if not odd and gap <= WIDEST and _are_apart(data, found, sizes, gap):
        return found
    return np.array([_address(np.frombuffer(raw, np.uint8)) - base for raw in raws], np.int64)


def _are_apart(data: NDArray[np.uint8], begins: Ints, sizes: Ints, gap: int) -> bool:
    """Say whether one comma and blanks lie between members, of the same length everywhere.

    Then each member begins where it should, if the one before it ends where it should.
    """
    ends = (begins + sizes)[:-1]
    between = np.stack([data[ends + i] for i in range(gap)]) if gap else np.empty((0, len(ends)))
    commas, blanks = between == COMMA, np.isin(between, BLANKS)
    return bool(
        (commas.sum(axis=0) == 1).all()
        and (commas | blanks).all()
        and not np.isin(data[begins], BLANKS).any()
    )


def _address(array: NDArray[np.uint8]) -> int:
    found: int = array.__array_interface__["data"][0]
    return found
