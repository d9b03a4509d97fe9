"""Statements that mean the same on Spark: written anew by sqlglot, unless they hold what changes.

Each construct that is refused gave other rows on Spark when it was tried, most without an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import sqlglot
from sqlglot import exp

from labelstore.errors import InvalidInput

REFUSED = {
    "HASH": "each engine has its own; use MD5",
    "RANDOM": "differs from run to run",
    "UUID": "differs from run to run",
    "QUANTILE_CONT": "becomes an approximate one",
    "QUANTILE_DISC": "becomes an approximate one",
    "QUANTILE": "becomes an approximate one",
    "MEDIAN": "becomes an approximate one",
    "APPROX_QUANTILE": "each engine has its own",
    "VERSIONS": "ask for several versions by --since",
}
NODES: tuple[tuple[type[exp.Expression], str], ...] = (
    (exp.Qualify, "QUALIFY: a LIMIT moves inside; use a subquery"),
    (exp.PercentileCont, "PERCENTILE_CONT: becomes an approximate one"),
    (exp.PercentileDisc, "PERCENTILE_DISC: becomes an approximate one"),
    (exp.WithinGroup, "WITHIN GROUP: becomes an approximate one"),
    (exp.Upper, "UPPER: other letters than a to z differ"),
    (exp.Lower, "LOWER: other letters than A to Z differ"),
    (exp.ILike, "ILIKE: other letters than A to Z differ"),
    (exp.TableSample, "SAMPLE: differs from run to run"),
    (exp.ApproxDistinct, "APPROX_COUNT_DISTINCT: each engine has its own"),
    (exp.Rand, "RANDOM: differs from run to run"),
)
WHOLE = (exp.Floor, exp.Ceil, exp.Count)
"""What may be cast to a whole number: all else one engine rounds and the other cuts."""


def faults(sql: str) -> list[str]:
    """Return why a statement may mean something else on Spark; nothing for one that does not.

    Args:
        sql: one SELECT, as DuckDB takes it.
    """
    trees = sqlglot.parse(sql, read="duckdb")
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        return ["it is not one SELECT"]
    return sorted(set(_faults(trees[0])))


def _faults(tree: Any) -> Iterator[str]:
    for node in tree.walk():
        yield from (said for kind, said in NODES if isinstance(node, kind))
        if isinstance(node, exp.Join) and node.side and isinstance(node.this, exp.Unnest):
            yield f"{node.side} JOIN UNNEST: rows with an empty list vanish"
        if isinstance(node, exp.Func):
            name = node.name.upper() if isinstance(node, exp.Anonymous) else node.sql_name()
            if name in REFUSED:
                yield f"{name}: {REFUSED[name]}"
        yield from _texts(node)
        if isinstance(node, exp.Log) and node.expression is None:
            yield "LOG: the natural one there; use LN or LOG10"
        if isinstance(node, exp.ArrayContains) and not isinstance(node.parent, exp.Coalesce):
            yield "LIST_CONTAINS: null there for a list with a null; use COALESCE(…, FALSE)"
        if isinstance(node, exp.Cast) and _rounds(node):
            yield f"{node.sql('duckdb')}: one engine rounds, the other cuts; use FLOOR"


def _texts(node: Any) -> Iterator[str]:
    """Yield what of texts differs: patterns with a backslash, places before the first letter."""
    if isinstance(node, exp.Like):
        pattern = node.expression
        if not isinstance(pattern, exp.Literal) or "\\" in str(pattern.this):
            yield "LIKE: a backslash means something there; give a plain pattern"
    places = [node.args.get("start")] if isinstance(node, exp.Substring) else (
        [node.expression] if isinstance(node, exp.Left | exp.Right) else [])  # fmt: skip
    for place in places:
        if isinstance(place, exp.Neg) or (isinstance(place, exp.Literal) and place.this == "0"):
            yield "SUBSTR, LEFT and RIGHT: count from 1; other places differ"


def _rounds(cast: exp.Cast) -> bool:
    """Say whether a cast may make a whole number of one that is none."""
    if not cast.to.is_type(*exp.DataType.INTEGER_TYPES):
        return False
    if isinstance(cast.this, exp.Literal):
        return not cast.this.is_int
    return not isinstance(cast.this, (*WHOLE, exp.Parameter, exp.Placeholder, exp.Null))


def for_spark(sql: str, parameters: Mapping[str, Any]) -> str:
    """Return a statement as Spark takes it, with the values of its parameters in it.

    Raises:
        InvalidInput: it may mean something else there, with every reason; or it cannot be read.
    """
    try:
        found = faults(sql)
        if found:
            raise InvalidInput("this query may mean something else on Spark: " + "; ".join(found),
                               code="query-portable")  # fmt: skip
        tree = sqlglot.parse_one(sql, read="duckdb").transform(_filled, dict(parameters))
        again = sorted(set(_faults(tree)))
        if again:
            raise InvalidInput("this query may mean something else on Spark: " + "; ".join(again),
                               code="query-portable")  # fmt: skip
        return str(tree.sql("spark", unsupported_level=sqlglot.ErrorLevel.RAISE))
    except sqlglot.errors.SqlglotError as error:
        raise InvalidInput(
            f"Spark cannot run this query: {error}", code="query-portable"
        ) from error


def _filled(node: Any, values: Mapping[str, Any]) -> Any:
    if not isinstance(node, exp.Parameter | exp.Placeholder):
        return node
    name = node.name or str(node.this)
    if name not in values:
        raise InvalidInput(f"parameter ${name} has no value", code="query-parameter")
    value = values[name]
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput(f"parameter ${name} is {value}, which no text of SQL says",
                           code="query-parameter")  # fmt: skip
    return exp.convert(value)
