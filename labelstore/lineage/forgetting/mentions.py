"""Rows that name what is forgotten, and the same rows without it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from labelstore.model.tables import Table

BLANK = "[forgotten]"
PLAIN = frozenset({"uri", "name", "layer", "scheme", "subset", "row_hash"})
"""Columns that name something themselves: what is called alike is not forgotten."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Words:
    """Texts by which something is named; within a longer name they are none.

    Attributes:
        spelt: as texts may spell them: plain, and as JSON does, with and without escapes.
    """

    spelt: frozenset[str]

    @classmethod
    def of(cls, names: Iterable[str]) -> Words:
        """Return names in all their spellings."""
        found: set[str] = set()
        for name in filter(None, names):
            own = {name, *(json.dumps(name, ensure_ascii=e)[1:-1] for e in (True, False))}
            found |= own | {spelt.replace("/", "\\/") for spelt in own}
        return cls(frozenset(found))

    def __bool__(self) -> bool:
        """Say whether there is any."""
        return bool(self.spelt)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Return what finds them."""
        longest = sorted(self.spelt, key=lambda word: (-len(word), word))
        return re.compile(rf"(?<![\w./\\-])(?:{'|'.join(map(re.escape, longest))})(?![\w-]|\.\w)")

    def named(self, text: str) -> bool:
        """Say whether a text names one."""
        return bool(self) and self.pattern.search(text) is not None

    def perhaps(self, values: pa.Array) -> Mask:
        """Return which texts may name one: those that hold its letters; shape (n,)."""
        found = np.zeros(len(values), bool)
        for word in self.spelt:
            found |= np.asarray(pc.match_substring(values, word).fill_null(fill_value=False))
        return found


def naming(rows: pa.Table, words: Words) -> Mask:
    """Return which rows name one of these in a text that people or sources wrote; shape (n,)."""
    found = np.zeros(rows.num_rows, bool)
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        if words and name not in PLAIN:
            found |= _in(column.combine_chunks(), words)
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
    told = [{n: v if n in PLAIN else _blank(n, v, words) for n, v in row.items()}
            for row in rows.to_pylist()]  # fmt: skip
    return pa.Table.from_pylist(told, schema=table.schema)


def _blank(name: str, value: Any, words: Words) -> Any:
    if isinstance(value, str) and words.named(value):
        return None if name in ("leftovers", "stated") else words.pattern.sub(BLANK, value)
    if isinstance(value, Mapping):
        return {key: _blank(key, inner, words) for key, inner in value.items()}
    if isinstance(value, list | tuple):  # a tuple is an entry of a map
        return type(value)(_blank(name, inner, words) for inner in value)
    return value
