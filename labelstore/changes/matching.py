"""The matcher: which labels of one side are which of another, by what they say and where they are.

Labels of one item that say the same are one; then those of one class whose shapes agree, then
those of different classes. Each step is an optimal assignment on the agreement that suits their
kind.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from labelstore.geometry.agreement import WHOLE, agreement, places, reaches
from labelstore.geometry.assignment import assigned
from labelstore.geometry.candidates import candidates
from labelstore.geometry.covering import covering_boxes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.geometry.similarity import Rows

    Flags = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

TINY = 1e-12
"""Agreement that is none."""


@dataclass(frozen=True)
class Labels:
    """One side.

    Attributes:
        items: shape (n,), item of each label; the same numbers mean the same on both sides.
        classes: shape (n,), class of each, -1 for none; likewise.
        kinds: shape (n,).
        shapes: n rows of `geometries`.
        said: shape (n,), a digest of all that each label says; or None, then none are the same.
    """

    items: Ints
    classes: Ints
    kinds: NDArray[np.object_]
    shapes: Rows
    said: NDArray[np.void] | None = None


@dataclass(frozen=True)
class Pairs:
    """Labels that are one.

    Attributes:
        before, after: shape (k,), places on either side; the first rise.
        agreement: shape (k,), 0 to 1; 1 for what says the same, and for labels of whole items.
    """

    before: Ints
    after: Ints
    agreement: Floats

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.before)


def matched(before: Labels, after: Labels, *, least: float | None = None) -> Pairs:
    """Return which labels are one; none is in two pairs.

    Args:
        before: the older.
        after: the newer.
        least: agreement below which no two are one; else what suits their kind.
    """
    run = _Matching(before, after, least)
    run.same()
    run.of_items(across=False)
    run.of_shapes(across=False)
    run.of_items(across=True)
    run.of_shapes(across=True)
    return run.pairs()


class _Matching:
    def __init__(self, before: Labels, after: Labels, least: float | None) -> None:
        self._sides, self._least = (_filled(before), _filled(after)), least
        self._free = [np.ones(len(side.items), bool) for side in self._sides]
        boxes = [covering_boxes(side.shapes) for side in self._sides]
        self._places = [places(side.kinds, side.shapes, own)
                        for side, own in zip(self._sides, boxes, strict=True)]  # fmt: skip
        self._reaches = [
            reaches(side.kinds, place, side.shapes, own)
            for side, place, own in zip(self._sides, self._places, boxes, strict=True)
        ]
        self._found: list[tuple[Ints, Ints, Floats]] = []

    def same(self) -> None:
        """Pair labels that say the same, the k-th with the k-th."""
        a, b = (side.said for side in self._sides)
        if a is None or b is None:
            return
        numbers = np.unique(np.concatenate([a, b]), return_inverse=True)[1]
        said = numbers[: len(a)], numbers[len(a) :]
        keys = [_keys(side.items, own) for side, own in zip(self._sides, said, strict=True)]
        self._by_rank(self._free, keys)

    def of_items(self, *, across: bool) -> None:
        """Pair labels of whole items, which have no place; the k-th of a kind with the k-th."""
        names = np.unique(np.concatenate([side.kinds for side in self._sides]).astype(str))
        kinds = [np.searchsorted(names, side.kinds.astype(str)) for side in self._sides]
        keys = [_keys(side.items, kind, _classes(side, across=across))
                for side, kind in zip(self._sides, kinds, strict=True)]  # fmt: skip
        whole = [free & (place == WHOLE)
                 for free, place in zip(self._free, self._places, strict=True)]  # fmt: skip
        self._by_rank(whole, keys)

    def of_shapes(self, *, across: bool) -> None:
        """Pair labels whose shapes agree."""
        at = [np.flatnonzero(free & (place != WHOLE))
              for free, place in zip(self._free, self._places, strict=True)]  # fmt: skip
        keys = [_keys(side.items, place, _classes(side, across=across))
                for side, place in zip(self._sides, self._places, strict=True)]  # fmt: skip
        groups = _numbered(keys[0][at[0]], keys[1][at[1]])
        a, b = candidates(groups, (self._reaches[0][at[0]], self._reaches[1][at[1]]))
        a, b = at[0][a], at[1][b]
        score, least = self._agreement(a, b)
        enough = score >= (least if self._least is None else max(self._least, TINY))
        a, b, score = a[enough], b[enough], score[enough]
        chosen = assigned(a, b, score)
        self._take(a[chosen], b[chosen], score[chosen])

    def _agreement(self, a: Ints, b: Ints) -> tuple[Floats, Floats]:
        pairs = tuple(zip(self._sides, (a, b), strict=True))
        kinds = tuple(side.kinds[own] for side, own in pairs)
        shapes = tuple(side.shapes.take(pa.array(own)) for side, own in pairs)
        return agreement((kinds[0], kinds[1]), (shapes[0], shapes[1]), asked=self._least)

    def _by_rank(self, chosen: list[Flags], keys: list[Ints]) -> None:
        """Pair chosen rows of equal keys, the k-th with the k-th."""
        at = [np.flatnonzero(own) for own in chosen]
        numbers = _numbered(*(key[own] for key, own in zip(keys, at, strict=True)))
        ranked = [_keys(own, ranks(own)) for own in numbers]
        both = _numbered(ranked[0], ranked[1])
        _, i, j = np.intersect1d(*both, assume_unique=True, return_indices=True)
        self._take(at[0][i], at[1][j], np.ones(len(i)))

    def _take(self, a: Ints, b: Ints, score: Floats) -> None:
        self._free[0][a] = False
        self._free[1][b] = False
        self._found.append((a, b, score))

    def pairs(self) -> Pairs:
        """Return all pairs, in the order of the first side."""
        a, b, score = (np.concatenate(each) for each in zip(*self._found, strict=True))
        order = np.argsort(a)
        return Pairs(a[order], b[order], score[order])


def _filled(side: Labels) -> Labels:
    """Return labels without columns of shapes that none of them has."""
    rows = side.shapes
    names = [n for n in rows.schema.names if rows.column(n).null_count < rows.num_rows]
    return replace(side, shapes=rows.select(names))


def _keys(*columns: Ints) -> Ints:
    return np.stack(columns, axis=1)


def _classes(side: Labels, *, across: bool) -> Ints:
    """Return the class of each label, or one for all."""
    return np.zeros(len(side.classes), np.int64) if across else side.classes


def _numbered(a: Ints, b: Ints) -> tuple[Ints, Ints]:
    """Return a number for each row of two tables, the same where the rows are; shapes (n, k)."""
    both = np.concatenate([a, b])
    numbers = np.zeros(len(both), np.int64)
    for column in both.T:
        _, own = np.unique(column, return_inverse=True)
        _, numbers = np.unique(numbers * (own.max(initial=0) + 1) + own, return_inverse=True)
    return numbers[: len(a)], numbers[len(a) :]


def ranks(groups: Ints) -> Ints:
    """Return how many equal numbers come before each, shape (n,)."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    first = np.searchsorted(ordered, ordered)
    found = np.empty(len(groups), np.int64)
    found[order] = np.arange(len(groups)) - first
    return found
