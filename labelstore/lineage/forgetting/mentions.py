"""Rows that name what is forgotten, and the same rows without it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from labelstore.model.tables import Table

BLANK = "[forgotten]"
TEXTS: Mapping[str, tuple[str, ...]] = {
    "activities": ("parameters", "message", "guideline", "inputs"),
    "datasets": ("info", "licenses", "leftovers"),
    "items": ("tags", "attributes", "group", "sources"),
    "categories": ("sources",),
    "annotations": ("tags", "attributes", "leftovers"),
    "relations": ("attributes", "leftovers"),
    "tracks": ("attributes", "leftovers"),
    "splits": ("group",),
}
"""Columns in which people and sources write freely, by table."""
LOOSE = frozenset({"activities", "datasets"})
"""Tables in which a name is meant at the end of a longer path, too: they are of no other item."""
AT_ONCE = 200
"""Words that are looked for in one pass."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Words:
    """Texts by which something is named; within a longer name they are none.

    Attributes:
        names: as they are.
        loose: whether the end of a longer path is meant, too.
    """

    names: frozenset[str]
    loose: bool = False

    @classmethod
    def of(cls, names: Iterable[str], *, loose: bool = False) -> Words:
        """Return names in the spellings of plain text and SQL."""
        plain = {name for name in names if name}
        return cls(frozenset(plain | {name.replace("'", "''") for name in plain}), loose)

    def __bool__(self) -> bool:
        """Say whether there is any."""
        return bool(self.names)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Return what finds them."""
        longest = sorted(self.names, key=lambda word: (-len(word), word))
        before = r"(?<![\w-])" if self.loose else r"(?<![\w./\\-])"
        return re.compile(rf"{before}(?:{'|'.join(map(re.escape, longest))})(?![\w-]|\.\w)")

    @cached_property
    def spelt(self) -> list[str]:
        """Return them in all spellings, those of JSON and of JSON in JSON among them."""
        found = set(self.names)
        for _ in range(2):
            found |= {
                json.dumps(word, ensure_ascii=e)[1:-1] for word in found for e in (True, False)
            }
        return sorted(found | {word.replace("/", "\\/") for word in found})

    def named(self, text: str) -> bool:
        """Say whether a text names one; of JSON, whether a text in it does."""
        return bool(self) and any(map(self.pattern.search, _strings(text)))

    def without(self, text: str) -> str:
        """Return a text that names none; JSON stays JSON."""
        value = _json(text)
        if value is None:
            return self.pattern.sub(BLANK, text)
        return json.dumps(self._without(value), ensure_ascii=False)

    def _without(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.without(value)
        if isinstance(value, Mapping):
            return {self.pattern.sub(BLANK, k): self._without(v) for k, v in value.items()}
        return [self._without(v) for v in value] if isinstance(value, list) else value

    def perhaps(self, values: pa.Array) -> Mask:
        """Return which texts may name one: those that hold its letters; shape (n,)."""
        found = np.zeros(len(values), bool)
        for begin in range(0, len(self.spelt), AT_ONCE):
            either = "|".join(map(re.escape, self.spelt[begin : begin + AT_ONCE]))
            hits = pc.match_substring_regex(values, either)
            found |= np.asarray(hits.fill_null(fill_value=False))
        return found


def _json(text: str) -> Any:
    """Return the object, list or text that a text is as JSON; None where it is none."""
    if not text.lstrip().startswith(("{", "[", '"')):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _strings(value: Any) -> Iterator[str]:
    """Yield a text, or all texts in it where it is JSON."""
    if isinstance(value, str):
        inner = _json(value)
        if inner is None:
            yield value
        else:
            yield from _strings_of(inner)


def _strings_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from _strings(value)
    elif isinstance(value, Mapping):
        yield from value
        yield from (text for inner in value.values() for text in _strings_of(inner))
    elif isinstance(value, list):
        yield from (text for inner in value for text in _strings_of(inner))


def naming(table: Table, rows: pa.Table, words: Words) -> Mask:
    """Return which rows name one of these in a text that people or sources wrote; shape (n,)."""
    found = np.zeros(rows.num_rows, bool)
    for name in TEXTS.get(table.name, ()) if words else ():
        found |= _in(rows.column(name).combine_chunks(), words)
    return found


def _in(values: pa.Array, words: Words) -> Mask:
    """Return which values name one of these, at any depth."""
    kind, found = values.type, np.zeros(len(values), bool)
    if pa.types.is_string(kind):
        for place in np.flatnonzero(words.perhaps(values)).tolist():
            found[place] = words.named(values[place].as_py())
    elif pa.types.is_struct(kind):
        for child in values.flatten():
            found |= _in(child, words)
    elif pa.types.is_list(kind) or pa.types.is_map(kind):
        listed = _listed(values)
        parents = np.asarray(pc.list_parent_indices(listed))
        found[parents[_in(listed.flatten(), words)]] = True
    return found


def _listed(values: pa.Array) -> pa.Array:
    """Return a map as a list of pairs; a list as it is."""
    if not pa.types.is_map(values.type):
        return values
    pair = pa.struct([("key", values.type.key_type), ("value", values.type.item_type)])
    return pa.Array.from_buffers(
        pa.list_(pair), len(values), values.buffers()[:2], values.null_count, values.offset,
        [pa.StructArray.from_arrays([values.keys, values.items], fields=list(pair))],
    )  # fmt: skip


def blanked(table: Table, rows: pa.Table, words: Words) -> pa.Table:
    """Return rows that name none of these.

    A text keeps the rest of it. What a source left over (`leftovers`, `stated`) goes whole, for it
    may hold the labels of what is forgotten too.
    """
    free = TEXTS.get(table.name, ())
    told = [{name: _blank(name, value, words) if name in free else value
             for name, value in row.items()} for row in rows.to_pylist()]  # fmt: skip
    return pa.Table.from_pylist(told, schema=table.schema)


def _blank(name: str, value: Any, words: Words) -> Any:
    if isinstance(value, str) and words.named(value):
        return None if name in ("leftovers", "stated") else words.without(value)
    if isinstance(value, Mapping):
        return {key: _blank(key, inner, words) for key, inner in value.items()}
    if isinstance(value, list | tuple):  # a tuple is an entry of a map
        return type(value)(_blank(name, inner, words) for inner in value)
    return value
