"""How a text file ends its lines, beside what the lines say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def is_ended(text: str) -> bool:
    """Say whether a text ends with a line's end."""
    return text.endswith(("\n", "\r"))


def text_style(text: str, final_newline: bool) -> dict[str, Any]:
    """Return what lines do not say of a text; nothing where it is as usual.

    Args:
        text: all of it.
        final_newline: whether its source's files end with a line's end.
    """
    kept: dict[str, Any] = {}
    ended = is_ended(text)
    if ended != final_newline and text:
        kept["final_newline"] = ended
    lines = text.splitlines()
    newline = "\r\n" if "\r\n" in text else "\n"
    if newline == "\r\n":
        kept["newline"] = newline
    if newline.join(lines) + newline * ended != text or not all(map(str.strip, lines)):
        kept["text"] = text
    return kept


def text_of(lines: Sequence[str], kept: Mapping[str, Any], final_newline: bool) -> str:
    """Return lines as a text, as its source wrote it where that still holds.

    Args:
        lines: without their ends; none of them blank.
        kept: see `text_style`.
        final_newline: whether its source's files end with a line's end.
    """
    given = kept.get("text")
    if given is not None and [line for line in given.splitlines() if line.strip()] == lines:
        return str(given)
    newline: str = kept.get("newline", "\n")
    end = kept.get("final_newline", final_newline)
    return newline.join(lines) + (newline if lines and end else "")
