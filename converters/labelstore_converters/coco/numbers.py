"""Numbers as the source wrote them: which were integers, which had a point.

A row's numbers stand in a fixed order: area, score, the box's four, then the members of the rings
or the x and y of the keypoints, then their scores, if they have any. `number_style` names them in
runs, such as `1i4f46i`; null means that all were floats. A JSON writer that prints the shortest
float then gives back the same values with the same types.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any

EXACT_INTEGER = 2**53
RUN = re.compile(r"(\d+)([if])")


def is_number(value: Any) -> bool:
    """Say whether a JSON value is a number that float64 holds exactly."""
    kind = type(value)
    if kind is float:
        return math.isfinite(value)
    return kind is int and -EXACT_INTEGER <= value <= EXACT_INTEGER


def is_int(value: Any, bits: int = 64) -> bool:
    """Say whether a JSON value is an integer of that many bits."""
    return type(value) is int and -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)


def style_of(values: Sequence[float | int]) -> str | None:
    """Return the runs of integers and floats, or None where all are floats."""
    kinds = ["i" if type(v) is int else "f" for v in values]
    if "i" not in kinds:
        return None
    return "".join(f"{len(list(run))}{kind}" for kind, run in groupby(kinds))


def styled(values: Sequence[float], style: str | None) -> list[float | int]:
    """Return the numbers with the types that the style says; floats where it says nothing.

    A style made for another count of numbers (the row was edited) is not applied.
    """
    if style is None:
        return list(values)
    kinds = "".join(kind * int(count) for count, kind in RUN.findall(style))
    if len(kinds) != len(values):
        return list(values)
    pairs = zip(values, kinds, strict=True)
    return [int(v) if kind == "i" and v.is_integer() else v for v, kind in pairs]
