"""Our own statements: one file of portable SQL each, `query/sql/NAME.sql`.

A file begins with comments: its purpose in sentences, then a line `-- param  NAME  MEANING` for
each parameter and one `-- gives  COLUMN TYPE, …` for the result.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from labelstore.errors import NotFound
from labelstore.query.views import VIEWS

FOLDER = files("labelstore.query").joinpath("sql")
NAMED = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)")
"""Where a statement names a view."""


@dataclass(frozen=True)
class Statement:
    """One statement.

    Attributes:
        purpose: what it answers.
        parameters: meaning of each, by name.
        columns: type of each column of its result, by name.
        views: that it names.
        sql: the whole file.
    """

    name: str
    purpose: str
    parameters: Mapping[str, str]
    columns: Mapping[str, str]
    views: frozenset[str]
    sql: str

    @property
    def several(self) -> bool:
        """Say whether it is about several versions."""
        return "version" in self.columns


def statement(name: str) -> Statement:
    """Return one of our own statements.

    Raises:
        NotFound: there is none of that name.
    """
    if name not in _names():
        raise NotFound(f"there is no statement {name!r} (there is: {', '.join(_names())})",
                       code="statement-unknown")  # fmt: skip
    return _read(name)


def statements() -> Mapping[str, Statement]:
    """Return all of our own statements, by name."""
    return {name: _read(name) for name in _names()}


@cache
def _names() -> list[str]:
    return sorted(f.name.removesuffix(".sql") for f in FOLDER.iterdir() if f.name.endswith(".sql"))


@cache
def _read(name: str) -> Statement:
    return _parsed(name, FOLDER.joinpath(f"{name}.sql").read_text())


def _parsed(name: str, text: str) -> Statement:
    head = [line.removeprefix("-- ") for line in text.splitlines() if line.startswith("-- ")]
    told = [line for line in head if not line.startswith(("param ", "gives "))]
    named = (line.split(maxsplit=2)[1:] for line in head if line.startswith("param "))
    (gives,) = (line.removeprefix("gives ") for line in head if line.startswith("gives "))
    columns = (column.split(maxsplit=1) for column in gives.split(","))
    views = frozenset(NAMED.findall(text)) & frozenset(VIEWS)
    return Statement(
        name, " ".join(told), {n: m for n, m in named}, {n: kind for n, kind in columns}, views,
        text,
    )  # fmt: skip
