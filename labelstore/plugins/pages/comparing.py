"""Whether two labels say the same."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose
from typing import Any

from labelstore.plugins.pages.page import columns_of, edges

SILENT = frozenset({"is_crowd", "outside"})
"""Columns in which false says nothing."""
STYLE = frozenset({"number_style", "leftovers"})
"""Columns that say how a source was written."""
MADE = frozenset({"created_at", "origin", "reviewed_at"})
"""Columns that say how a label was made, which is no content."""


def compared(label: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a label says by column, in one form: boxes as edges, nothing of style."""
    columns = columns_of(label)
    if columns.get("box") is not None:
        columns["box"] = edges(columns)
        columns.pop("box_form", None)
    columns = {n: v for n, v in columns.items()
               if not (n in SILENT and v is False) and (v != [] or n == "attributes")}  # fmt: skip
    return {name: plain(value) for name, value in columns.items() if name not in STYLE | MADE}


def alike(before: Any, after: Any) -> bool:
    """Say whether two values are the same, but for the last bits of sums."""
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return all(alike(a, b) for a, b in zip(before, after, strict=True))
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return before.keys() == after.keys() and all(alike(v, after[k]) for k, v in before.items())
    if isinstance(before, float) and isinstance(after, float):
        return isclose(before, after, rel_tol=1e-12, abs_tol=1e-9)
    return bool(before == after)


def distance(before: Any, after: Any) -> float:
    """Return the largest difference of the numbers in two values that are alike, else 0."""
    if isinstance(before, Mapping):
        return max((distance(v, after[k]) for k, v in before.items() if k in after), default=0.0)
    if isinstance(before, list) and isinstance(after, list):
        return max((distance(a, b) for a, b in zip(before, after, strict=False)), default=0.0)
    close = isinstance(before, float) and isinstance(after, float) and alike(before, after)
    return abs(before - after) if close else 0.0


def plain(value: Any) -> Any:
    """Return a value with no null members and no tuples, whose order is that of its keys."""
    if isinstance(value, Mapping):
        return {k: plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value
