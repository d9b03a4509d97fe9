"""Every statement gives the same rows on DuckDB and on Spark, over the same store."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyspark
import pytest
from broken import BROKEN, GOOD, put
from conftest import TINY, Run

from labelstore.errors import InvalidInput
from labelstore.model.labels import Box, Span
from labelstore.query.engine import connect, execute
from labelstore.query.rules import SqlRule, shaped, sql_rules
from labelstore.query.spark import ask, connected
from labelstore.query.statements import statements
from labelstore.query.views import Plan, create_views, table_files
from labelstore.store import Store, init_store

pytestmark = pytest.mark.filterwarnings("ignore")  # of Spark's own
VALUES = {"seed": "1", "scheme": "default", "gap": 10, "least": 0.3}


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Return a store of three versions, with odd text, splits, leaks and broken rules."""
    store = init_store(tmp_path_factory.mktemp("spark") / "s", target=64)
    store.import_from("coco", TINY, by="ada")
    store.commit("first", tag="v1")
    items = [{"uri": "v.mp4", "modality": "video"}, {"uri": "Straße.jpg", "sha256": "ab" * 32},
             {"uri": "日.jpg", "sha256": "ab" * 32}, {"uri": "a.rf.1.jpg"}, {"uri": "a.rf.2.jpg"},
             {"uri": "u.jpg", "group": "g"}, {"uri": "w.jpg", "group": "g"}]  # fmt: skip
    with store.edit(by="bob", message="odd") as edit:
        edit.add([Box(item="Straße.jpg", category="ß'\"\\", x=0.1, y=0.1, width=0.5, height=0.5,
                      frame="unit"),
                  Box(item="日.jpg", x=-5, y=0, width=7, height=9)],
                 items=items, categories=[{"name": "ß'\"\\"}])  # fmt: skip
    (video,) = store.query("SELECT item_id FROM items WHERE uri = 'v.mp4'")["item_id"].to_pylist()
    with store.edit(by="bob") as edit:
        edit.add(
            [Span(item="t.txt", category="ß'\"\\", spans=[(0, 4), (5, 9)], surface="else")],
            items=[{"uri": "t.txt", "text": "Straße größer 日本"}],
        )
        edit.add([], items=[{"uri": f"f{n}", "parent_id": video, "frame_index": n}
                            for n in range(6)])  # fmt: skip
        edit.update(where="source_id % 7 = 1", set={"score": 0.5})
    store.split("default", ratios="train=0.5,test=0.5", group="uri")
    store.commit("second", tag="v2")
    with store.edit(by="eve") as edit:
        edit.delete(where="source_id % 11 = 1")
    store.commit("third", tag="v3")
    return store


@pytest.fixture(scope="session")
def session() -> Iterator[Any]:
    with connected("local[2]") as session:
        yield session


def plain(value: Any) -> Any:
    """Return a value as both engines have it: floats to nine digits, since sums vary in order."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else value


def rows(table: Any) -> list[tuple[Any, ...]]:
    return [tuple(plain(v) for v in row.values()) for row in table.to_pylist()]


@pytest.mark.parametrize("name", statements())
def test_statements_give_the_same_rows(store: Store, session: Any, name: str) -> None:
    from labelstore.query.history import History
    from labelstore.query.sandbox import planned

    own = statements()[name]
    values = {n: VALUES.get(n) for n in own.parameters}
    since = "v1" if "version" in own.columns else None
    expected = store.query(own.sql, at="v3", parameters=values, since=since)
    plan = planned(store.manifest("v3"), own.sql, History(store.workspace, "v3"), since)
    found = ask(session, plan, own.sql, values)
    assert found.column_names == expected.column_names
    assert rows(found) == rows(expected)
    assert expected.num_rows


@pytest.mark.parametrize("rule", sql_rules(), ids=lambda rule: rule.code)
def test_rules_find_the_same_faults(tmp_path: Path, session: Any, rule: SqlRule) -> None:
    """Each in a store that breaks it: rows that are not there are equal on any engine."""
    broken = init_store(tmp_path / "s")
    put(broken, GOOD)
    put(broken, BROKEN[rule.code])
    plan = Plan(table_files(broken.manifest()))
    sql = f"WITH shaped AS ({shaped()}) SELECT * FROM ({rule.sql}) AS f ORDER BY f.id, f.item_id"
    with connect() as con:
        create_views(con, plan)
        expected = execute(con, sql)
    assert expected.num_rows
    assert rows(ask(session, plan, sql)) == rows(expected)


def test_a_users_query_is_asked_there_too(store: Store, cli: Run) -> None:
    sql = "SELECT category, COUNT(*) AS n FROM labels GROUP BY category ORDER BY n DESC, category"
    words = ["--engine", "spark", "--master", "local[1]", "--format", "csv", "--at", "v3"]
    told = cli("query", sql, *words, cwd=store.workspace.folder)
    assert told.returncode == 0, told.stderr
    duck = cli("query", sql, "--format", "csv", "--at", "v3", cwd=store.workspace.folder)
    assert told.stdout == duck.stdout


@pytest.mark.parametrize(
    ("sql", "said"),
    [("SELECT * FROM parquet.`/etc/passwd`", "may not run"),
     ("SELECT nothing FROM items", "Spark"), ("SELECT UPPER(uri) FROM items", "UPPER")],
)  # fmt: skip
def test_what_may_not_run_here_may_not_run_there(store: Store, sql: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        store.query(sql, at="v3", master="local[2]")


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """Yield the URL of a master with two workers."""
    home = Path(pyspark.__file__).parent
    env = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1",
           "SPARK_DAEMON_MEMORY": "256m", "SPARK_WORKER_DIR": str(folder / "work")}  # fmt: skip
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"spark://127.0.0.1:{port}"
    deploy = "org.apache.spark.deploy"
    common = ["--host", "127.0.0.1", "--webui-port", "0"]
    commands = [[f"{deploy}.master.Master", *common, "--port", str(port)]]
    commands += [[f"{deploy}.worker.Worker", *common, "-c", "1", "-m", "1G", url]] * 2
    started = []
    try:
        for i, words in enumerate(commands):
            log = (folder / f"{i}.log").open("w")
            command = [str(home / "bin/spark-class"), *words]
            started.append(subprocess.Popen(command, env=env, stdout=log, stderr=log))
        for i in (1, 2):
            _wait(folder / f"{i}.log", "Successfully registered with master")
        yield url
    finally:
        for process in started:
            process.terminate()
            process.wait(30)


def _wait(log: Path, said: str) -> None:
    for _ in range(600):
        if said in log.read_text():
            return
        time.sleep(0.2)
    raise AssertionError(log.read_text()[-2000:])


def test_a_cluster_of_two_workers_answers(store: Store, tmp_path: Path) -> None:
    """In a process of its own: a session in this one is local already."""
    script = (
        "import sys; from labelstore.store import open_store;"
        "from labelstore.query.statements import statement;"
        "s = open_store(sys.argv[1]);"
        "r = s.query(statement('class_balance').sql, at='v3', parameters={'layer': None},"
        " master=sys.argv[2]); print(r.to_pylist())"
    )
    expected = store.query(statements()["class_balance"].sql, at="v3", parameters={"layer": None})
    with cluster(tmp_path) as url:
        done = subprocess.run([sys.executable, "-c", script, store.workspace.folder, url],
                              capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == str(expected.to_pylist())


def test_a_session_that_is_there_stays_as_it_is(store: Store, session: Any) -> None:
    session.createDataFrame([(1,)], ["x"]).createOrReplaceTempView("items")
    count = store.query("SELECT COUNT(*) AS n FROM items", at="v3", master="local[2]")
    assert count.to_pylist()[0]["n"] > 50
    assert session.sql("SELECT COUNT(*) AS n FROM items").collect()[0]["n"] == 1
    with pytest.raises(InvalidInput, match="connected to local"):
        store.query("SELECT COUNT(*) AS n FROM items", at="v3", master="local[1]")
