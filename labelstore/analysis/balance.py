"""Class balance: how many labels and items each class has, and what follows from it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from labelstore.changes.summary import class_names
from labelstore.query.engine import run
from labelstore.storage.index import UNCLASSED
from labelstore.versions.manifest import Manifest

BETA = 0.999
"""Cui et al. 2019: effective number of samples, (1 - beta^n) / (1 - beta)."""
BANDS = (("rare", 10), ("common", 100), ("frequent", math.inf))
"""LVIS: classes that at most so many items have."""

Band = Literal["rare", "common", "frequent"]


@dataclass(frozen=True)
class ClassCount:
    """One class.

    Attributes:
        effective: effective number of samples: what the next label adds shrinks as labels overlap.
        weight: proportional to the inverse of the effective number, of mean 1.
        band: rare, common or frequent, as LVIS has them: by items where these were counted, else
            by labels.
        items: items with at least one label of the class; None where only the index was read.
    """

    category: str
    category_id: int | None
    annotations: int
    share: float
    effective: float
    weight: float
    band: Band
    items: int | None = None


@dataclass(frozen=True)
class Balance:
    """The classes of a version, most frequent first.

    Attributes:
        imbalance: most frequent over least frequent class that occurs.
        entropy: of the shares, normalised: 1 means all classes are equally frequent.
        absent: classes that are listed and have no label.
    """

    classes: Sequence[ClassCount]
    annotations: int
    imbalance: float | None
    entropy: float | None
    absent: Sequence[str] = ()


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


def balance(
    manifest: Manifest, layer: str | None = None, *, items: bool = False,
    where: str | None = None, beta: float = BETA,
) -> Balance:  # fmt: skip
    """Return how labels are spread over classes.

    Args:
        manifest: the version.
        layer: count only this layer.
        items: count items per class too, which scans the labels; without, the index answers.
        where: count only labels that meet a condition, which scans them too.
        beta: of the effective number, from 0 (all classes weigh the same) to below 1.
    """
    if items or where is not None:
        found = run(manifest, "class_balance", where=where, layer=layer).to_pylist()
    else:
        counts = class_counts(manifest, layer)
        found = [{"category_id": c, "annotations": n, "items": None} for c, n in counts.items()]
    return described(found, class_names(manifest), beta)


def described(
    rows: Sequence[Mapping[str, Any]], names: Mapping[int | None, str], beta: float = BETA
) -> Balance:
    """Return what follows from counts.

    Args:
        rows: `category_id`, `annotations` and `items` (None where not counted) of each class.
        names: of classes.
        beta: see `balance`.

    Example:
        >>> counts = (5000, 500, 50, 5)
        >>> rows = [{"category_id": n, "annotations": n, "items": None} for n in counts]
        >>> found = described(rows, {n: str(n) for n in counts})
        >>> [round(c.effective, 2) for c in found.classes], found.imbalance
        ([993.28, 393.62, 48.79, 4.99], 1000.0)
    """
    ordered = sorted(rows, key=lambda r: (-r["annotations"], names[r["category_id"]]))
    counts = [r["annotations"] for r in ordered]
    total = sum(counts)
    shares = [n / total for n in counts]
    effective = [(1 - beta**n) / (1 - beta) for n in counts]
    mean = sum(1 / n for n in effective) / len(effective) if effective else 1.0
    classes = [
        ClassCount(names[r["category_id"]], r["category_id"], r["annotations"], share, number,
                   1 / number / mean, _band(r), r["items"])
        for r, share, number in zip(ordered, shares, effective, strict=True)
    ]  # fmt: skip
    spread = -sum(s * math.log(s) for s in shares)
    there = {r["category_id"] for r in rows}
    return Balance(
        classes,
        total,
        imbalance=counts[0] / counts[-1] if counts else None,
        entropy=spread / math.log(len(counts)) if len(counts) > 1 else None,
        absent=sorted(n for i, n in names.items() if i is not None and i not in there),
    )


def _band(row: Mapping[str, Any]) -> Any:
    count = row["annotations"] if row["items"] is None else row["items"]
    return next(name for name, most in BANDS if count <= most)
