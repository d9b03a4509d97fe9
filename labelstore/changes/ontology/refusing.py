"""What no class may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from labelstore.model.categories import Category

Row = Mapping[str, Any]


def faulty_values(row: Row) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield what is wrong with a class's values: where, and what."""
    try:
        Category.model_validate(row)
    except ValidationError as error:
        for fault in error.errors():
            yield fault["loc"], fault["msg"].lower()
    yield from _faulty_types(row.get("attribute_types") or [])
    points = row.get("keypoint_names")
    if points is None:
        return
    used = [point for edge in row.get("skeleton") or [] for point in edge.values()]
    if max(used, default=-1) >= len(points):
        yield ("skeleton",), f"names a keypoint beyond the {len(points)} there are, from 0"
    pairs = row.get("flip_pairs")
    if pairs is not None and sorted(pairs) != list(range(len(points))):
        yield ("flip_pairs",), f"needs each of 0 to {len(points) - 1} once"


def _faulty_types(types: Sequence[Row]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield what is wrong with attributes that are each no fault."""
    names = [t["name"] for t in types]
    for place, name in enumerate(names):
        if name in names[:place]:
            yield ("attribute_types", place, "name"), "this class has the attribute twice"
        if types[place]["type"] == "enum" and not types[place].get("values"):
            yield ("attribute_types", place, "type"), "an enum needs `values`"


def circles(number: int, rows: Mapping[int, Row]) -> bool:
    """Say whether the way up from a class comes back to it."""
    seen, at = set[int](), rows[number].get("parent_id")
    while at is not None and at in rows and at not in seen:
        if at == number:
            return True
        seen.add(at)
        at = rows[at].get("parent_id")
    return False


def taken_names(number: int, rows: Mapping[int, Row], was: str | None) -> bool:
    """Say whether a class gets a name that another one has."""
    name = rows[number].get("name")
    if name is None or name == was:
        return False
    return any(row.get("name") == name for n, row in rows.items() if n != number)
