"""Column rules, derived from the row models: whole columns in one pass, then words for the few.

Two levels. *Gate*: null where there must be a value, NaN, infinity, a text that is not the JSON it
should be, a type that does not fit; such rows are never stored. *Rule*: everything else a model
says (`ge=0`, allowed words, list lengths); such rows are stored, because real files break rules
and must still come back, and are listed by `check`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import annotated_types as at
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat
from pydantic import ValidationError

from labelstore.model.columns import Json
from labelstore.model.shape import Pattern, Shape, shapes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.model.columns import Row

    Mask = NDArray[np.bool_]

GATES = frozenset({"null", "not-finite", "not-json"})


@dataclass(frozen=True)
class Violation:
    """One rule that one column breaks.

    Attributes:
        column: top-level column, or `column.member` inside a struct.
        rule: stable code such as `not-finite` or `less-than-minimum`.
        rows: positions of the rows that break it.
    """

    column: str
    rule: str
    rows: list[int]

    @property
    def gate(self) -> bool:
        """Say whether rows that break it may not be stored."""
        return self.rule in GATES

    @property
    def code(self) -> str:
        """Return the stable code for `check`, as `column:rule`."""
        return f"{self.column}:{self.rule}"


def check_table(model: type[Row], rows: pa.Table | pa.RecordBatch) -> list[Violation]:
    """Return every rule that the rows break, column by column.

    Args:
        model: row model of the table.
        rows: table in the model's Arrow schema.
    """
    found = []
    for name, shape in shapes(model).items():
        column = rows.column(name)
        values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        for path, rule, bad in _broken(name, shape, values):
            if bad.any():
                found.append(Violation(path, rule, np.flatnonzero(bad).tolist()))
    return found


def explain(model: type[Row], rows: pa.Table | pa.RecordBatch, row: int) -> str:
    """Return in words what is wrong with one row, as pydantic says it."""
    (values,) = rows.slice(row, 1).to_pylist(maps_as_pydicts="strict")
    try:
        model.model_validate(values)
    except ValidationError as error:
        return "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()}" for e in error.errors()
        )
    return "the row is valid"


def _broken(path: str, shape: Shape, values: pa.Array) -> Iterator[tuple[str, str, Mask]]:
    """Yield (path, rule, which values break it) for one column or member."""
    valid = np.asarray(values.is_valid())
    if not shape.nullable:
        yield path, "null", ~valid
    if not valid.any():
        return
    for rule, bad in _limits(shape, values):
        yield path, rule, bad & valid
    if shape.item is not None:
        yield from _in_lists(path, shape.item, values)
    if shape.value is not None:
        lists = pa.ListArray.from_arrays(values.offsets, values.items)
        yield from _in_lists(path, shape.value, lists)
    for i, (name, child) in enumerate(shape.children):
        for inner, rule, bad in _broken(f"{path}.{name}", child, values.field(i)):
            yield inner, rule, bad & valid


def _in_lists(path: str, item: Shape, values: pa.Array) -> Iterator[tuple[str, str, Mask]]:
    members = values.flatten()
    lengths = np.asarray(pc.fill_null(pc.list_value_length(values), 0))
    parents = np.repeat(np.arange(len(values)), lengths)  # a null list has no members
    for inner, rule, bad in _broken(path, item, members):
        rows = np.zeros(len(values), bool)
        rows[parents[bad]] = True
        yield inner, rule, rows


def _limits(shape: Shape, values: pa.Array) -> Iterator[tuple[str, Mask]]:
    if pat.is_floating(shape.type):
        yield "not-finite", ~np.isfinite(np.asarray(values.fill_null(0.0)))
    if shape.choices:
        known = pc.is_in(values, value_set=pa.array(shape.choices, shape.type))
        yield "not-allowed", ~np.asarray(known)
    for limit in shape.limits:
        yield from _limit(limit, shape, values)


COMPARISONS: dict[type, tuple[str, str, str]] = {
    at.Ge: ("ge", "less-than-minimum", "less"),
    at.Gt: ("gt", "not-above-minimum", "less_equal"),
    at.Le: ("le", "more-than-maximum", "greater"),
    at.Lt: ("lt", "not-below-maximum", "greater_equal"),
}


def _limit(limit: Any, shape: Shape, values: pa.Array) -> Iterator[tuple[str, Mask]]:
    if type(limit) in COMPARISONS:
        attribute, rule, broken = COMPARISONS[type(limit)]
        bound = getattr(limit, attribute)
        if _may_exceed(values.type, bound):
            mask = pc.call_function(broken, [values, pa.scalar(bound, values.type)])
            yield rule, np.asarray(mask.fill_null(False))
    elif isinstance(limit, at.MinLen | at.MaxLen):
        length = pc.list_value_length if pat.is_list(shape.type) else pc.utf8_length
        count = np.asarray(length(values).fill_null(0))
        if isinstance(limit, at.MinLen):
            yield "too-short", count < limit.min_length
        else:
            yield "too-long", count > limit.max_length
    elif isinstance(limit, Json):
        texts = values.dictionary_encode()
        bad = [not limit.accepts(text) for text in texts.dictionary.to_pylist()]
        yield "not-json", np.array([*bad, False])[np.asarray(texts.indices.fill_null(len(bad)))]
    elif isinstance(limit, Pattern):
        matched = pc.match_substring_regex(values, re.sub(r"\$$", r"\\z", limit.text))
        yield "no-match", ~np.asarray(matched.fill_null(True))


def _may_exceed(kind: pa.DataType, bound: float) -> bool:
    """Say whether the bound lies within the type's range; outside, every value keeps it."""
    if not pat.is_integer(kind):
        return True
    info = np.iinfo(kind.to_pandas_dtype())
    return bool(info.min < bound < info.max)
