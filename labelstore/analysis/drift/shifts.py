"""How far labels moved as a whole: their sizes, places, numbers, kinds, authors and sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labelstore.analysis.drift.gathering import UNITS, Gathered
from labelstore.analysis.drift.measures import (
    chance_of_groups,
    cramers_v,
    interval_of_groups,
    interval_of_numbers,
    jensen_shannon,
    population_stability,
    stability_of_numbers,
)
from labelstore.analysis.drift.report import Shift
from labelstore.changes.summary import class_names
from labelstore.model.tables import TABLES
from labelstore.versions.agents import agent_names
from labelstore.versions.manifest import Manifest

FEWEST = 30
"""Values that either side must have; of fewer nothing is said."""
NONE = "(none)"


def shifts(
    pair: tuple[Gathered, Gathered], names: Mapping[str, Mapping[Any, str]]
) -> tuple[list[Shift], list[str]]:
    """Return how far labels moved in each respect, the largest effect first; and what is skipped.

    Chances are not corrected for the number of questions yet.

    Args:
        pair: the older and the newer labels.
        names: how to tell the values of groups, see `names_of`.
    """
    found, skipped = [], []
    for name, unit in UNITS.items():
        sides = pair[0].numbers(name), pair[1].numbers(name)
        if min(map(len, sides)) >= FEWEST:
            found.append(_of_numbers(name, unit, sides))
        elif max(map(len, sides)):
            skipped.append(name)
    for what in pair[0].groups:
        counts = [own.groups[what] for own in pair]
        keys = sorted({*counts[0], *counts[1]}, key=str)
        if min(c.total() for c in counts) < FEWEST:
            skipped.append(what)
        elif len(keys) > 1:
            table = [[own[k] for k in keys] for own in counts]
            most = [_told(what, own.most_common(1)[0][0], names) for own in counts]
            found.append(_of_groups(what, table, most))
    return sorted(found, key=lambda s: (-s.effect, s.what)), skipped


def _of_numbers(name: str, unit: str, sides: tuple[Any, Any]) -> Shift:
    from scipy.stats import ks_2samp, wasserstein_distance

    test = ks_2samp(*sides, method="asymp")
    effect, counts = float(test.statistic), (len(sides[0]), len(sides[1]))
    medians = [float(np.median(own)) for own in sides]
    low, high = interval_of_numbers(effect, counts)
    return Shift(name, effect, stability_of_numbers(*sides),
                 float(wasserstein_distance(*sides)), unit, medians[0], medians[1], counts,
                 low, high, float(test.pvalue))  # fmt: skip


def _of_groups(what: str, table: Sequence[Sequence[int]], most: Sequence[str]) -> Shift:
    counts = (sum(table[0]), sum(table[1]))
    p, q = ([n / total for n in own] for own, total in zip(table, counts, strict=True))
    low, high = interval_of_groups(table)
    return Shift(what, cramers_v(table), population_stability(p, q), jensen_shannon(p, q), "",
                 most[0], most[1], counts, low, high, chance_of_groups(table))  # fmt: skip


def names_of(
    before: Manifest, after: Manifest, known: Mapping[str, str]
) -> dict[str, Mapping[Any, str]]:
    """Return how to tell the values of groups that are ids."""
    authors = {**agent_names(before, known), **agent_names(after, known)}
    columns = ["dataset_id", "name"]
    rows = [r for m in (before, after) for r in m.table(TABLES["datasets"], columns).to_pylist()]
    sources = {row["dataset_id"]: row["name"] for row in rows}
    return {"class": class_names(before, after), "author": authors, "source": sources}


def _told(what: str, value: Any, names: Mapping[str, Mapping[Any, str]]) -> str:
    if what == "class":
        return names[what][value]
    return NONE if value is None else names.get(what, {}).get(value, str(value))
