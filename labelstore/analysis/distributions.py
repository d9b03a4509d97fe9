"""How far labels moved as a whole: their sizes, places, numbers, kinds, authors and sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.analysis.drift import Shift, jensen_shannon, population_stability
from labelstore.changes.summary import class_names
from labelstore.model.tables import FAMILY, TABLES
from labelstore.versions.agents import acting, agent_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.storage.index import Part
    from labelstore.versions.manifest import Manifest

    Floats = NDArray[np.float64]
    Values = dict[str, list[Floats]]
    Pair = tuple[Part, Part]
    """A part of labels and that of their shapes, row by row."""
    Sizes = tuple[NDArray[np.int64], Floats]
    """Ids of images, rising, and their width and height, shape (n, 2)."""

FEWEST = 30
"""Values that either side must have; of fewer nothing is said."""
UNITS = {"area": "px²", "aspect": "width / height", "x": "of the image", "y": "of the image",
         "labels per item": "", "occluded": "", "score": "", "text length": "letters"}  # fmt: skip
GROUPS = {"class": "category_id", "kind": "kind", "source": "dataset_id",
          "review state": "review_state"}  # fmt: skip
AUTHOR = ["created_by", "created_in"]
"""Who judged, where the source says it; else who brought the label."""
ENDS = ["xmin", "ymin", "xmax", "ymax"]
COLUMNS = ["item_id", *ENDS, "occluded", "score", *GROUPS.values(), *AUTHOR]
SHAPES = ["frame", "text"]
BINS = 10
"""Of the population stability index of numbers: tenths of the older side."""


NONE = "(none)"


def shifts(
    before: Manifest, after: Manifest, layer: str | None = None, other: str | None = None,
    *, known: Mapping[str, str] | None = None,
) -> list[Shift]:  # fmt: skip
    """Return how far labels moved in each respect, the largest effect first.

    Parts that both versions have are read once.

    Args:
        before: the older version.
        after: the newer.
        layer: the layer to look at; all where there is none.
        other: the layer of the newer version, where it is another.
        known: names of people by pseudonym.
    """
    sides = [_pairs(m, own) for m, own in ((before, layer), (after, other or layer))]
    there = [{_digests(p) for p in own} for own in sides]
    gathered = _Gathered(before, [p for p in sides[0] if _digests(p) in there[1]])
    pair = [_Gathered(m, [p for p in own if _digests(p) not in there[1 - i]])
            for i, (m, own) in enumerate(zip((before, after), sides, strict=True))]  # fmt: skip
    names = _names(before, after, known or {})
    found = [*_of_numbers(gathered, pair), *_of_groups(gathered, pair, names)]
    return sorted(found, key=lambda s: (-s.effect, s.what))


def _pairs(manifest: Manifest, layer: str | None) -> list[Pair]:
    notes, shapes = (manifest.parts_of(name, layer) for name in FAMILY)
    return list(zip(notes, shapes, strict=True))


def _digests(pair: Pair) -> tuple[bytes, bytes]:
    return pair[0].digest, pair[1].digest


class _Gathered:
    """Numbers and groups of the labels of some parts."""

    def __init__(self, manifest: Manifest, parts: Sequence[Pair]) -> None:
        self.numbers: Values = {name: [] for name in UNITS}
        self.groups: dict[str, Counter[Any]] = {name: Counter() for name in (*GROUPS, "author")}
        self._items: list[NDArray[np.int64]] = []
        sizes = _sizes(manifest) if parts else (np.empty(0, np.int64), np.empty((0, 2)))
        agents = acting(manifest)
        for notes, shapes in parts:
            self._take(manifest.read(notes, COLUMNS), manifest.read(shapes, SHAPES), sizes, agents)
        ids = np.concatenate([np.empty(0, np.int64), *self._items])
        self.items = np.unique(ids, return_counts=True)

    def _take(
        self, rows: pa.Table, shapes: pa.Table, sizes: Sizes, agents: Mapping[int, int]
    ) -> None:
        items = np.asarray(rows.column("item_id"))
        self._items.append(items)
        ends = np.stack([np.asarray(rows.column(n).fill_null(np.nan)) for n in ENDS], axis=1)
        shares = np.asarray(pc.equal(shapes.column("frame"), "unit").fill_null(False))
        for name, own in _places(ends, shares, _of_items(sizes, items)).items():
            self.numbers[name].append(own[np.isfinite(own)])
        lengths = pc.utf8_length(shapes.column("text")).drop_null()
        self.numbers["text length"].append(np.asarray(lengths, np.float64))
        for name in ("occluded", "score"):
            self.numbers[name].append(np.asarray(rows.column(name).drop_null(), np.float64))
        for name, column in GROUPS.items():
            for entry in pc.value_counts(rows.column(column)).to_pylist():
                self.groups[name][entry["values"]] += entry["counts"]
        for entry in rows.group_by(AUTHOR).aggregate([([], "count_all")]).to_pylist():
            author = entry["created_by"] or agents.get(entry["created_in"])
            self.groups["author"][author] += entry["count_all"]


def _places(ends: Floats, shares: NDArray[np.bool_], whole: Floats) -> dict[str, Floats]:
    """Return area, aspect and place of covering boxes; NaN where they cannot be known.

    Args:
        ends: shape (n, 4), pixels, or shares of the image.
        shares: shape (n,), which of them are shares.
        whole: shape (n, 2), width and height of the image in pixels.
    """
    given = np.where(shares[:, None], whole, 1.0)
    width, height = ((ends[:, 2:] - ends[:, :2]) * given).T
    middle = (ends[:, :2] + ends[:, 2:]) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y = np.where(shares[:, None], middle, middle / whole).T
        return {"area": width * height, "aspect": width / height, "x": x, "y": y}


def _names(
    before: Manifest, after: Manifest, known: Mapping[str, str]
) -> dict[str, Mapping[Any, str]]:
    """Return how to tell the values of groups that are ids."""
    authors = {**agent_names(before, known), **agent_names(after, known)}
    columns = ["dataset_id", "name"]
    rows = [r for m in (before, after) for r in m.table(TABLES["datasets"], columns).to_pylist()]
    sources = {row["dataset_id"]: row["name"] for row in rows}
    return {"class": class_names(before, after), "author": authors, "source": sources}


def _sizes(manifest: Manifest) -> Sizes:
    rows = manifest.table(TABLES["items"], ["item_id", "width", "height"])
    sides = [np.asarray(rows.column(n).cast(pa.float64()).fill_null(np.nan))
             for n in ("width", "height")]  # fmt: skip
    return np.asarray(rows.column("item_id")), np.stack(sides, axis=1)


def _of_items(sizes: Sizes, items: NDArray[np.int64]) -> Floats:
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
    shared: _Gathered, pair: Sequence[_Gathered], names: Mapping[str, Mapping[Any, str]]
) -> Iterator[Shift]:
    for what in shared.groups:
        counts = [shared.groups[what] + own.groups[what] for own in pair]
        totals = (counts[0].total(), counts[1].total())
        keys = sorted({*counts[0], *counts[1]}, key=str)
        if min(totals) < FEWEST or len(keys) < 2:
            continue
        p, q = ([own[k] / total for k in keys] for own, total in zip(counts, totals, strict=True))
        most = [own.most_common(1)[0][0] for own in counts]
        told = [_told(what, k, names) for k in most]
        yield Shift(what, cramers_v([[own[k] for k in keys] for own in counts]),
                    population_stability(p, q), jensen_shannon(p, q), "", told[0], told[1],
                    totals)  # fmt: skip


def _told(what: str, value: Any, names: Mapping[str, Mapping[Any, str]]) -> str:
    if what == "class":
        return names[what][value]
    return NONE if value is None else names.get(what, {}).get(value, str(value))


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
