"""Numbers of a text: all at once, or one by one with what is wrong."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIMDJSON: Any = import_module("simdjson") if find_spec("simdjson") else None
"""Parses numbers fast; it has no wheels for some versions of Python and can be done without."""
PARSER: Any = SIMDJSON.Parser() if SIMDJSON else None


def numbers(text: bytes) -> NDArray[np.float64] | None:
    """Return JSON numbers with commas between them, each rounded correctly, or None.

    Args:
        text: such as `b"1,2.5,-3"`; may be empty.

    Returns:
        Shape (n,); None where it is no such text, or a number is out of range.
    """
    listed = b"[" + text + b"]"
    try:
        if PARSER is None:
            return np.array(msgspec.json.decode(listed, type=list[float]))
        return np.frombuffer(PARSER.parse(listed).as_buffer(of_type="d"))
    except (ValueError, TypeError, RuntimeError):  # msgspec's errors are ValueErrors
        return None


def number_text(value: float, before: str = "") -> str:
    """Return a number as it was written where that is the same number, else as short as can be."""
    try:
        if before and float(before) == value:
            return before
    except ValueError:
        pass
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def number(text: str, where: str, faults: list[str]) -> float:
    """Return a number; 0 where it is none, with a fault."""
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if found != found or abs(found) == float("inf"):
        faults.append(f"{where}: {text!r} is no finite number")
        return 0.0
    return found
