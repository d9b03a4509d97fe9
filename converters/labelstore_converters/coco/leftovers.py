"""What columns do not carry of a COCO object."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any


def leftovers(
    found: Mapping[str, Any], carried: Collection[str], default_order: Sequence[str]
) -> dict[str, Any]:
    """Return what columns do not carry of an object: unknown keys, and an unusual key order.

    Args:
        found: the object as parsed.
        carried: keys whose values columns hold exactly.
        default_order: usual order of keys; a subset in the same order needs no record.
    """
    rest, ordered = _layout(tuple(found), frozenset(carried), tuple(default_order))
    kept: dict[str, Any] = {"keys": {key: found[key] for key in rest}} if rest else {}
    if not ordered:
        kept["order"] = list(found)
    return kept


def in_order(keys: Iterable[str], order: Iterable[str]) -> bool:
    """Say whether all keys stand in an order, and follow it."""
    places = {key: i for i, key in enumerate(order)}
    at = [places.get(key, -1) for key in keys]
    return -1 not in at and at == sorted(at)


@lru_cache(maxsize=4096)
def _layout(
    keys: tuple[str, ...], carried: frozenset[str], default_order: tuple[str, ...]
) -> tuple[tuple[str, ...], bool]:
    """Return the keys that nothing carries, sorted, and whether all stand in the usual order."""
    return tuple(sorted(set(keys) - carried)), in_order(keys, default_order)
