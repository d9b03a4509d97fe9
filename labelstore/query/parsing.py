"""A query as a tree, by DuckDB's own parser, unless that might not come to an end on it."""

from __future__ import annotations

import json
from typing import Any

import duckdb

from labelstore.errors import InvalidInput
from labelstore.model.tables import TABLES

LONGEST = 100_000
DEEPEST_BRACKETS = 64
DEEPEST_WITH = 3
"""Deeper nesting of WITH lets the parser run for minutes on a hundred bytes."""


def refused(reason: str) -> InvalidInput:
    """Return the error for a query that may not run."""
    return InvalidInput(
        f"this query may not run: {reason}. Give exactly one SELECT over the views "
        f"{', '.join(sorted([*TABLES, 'labels', 'versions']))}.",
        code="query-refused",
    )


def parsed(con: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    """Return the tree of one statement.

    Args:
        con: any connection; only its parser is used.
        sql: the user's text.

    Raises:
        InvalidInput: it is too long, nested too deeply, no SELECT or not one statement.
    """
    _bound(sql)
    return _parse(con, sql)


def _bound(sql: str) -> None:
    """Refuse text on which the parser itself may not come to an end."""
    raw = sql.encode()
    if b"\0" in raw or len(raw) > LONGEST:
        raise refused("it is too long or holds a zero byte")
    tokens = duckdb.tokenize(sql)
    if not tokens:
        raise refused("it is empty")
    ends = [at for at, _ in tokens[1:]] + [len(raw)]
    within = [0]
    for (start, kind), end in zip(tokens, ends, strict=True):
        word = raw[start:end].strip().lower()
        if kind.name in ("string_const", "comment"):
            continue
        if word == b"with":
            within[-1] = 1
        for byte in word if kind.name == "operator" else b"":
            if byte in b"([{":
                within.append(0)
            elif byte in b")]}" and len(within) > 1:
                within.pop()
        if sum(within) > DEEPEST_WITH or len(within) > DEEPEST_BRACKETS:
            raise refused("it is nested too deeply")


def _parse(con: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    try:
        rows = con.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchall()
        parsed = json.loads(rows[0][0])
    except RecursionError:
        raise refused("it is nested too deeply") from None
    if parsed["error"]:
        said = str(parsed["error_message"]).rstrip(".")
        raise refused("it is no SELECT" if "json" in said else said)
    if len(parsed.get("statements", [])) != 1:
        raise refused("it is not one statement")
    return dict(parsed["statements"][0])
