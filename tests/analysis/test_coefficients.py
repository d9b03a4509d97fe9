"""Coefficients of agreement, against what was published and what must always hold."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import DATA
from hypothesis import given
from hypothesis import strategies as st

from labelstore.analysis.agreement.coefficients import Metric, alpha, cohen, fleiss, pearson

FOLDER = DATA / "agreement"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text())
METRICS: tuple[Metric, ...] = ("nominal", "ordinal", "interval", "ratio")


def table(name: str) -> list[list[str]]:
    """Return the cells of a table, without heading and row names."""
    rows = list(csv.reader((FOLDER / name).read_text().splitlines()))
    return [row[1:] for row in rows[1:]]


def judgements(name: str) -> tuple[Any, Any]:
    """Return unit and value of each judgement of a table of units by authors."""
    rows = table(name)
    found = [(u, float(v)) for u, row in enumerate(rows) for v in row if v != ""]
    return np.array([u for u, _ in found]), np.array([v for _, v in found])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", ["krippendorff_2011.csv", "krippendorff_encyclopedia.csv"])
def test_alpha_is_krippendorffs(name: str, metric: Metric) -> None:
    expected = EXPECTED[name]
    found = alpha(*judgements(name), metric)
    assert found == pytest.approx(expected["alpha"][metric], abs=1e-6)
    if metric in expected["published_3dp"]:
        assert found is not None
        assert round(found, 3) == expected["published_3dp"][metric]


@pytest.mark.parametrize("name", ["fleiss_1971_counts.csv", "fleiss_14_raters_counts.csv"])
def test_kappa_is_fleiss(name: str) -> None:
    counts = np.array(table(name), int)
    assert fleiss(counts) == pytest.approx(EXPECTED[name]["fleiss_kappa"], abs=1e-6)
    if "krippendorff_alpha_nominal" in EXPECTED[name]:
        unit, kind = np.nonzero(counts)
        times = counts[unit, kind]
        found = alpha(np.repeat(unit, times), np.repeat(kind, times))
        assert found == pytest.approx(EXPECTED[name]["krippendorff_alpha_nominal"], abs=1e-6)


def test_kappa_is_cohens() -> None:
    counts = np.array(table("cohen_3x3_confusion.csv"), int)
    expected = EXPECTED["cohen_3x3_confusion.csv"]
    assert cohen(counts) == pytest.approx(expected["cohen_kappa"], abs=1e-6)
    assert cohen(counts, "linear") == pytest.approx(
        expected["weighted_kappa_linear_4dp"], abs=5e-5
    )
    quadratic = cohen(counts, "quadratic")
    assert quadratic is not None
    assert -1 <= quadratic <= 1


@pytest.mark.parametrize("metric", METRICS)
def test_where_all_say_one_thing_they_agree(metric: Metric) -> None:
    units, values = np.array([0, 0, 1, 1]), np.array([3.0, 3.0, 3.0, 3.0])
    assert alpha(units, values, metric) == 1.0
    assert cohen([[4, 0], [0, 0]]) == 1.0
    assert fleiss([[3, 0], [3, 0]]) == 1.0


@pytest.mark.parametrize("metric", METRICS)
def test_one_author_cannot_agree(metric: Metric) -> None:
    assert alpha(np.arange(5), np.ones(5), metric) is None
    assert alpha(np.empty(0, int), np.empty(0), metric) is None
    assert fleiss(np.ones((4, 1))) is None
    assert fleiss(np.empty((0, 3))) is None
    assert cohen(np.zeros((2, 2))) is None
    assert pearson([1], [1]) is None
    assert pearson([1, 1], [1, 2]) is None


def test_authors_must_judge_alike_for_fleiss() -> None:
    with pytest.raises(ValueError, match="as often"):
        fleiss([[2, 0], [1, 2]])


def plain_alpha(units: Any, values: Any, metric: Metric) -> float | None:
    """Return alpha by its definition, pair by pair."""
    of = {u: [v for w, v in zip(units, values, strict=True) if w == u] for u in set(units)}
    of = {u: own for u, own in of.items() if len(own) > 1}
    flat = [v for own in of.values() for v in own]
    if not flat:
        return None

    def apart(a: float, b: float) -> float:
        if metric == "nominal":
            return float(a != b)
        if metric == "interval":
            return (a - b) ** 2
        if metric == "ratio":
            return ((a - b) / (a + b)) ** 2 if a + b else 0.0
        low, high = min(a, b), max(a, b)
        between = sum(low <= v <= high for v in flat)
        ends = (flat.count(low) + flat.count(high)) / 2
        return 0.0 if low == high else float(between - ends) ** 2

    observed = sum(apart(a, b) / (len(own) - 1) for own in of.values() for a in own for b in own)
    expected = sum(apart(a, b) for a in flat for b in flat) / (len(flat) - 1)
    return 1.0 if expected == 0 else 1 - observed / expected


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), max_size=30),
    st.sampled_from(METRICS),
)
def test_alpha_is_its_definition(judged: list[tuple[int, int]], metric: Metric) -> None:
    units = np.array([u for u, _ in judged], np.int64)
    values = np.array([v for _, v in judged], np.float64)
    found, expected = alpha(units, values, metric), plain_alpha(units, values, metric)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-9))


@given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=2, max_size=20))
def test_fleiss_comes_near_alpha_for_many_units(rows: list[list[int]]) -> None:
    """Of n judgements alpha is kappa + (1 - kappa) / n: it corrects for small samples."""
    counts = np.array([[row.count(v) for v in range(4)] for row in rows])
    units = np.repeat(np.arange(len(rows)), 3)
    kappa, found = fleiss(counts), alpha(units, np.array(rows).ravel())
    assert kappa is not None
    assert found == pytest.approx(kappa + (1 - kappa) / (3 * len(rows)), abs=1e-9)


def test_values_far_from_zero_lose_nothing() -> None:
    rng = np.random.default_rng(1)
    units, values = np.repeat(np.arange(50), 3), rng.normal(0, 1, 150)
    near = alpha(units, values, "interval")
    assert alpha(units, values + 1e7, "interval") == pytest.approx(near, abs=1e-6)


def test_the_tables_came_whole() -> None:
    assert {p.name for p in Path(FOLDER).glob("*.csv")} == EXPECTED.keys()
