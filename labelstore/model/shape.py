"""What a pydantic annotation says about a value: type, nullability, limits."""

from __future__ import annotations

import types
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types as at
import pyarrow as pa
from pydantic.fields import FieldInfo

from labelstore.model.columns import Column, Row, Unit

SCALARS: dict[type, pa.DataType] = {
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    bool: pa.bool_(),
    bytes: pa.binary(),
    datetime: pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True)
class Shape:
    """One value of a row, or one member of a list or struct.

    Attributes:
        type: Arrow type.
        nullable: whether null is allowed.
        limits: constraints such as `Ge(0)`, as annotated-types objects or a regular expression.
        choices: allowed values, empty where any will do.
        item: shape of the members of a list.
        value: shape of the values of a map.
        children: name and shape of the members of a struct.
    """

    type: pa.DataType
    nullable: bool = False
    column: Column | None = None
    unit: Unit | None = None
    description: str = ""
    limits: tuple[Any, ...] = ()
    choices: tuple[str, ...] = ()
    item: Shape | None = None
    value: Shape | None = None
    children: tuple[tuple[str, Shape], ...] = field(default=())


@cache
def shapes(model: type[Row]) -> dict[str, Shape]:
    """Return the shape of each field of a row model, in declared order."""
    found = {}
    for name, info in model.model_fields.items():
        found[name] = _shape(info.annotation, tuple(info.metadata), info.description or "")
    return found


def _shape(annotation: Any, metadata: tuple[Any, ...], description: str = "") -> Shape:
    metadata = tuple(_unpack(metadata))
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return _shape(inner, (*metadata, *more), description)
    if get_origin(annotation) in (Union, types.UnionType):
        (inner,) = (a for a in get_args(annotation) if a is not type(None))
        known = _shape(inner, metadata, description)
        return Shape(**{**known.__dict__, "nullable": True})
    column = next((m for m in metadata if isinstance(m, Column)), None)
    unit = next((m for m in metadata if isinstance(m, Unit)), None)
    limits = tuple(m for m in metadata if not isinstance(m, Column | Unit))
    common = {"column": column, "unit": unit, "description": description, "limits": limits}
    return _typed(annotation, common)


def _typed(annotation: Any, common: dict[str, Any]) -> Shape:
    column = common["column"]
    given = column.type if column else None
    origin = get_origin(annotation)
    if origin is Literal:
        return Shape(pa.string(), choices=get_args(annotation), **common)
    if origin is list:
        item = _shape(get_args(annotation)[0], ())
        member = pa.field("element", item.type, nullable=item.nullable)
        return Shape(pa.list_(member), item=item, **common)
    if origin is dict:
        value = _shape(get_args(annotation)[1], ())
        kind = pa.map_(pa.string(), pa.field("value", value.type, nullable=False))
        return Shape(kind, value=value, **common)
    if isinstance(annotation, type) and issubclass(annotation, Row):
        children = tuple(shapes(annotation).items())
        # Members are nullable for Arrow: under a null struct they are null. Rules check the rest.
        struct = pa.struct([pa.field(n, s.type) for n, s in children])
        return Shape(struct, children=children, **common)
    return Shape(given or SCALARS[annotation], **common)


def _unpack(metadata: tuple[Any, ...]) -> list[Any]:
    """Open up grouped constraints: `Field(ge=0, le=1)` is two limits, a pattern is one."""
    flat: list[Any] = []
    for entry in metadata:
        if isinstance(entry, FieldInfo):
            flat += _unpack(tuple(entry.metadata))
        elif isinstance(entry, at.GroupedMetadata):
            flat += list(entry)
        elif getattr(entry, "pattern", None):
            flat.append(Pattern(entry.pattern))
        else:
            flat.append(entry)
    return flat


@dataclass(frozen=True)
class Pattern:
    """A regular expression that a text matches."""

    text: str
