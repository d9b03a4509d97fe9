"""The text of regular annotations, taken apart by its punctuation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from labelstore_converters.numerals import numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Rows = NDArray[np.bool_]

WHOLE = ("id", "image_id", "category_id", "iscrowd")
BOX, RINGS = "bbox", "segmentation"
KEYS = frozenset({*WHOLE, BOX, RINGS, "area"})
NUMBERS_AND_BLANKS = b"0123456789- \t\r\n"
NO_NUMBER = bytes(set(range(256)) - set(b"0123456789.,-"))
NO_MARK = bytes(set(range(256)) - set(b".,:[]{}"))
JOINTS = bytes(byte in b":[]{}" for byte in range(256))
OPEN, CLOSE, QUOTE, POINT = b'[]".'
BARE = (b",,", b"[,", b",]")
"""Marks beside each other where a number of a list has no point; without these, points and commas
take turns between brackets."""
REPEATED = re.compile(rb",,+")
EXACT = 2.0**53
"""Whole numbers below it are exact as float64."""


def skeleton(keys: Sequence[str]) -> bytes:
    """Return the words and braces of an annotation that has these keys and no word besides."""
    return ("{" + "".join(f'"{key}":' for key in keys) + "}").encode()


class RegularText:
    """The text of annotations, taken apart; all but `is_worded` is for texts of which that holds.

    A *mark* is a byte of `.,:[]{}`, a *joint* one of `:[]{}`. Without the brackets of rings every
    annotation has the same thirteen joints, so they make a table; and how many marks lie between
    two joints says how many numbers do, and which of them have a point.
    """

    def __init__(self, text: bytes, key_order: Sequence[str]) -> None:
        self._keys = list(key_order)
        self._text = text
        self._outline = text.translate(None, NUMBERS_AND_BLANKS)
        self._marks = self._outline.translate(None, NO_MARK)
        marks = np.frombuffer(self._marks, np.uint8)
        self._joints = np.flatnonzero(np.frombuffer(self._marks.translate(JOINTS), bool))
        self._kinds = marks[self._joints]
        opens, closes = self._kinds == OPEN, self._kinds == CLOSE
        brackets = opens | closes
        opens[1:] &= brackets[:-1]  # the bracket of a ring stands beside another bracket
        closes[:-1] &= brackets[1:]
        self._begins, self._ends = np.flatnonzero(opens), np.flatnonzero(closes)
        self._rest = np.flatnonzero(~(opens | closes))

    def is_worded(self, count: int) -> bool:
        """Say whether there are that many annotations with the keys in order and no other word."""
        return self._outline.translate(None, b".,[]") == skeleton(self._keys) * count

    def usual(self) -> Rows | None:
        """Return which annotations are built as usual, or None where the joints do not tell.

        That is: whole numbers without a point, others with one, a box of four, a list of lists.
        """
        pattern, gaps = self._pattern()
        count, odd = divmod(len(self._rest), len(pattern))
        if odd or bytes(self._kinds[self._rest]) != pattern * count:
            return None
        if len(self._begins) != len(self._ends) or (self._ends - self._begins != 1).any():
            return None
        self._table = self._rest.reshape(count, -1)
        self._places = self._joints[self._table]  # shape (n, 13), among the marks
        lists = self._rings_are_lists()
        if lists is None or not self._keys_are_exact():
            return None
        fits = (gaps < 0) | (np.diff(self._places, axis=1) == gaps)
        rows: Rows = fits.all(axis=1) & lists
        rows[self._pointless()] = False
        return rows

    def _pointless(self) -> Ints:
        """Return annotations with a list in which a number has no point.

        Where every number of a list has one, points and commas take turns; so there is one mark
        less than twice the numbers, and the points are as many as these marks say.
        """
        marks = np.frombuffer(self._marks, np.uint8)
        expected = int(self._sizes.sum()) + (len(self._named()) - len(WHOLE)) * len(self._table)
        even = (self._inner > 0) & (self._inner % 2 == 0)
        if np.count_nonzero(marks == POINT) == expected and not even.any():
            return np.empty(0, np.int64)
        pairs = np.lib.stride_tricks.sliding_window_view(marks, 2)
        found = [np.flatnonzero((pairs == list(pair)).all(axis=1)) for pair in BARE]
        return np.searchsorted(self._places[:, -1], np.concatenate(found))

    def _pattern(self) -> tuple[bytes, Ints]:
        """Return the joints of an annotation, and how many marks on the next is; -1 for any."""
        pattern, gaps = b"{", [1]
        for key in self._keys:
            if key in (BOX, RINGS):
                pattern += b":[]"
                gaps += [1, 8 if key == BOX else -1, 2]
            else:
                pattern += b":"
                gaps.append(2 if key in WHOLE else 3)
        gaps[-1] -= 1  # no comma after the last
        return pattern + b"}", np.array(gaps)

    def _keys_are_exact(self) -> bool:
        """Say whether all keys have the right length: then they are the right keys.

        Their words are known to be right but for digits and blanks that may stand in them.
        """
        quotes = np.flatnonzero(np.frombuffer(self._text, np.uint8) == QUOTE)
        lengths = np.diff(quotes.reshape(-1, 2), axis=1).reshape(-1, len(self._keys)) - 1
        return bool((lengths == [len(key) for key in self._keys]).all())

    def _rings_are_lists(self) -> Rows | None:
        """Say where nothing but rings stands in `segmentation`, and count them."""
        at = self._keys.index(RINGS)
        column = 2 + at + 2 * (BOX in self._keys[:at])
        first, last = self._table[:, column], self._table[:, column + 1]
        self._rings = (last - first - 1) // 2
        self._inner = self._joints[self._ends] - self._joints[self._begins] - 1  # a ring's marks
        self._sizes = (self._inner + 1) // 2
        owner = np.repeat(np.arange(len(first)), self._rings)
        if len(owner) != len(self._begins):
            return None
        used = np.bincount(owner, self._inner + 3, len(first))  # with brackets and a comma
        between = self._places[:, column + 1] - self._places[:, column]
        rows: Rows = between == np.maximum(used, 1)
        return rows

    def values(self) -> dict[str, Any] | None:
        """Return all numbers, as fields of `Regular`; None where one is out of range."""
        text = self._text.translate(None, NO_NUMBER)
        if not (self._rings.all() and self._sizes.all()):  # lists without numbers
            text = REPEATED.sub(b",", text)
        found = numbers(text.strip(b","))
        points = np.bincount(
            np.repeat(np.arange(len(self._rings)), self._rings), self._sizes, len(self._rings)
        ).astype(np.int64)
        places = self._columns(points)
        if found is None or len(found) != places.size + points.sum():
            return None
        of_rings = np.ones(len(found), bool)
        of_rings[places] = False
        table = dict(zip(self._named(), found[places].T, strict=True))
        whole = {key: _whole(table[key]) for key in WHOLE}
        return {
            "whole": whole,
            "area": table["area"],
            "box": np.stack([table[f"{BOX}.{i}"] for i in range(4)], axis=1),
            "rings": self._rings,
            "numbers": self._sizes,
            "points": found[of_rings],
        }

    def _named(self) -> list[str]:
        """Return a name for each number that is not of a ring, in the order of the text."""
        parts = {BOX: [f"{BOX}.{i}" for i in range(4)], RINGS: []}
        return [name for key in self._keys for name in parts.get(key, [key])]

    def _columns(self, points: Ints) -> Ints:
        """Return where these numbers stand among all; shape (n, 9)."""
        before = len(self._named()[: self._keys.index(RINGS)])
        before += 3 * (BOX in self._keys[: self._keys.index(RINGS)])
        own = np.arange(len(self._named()))
        starts = np.cumsum(points + len(own)) - points - len(own)
        return starts[:, None] + own + np.where(own < before, 0, points[:, None])


def _whole(values: NDArray[np.float64]) -> Ints:
    """Return whole numbers, -1 for one that is negative, minus zero, or not exact."""
    fits = ~np.signbit(values) & (values < EXACT)
    return np.where(fits, values, -1).astype(np.int64)
