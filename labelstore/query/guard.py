"""What a user's SQL may be: exactly one SELECT over known views, with harmless functions.

DuckDB can be told to open no other files, but a COPY to an allowed file was carried out when
tried, and a statement that is "a SELECT" may hold an INSERT. So the text is parsed first, by
DuckDB itself, and every node of the tree must be of a kind listed here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb

from labelstore.errors import InvalidInput
from labelstore.model.tables import TABLES

LONGEST = 100_000
DEEPEST_BRACKETS = 64
DEEPEST_WITH = 3
"""Deeper nesting of WITH lets the parser run for minutes on a hundred bytes."""

KINDS = frozenset(
    [
        "SELECT_NODE",
        "SET_OPERATION_NODE",
        "RECURSIVE_CTE_NODE",
        "BASE_TABLE",
        "JOIN",
        "SUBQUERY",
        "EMPTY",
        "EXPRESSION_LIST",
        "TABLE_FUNCTION",
        "PIVOT",
        "SHOW_REF",
        "ORDER_MODIFIER",
        "LIMIT_MODIFIER",
        "LIMIT_PERCENT_MODIFIER",
        "DISTINCT_MODIFIER",
        "ORDER_DEFAULT",
        "ASCENDING",
        "DESCENDING",
    ]
)
CLASSES = frozenset(
    [
        "COLUMN_REF",
        "CONSTANT",
        "COMPARISON",
        "CONJUNCTION",
        "FUNCTION",
        "WINDOW",
        "OPERATOR",
        "CAST",
        "CASE",
        "BETWEEN",
        "SUBQUERY",
        "STAR",
        "LAMBDA",
        "LAMBDA_REF",
        "PARAMETER",
        "COLLATE",
        "TYPE",
        "POSITIONAL_REFERENCE",
    ]
)
TABLE_FUNCTIONS = frozenset(
    ["range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree"]
)
DENIED = re.compile(
    r"__.*|pg_.*|has_.*_privilege|inet_.*|format_(pg_)?type|get_block_size|map_to_pg_oid"
    r"|current_(setting|query|query_id|connection_id|transaction_id|schemas)|getvariable|getenv"
    r"|txid_current|in_search_path|json_serialize_(plan|sql)|json_deserialize_sql|json_copy_.*"
    r"|write_log|parse_duckdb_log_message|sleep_ms|nextval|currval|setval|setseed|stats"
    r"|vector_type|index_key|create_sort_key|finalize|combine(_aggr)?|to_aggregate_state"
    r"|variant_(bytes_to_variant|to_parquet_variant|comparator)|invoke|version"
    r"|(col|obj|shobj)_description|hive_partition_component|.*_byte_comparable"
    r"|can_cast_implicitly|replace_type|remap_struct|constant_or_null"
)
SPANNING = "versions"
"""`versions('A', 'B')` in a query makes it one about all versions from A to B."""
KEY_COLUMNS = frozenset({"item_id", "annotation_id"})
NAMES = frozenset({"category", "uri"})
ASCII = {ord(c): c.lower() for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
LONGEST_NUMBER = 20


@dataclass
class Checked:
    """What a query refers to.

    Attributes:
        views: names of views, each as often as it stands in the text.
        keys: constants that a key column must equal, where the whole query is one plain SELECT
            from one view; then only parts that may hold them need be read.
        keyed: whether a key column is compared with a constant anywhere.
    """

    views: list[str] = field(default_factory=list)
    keys: dict[str, int] = field(default_factory=dict)
    keyed: bool = False
    named: bool = False
    """Whether the names of classes or items may be asked of `labels`."""
    columns: set[str] = field(default_factory=set)
    """Last names of all columns, in small letters; `*` where all may be meant."""
    span: tuple[str, str] | None = None
    """The versions that the query is about, where it asks for several."""


def refused(reason: str) -> InvalidInput:
    """Return the error for a query that may not run."""
    return InvalidInput(
        f"this query may not run: {reason}. Give exactly one SELECT over the views "
        f"{', '.join(sorted([*TABLES, 'labels', 'versions']))}.",
        code="query-refused",
    )


def check(con: duckdb.DuckDBPyConnection, sql: str, views: Collection[str]) -> Checked:
    """Return what a query refers to, if it may run.

    Args:
        con: any connection; only its parser is used.
        sql: the user's text.
        views: names that it may refer to.

    Raises:
        InvalidInput: it may not run; says why.
    """
    _bound(sql)
    tree = _parse(con, sql)
    walk = _Walk(frozenset(views), con)
    try:
        walk.visit(tree)
    except RecursionError:
        raise refused("it is nested too deeply") from None
    if len(walk.found.views) == 1:
        walk.found.keys = _equalities(tree.get("node", {}), walk.found.views[0])
    return walk.found


def check_expression(con: duckdb.DuckDBPyConnection, text: str) -> None:
    """Refuse text that is not one expression with one value for each row.

    It will stand between brackets in a statement of ours, and must not close them.

    Raises:
        InvalidInput: says why; whatever else the expression may do is looked at by `check`.
    """
    if not text.strip():
        raise InvalidInput("the SQL expression is empty", code="edit-sql")
    alone = f"SELECT ({text}\n)"
    _bound(alone)
    node = _parse(con, alone)["node"]
    clauses = ("where_clause", "having", "qualify", "group_expressions", "modifiers", "sample")
    plain = node["type"] == "SELECT_NODE" and not any(node.get(c) for c in clauses)
    if not plain or node["from_table"]["type"] != "EMPTY" or len(node["select_list"]) != 1:
        raise InvalidInput(f"{text!r} is not one SQL expression", code="edit-sql")
    _parse(con, f"SELECT {text}\n")  # which `false) OR (true` is not
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


def wrong(error: duckdb.Error) -> InvalidInput:
    """Return the error for SQL that DuckDB could not carry out."""
    return InvalidInput(str(error).strip(), code="query-wrong")


def _within(node: Any) -> Iterator[dict[str, Any]]:
    """Yield an expression and all below it, but not what stands in subqueries."""
    if isinstance(node, list):
        for entry in node:
            yield from _within(entry)
    if isinstance(node, dict) and node.get("class") != "SUBQUERY":
        yield node
        for value in node.values():
            yield from _within(value)


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


SYMBOLS = re.compile(r"[-+*/%|&^<>=~!@]{1,4}")
"""Functions that are operators, such as `-`: none of them does harm."""
KNOWN: dict[str, frozenset[str]] = {}
"""Harmless functions by version of DuckDB; to list them takes longer than to check a query."""


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


def _functions(con: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Return the harmless functions of this DuckDB, which has the same in every connection."""
    if duckdb.__version__ not in KNOWN:
        KNOWN[duckdb.__version__] = _listed_functions(con)
    return KNOWN[duckdb.__version__]


def _listed_functions(con: duckdb.DuckDBPyConnection) -> frozenset[str]:
    rows = con.execute(
        "SELECT DISTINCT lower(function_name) FROM duckdb_functions() "
        "WHERE function_type IN ('scalar', 'aggregate', 'window', 'macro')"
    ).fetchall()
    harmless = {name for (name,) in rows if not DENIED.fullmatch(name)}
    return frozenset(harmless | {"unnest", "grouping", "grouping_id", "coalesce"})


class _Walk:
    """One pass over a parse tree."""

    def __init__(self, views: frozenset[str], con: duckdb.DuckDBPyConnection) -> None:
        self._views, self._con = views, con
        self.found = Checked()

    def visit(self, node: Any, named: frozenset[str] = frozenset()) -> None:
        """Check a node and all below it; `named` are the WITH names it may see."""
        if isinstance(node, list):
            for entry in node:
                self.visit(entry, named)
        if not isinstance(node, dict):
            return
        node = dict(node)
        named = self._with(node, named)
        if node.get("class") is not None:
            self._expression(node)
        elif isinstance(node.get("type"), str):
            self._relation(node, named)
        for value in node.values():
            self.visit(value, named)

    def _with(self, node: dict[str, Any], named: frozenset[str]) -> frozenset[str]:
        for entry in (node.pop("cte_map", None) or {"map": []})["map"]:
            own = named | {_folded(entry["key"])}
            query = entry["value"]["query_node"]
            if query["type"] == "RECURSIVE_CTE_NODE":  # its name means itself on the right alone
                self.visit({k: v for k, v in query.items() if k != "right"}, named)
                self.visit(query["right"], own)
            else:
                self.visit(entry["value"], named)
            named = own
        return named

    def _expression(self, node: dict[str, Any]) -> None:
        if node["class"] not in CLASSES:
            raise refused(f"{node['class'].lower()} is not allowed")
        if node["class"] in ("STAR", "COLUMN_REF", "POSITIONAL_REFERENCE"):
            self._column(node)
        if node["class"] in ("FUNCTION", "WINDOW"):
            name = node["qualified_name"]["path"][-1].lower()
            if not SYMBOLS.fullmatch(name) and name not in _functions(self._con):
                raise refused(f"function {name} is not allowed")
        if node["class"] in ("COMPARISON", "BETWEEN", "OPERATOR") and _names_key(node):
            self.found.keyed = True

    def _column(self, node: dict[str, Any]) -> None:
        names = [_folded(str(n)) for n in node.get("column_names") or []]
        if len(names) > 1 and names[0] == "labels":
            del names[0]
        self.found.columns |= set(names) or {"*"}
        if node["class"] == "STAR" or _column(node) in NAMES:
            self.found.named = True

    def _relation(self, node: dict[str, Any], named: frozenset[str]) -> None:
        kind = node["type"]
        if kind not in KINDS:
            raise refused(f"{kind.lower()} is not allowed")
        using = {_folded(str(name)) for name in node.get("using_columns") or []}
        if using & NAMES or node.get("ref_type") == "NATURAL":
            self.found.named = True
        if kind == "BASE_TABLE":
            self._table(node, named)
        elif kind == "TABLE_FUNCTION":
            path = node["function"]["qualified_name"]["path"]
            if path[-1].lower() == SPANNING and len(path) == 1:
                self._span(node["function"])
            elif len(path) != 1 or path[0].lower() not in TABLE_FUNCTIONS:
                raise refused(f"table function {'.'.join(path)} is not allowed")
            self.visit(list(node.pop("function").values()), named)
        elif kind == "SHOW_REF" and not (
            node["query"] and node["show_type"] in ("DESCRIBE", "SUMMARY")
        ):
            raise refused("only DESCRIBE and SUMMARIZE of a query are allowed")

    def _span(self, call: Mapping[str, Any]) -> None:
        """Take `versions('A', 'B')`: the whole query is about these versions."""
        values = [_constant(given["expression"]) for given in call["arguments"]]
        texts = [v for v in values if isinstance(v, str) and v]
        if len(values) != 2 or len(texts) != 2:
            raise refused("write versions('A', 'B'), each a version as text")
        if self.found.span not in (None, (texts[0], texts[1])):
            raise refused("it is about two ranges of versions; ask for one")
        self.found.span = texts[0], texts[1]

    def _table(self, node: dict[str, Any], named: frozenset[str]) -> None:
        path = node["qualified_name"]["path"]
        name = _folded(path[0])
        if len(path) != 1 or node.get("at_clause"):
            raise refused(f"{'.'.join(path)}: qualified names and AT are not allowed")
        if name in named:
            return
        if name not in self._views:
            raise refused(f"there is no view {path[0]!r}")
        self.found.views.append(name)


def _names_key(node: Mapping[str, Any]) -> bool:
    sides = [node.get("left"), node.get("right"), node.get("input"), *node.get("children", [])]
    columns = [s for s in sides if isinstance(s, dict) and s.get("class") == "COLUMN_REF"]
    return any(_column(c) in KEY_COLUMNS for c in columns)


def _column(node: Mapping[str, Any]) -> str:
    names = node.get("column_names") or node.get("qualified_name", {}).get("path") or [""]
    return _folded(str(names[-1]))


def _folded(name: str) -> str:
    """Return a name as DuckDB compares it: only A to Z lose their case."""
    return name.translate(ASCII)


def _constant(node: Mapping[str, Any]) -> int | str | None:
    """Return the value of a constant whole number or text, None for anything else."""
    literal = node.get("literal") or {}
    if literal.get("kind") == "INTEGER" and len(literal["text"]) <= LONGEST_NUMBER:
        return int(literal["text"])
    return str(literal["text"]) if literal.get("kind") == "STRING" else None


def _equalities(node: Mapping[str, Any], view: str) -> dict[str, int]:
    """Return `key = constant` conditions of a plain SELECT from one view."""
    source = node.get("from_table") or {}
    path = (source.get("qualified_name") or {}).get("path") or [""]
    renamed = source.get("column_name_alias") or (node.get("cte_map") or {}).get("map")
    if node.get("type") != "SELECT_NODE" or _folded(path[0]) != view or renamed:
        return {}
    condition = node.get("where_clause") or {}
    is_and = condition.get("type") == "CONJUNCTION_AND"
    terms = condition.get("children", []) if is_and else [condition]
    found = {}
    for term in terms:
        if term.get("type") == "COMPARE_EQUAL":
            sides = {s.get("class"): s for s in (term["left"], term["right"])}
            column, value = sides.get("COLUMN_REF"), _constant(sides.get("CONSTANT") or {})
            if column and isinstance(value, int) and _column(column) in KEY_COLUMNS:
                found[_column(column)] = value
    return found
