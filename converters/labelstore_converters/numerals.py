"""Numbers of a text: all at once, or one by one with what is wrong."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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


def float_texts(values: NDArray[np.float64]) -> pa.StringArray:
    """Return floats as Python writes them: the shortest text that reads back as the same.

    Args:
        values: shape (n,).
    """
    low, high = values.min(initial=0), values.max(initial=0)
    if not high / 2 - low / 2 < len(values) / 200:  # also where one is no number
        return _shortest(values)
    steps = np.rint(values * 100)
    if not (steps / 100 == values).all() or np.signbit(values[values == 0]).any():
        return _shortest(values)
    first = int(steps.min())  # two decimals, and many are equal: each is written once
    places = steps.astype(np.int64) - first
    there = np.bincount(places) > 0
    found = _shortest((np.flatnonzero(there) + first) / 100)
    return found.take(pa.array((np.cumsum(there) - 1)[places]))


def _shortest(values: NDArray[np.float64]) -> pa.StringArray:
    text = np.frombuffer(msgspec.json.encode(values.tolist()), np.uint8)[1:-1]
    commas = np.flatnonzero(text == ord(","))
    places = np.concatenate([[0], commas - np.arange(len(commas)), [len(text) - len(commas)]])
    offsets = pa.py_buffer(places[: len(values) + 1].astype(np.int32))
    found = pa.StringArray.from_buffers(len(values), offsets, pa.py_buffer(text[text != ord(",")]))
    sizes = np.abs(values)
    odd = ~((sizes >= 1e-4) & (sizes < 1e16) | (values == 0))  # also what is not finite
    if not odd.any():
        return found
    return pc.replace_with_mask(found, pa.array(odd), pa.array(map(repr, values[odd].tolist())))


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
