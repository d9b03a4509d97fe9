"""How a pydantic field says which column it is: number, Arrow type, unit, role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

Role = Literal["content", "provenance", "origin", "hash"]
"""What a difference in the column means.

`content` is the label itself; `provenance` says who wrote it and when; `origin` is its place in a
source file (order, source id, number style); `hash` covers the others and is in no hash itself.
"""


@dataclass(frozen=True)
class Column:
    """Column number and role; the number never changes and is never given to another column.

    Args:
        number: the field id in Parquet, and the name of the field in canonical bytes.
        type: Arrow type where it is not the usual one of the Python type.
        role: what a difference in this column means to `diff`.
    """

    number: int
    type: pa.DataType | None = None
    role: Role = "content"


@dataclass(frozen=True)
class Unit:
    """Physical unit and frame of a number; goes into the published schema."""

    name: str
    frame: str = ""


class Row(BaseModel):
    """Base of every table's row and of every struct column: frozen, closed, finite."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        ser_json_bytes="base64",
        val_json_bytes="base64",
    )
