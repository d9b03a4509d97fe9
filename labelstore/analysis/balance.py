"""Class balance: how many labels and items each class has, and what follows from it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labelstore.changes.summary import class_names
from labelstore.query.engine import run
from labelstore.storage.index import UNCLASSED
from labelstore.versions.manifest import Manifest

BETA = 0.999
"""Cui et al. 2019: effective number of samples, (1 - beta^n) / (1 - beta)."""


@dataclass(frozen=True)
class ClassCount:
    """One class.

    Attributes:
        items: items with at least one label of the class; None where only the index was read.
        weight: proportional to the inverse of the effective number, of mean 1.
    """

    category: str
    annotations: int
    share: float
    weight: float
    items: int | None = None


@dataclass(frozen=True)
class Balance:
    """The classes of a version, most frequent first.

    Attributes:
        imbalance: most frequent over least frequent class that occurs.
        entropy: of the shares, normalised: 1 means all classes are equally frequent.
    """

    classes: Sequence[ClassCount]
    annotations: int
    imbalance: float | None
    entropy: float | None


def class_counts(manifest: Manifest, layer: str | None = None) -> dict[int | None, int]:
    """Return labels per class id from the part index alone; None stands for no class.

    Args:
        manifest: the version.
        layer: count only this layer.
    """
    counts: Counter[int | None] = Counter()
    for part in manifest.parts_of("annotations", layer):
        for category, rows in part.class_counts.items():
            counts[None if category == UNCLASSED else category] += rows
    return dict(counts)


def balance(manifest: Manifest, layer: str | None = None, *, items: bool = False) -> Balance:
    """Return how labels are spread over classes.

    Args:
        manifest: the version.
        layer: count only this layer.
        items: count items per class too, which scans the labels; without, the index answers.
    """
    names = class_names(manifest)
    found: list[dict[str, Any]]
    if items:
        found = run(manifest, "class_balance", layer=layer).to_pylist()
    else:
        counts = class_counts(manifest, layer)
        found = [{"category_id": c, "annotations": n, "items": None} for c, n in counts.items()]
    rows = [(names[r["category_id"]], r["annotations"], r["items"]) for r in found]
    rows.sort(key=lambda r: (-r[1], r[0]))
    return _described(rows)


def _described(rows: Sequence[tuple[str, int, int | None]]) -> Balance:
    total = sum(n for _, n, _ in rows)
    shares = [n / total for _, n, _ in rows]
    inverse = [(1 - BETA) / (1 - BETA**n) for _, n, _ in rows]
    mean = sum(inverse) / len(inverse) if inverse else 1.0
    classes = [
        ClassCount(name, n, share, value / mean, items)
        for (name, n, items), share, value in zip(rows, shares, inverse, strict=True)
    ]
    spread = -sum(s * math.log(s) for s in shares)
    return Balance(
        classes,
        total,
        imbalance=rows[0][1] / rows[-1][1] if rows else None,
        entropy=spread / math.log(len(rows)) if len(rows) > 1 else None,
    )
