"""Where authors disagree: a queue for review, the worst first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from labelstore.analysis.agreement.units import MISSED, NONE, UNSEEN, Units

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUEUE = pa.schema(
    [("item_id", pa.int64()), ("what", pa.string()), ("amount", pa.float64()),
     ("annotations", pa.list_(pa.int64())), ("classes", pa.list_(pa.string()))]
)  # fmt: skip
"""A row for each object that authors judge otherwise: `what` differs (missed, class or shape), by
how much (the share of authors who missed it, 1 for a class, 1 - agreement for a shape), the label
of each author, null where there is none, and its class, else `(missed)` or `(not seen)`."""
ALIKE = 0.9
"""Agreement from which shapes need no review: people draw no better."""
ROUNDING = 1e-6
"""Of intersections: shapes that agree so nearly are the same."""
TOLD = {MISSED: "(missed)", UNSEEN: "(not seen)"}


def disagreements(units: Units, names: Mapping[int | None, str], alike: float = ALIKE) -> pa.Table:
    """Return the objects that authors judge otherwise; those that were missed come first.

    Args:
        units: what they judged.
        names: of classes.
        alike: agreement from which shapes are not told.
    """
    seen = (units.classes != UNSEEN).sum(axis=1)
    there = units.labels != NONE
    missed = (units.classes == MISSED).sum(axis=1) / np.maximum(seen, 1)
    named = _several(units.classes, there)
    worst = 1 - np.where(np.isnan(units.agreement), 1.0, units.agreement).min(axis=1, initial=1.0)
    level = np.where(missed > 0, 2, np.where(named, 1, 0))
    worst = np.where(worst > max(1 - alike, ROUNDING), worst, 0.0)
    amount = np.where(missed > 0, missed, np.where(named, 1.0, worst))
    order = np.lexsort((units.items, -amount, -level))
    chosen = order[(amount[order] > 0) & (seen[order] > 1)]
    what = np.array(["shape", "class", "missed"])[level[chosen]]
    return pa.table([units.items[chosen], what, amount[chosen], _lists(units.labels[chosen]),
                     _named(units.classes[chosen], names)], schema=QUEUE)  # fmt: skip


def _several(classes: Any, there: Any) -> NDArray[np.bool_]:
    """Return which objects have labels of more than one class."""
    top = np.iinfo(np.int64)
    low = np.where(there, classes, top.max).min(axis=1, initial=top.max)
    high = np.where(there, classes, top.min).max(axis=1, initial=top.min)
    return np.asarray(there.any(axis=1) & (low != high), bool)


def _lists(ids: Any) -> pa.Array:
    values = pa.array(ids.ravel(), pa.int64(), mask=(ids == NONE).ravel())
    return pa.ListArray.from_arrays(np.arange(len(ids) + 1, dtype=np.int32) * ids.shape[1], values)


def _named(classes: Any, names: Mapping[int | None, str]) -> pa.Array:
    level, codes = np.unique(classes.ravel(), return_inverse=True)
    told = [TOLD.get(n) or names[None if n < 0 else n] for n in level.tolist()]
    values = pa.array(told, pa.string()).take(pa.array(codes))
    ends = np.arange(len(classes) + 1, dtype=np.int32) * classes.shape[1]
    return pa.ListArray.from_arrays(ends, values)
