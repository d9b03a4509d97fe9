"""JSON of one file, with what is wrong in words and places."""

from __future__ import annotations

import json
import math
from typing import Any


def parsed(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: it is none, or holds numbers or letters that nothing can store.
    """
    try:
        found = json.loads(text, parse_constant=_constant, parse_float=_float)
        json.dumps(found, ensure_ascii=False).encode()
        return found
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: {error.msg}") from error
    except UnicodeEncodeError as error:
        raise ValueError(f"holds letters that are none: {error.reason}") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error


def _constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON number")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is beyond what a number can be")
    return value
