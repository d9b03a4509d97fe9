"""How a label file writes its numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Ints: TypeAlias = "NDArray[np.int64]"
Floats: TypeAlias = "NDArray[np.float64]"
Mask: TypeAlias = "NDArray[np.bool_]"

STYLES = ("6f", "6g", "r", "5f", "4f", "3f", "2f", "16f", "17g")
"""Ways of writing that programs use, the most frequent first; `r` is the shortest exact text."""


def writer(style: str | None) -> Callable[[float], str]:
    """Return what writes a number in a style; the shortest exact text where there is none."""
    if style is None or style == "r":
        return repr
    return f"%.{style}".__mod__


def texts(values: Floats, whole: Mask, style: str | None) -> list[str]:
    """Return numbers as text.

    Args:
        values: shape (m,).
        whole: shape (m,), which of them are counted, and written without a point.
        style: see `STYLES`.
    """
    write = writer(style)
    if not whole.any():
        return list(map(write, values.tolist()))
    pairs = zip(values.tolist(), whole.tolist(), strict=True)
    return [str(int(value)) if is_whole else write(value) for value, is_whole in pairs]


def line_text(category: int, numbers: Sequence[str]) -> str:
    """Return a line of a class and the numbers after it."""
    return " ".join([str(category), *numbers])


def style_of(values: Floats, whole: Mask, tokens: Sequence[str], starts: Ints) -> list[str | None]:
    """Return for each line the style in which its tokens are written, None where it is no such.

    Args:
        values: shape (m,), numbers as they are to be written.
        whole: shape (m,), see `texts`.
        tokens: what was written, for each number.
        starts: shape (n + 1,), where each line's numbers begin.
    """
    found: list[str | None] = [None] * (len(starts) - 1)
    left = list(range(len(found)))
    for style in STYLES:
        others = []
        for line in left:
            own = slice(int(starts[line]), int(starts[line + 1]))
            if texts(values[own], whole[own], style) == tokens[own]:
                found[line] = style
            else:
                others.append(line)
        left = others
    return found
