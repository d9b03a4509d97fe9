"""The process that runs one user's query: request on stdin, Arrow stream on stdout."""

from __future__ import annotations

import base64
import json
import sys
import threading
from typing import Any

import duckdb
import pyarrow as pa

from labelstore.query.engine import connect, execute
from labelstore.query.sandbox import FAILED
from labelstore.query.views import Plan, create_views, lock


def main() -> int:
    """Answer the request on stdin and return the exit status."""
    request = json.load(sys.stdin)
    limits = request["limits"]
    _bound(limits)
    try:
        table = _run(request, limits)
    except duckdb.InterruptException:
        return _fail("query-time", f"the query ran longer than {limits['seconds']:.0f} s")
    except (duckdb.OutOfMemoryException, MemoryError):
        return _fail("query-memory", f"the query needs more than {limits['memory_mb']} MB")
    except duckdb.Error as error:
        return _fail("query-wrong", str(error).strip())
    with pa.ipc.new_stream(pa.PythonFile(sys.stdout.buffer, "w"), table.schema) as out:
        out.write_table(table)
    return 0


def _run(request: dict[str, Any], limits: dict[str, Any]) -> pa.Table:
    memory = f"{limits['memory_mb']}MB"
    with connect(memory_limit=memory, temp_directory="") as con:
        plan = Plan(**request["plan"])
        create_views(con, plan)
        lock(con, plan)
        timer = threading.Timer(limits["seconds"], con.interrupt)
        timer.start()
        try:
            return execute(con, request["sql"], _parameters(request["parameters"]))
        finally:
            timer.cancel()
            timer.join()


def _parameters(encoded: str) -> dict[str, Any]:
    rows = pa.ipc.open_stream(base64.b64decode(encoded)).read_all()
    return dict(rows.to_pylist()[0]) if rows.num_columns else {}


def _bound(limits: dict[str, Any]) -> None:
    """Bound the process itself: DuckDB's own limit does not cover single huge values."""
    try:
        import resource
    except ImportError:  # Windows
        return
    most = int(limits["memory_mb"] * 1.5 + 1024) << 20
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _fail(code: str, message: str) -> int:
    sys.stdout.write(json.dumps({"code": code, "message": message}))
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
