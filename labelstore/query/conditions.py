"""A user's conditions and expressions, which stand within statements of ours."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from labelstore.errors import InvalidInput
from labelstore.query.guard import Checked, check
from labelstore.query.parsing import parsed, refused

if TYPE_CHECKING:
    import duckdb


def check_expression(con: duckdb.DuckDBPyConnection, text: str) -> None:
    """Refuse text that is not one expression with one value for each row.

    It will stand between brackets in a statement of ours, and must not close them.

    Raises:
        InvalidInput: says why; whatever else the expression may do is looked at by `check`.
    """
    if not text.strip():
        raise InvalidInput("the SQL expression is empty", code="edit-sql")
    alone = f"SELECT ({text}\n)"
    node = parsed(con, alone)["node"]
    clauses = ("where_clause", "having", "qualify", "group_expressions", "modifiers", "sample")
    plain = node["type"] == "SELECT_NODE" and not any(node.get(c) for c in clauses)
    if not plain or node["from_table"]["type"] != "EMPTY" or len(node["select_list"]) != 1:
        raise InvalidInput(f"{text!r} is not one SQL expression", code="edit-sql")
    parsed(con, f"SELECT {text}\n")  # which `false) OR (true` is not
    for part in _within(node["select_list"]):
        path = (part.get("qualified_name") or {}).get("path") or [""]
        if part.get("class") == "STAR" or path[-1].lower() == "unnest":
            raise InvalidInput(f"{text!r} gives more than one value a row", code="edit-sql")


def check_condition(con: duckdb.DuckDBPyConnection, text: str, views: Collection[str]) -> Checked:
    """Refuse text that is no condition on rows of `labels`; return what it refers to.

    Args:
        con: any connection; only its parser is used.
        text: the user's condition.
        views: names that its subqueries may refer to.

    Raises:
        InvalidInput: says why.
    """
    check_expression(con, text)
    found = check(con, f"SELECT annotation_id FROM labels WHERE ({text}\n)", views)
    if found.span is not None:
        raise refused("a condition is about one version")
    return found


def _within(node: Any) -> Iterator[dict[str, Any]]:
    """Yield an expression and all below it, but not what stands in subqueries."""
    if isinstance(node, list):
        for entry in node:
            yield from _within(entry)
    if isinstance(node, dict) and node.get("class") != "SUBQUERY":
        yield node
        for value in node.values():
            yield from _within(value)
