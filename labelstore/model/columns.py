"""How a pydantic field says which column it is: number, Arrow type, unit, role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core.core_schema import no_info_after_validator_function

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


@dataclass(frozen=True)
class Json:
    """A text that is JSON.

    Args:
        of: Python type of its value; any where it is None.
    """

    of: type | None = None

    def accepts(self, text: str) -> bool:
        """Say whether a text is such JSON."""
        try:
            value = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            return False
        return self.of is None or isinstance(value, self.of)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        """Let pydantic refuse what is none."""
        return no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Say in the published schema what the text holds."""
        return {**handler(core_schema), "contentMediaType": "application/json"}

    def _checked(self, text: str) -> str:
        if not self.accepts(text):
            raise ValueError("input should be JSON" + (" of an object" if self.of else ""))
        return text


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
