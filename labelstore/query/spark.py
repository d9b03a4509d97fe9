"""Our statements on a Spark cluster, for those who outgrew one machine.

Spark reads the same parts; they must be where its workers can open them.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from labelstore.errors import InvalidInput, MissingExtra
from labelstore.model.tables import FAMILY, TABLES
from labelstore.query.views import HISTORY, KEYS, VERSIONS, Plan

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@contextmanager
def connected(master: str) -> Iterator[SparkSession]:
    """Yield a session of a cluster.

    Args:
        master: such as `local[2]` or `spark://host:7077`.

    Raises:
        MissingExtra: Spark or sqlglot is not installed.
    """
    if not all(map(find_spec, ("pyspark", "sqlglot"))):
        raise MissingExtra("asking Spark needs: pip install 'labelstore[spark]'", code="spark")
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(master).appName("labelstore")
    settings = {
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.sql.ansi.enabled": "true",
    }
    if master.startswith("local") or "127.0.0.1" in master:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    running = SparkSession.getActiveSession()
    if running is not None:
        yield _beside(running, master, settings)
        return
    for name, value in settings.items():
        builder = builder.config(name, value)
    logging.getLogger("SQLQueryContextLogger").disabled = True  # prints a whole stack
    session = builder.getOrCreate()
    try:
        yield session
    finally:
        session.stop()


def _beside(running: SparkSession, master: str, settings: Mapping[str, str]) -> SparkSession:
    """Return a session of its own beside one that the caller has, which stays as it is.

    Raises:
        InvalidInput: that one is of another cluster; a process has one.
    """
    own = running.sparkContext.master
    if own != master:
        raise InvalidInput(f"this process is connected to {own} already, not to {master}",
                           code="spark-master")  # fmt: skip
    session = running.newSession()
    for name, value in settings.items():
        if name.startswith("spark.sql."):
            session.conf.set(name, value)
    return session


def ask(
    session: SparkSession, plan: Plan, sql: str, parameters: Mapping[str, Any] | None = None,
    folder: Path | None = None,
) -> pa.Table:  # fmt: skip
    """Return the result of a statement.

    Args:
        session: see `connected`.
        plan: what its views are made of; a condition is not for Spark.
        sql: as DuckDB takes it, in the portable subset.
        parameters: values of its `$name` parameters.
        folder: where small files may stand for a while that all workers must see.

    Raises:
        InvalidInput: it may mean something else on Spark, or Spark refuses it.
    """
    from pyspark.errors import PySparkException

    from labelstore.query.portable import for_spark

    text = for_spark(sql, parameters or {})
    with tempfile.TemporaryDirectory(prefix="spark-", dir=folder) as beside:
        try:
            create_views(session, plan, Path(beside))
            return session.sql(text).toArrow()
        except PySparkException as error:
            said = str(error).splitlines()[0]
            raise InvalidInput(f"Spark: {said}", code="query-wrong") from error


def create_views(session: SparkSession, plan: Plan, folder: Path) -> None:
    """Create the views of a plan.

    Args:
        session: see `connected`.
        plan: see `Plan`.
        folder: takes an empty file of each table, which gives the columns of those without parts.
    """
    for name, table in TABLES.items():
        empty = folder / f"{name}.parquet"
        pq.write_table(table.schema.empty_table(), empty)
        _table(session, plan.tables[name], str(empty)).createOrReplaceTempView(name)
    spanning = any("versions" in files for files in plan.tables.values())
    session.sql(_labels_sql(spanning=spanning)).createOrReplaceTempView("labels")
    listed = folder / f"{HISTORY}.parquet"
    pq.write_table(pa.Table.from_pylist(plan.rows_of_history(), schema=VERSIONS), listed)
    session.read.parquet(str(listed)).createOrReplaceTempView(HISTORY)


def _table(session: SparkSession, files: Mapping[str, Any], empty: str) -> DataFrame:
    from pyspark.sql.functions import lit

    read = session.read.option("mergeSchema", "true")
    if "versions" not in files:
        return read.parquet(empty, *files["paths"])
    found = read.parquet(empty).withColumn("version", lit(None).cast("string"))
    for version in dict.fromkeys(version for version, _ in files["versions"]):
        own = [path for name, path in files["versions"] if name == version]
        found = found.unionByName(
            read.parquet(empty, *own).withColumn("version", lit(version)), True
        )
    return found


def _labels_sql(*, spanning: bool) -> str:
    keys = (*KEYS, "version") if spanning else KEYS
    shapes = [c for c in TABLES[FAMILY[1]].schema.names if c not in KEYS]
    columns = ", ".join(f"g.`{c}`" for c in shapes)
    also = " AND c.version = a.version", " AND i.version = a.version"
    classes, items = also if spanning else ("", "")
    return (
        f"SELECT a.*, {columns}, c.name AS category, i.uri AS uri FROM annotations a "
        f"JOIN geometries g ON {' AND '.join(f'g.{k} = a.{k}' for k in keys)} "
        f"LEFT JOIN categories c ON c.category_id = a.category_id{classes} "
        f"LEFT JOIN items i ON i.item_id = a.item_id{items}"
    )
