"""The text of regular annotations, taken apart by its punctuation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from labelstore_converters.coco.numerals import WORD, floats, integers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

WHOLE = ("id", "image_id", "category_id", "iscrowd")
LISTED = {"bbox": 4, "segmentation": 0}
"""Keys of lists, with how many numbers they hold; 0 for any number of rings."""
KEYS = frozenset({*WHOLE, *LISTED, "area"})
BLANKS = b" \t\r\n"
MARKS = bytes(byte in b",:[]{}" for byte in range(256))
"""For each byte whether a number or a key can end before it."""
COMMA, OPEN, CLOSE, QUOTE = b',[]"'


class RegularText:
    """The text of annotations that have the keys in order and no word besides, taken apart.

    A *mark* is a byte of `,:[]{}`; a number ends at a mark and begins after the one before. A
    *joint* is a mark that is no comma. Without the brackets of rings every annotation has the same
    thirteen joints, so they make a table, and how many marks lie between two of them says how
    many numbers do.
    """

    def __init__(self, raws: Sequence[msgspec.Raw], key_order: Sequence[str]) -> None:
        self._keys = list(key_order)
        spaced = b",".join(raws)
        has_blanks = any(blank in spaced for blank in BLANKS)
        dense = spaced.translate(None, BLANKS) if has_blanks else spaced
        self._spaced, text = spaced, b" " * WORD + dense
        self._text = np.frombuffer(text, np.uint8)
        self._marks = np.flatnonzero(np.frombuffer(text.translate(MARKS), bool))
        kinds = self._text[self._marks]
        joints = np.flatnonzero(kinds != COMMA)
        kinds = kinds[joints]
        opens, closes = kinds == OPEN, kinds == CLOSE
        brackets = opens | closes
        opens[1:] &= brackets[:-1]  # the bracket of a ring stands beside another bracket
        closes[:-1] &= brackets[1:]
        self._begins, self._ends = np.flatnonzero(opens), np.flatnonzero(closes)
        self._rest = np.flatnonzero(~(opens | closes))
        self._kinds, self._joints = kinds, joints

    def is_usual(self) -> bool:
        """Say whether all annotations are built alike: plain numbers, a box, a list of lists."""
        pattern, gaps = self._pattern()
        count, odd = divmod(len(self._rest), len(pattern))
        if odd or bytes(self._kinds[self._rest]) != pattern * count:
            return False
        if len(self._begins) != len(self._ends) or (self._ends - self._begins != 1).any():
            return False
        self._table = self._rest.reshape(count, -1)
        self._places = self._joints[self._table]  # shape (n, 13), among the marks
        self._column = {
            key: 1 + i + 2 * sum(before in LISTED for before in self._keys[:i])
            for i, key in enumerate(self._keys)
        }
        between = np.diff(self._places, axis=1)
        usual = (gaps == 0) | (between == gaps)
        return bool(usual.all()) and self._keys_are_exact() and self._rings_are_lists()

    def _pattern(self) -> tuple[bytes, Ints]:
        """Return the joints of an annotation, and how many marks on the next is; 0 for any."""
        pattern, gaps = b"{", [1]
        for key in self._keys:
            pattern += b":[]" if key in LISTED else b":"
            gaps += [1, LISTED[key], 2] if key in LISTED else [2]
        gaps[-1] -= 1  # no comma after the last
        return pattern + b"}", np.array(gaps)

    def _keys_are_exact(self) -> bool:
        """Say whether all keys have the right length: then they are the right keys.

        Their words are known to be right but for digits and blanks that may stand in them.
        """
        quotes = np.flatnonzero(np.frombuffer(self._spaced, np.uint8) == QUOTE)
        lengths = np.diff(quotes.reshape(-1, 2), axis=1).reshape(-1, len(self._keys)) - 1
        return bool((lengths == [len(key) for key in self._keys]).all())

    def _rings_are_lists(self) -> bool:
        """Say whether nothing but rings stands in `segmentation`, and count them."""
        column = self._column["segmentation"] + 1
        self._rings = (np.diff(self._table[:, column : column + 2], axis=1)[:, 0] - 1) // 2
        self._first = self._joints[self._begins]
        self._sizes = self._joints[self._ends] - self._first
        self._sizes[self._marks[self._first + 1] - self._marks[self._first] == 1] = 0  # is empty
        whole = np.diff(self._places[:, column : column + 2], axis=1)[:, 0]
        owner = np.repeat(np.arange(len(whole)), self._rings)
        if len(owner) != len(self._begins):
            return False
        used = np.bincount(owner, self._joints[self._ends] - self._first, len(whole))
        empty = self._rings == 0
        blank = (
            self._marks[self._places[:, column + 1]] - self._marks[self._places[:, column]] == 1
        )
        return bool(
            (whole == np.where(empty, 1, used + 2 * self._rings)).all() and blank[empty].all()
        )

    def values(self) -> dict[str, Any]:
        """Return all numbers, as fields of `Regular`; unusual ones are -1 or NaN."""
        whole = {key: integers(self._text, *self._after(self._column[key])) for key in WHOLE}
        area = floats(self._text, *self._after(self._column["area"]))
        corners = self._places[:, self._column["bbox"] + 1, None] + np.arange(4)
        box = floats(self._text, *self._tokens(corners.reshape(-1))).reshape(-1, 4)
        starts = np.repeat(self._first - np.cumsum(self._sizes) + self._sizes, self._sizes)
        points = floats(self._text, *self._tokens(starts + np.arange(len(starts))))
        return {
            "whole": whole,
            "area": area,
            "box": box,
            "rings": self._rings,
            "numbers": self._sizes,
            "points": points,
        }

    def _after(self, column: int) -> tuple[Ints, Ints]:
        return self._tokens(self._places[:, column])

    def _tokens(self, marks: Ints) -> tuple[Ints, Ints]:
        """Return where the numbers after these marks end, and their lengths."""
        ends = self._marks[marks + 1]
        return ends, ends - self._marks[marks] - 1
