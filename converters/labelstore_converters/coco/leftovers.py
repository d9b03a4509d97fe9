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
    kept: dict[str, Any] = {}
    rest = {key: found[key] for key in found.keys() - carried}
    if rest:
        kept["keys"] = dict(sorted(rest.items()))
    if not in_order(found, default_order):
        kept["order"] = list(found)
    return kept


def in_order(keys: Iterable[str], order: Iterable[str]) -> bool:
    """Say whether all keys stand in an order, and follow it."""
    return _in_order(tuple(keys), tuple(order))


@lru_cache(maxsize=4096)
def _in_order(keys: tuple[str, ...], default_order: tuple[str, ...]) -> bool:
    places = {key: i for i, key in enumerate(default_order)}
    at = [places.get(key, -1) for key in keys]
    return -1 not in at and at == sorted(at)
