"""How far authors agree: as a whole, in pairs, by class and by month."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix

from labelstore.analysis.agreement.coefficients import (
    Metric,
    alpha,
    cohen,
    counted_pairs,
    fleiss,
    pearson,
)
from labelstore.analysis.agreement.report import Agreement, AuthorAgreement, Group, PairAgreement
from labelstore.analysis.agreement.units import MISSED, NONE, UNSEEN, Units

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]
    Floats = NDArray[np.float64]

SWEEP = (0.5, 0.75, 0.9)
"""Agreement of shapes from which two labels are one object, for alpha at each."""
DRAWS = 500
"""Samples of items, with replacement, that the interval of alpha comes from."""
SEED = 7
LAST = "9999-99"
"""After every month."""


@dataclass(frozen=True)
class Told:
    """What is told of labels: a value for each.

    Attributes:
        ids: shape (n,), annotation ids, rising.
        values: shape (n,).
    """

    ids: Ids
    values: Any

    def of(self, labels: Ids, missing: Any) -> Any:
        """Return the value of each label, in the shape of `labels`; `missing` for none."""
        if not len(self.ids):
            return np.full(labels.shape, missing)
        at = np.minimum(np.searchsorted(self.ids, labels), len(self.ids) - 1)
        return np.where((self.ids[at] == labels) & (labels != NONE), self.values[at], missing)


def agreement(
    units: Units, names: Mapping[int | None, str], *, months: Told | None = None,
    values: Told | None = None, metric: Metric = "interval",
) -> Agreement:  # fmt: skip
    """Return how far authors agree.

    Args:
        units: what they judged.
        names: of classes.
        months: in which each label was made.
        values: numbers that labels say, to be compared by `metric`.
        metric: of the values.
    """
    low, high = interval(units)
    shapes = units.between
    table = None if values is None else values.of(units.labels, np.nan)
    found = Agreement(
        len(np.unique(units.items)), len(units), alpha(*units.judgements()), low, high,
        _fleiss(units), _mean(shapes[~np.isnan(shapes)]), list(_authors(units)),
        list(_pairs(units, table)), list(_classes(units, names)),
        list(_months(units, months)),
        [(least, alpha(*_split_below(units, least).judgements())) for least in SWEEP
         if len(units.authors) == 2],
    )  # fmt: skip
    if table is None:
        return found
    unit, author = np.nonzero(~np.isnan(table))
    return replace(found, value=alpha(unit, table[unit, author], metric), metric=metric)


def interval(units: Units, draws: int = DRAWS) -> tuple[float | None, float | None]:
    """Return between which values alpha lies in 95 of 100 samples of the items.

    Alpha is made of sums over objects, so a sample is a weight for each item.
    """
    unit, value = units.judgements()
    _, item = np.unique(units.items, return_inverse=True)
    sizes = np.bincount(unit, minlength=len(units))
    kept = sizes[unit] > 1
    unit, value = unit[kept], value[kept]
    if not len(unit):
        return None, None
    _, codes = np.unique(value, return_inverse=True)
    of, same = counted_pairs(unit, codes)
    alike = np.bincount(of, same.astype(np.float64) ** 2, len(units))
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.where(sizes > 1, (sizes**2 - alike) / (sizes - 1), 0.0)
    count = int(item.max()) + 1
    by_item = np.bincount(item, apart, count)
    totals = csr_matrix((np.ones(len(unit)), (item[unit], codes)), shape=(count, codes.max() + 1))
    rng = np.random.default_rng(SEED)
    found: list[float] = []
    for _ in range(draws):
        weight = np.bincount(rng.integers(0, count, count), minlength=count).astype(np.float64)
        own = totals.T @ weight
        number = own.sum()
        expected = (number**2 - (own**2).sum()) / (number - 1) if number > 1 else 0.0
        found.append(1.0 if expected <= 0 else float(1 - weight @ by_item / expected))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def _fleiss(units: Units) -> float | None:
    if not len(units) or (units.classes == UNSEEN).any():
        return None
    level, codes = np.unique(units.classes, return_inverse=True)
    counts = np.zeros((len(units), len(level)))
    rows = np.repeat(np.arange(len(units)), units.classes.shape[1])
    np.add.at(counts, (rows, codes.ravel()), 1)
    return fleiss(counts)


def _mean(values: Any) -> float | None:
    return float(values.mean()) if len(values) else None


def _authors(units: Units) -> Iterator[AuthorAgreement]:
    labelled = (units.labels != NONE).sum(axis=1)
    for a, name in enumerate(units.authors):
        own = units.labels[:, a] != NONE
        pairs = [units.classes[:, [a, b]] for b in range(len(units.authors))
                 if b != a]  # fmt: skip
        told = [(_pair_alpha(pair), int(_both(pair).sum())) for pair in pairs]
        known = [(value, n) for value, n in told if value is not None and n]
        mean = sum(v * n for v, n in known) / sum(n for _, n in known) if known else None
        yield AuthorAgreement(name, int(own.sum()), int((units.classes[:, a] == MISSED).sum()),
                              int((own & (labelled == 1)).sum()), mean)  # fmt: skip


def _both(pair: Ids) -> Any:
    """Return which objects are of items that both labelled, and at least one has."""
    return (pair != UNSEEN).all(axis=1) & (pair != MISSED).any(axis=1)


def _pair_alpha(pair: Ids) -> float | None:
    own = pair[_both(pair)]
    return alpha(np.repeat(np.arange(len(own)), 2), own.ravel())


def _pairs(units: Units, values: Any) -> Iterator[PairAgreement]:
    for at, (a, b) in enumerate(combinations(range(len(units.authors)), 2)):
        pair = units.classes[:, [a, b]]
        own = _both(pair)
        level, codes = np.unique(pair[own], return_inverse=True)
        counts = np.zeros((len(level), len(level)))
        np.add.at(counts, tuple(codes.reshape(-1, 2).T), 1)
        have = (units.labels[:, [a, b]] != NONE).all(axis=1)
        shapes = units.between[:, at]
        r = None
        if values is not None:
            sides = values[have][:, [a, b]]
            sides = sides[~np.isnan(sides).any(axis=1)]
            r = pearson(sides[:, 0], sides[:, 1])
        yield PairAgreement(units.authors[a], units.authors[b], int(own.sum()), cohen(counts),
                            _mean(shapes[~np.isnan(shapes)]), r)  # fmt: skip


def _classes(units: Units, names: Mapping[int | None, str]) -> Iterator[Group]:
    """Yield alpha of each class against all else, of the objects that anybody gives that class."""
    unit, value = units.judgements()
    found = []
    for number in np.unique(value[value > MISSED]).tolist():
        objects = int((units.classes == number).any(axis=1).sum())
        name = names[None if number < 0 else number]
        found.append(Group(name, objects, alpha(unit, value == number)))
    yield from sorted(found, key=lambda g: (g.alpha is None, g.alpha, g.name))


def _months(units: Units, months: Told | None) -> Iterator[Group]:
    """Yield alpha of the objects that were first labelled in each month."""
    if months is None:
        return
    every = months.of(units.labels, "")
    column = np.sort(np.where(every == "", LAST, every), axis=1)[:, 0]
    for month in sorted(set(column.tolist()) - {LAST}):
        own = units.take(column == month)
        yield Group(month, len(own), alpha(*own.judgements()))


def _split_below(units: Units, least: float) -> Units:
    """Return objects of two authors as they would be if shapes that agree by less were others."""
    low = (units.agreement < least) & (units.labels != NONE)
    classes = np.where(low, MISSED, units.classes)
    rows, author = np.nonzero(low)
    alone = np.where(units.classes[rows] == UNSEEN, UNSEEN, MISSED)
    alone[np.arange(len(rows)), author] = units.classes[rows, author]
    items = np.concatenate([units.items, units.items[rows]])
    stacked = np.concatenate([classes, alone])
    empty = np.zeros_like(stacked)
    none = empty.astype(np.float64)
    return Units(units.authors, items, empty, stacked, none, none[:, :0])
