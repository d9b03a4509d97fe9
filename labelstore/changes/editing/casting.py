"""Values as columns have them, and nothing changed on the way."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from labelstore.errors import InvalidInput


def cast(values: Any, field: pa.Field) -> Any:
    """Return values in the type of a column.

    Raises:
        InvalidInput: they do not fit.
    """
    strange = _strange_members(values.type, field.type, field.name)
    if strange:
        raise InvalidInput(f"unknown members: {', '.join(strange)}", code="edit-column")
    if values.null_count == len(values):
        return pa.nulls(len(values), field.type)
    misfits = _misfits(values.type, field.type, field.name)
    if misfits:
        raise InvalidInput(misfits[0], code="edit-type")
    try:
        return exact(
            values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        ).cast(field.type)
    except pa.ArrowException as error:
        if "non-nullable" in str(error):
            raise InvalidInput(
                f"column {field.name!r}: a list holds null where there must be a value",
                code="edit-type",
            ) from error
        raise InvalidInput(
            f"column {field.name!r} is {field.type}, and {values.type} was given: {error}",
            code="edit-type",
        ) from error


def exact(values: pa.Array) -> pa.Array:
    """Return values with decimals, as SQL's literals are, as the floats nearest to them."""
    kind = values.type
    if pat.is_decimal(kind):
        return values.cast(pa.string()).cast(pa.float64())
    if "decimal" not in str(kind):
        return values
    if pat.is_struct(kind):
        members = [exact(values.field(i)) for i in range(kind.num_fields)]
        names = [f.name for f in kind]
        return pa.StructArray.from_arrays(members, names, mask=values.is_null())
    if pat.is_list(kind):
        return pa.ListArray.from_arrays(
            values.offsets, exact(values.values), mask=values.is_null()
        )
    return values


SORTS = {
    "a number": (pat.is_integer, pat.is_floating, pat.is_decimal),
    "a truth value": (pat.is_boolean,),
    "text": (pat.is_string, pat.is_large_string, pat.is_string_view),
}
"""Sorts of values of which none becomes another without being asked to."""


def _misfits(given: pa.DataType, wanted: pa.DataType, path: str) -> list[str]:
    """Return what is of another sort than a column; a cast would change it silently."""
    given = given.value_type if pat.is_dictionary(given) else given
    sorts = [
        next((word for word, tests in SORTS.items() if any(test(kind) for test in tests)), None)
        for kind in (given, wanted)
    ]
    if None not in sorts and sorts[0] != sorts[1]:
        return [f"column {path!r} is {sorts[1]} ({wanted}), and {sorts[0]} was given"]
    if pat.is_struct(given) and pat.is_struct(wanted):
        types = {f.name: f.type for f in given}
        return [said for f in wanted if f.name in types
                for said in _misfits(types[f.name], f.type, f"{path}.{f.name}")]  # fmt: skip
    if hasattr(given, "value_type") and hasattr(wanted, "value_type"):
        return _misfits(given.value_type, wanted.value_type, path)
    return []


def _strange_members(given: pa.DataType, wanted: pa.DataType, path: str) -> list[str]:
    """Return members of structs that a column does not have; a cast would drop them."""
    if pat.is_struct(given) and pat.is_struct(wanted):
        known = {f.name: f.type for f in wanted}
        found = [f"{path}.{f.name}" for f in given if f.name not in known]
        for f in given:
            if f.name in known:
                found += _strange_members(f.type, known[f.name], f"{path}.{f.name}")
        return found
    if hasattr(given, "value_type") and hasattr(wanted, "value_type"):
        return _strange_members(given.value_type, wanted.value_type, path)
    return []
