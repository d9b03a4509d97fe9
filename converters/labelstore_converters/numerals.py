"""All numbers of a text at once."""

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
