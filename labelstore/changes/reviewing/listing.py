"""Ids of labels from a file: one a line, or a column of a CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from labelstore.errors import FormatError, InvalidInput, NotFound

HEADINGS = ("annotation_id", "id", "annotation …")
"""Headings under which ids stand, as in the files that `query` and `agreement --queue` write."""
LARGEST = 2**63 - 1


def read_ids(path: Path) -> list[int]:
    """Return the ids of a file, each once, in its order.

    Several may stand in one cell, with blanks, commas or semicolons between them.

    Raises:
        NotFound: there is no such file.
        InvalidInput: its first line names columns, and none of them is of ids.
        FormatError: with every line that is no id.
    """
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except FileNotFoundError as error:
        raise NotFound(f"{path}: no such file", code="source-missing") from error
    except (UnicodeDecodeError, IsADirectoryError, csv.Error) as error:
        raise InvalidInput(f"{path}: is no text with ids ({error})", code="ids-file") from error
    columns = _columns(path, rows[0]) if rows and not _is_ids(rows[0]) else None
    found: dict[int, None] = {}
    faults = []
    for number, row in enumerate(rows[columns is not None :], 1 + (columns is not None)):
        for word in _words(row if columns is None else [row[i] for i in columns if i < len(row)]):
            if _is_id(word):
                found[int(word)] = None
            else:
                faults.append(f"line {number}: {word[:40]!r} is no id")
    if faults:
        raise FormatError(str(path), faults, code="ids-file")
    return list(found)


def _columns(path: Path, head: list[str]) -> list[int]:
    """Return which columns hold ids: one of labels, or that of each author in a queue."""
    names = [name.strip() for name in head]
    found = [names.index(name) for name in HEADINGS if name in names][:1] or [
        i for i, name in enumerate(names) if name.startswith("annotation ")]  # fmt: skip
    if not found:
        raise InvalidInput(
            f"{path}, line 1: no column of ids; there is {', '.join(names)}, and one of "
            f"{', '.join(HEADINGS)} is needed",
            code="ids-file",
        )
    return found


def _is_ids(row: list[str]) -> bool:
    return all(_is_id(word) for word in _words(row))


def _is_id(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= 19 and int(word) <= LARGEST


def _words(cells: list[str]) -> Iterator[str]:
    for cell in cells:
        yield from cell.replace(",", " ").replace(";", " ").split()
