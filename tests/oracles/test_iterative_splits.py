"""A balanced split is at least as even as one by iterative stratification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracle import asked

from labelstore.analysis.splits.balanced import FREE, place
from labelstore.analysis.splits.groups import Strata

TENTHS = {"train": 0.8, "val": 0.1, "test": 0.1}


def worst(counts: Any, subset: Any) -> float:
    """Return the largest distance of a class's share of its labels from what was asked."""
    shares = [counts[subset == s].sum(0) / counts.sum(0) for s in range(len(TENTHS))]
    return float(np.abs(np.array(shares) - np.array(list(TENTHS.values()))[:, None]).max())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("classes", [8, 80])
def test_the_worst_class_is_no_worse(tmp_path: Path, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    chances = 0.5 / np.arange(1, classes + 1) ** 1.1
    counts = rng.binomial(1, chances, (6000, classes))
    np.save(tmp_path / "counts.npy", counts)
    folds = np.array(asked("iterative_splits.py", tmp_path / "counts.npy", 10))
    theirs = worst(counts, np.minimum(np.maximum(folds - 7, 0), 2))
    group, kind = np.nonzero(counts)
    strata = Strata([str(n) for n in range(classes)], group, kind, counts[group, kind])
    draws = np.array([f"{n:08x}" for n in rng.integers(0, 2**32, len(counts))])
    ones = np.ones(len(counts), np.int64)
    ours = worst(counts, place(list(TENTHS.values()), ones, strata, draws, ones * FREE))
    assert ours <= 1.1 * theirs
