"""Label Studio's brush masks: words packed bit by bit, four of them (RGBA) a pixel, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[np.uint8]

CHANNELS = 4
ALPHA = 3


class _Bits:
    """Whole numbers of any width, one after another, the highest bit first."""

    def __init__(self, data: bytes) -> None:
        self._bits = np.unpackbits(np.frombuffer(data, np.uint8))
        self._at = 0

    def read(self, width: int, count: int = 1) -> NDArray[np.int64]:
        """Return the next numbers.

        Raises:
            EOFError: there are not as many bits.
        """
        end = self._at + width * count
        if end > len(self._bits):
            raise EOFError
        own = self._bits[self._at : end].reshape(count, width).astype(np.int64)
        self._at = end
        found: NDArray[np.int64] = own @ (1 << np.arange(width - 1, -1, -1))
        return found

    def one(self, width: int) -> int:
        """Return the next number."""
        return int(self.read(width)[0])


def is_whole(data: bytes, h: int, w: int) -> bool:
    """Say whether a mask can be read and has as many pixels as it should."""
    return _words(data, h * w * CHANNELS) is not None


def pixels(data: bytes, h: int, w: int) -> Words | None:
    """Return a mask's pixels, shape (h, w), 0 or 1: those that are not wholly transparent.

    None where the data ends early or holds another number of pixels.
    """
    found = _words(data, h * w * CHANNELS)
    if found is None:
        return None
    values, lengths = found
    words = np.repeat((values > 0).astype(np.uint8), lengths)[: h * w * CHANNELS]
    return words[ALPHA::CHANNELS].reshape(h, w)


def _words(data: bytes, wanted: int) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Return the words and how often each stands, None where they are not so many as wanted.

    The packing is that of thi.ng's rle-pack: 32 bits for the number of words, 5 for the width of a
    word, 4 for each of four widths of run lengths; then runs: a bit for repeated or literal, 2 for
    the width, the length, and one word or as many as the length says.
    """
    bits = _Bits(data)
    values, lengths, done = [], [], 0
    try:
        if bits.one(32) != wanted:
            return None
        word = bits.one(5) + 1
        widths = [bits.one(4) + 1 for _ in range(4)]
        while done < wanted:
            repeated = bits.one(1)
            length = bits.one(widths[bits.one(2)]) + 1
            own = bits.read(word, 1 if repeated else length)
            values.append(own)
            lengths.append(np.full(len(own), length if repeated else 1))
            done += length
    except EOFError:
        return None
    if not values:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate(values), np.concatenate(lengths)
