"""A user's SQL in a process of its own: guarded, locked down, bounded in memory and time."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from labelstore.errors import InvalidInput, StorageFailed
from labelstore.query.conditions import check_expression
from labelstore.query.engine import connect
from labelstore.query.guard import Checked, check
from labelstore.query.history import History
from labelstore.query.parsing import refused
from labelstore.query.views import HISTORY, VIEWS, Plan, spanning_files, table_files
from labelstore.storage.index import Part
from labelstore.versions.manifest import Manifest

FAILED = 3


@dataclass(frozen=True)
class Limits:
    """What a query may use.

    Attributes:
        memory_mb: DuckDB's memory; the process may use half as much again and 1 GiB.
        seconds: wall time.
    """

    memory_mb: int = 4096
    seconds: float = 600.0

    def __post_init__(self) -> None:
        """Refuse limits that are none."""
        if not (self.memory_mb >= 1 and 0 < self.seconds < float("inf")):
            raise InvalidInput(
                f"limits of {self.memory_mb} MB and {self.seconds} s: both must be above 0 and "
                "finite",
                code="query-limits",
            )


def query(
    manifest: Manifest,
    sql: str,
    parameters: Mapping[str, Any] | None = None,
    limits: Limits | None = None,
    history: History | None = None,
    since: str | None = None,
) -> pa.Table:
    """Return the result of a user's query on a version.

    Args:
        manifest: the version.
        sql: one SELECT over the views.
        parameters: values of `$name` parameters.
        limits: memory and time; 4 GiB and ten minutes by default.
        history: the versions that it may ask about, if it may.
        since: be about all versions from this one on, as `versions(since, …)` in the text would.

    Raises:
        InvalidInput: the query may not run, is wrong, or exceeds its limits.
    """
    limits = limits or Limits()
    plan = planned(manifest, sql, history, since)
    request = {
        "sql": sql,
        "parameters": base64.b64encode(encode_parameters(parameters or {})).decode(),
        "plan": plan.as_json(),
        "limits": asdict(limits),
    }
    return _ask(json.dumps(request).encode(), limits)


def planned(
    manifest: Manifest, sql: str, history: History | None = None, since: str | None = None
) -> Plan:
    """Return the views that a user's query needs, if it may run; see `query`.

    Raises:
        InvalidInput: it may not run.
    """
    with connect() as con:
        checked = check(con, sql, VIEWS)
    if since is not None and history is not None:
        checked.span = checked.span or (since, history.rev)
    return _plan(manifest, checked, history)


def _plan(manifest: Manifest, checked: Checked, history: History | None) -> Plan:
    """Return the views that a query needs."""
    asked = checked.span is not None or HISTORY in checked.views
    if asked and history is None:
        raise refused("there are no versions here to ask about")
    named = checked.named and "labels" in checked.views
    listed = history.listed() if asked and history else []
    if checked.span is None or history is None:
        files = table_files(manifest, _chosen(manifest, checked))
        views = [*checked.views]
        return Plan(files, keyed=checked.keyed, named=named, history=listed, views=views)
    versions = history.between(*checked.span)
    listed = [row for row in listed if row["version"] in versions]
    return Plan(spanning_files(versions), keyed=checked.keyed, named=named, history=listed)


def encode_parameters(parameters: Mapping[str, Any]) -> pa.Buffer:
    """Return the values of parameters as an Arrow stream of one row.

    Raises:
        InvalidInput: a value has no Arrow type.
    """
    columns = {}
    for name, value in parameters.items():
        if not isinstance(name, str):
            raise InvalidInput(f"a parameter's name must be text, not {name!r}",
                               code="query-parameter")  # fmt: skip
        try:
            columns[name] = pa.array([value])
        except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError, OverflowError) as error:
            raise InvalidInput(
                f"parameter {name!r} is a value of {type(value).__name__}, which no column holds",
                code="query-parameter",
            ) from error
    rows = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return sink.getvalue()


def expressions(texts: Iterable[str]) -> None:
    """Refuse texts that are not each one SQL expression; see `guard.check_expression`."""
    with connect() as con:
        for text in texts:
            if not isinstance(text, str):
                said = f"a SQL condition must be text, not {type(text).__name__}"
                raise InvalidInput(said, code="query-text")
            check_expression(con, text)


def _ask(request: bytes, limits: Limits) -> pa.Table:
    command = [sys.executable, "-m", "labelstore.query.worker"]
    try:
        done = subprocess.run(
            command, input=request, capture_output=True, timeout=limits.seconds + 5
        )
    except subprocess.TimeoutExpired as error:
        raise InvalidInput(
            f"the query ran longer than {limits.seconds:.0f} s and was stopped", code="query-time"
        ) from error
    if done.returncode == FAILED:
        answer = json.loads(done.stdout)
        raise InvalidInput(answer["message"], code=answer["code"])
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        reason = said[-1] if said else "it used more memory than it may"
        raise StorageFailed(f"the query's process died: {reason}", code="query-died")
    return pa.ipc.open_stream(pa.BufferReader(done.stdout)).read_all()


def _chosen(manifest: Manifest, checked: Checked) -> dict[str, Sequence[Part]]:
    """Return the parts that may hold the keys that a query asks for."""
    chosen: dict[str, Sequence[Part]] = {}
    for name in ("annotations", "geometries"):
        parts = manifest.parts_of(name)
        if "item_id" in checked.keys:
            item = checked.keys["item_id"]
            parts = [p for p in parts if p.first_key <= item <= p.last_key]
        if "annotation_id" in checked.keys:
            number = checked.keys["annotation_id"]
            parts = [p for p in parts if p.min_id <= number <= p.max_id]
        chosen[name] = parts
    return chosen
