"""Numbers as people give them: a float64 that is exactly what was written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

LARGEST = 2**1023


def _exact(value: Any) -> Any:
    """Refuse what only looks like a number, and whole numbers that a float64 would round."""
    if isinstance(value, str | bytes | bool):
        raise ValueError("input should be a number")
    if isinstance(value, int) and (abs(value) > LARGEST or float(value) != value):
        raise ValueError("no float64 is this whole number")
    return value


Number = Annotated[float, BeforeValidator(_exact)]
Point = tuple[Number, Number]
Point3 = tuple[Number, Number, Number]
Positive = Annotated[Number, Field(gt=0)]
Probability = Annotated[Number, Field(ge=0, le=1)]


def flat(points: Sequence[Sequence[Any]]) -> list[Any]:
    """Return points as one list of interleaved numbers."""
    return [number for point in points for number in point]
