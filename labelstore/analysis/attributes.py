"""Attributes of labels against the types that their classes give them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa

from labelstore.model.tables import TABLES
from labelstore.versions.manifest import Manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

Types = Mapping[int, Mapping[str, Mapping[str, Any]]]
"""By class and attribute: type, values, required."""
Fault = tuple[str, str, list[int]]
"""Code, `attributes.NAME`, rows."""
SEVERITY = {
    "attribute-type-differs": "error",
    "attribute-not-allowed": "error",
    "attribute-missing": "error",
    "attribute-unknown": "warning",
    "attribute-repeated": "warning",
}
WORDS = {
    "attribute-type-differs": "attributes of another type than the label's class says",
    "attribute-not-allowed": "attributes that have none of the values the class allows",
    "attribute-missing": "attributes that the class requires and the label has not",
    "attribute-unknown": "attributes that the label's class does not know",
    "attribute-repeated": "attributes that the label has several times",
}


def attribute_types(manifest: Manifest) -> Types:
    """Return the attribute types of each class that has any."""
    rows = manifest.table(TABLES["categories"], ["category_id", "attribute_types"])
    typed = rows.filter(rows.column("attribute_types").is_valid()).to_pylist()
    return {r["category_id"]: {t["name"]: t for t in r["attribute_types"]} for r in typed}


def broken_attributes(types: Types, rows: pa.Table) -> Iterator[Fault]:
    """Yield what attributes of labels break.

    Args:
        types: see `attribute_types`.
        rows: n rows of `annotations`.
    """
    owners, keys, values = _exploded(rows.column("attributes").combine_chunks())
    yield from _repeated(owners, keys)
    classes = np.asarray(rows.column("category_id").fill_null(-1))
    known = np.isin(classes, list(types))
    if not known.any():
        return
    own = known[owners]
    owners, keys, values = owners[own], keys.filter(pa.array(own)), values.filter(pa.array(own))
    rows_keys = owners, keys
    for group in _groups(classes[owners], keys, values):
        said = types[group.category].get(group.key)
        code = "attribute-unknown" if said is None else _fault(said, group.value)
        if code:
            yield code, f"attributes.{group.key}", owners[group.places].tolist()
    yield from _missing(types, classes, rows_keys)


def _missing(types: Types, classes: Ints, owned: tuple[Ints, pa.Array]) -> Iterator[Fault]:
    """Yield required attributes that labels do not have."""
    owners, keys = owned
    names = keys.dictionary_encode()
    places = {name: i for i, name in enumerate(names.dictionary.to_pylist())}
    order = np.argsort(np.asarray(names.indices), kind="stable")
    ends = np.cumsum(np.bincount(np.asarray(names.indices), minlength=len(places)))
    having = np.split(owners[order], ends[:-1]) if places else []
    by_class = np.argsort(classes, kind="stable")
    present, begins = np.unique(classes[by_class], return_index=True)
    for category, mine in zip(present.tolist(), np.split(by_class, begins[1:]), strict=False):
        for name in (n for n, t in types.get(category, {}).items() if t["required"]):
            has = having[places[name]] if name in places else np.empty(0, np.int64)
            missing = mine[~np.isin(mine, has, assume_unique=False)]
            if len(missing):
                yield "attribute-missing", f"attributes.{name}", missing.tolist()


def _exploded(attributes: pa.MapArray) -> tuple[Ints, pa.Array, pa.Array]:
    """Return row, key and value of each attribute; values as JSON text."""
    lengths = np.diff(np.asarray(attributes.offsets))
    lengths[np.asarray(attributes.is_null())] = 0
    owners = np.repeat(np.arange(len(attributes)), lengths)
    entries = pa.ListArray.from_arrays(
        attributes.offsets,
        pa.StructArray.from_arrays([attributes.keys, attributes.items], ["key", "value"]),
        mask=attributes.is_null(),
    ).flatten()
    return owners, entries.field("key"), entries.field("value")


def _repeated(owners: Ints, keys: pa.Array) -> Iterator[Fault]:
    """Yield names that labels have several times."""
    if not len(owners):
        return
    names = keys.dictionary_encode()
    count = len(names.dictionary)
    both, times = np.unique(owners * count + np.asarray(names.indices), return_counts=True)
    twice = both[times > 1]
    if not len(twice):
        return
    order = np.argsort(twice % count, kind="stable")
    different, begins = np.unique(twice[order] % count, return_index=True)
    for key, own in zip(different.tolist(), np.split(twice[order], begins[1:]), strict=True):
        yield "attribute-repeated", f"attributes.{names.dictionary[key]}", (own // count).tolist()


class _Group(msgspec.Struct):
    category: int
    key: str
    value: str
    places: Ints


def _groups(classes: Ints, keys: pa.Array, values: pa.Array) -> Iterator[_Group]:
    """Yield each different class, key and value, with the places that have them."""
    if not len(classes):
        return
    key, value = keys.dictionary_encode(), values.dictionary_encode()
    codes = np.stack([classes, np.asarray(key.indices), np.asarray(value.indices)], axis=1)
    different, inverse = np.unique(codes, axis=0, return_inverse=True)
    order = np.argsort(inverse.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(inverse.reshape(-1), minlength=len(different)))
    for (category, k, v), places in zip(different, np.split(order, ends[:-1]), strict=True):
        names = key.dictionary[int(k)].as_py(), value.dictionary[int(v)].as_py()
        yield _Group(int(category), *names, places)


def _is(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: type(value) in kinds


FITS: dict[str, Callable[[Any], bool]] = {
    "bool": _is(bool),
    "int": _is(int),
    "float": _is(int, float),
    "string": _is(str),
    "enum": _is(str, int, float, bool),
    "list": _is(list),
}


def _fault(said: Mapping[str, Any], text: str) -> str | None:
    """Return which rule a value, as JSON text, breaks."""
    value = decoded(text)
    if not FITS[said["type"]](value):
        return "attribute-type-differs"
    if said["values"] is None:
        return None
    members = value if isinstance(value, list) else [value]
    allowed = set(map(_worth, said["values"]))
    fits = all(m in said["values"] if isinstance(m, str) else _worth(_text(m)) in allowed
               for m in members)  # fmt: skip
    return None if fits else "attribute-not-allowed"


@cache
def decoded(text: str) -> Any:
    """Return the value of an attribute; None too where it is no JSON."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def _worth(text: str) -> float | str:
    """Return a listed value as a number where it is one: 1 is 1.0."""
    try:
        return float(text)
    except ValueError:
        return text


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
