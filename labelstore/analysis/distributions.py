"""How far labels moved as a whole: their sizes, places, numbers, kinds, authors and sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.analysis.drift import Shift, jensen_shannon, population_stability
from labelstore.changes.summary import class_names
from labelstore.model.tables import TABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.storage.index import Part
    from labelstore.versions.manifest import Manifest

    Floats = NDArray[np.float64]
    Values = dict[str, list[Floats]]

FEWEST = 30
"""Values that either side must have; of fewer nothing is said."""
UNITS = {"area": "px²", "aspect": "width / height", "x": "of the image", "y": "of the image",
         "labels per item": "", "occluded": "", "score": "", "text length": "letters"}  # fmt: skip
GROUPS = {"class": "category_id", "kind": "kind", "author": "created_by", "source": "dataset_id",
          "review state": "review_state"}  # fmt: skip
COLUMNS = ["item_id", "xmin", "ymin", "xmax", "ymax", "occluded", "score", *GROUPS.values()]
BINS = 10
"""Of the population stability index of numbers: tenths of the older side."""


def shifts(
    before: Manifest, after: Manifest, layer: str | None = None, other: str | None = None
) -> list[Shift]:
    """Return how far labels moved in each respect, the largest effect first.

    Parts that both versions have are read once.

    Args:
        before: the older version.
        after: the newer.
        layer: the layer to look at; all where there is none.
        other: the layer of the newer version, where it is another.
    """
    sides = [m.parts_of("annotations", own)
             for m, own in ((before, layer), (after, other or layer))]  # fmt: skip
    known = [{p.digest for p in own} for own in sides]
    shared = [p for p in sides[0] if p.digest in known[1]]
    gathered = _Gathered(before, shared)
    pair = [_Gathered(m, [p for p in own if p.digest not in known[1 - i]])
            for i, (m, own) in enumerate(zip((before, after), sides, strict=True))]  # fmt: skip
    found = [*_of_numbers(gathered, pair), *_of_groups(gathered, pair, before, after)]
    return sorted(found, key=lambda s: (-s.effect, s.what))


class _Gathered:
    """Numbers and groups of the labels of some parts."""

    def __init__(self, manifest: Manifest, parts: Sequence[Part]) -> None:
        self.numbers: Values = {name: [] for name in UNITS}
        self.groups: dict[str, Counter[object]] = {name: Counter() for name in GROUPS}
        self._items: list[NDArray[np.int64]] = []
        sizes = _sizes(manifest) if parts else (np.empty(0, np.int64), np.empty((0, 2)))
        for part in parts:
            self._take(manifest.read(part, COLUMNS), sizes)
        for part in _shapes_of(manifest, parts):
            lengths = pc.utf8_length(manifest.read(part, ["text"]).column(0)).drop_null()
            self.numbers["text length"].append(np.asarray(lengths, np.float64))
        ids = np.concatenate([np.empty(0, np.int64), *self._items])
        self.items = np.unique(ids, return_counts=True)

    def _take(self, rows: pa.Table, sizes: tuple[NDArray[np.int64], Floats]) -> None:
        items = np.asarray(rows.column("item_id"))
        self._items.append(items)
        ends = [np.asarray(rows.column(n).fill_null(np.nan)) for n in COLUMNS[1:5]]
        width, height = ends[2] - ends[0], ends[3] - ends[1]
        whole = _of_items(sizes, items)
        with np.errstate(divide="ignore", invalid="ignore"):
            values = {"area": width * height, "aspect": width / height,
                      "x": (ends[0] + ends[2]) / 2 / whole[:, 0],
                      "y": (ends[1] + ends[3]) / 2 / whole[:, 1]}  # fmt: skip
        for name, own in values.items():
            self.numbers[name].append(own[np.isfinite(own)])
        for name in ("occluded", "score"):
            self.numbers[name].append(np.asarray(rows.column(name).drop_null(), np.float64))
        for name, column in GROUPS.items():
            for entry in pc.value_counts(rows.column(column)).to_pylist():
                self.groups[name][entry["values"]] += entry["counts"]


def _shapes_of(manifest: Manifest, parts: Sequence[Part]) -> Iterator[Part]:
    """Yield the parts of shapes that go with parts of labels, where any of these is a text."""
    for part in parts:
        yield from (p for p in manifest.parts_of("geometries", part.partition)
                    if (p.first_key, p.first_id) == (part.first_key, part.first_id))  # fmt: skip


def _sizes(manifest: Manifest) -> tuple[NDArray[np.int64], Floats]:
    rows = manifest.table(TABLES["items"], ["item_id", "width", "height"])
    sides = [np.asarray(rows.column(n).cast(pa.float64()).fill_null(np.nan))
             for n in ("width", "height")]  # fmt: skip
    return np.asarray(rows.column("item_id")), np.stack(sides, axis=1)


def _of_items(sizes: tuple[NDArray[np.int64], Floats], items: NDArray[np.int64]) -> Floats:
    """Return the size of each label's image, shape (n, 2); NaN where nobody knows it."""
    ids, known = sizes
    if not len(ids):
        return np.full((len(items), 2), np.nan)
    at = np.minimum(np.searchsorted(ids, items), len(ids) - 1)
    return np.where((ids[at] == items)[:, None], known[at], np.nan)


def _of_numbers(shared: _Gathered, pair: Sequence[_Gathered]) -> Iterator[Shift]:
    from scipy.stats import ks_2samp, wasserstein_distance

    for name, unit in UNITS.items():
        sides = [_density(shared, own) if name == "labels per item" else
                 np.concatenate([np.empty(0), *shared.numbers[name], *own.numbers[name]])
                 for own in pair]  # fmt: skip
        if min(map(len, sides)) >= FEWEST:
            effect = float(ks_2samp(*sides, method="asymp").statistic)
            medians = [float(np.median(own)) for own in sides]
            distance = float(wasserstein_distance(*sides))
            yield Shift(name, effect, _stability(sides[0], sides[1]), distance, unit,
                        medians[0], medians[1], (len(sides[0]), len(sides[1])))  # fmt: skip


def _density(shared: _Gathered, own: _Gathered) -> Floats:
    """Return how many labels each item has, of those that have any."""
    ids = np.concatenate([shared.items[0], own.items[0]])
    counts = np.concatenate([shared.items[1], own.items[1]])
    _, at = np.unique(ids, return_inverse=True)
    return np.bincount(at, counts).astype(np.float64) if len(ids) else np.empty(0)


def _stability(before: Floats, after: Floats) -> float:
    edges = np.unique(np.quantile(before, np.linspace(0, 1, BINS + 1)[1:-1]))
    shares = [np.bincount(np.searchsorted(edges, own, side="right"), minlength=len(edges) + 1)
              / len(own) for own in (before, after)]  # fmt: skip
    return population_stability(shares[0].tolist(), shares[1].tolist())


def _of_groups(
    shared: _Gathered, pair: Sequence[_Gathered], before: Manifest, after: Manifest
) -> Iterator[Shift]:
    names: Mapping[object, str] = class_names(before, after)  # type: ignore[assignment]
    for what in GROUPS:
        counts = [shared.groups[what] + own.groups[what] for own in pair]
        totals = (counts[0].total(), counts[1].total())
        keys = sorted({*counts[0], *counts[1]}, key=str)
        if min(totals) < FEWEST or len(keys) < 2:
            continue
        p, q = ([own[k] / total for k in keys] for own, total in zip(counts, totals, strict=True))
        most = [own.most_common(1)[0][0] for own in counts]
        told = [names.get(k, str(k)) if what == "class" else str(k) for k in most]
        yield Shift(what, cramers_v([[own[k] for k in keys] for own in counts]),
                    population_stability(p, q), jensen_shannon(p, q), "", told[0], told[1],
                    totals)  # fmt: skip


def cramers_v(counts: Sequence[Sequence[int]]) -> float:
    """Return Cramér's V of a table of counts: how far rows and columns depend, 0 to 1.

    Example:
        >>> cramers_v([[10, 0], [0, 10]]), cramers_v([[5, 5], [5, 5]])
        (1.0, 0.0)
    """
    table = np.asarray(counts, np.float64)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    there = expected > 0
    chi2 = ((table - expected)[there] ** 2 / expected[there]).sum()
    return float(np.sqrt(chi2 / table.sum() / max(min(table.shape) - 1, 1)))
