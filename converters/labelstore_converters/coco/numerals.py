"""Decimal numbers in a text to float64 and int64, many at a time and exactly.

The last eight bytes of a number are one 64-bit word, and a few operations on words turn its digits
into an integer, in steps of one, two and four digits. An integer below 10^8 and a power of ten up
to 10^7 are both exact as float64, so their quotient is rounded once, as it should be. Longer
numbers go through Arrow's parser, which rounds correctly too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Text = NDArray[np.uint8]
    Places = NDArray[np.int64]
    Words = NDArray[np.uint64]

WORD = 8
"""Bytes before the first number that a text must have, whatever they are."""
BLOCK = 1 << 13
"""Numbers at a time: what is in between then stays in the cache."""
MINUS = ord("-")


def _repeated(byte: int) -> np.uint64:
    return np.uint64(0x0101010101010101 * byte)


POINTS, ONES, TOP_BITS, DIGITS = (_repeated(b) for b in (ord("."), 1, 0x80, 0x0F))
PAIRS, FOURS, EIGHTS = (np.uint64(m) for m in (0x00FF00FF00FF00FF, 0x0000FFFF0000FFFF, 2**32 - 1))
LAST_BYTES = np.array([0, *(2**64 - 2 ** (8 * (8 - k)) for k in range(1, 9))], np.uint64)
"""Mask of the last k bytes of a word."""
SCALES = np.array([*(10.0**k for k in range(7, -1, -1)), np.nan])
"""What a word's digits are to be divided by, by the byte that holds the point; 8 for none."""


def floats(text: Text, ends: Places, lengths: Places) -> NDArray[np.float64]:
    """Return the values of numbers with a point and no exponent; NaN for one without a point.

    Args:
        text: bytes, at least `WORD` of them before the first number.
        ends: shape (n,), where each number ends.
        lengths: shape (n,), bytes of each.
    """
    values = np.empty(len(ends))
    words = _words(text)
    for begin in range(0, len(ends), BLOCK):
        end, length = ends[begin : begin + BLOCK], lengths[begin : begin + BLOCK]
        negative = text[end - length] == MINUS
        size = length - negative
        found = _short(words[end - WORD] & LAST_BYTES[np.minimum(size, WORD)])
        long = np.flatnonzero(size > WORD)
        if len(long):
            found[long] = _long(text, end[long], size[long])
        values[begin : begin + BLOCK] = np.negative(found, out=found, where=negative)
    return values


def integers(text: Text, ends: Places, lengths: Places) -> NDArray[np.int64]:
    """Return the values of whole numbers of at most 16 digits; -1 for anything else.

    Args:
        text: bytes, at least `WORD` of them before the first number.
        ends: shape (n,), where each number ends.
        lengths: shape (n,), bytes of each.
    """
    words = _words(text)
    values = _eight(words, ends, np.minimum(lengths, WORD))
    long = np.flatnonzero((lengths > WORD) & (lengths <= 2 * WORD))
    if len(long):
        upper = _eight(words, ends[long] - WORD, lengths[long] - WORD)
        both = (upper >= 0) & (values[long] >= 0)
        values[long] = np.where(both, upper * 10**8 + values[long], -1)
    values[lengths > 2 * WORD] = -1
    return values


def _words(text: Text) -> Words:
    """Return the little-endian word that begins at each byte, without a copy."""
    return np.ndarray((len(text) - WORD + 1,), "<u8", text, 0, (1,))


def _short(word: Words) -> NDArray[np.float64]:
    """Return the values of words that hold digits and a point, zeros before them."""
    point = word ^ POINTS
    point = (point - ONES) & ~point & TOP_BITS  # the top bit of the byte that is a point
    before = point - np.uint64(1)  # all bits below; all of them where there is no point
    place = np.bitwise_count(before) >> 3
    before >>= np.uint64(7)
    after = ~((point << np.uint64(1)) - np.uint64(1))
    digits = ((word & before) << np.uint64(8)) | (word & after)
    values: NDArray[np.float64] = _number(digits) / SCALES[place]
    return values


def _number(word: Words) -> NDArray[np.int64]:
    """Return the integer of a word of digits, the first in its lowest byte."""
    word = word & DIGITS
    word = (word * np.uint64(10) + (word >> np.uint64(8))) & PAIRS
    word = (word * np.uint64(100) + (word >> np.uint64(16))) & FOURS
    word = (word * np.uint64(10_000) + (word >> np.uint64(32))) & EIGHTS
    return word.view(np.int64)


def _eight(words: Words, ends: Places, lengths: Places) -> NDArray[np.int64]:
    """Return the integers in the last bytes before each end; -1 where these are not digits."""
    mask = LAST_BYTES[lengths]
    word = words[ends - WORD] & mask
    # '0' to '9' are 0x30 to 0x39: the upper half is 3, and adding 6 to the lower keeps it so
    digits = ((word & ~DIGITS) | (((word + _repeated(6)) & ~DIGITS) >> np.uint64(4))) & mask
    return np.where(digits == (_repeated(0x33) & mask), _number(word), -1)


def _long(text: Text, ends: Places, lengths: Places) -> NDArray[np.float64]:
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    at = np.arange(offsets[-1]) + np.repeat(ends - lengths - offsets[:-1], lengths)
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(text[at])]
    texts = pa.Array.from_buffers(pa.string(), len(ends), buffers)
    pointed = pc.equal(pc.count_substring(texts, "."), 1)
    return np.asarray(pc.if_else(pointed, pc.cast(texts, pa.float64()), np.nan))
