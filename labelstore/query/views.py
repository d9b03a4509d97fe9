"""A version's parts as views of SQL: one per table, and `labels`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from labelstore.model.tables import FAMILY, TABLES

if TYPE_CHECKING:
    import duckdb

    from labelstore.storage.index import Part
    from labelstore.versions.manifest import Manifest

HISTORY = "versions"
VIEWS = (*TABLES, "labels", HISTORY)
KEYS = ("layer", "item_id", "annotation_id")
VERSIONS = pa.schema(
    [("position", pa.int64()), ("version", pa.string()), ("commit", pa.string()),
     ("committed_at", pa.timestamp("us", "UTC")), ("message", pa.string()),
     ("tags", pa.list_(pa.string()))]
)  # fmt: skip
"""Rows of `versions`: the commits of the branch that changed labels, 1 for the oldest; `version`
is the first tag, else the first twelve digits of the commit."""


@dataclass(frozen=True)
class Plan:
    """What views are made of; JSON values alone, as it goes to another process.

    Attributes:
        tables: for each table its files (`paths`), whether some are `older` than a column of
            today, and the `rows` of each; over several versions also `versions`: which of them
            has which file.
        keyed: join the two families by key. That suits a few rows picked by id; by position it is
            as fast as one wide table for scans, but reads everything whatever is asked for.
        named: give `labels` the class's name as `category` and the item's `uri`; two joins more.
        where: a condition on columns of `labels` that was looked at by `guard.check_condition`:
            `annotations` and `labels` are the rows that meet it.
        narrow: the condition is about columns of `annotations` alone, and has no subqueries.
        history: rows of `versions`.
        views: names of the only views that are made, and that files are read for; None makes all.
    """

    tables: Mapping[str, Mapping[str, Any]]
    keyed: bool = False
    named: bool = False
    where: str | None = None
    narrow: bool = False
    history: Sequence[Mapping[str, Any]] = ()
    views: Sequence[str] | None = None

    @property
    def inline(self) -> bool:
        """Say whether the condition can stand in the view of `annotations` itself.

        Then nothing else sees these rows: no subquery of the condition, and not `labels`.
        """
        return self.narrow and self.views is not None and "labels" not in self.views

    @property
    def paths(self) -> list[str]:
        """Return every file, once."""
        return sorted({path for name in self.read for path in self.tables[name]["paths"]})

    @property
    def read(self) -> list[str]:
        """Return the tables that the views are made of."""
        if self.views is None:
            return list(TABLES)
        asked = {*self.views}
        if "labels" in asked:
            asked |= {*FAMILY, *(("categories", "items") if self.named else ())}
        return [name for name in TABLES if name in asked]

    def rows_of_history(self) -> list[dict[str, Any]]:
        """Return rows of `versions`; their times went here as text."""
        return [{**row, "committed_at": datetime.fromisoformat(row["committed_at"])}
                for row in self.history]  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def table_files(
    manifest: Manifest, chosen: Mapping[str, Sequence[Part]] | None = None,
    names: Sequence[str] | None = None,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Return the files of one version for `Plan.tables`.

    Args:
        manifest: the version.
        chosen: parts to use instead of all, by table.
        names: the only tables that are needed.
    """
    plan: dict[str, dict[str, Any]] = {}
    for name in TABLES if names is None else names:
        if chosen is not None and name in chosen:
            found = [(str(manifest.path(p)), p.rows, p.columns) for p in chosen[name]]
        else:
            found = manifest.located(name)
        plan[name] = {
            "paths": [path for path, _, _ in found],
            "older": any(columns < len(TABLES[name].schema) for _, _, columns in found),
            "rows": [rows for _, rows, _ in found],
        }
    return plan


def spanning_files(versions: Mapping[str, Manifest]) -> dict[str, dict[str, Any]]:
    """Return the files of several versions for `Plan.tables`; what they share is read once.

    Args:
        versions: manifests by how versions are told.
    """
    plan: dict[str, dict[str, Any]] = {}
    own = [(name, table_files(manifest)) for name, manifest in versions.items()]
    for name in TABLES:
        pairs = [(version, path) for version, files in own for path in files[name]["paths"]]
        plan[name] = {
            "paths": list(dict.fromkeys(path for _, path in pairs)),
            "older": any(files[name]["older"] for _, files in own),
            "rows": [],
            "versions": pairs,
        }
    return plan


def create_views(con: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Create a view per table, `labels` (annotations with their geometries), and `versions`.

    Over several versions every view but `versions` has a column `version`. The condition of a
    plan is for `choose`, once everything else is closed.
    """
    spanning = _spanning(plan)
    for name in plan.read:
        files = plan.tables[name]
        if (
            not files["paths"] or files["older"]
        ):  # to register a table loads pandas, if it is there
            schema = TABLES[name].schema
            schema = schema.append(pa.field("version", pa.string())) if spanning else schema
            con.register(f"no_{name}", schema.empty_table())
        rows = _table_sql(con, name, plan.tables[name])
        if plan.inline and name == FAMILY[0]:
            rows = f"SELECT * FROM ({rows}) AS labels WHERE ({plan.where}\n)"
        con.execute(f'CREATE VIEW "{name}" AS {rows}')
    if plan.views is None or "labels" in plan.views:
        con.execute(f"CREATE VIEW labels AS {_labels_sql(plan)}")
    if plan.views is not None and HISTORY not in plan.views and not spanning:
        return
    listed = pa.Table.from_pylist(plan.rows_of_history(), schema=VERSIONS)
    con.register("listed_versions", listed)
    con.execute(f"CREATE VIEW {HISTORY} AS SELECT * FROM listed_versions")
    con.execute(f"CREATE MACRO {HISTORY}(a := '', b := '') AS TABLE SELECT * FROM listed_versions")


def lock(con: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Close everything but the views; the order matters and the last step is final."""
    con.execute("SET python_enable_replacements = false")
    con.execute(f"SET allowed_paths = [{', '.join(map(quoted, plan.paths))}]")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")


def choose(con: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Put views of the rows that meet the condition before those of all, if there is one.

    The condition's own subqueries see all rows, since it stands in a view of the main schema.
    """
    if plan.where is None or plan.inline:
        return
    con.execute("CREATE SCHEMA chosen")
    columns = [*TABLES[FAMILY[0]].schema.names, *(["version"] if _spanning(plan) else [])]
    shown = {"annotations": ", ".join(f'"{c}"' for c in columns), "labels": "*"}
    for name in shown.keys() & {*(plan.views or shown)}:
        met = f"SELECT * FROM main.labels WHERE ({plan.where}\n)"
        con.execute(f"CREATE VIEW main.met_{name} AS {met}")
        con.execute(f"CREATE VIEW chosen.{name} AS SELECT {shown[name]} FROM main.met_{name}")
    con.execute("SET search_path = 'chosen,main'")


def quoted(text: str) -> str:
    """Return a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def _spanning(plan: Plan) -> bool:
    return any("versions" in files for files in plan.tables.values())


def _table_sql(con: duckdb.DuckDBPyConnection, name: str, files: Mapping[str, Any]) -> str:
    if not files["paths"]:
        return f"SELECT * FROM no_{name}"
    listed = ", ".join(quoted(p) for p in files["paths"])
    options = ", union_by_name = true" if files["older"] else ""
    if "versions" not in files:
        found = f"SELECT * FROM read_parquet([{listed}]{options})"
    else:
        columns = [list(column) for column in zip(*files["versions"], strict=True)]
        con.register(f"in_{name}", pa.table(columns, names=["version", "path"]))
        found = (
            f"SELECT p.* EXCLUDE (filename), v.version AS version "
            f"FROM read_parquet([{listed}], filename = true{options}) p "
            f"JOIN in_{name} v ON v.path = p.filename"
        )
    return f"SELECT * FROM no_{name} UNION ALL BY NAME {found}" if files["older"] else found


def _labels_sql(plan: Plan) -> str:
    """Return the two families as one view."""
    keys = (*KEYS, "version") if _spanning(plan) else KEYS
    annotations, geometries = (plan.tables[name]["rows"] for name in FAMILY)
    by_position = not plan.keyed and annotations == geometries and annotations
    both = "POSITIONAL JOIN main.geometries g" if by_position else (
        f"JOIN main.geometries g USING ({', '.join(keys)})")  # fmt: skip
    source = f"SELECT a.*, g.* EXCLUDE ({', '.join(keys)}) FROM main.annotations a {both}"
    if not plan.named:
        return source
    also = ", version" if _spanning(plan) else ""
    return (
        f"SELECT l.*, c.name AS category, i.uri AS uri FROM ({source}) l "
        f"LEFT JOIN main.categories c USING (category_id{also}) "
        f"LEFT JOIN main.items i USING (item_id{also})"
    )
