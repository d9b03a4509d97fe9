"""Query results in the form that was asked for."""

from __future__ import annotations

import json
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from labelstore.cli.output import emit_json, table
from labelstore.errors import InvalidInput

SHOWN = 200


def write_result(result: pa.Table, form: str, out: TextIO) -> None:
    """Write a query's result.

    Args:
        result: the rows.
        form: table, json, csv, parquet or arrow.
        out: text stream whose buffer takes binary forms.
    """
    if form == "table":
        rows = result.slice(0, SHOWN).to_pylist(maps_as_pydicts="strict")
        cells = [[_shown(v) for v in row.values()] for row in rows]
        table(result.column_names, cells, plain=True)
        if result.num_rows > SHOWN:
            out.write(f"  … {result.num_rows - SHOWN:,} more rows; --format csv gives all\n")
    elif form == "json":
        rows = result.to_pylist(maps_as_pydicts="strict")
        emit_json("query", {"columns": result.column_names, "rows": rows})
    else:
        _binary(result, form, out)


def _binary(result: pa.Table, form: str, out: TextIO) -> None:
    out.flush()
    sink = pa.BufferOutputStream()
    try:
        if form == "csv":
            pyarrow.csv.write_csv(_flat(result), sink)
        elif form == "parquet":
            pq.write_table(result, sink)
        else:
            with pa.ipc.new_stream(sink, result.schema) as stream:
                stream.write_table(result)
    except pa.ArrowException as error:
        raise InvalidInput(
            f"{form} cannot hold this result: {error}. Cast the column, such as `x::VARCHAR`.",
            code="query-form",
        ) from error
    out.buffer.write(sink.getvalue())
    out.buffer.flush()


def _flat(result: pa.Table) -> pa.Table:
    """Return the table with nested columns as JSON text, which CSV can hold."""
    for i, field in enumerate(result.schema):
        if pa.types.is_nested(field.type):
            values = result.column(i).to_pylist(maps_as_pydicts="strict")
            text = [None if v is None else json.dumps(v, default=str) for v in values]
            result = result.set_column(i, field.name, pa.array(text, pa.string()))
    return result


def _shown(value: Any) -> Any:
    return json.dumps(value, default=str) if isinstance(value, list | dict) else value
