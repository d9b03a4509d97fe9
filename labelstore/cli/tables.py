"""Query results in the form that was asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from labelstore.cli.output import emit_json, table
from labelstore.errors import InvalidInput

if TYPE_CHECKING:
    from labelstore.analysis.scoring.report import Score
    from labelstore.versions.manifest import Manifest

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


def write_queue(queue: pa.Table, manifest: Manifest, authors: Sequence[str], file: Path) -> None:
    """Write disagreements as CSV: item, what differs, and each author's class and label.

    Args:
        queue: see `labelstore.analysis.agreement.disagreeing.QUEUE`.
        manifest: the version, for the names of items.
        authors: in the order of the lists.
        file: the CSV.
    """
    from labelstore.changes.summary import item_names

    ids = queue.column("item_id").combine_chunks()
    names = item_names(pc.unique(ids), manifest)
    columns = {
        "item_id": ids,
        "item": pa.array([names[i] for i in ids.to_pylist()], pa.string()),
        "what": queue.column("what"),
        "amount": queue.column("amount"),
    }
    for what, column in (("class", "classes"), ("annotation", "annotations")):
        lists = queue.column(column)
        for place, author in enumerate(authors):
            columns[f"{what} {author}"] = pc.list_element(lists, place)
    pyarrow.csv.write_csv(pa.table(columns), file)


def write_confusion(scores: Sequence[Score], file: Path) -> None:
    """Write which class was labelled as which, as CSV: a row for each layer and class in it.

    Args:
        scores: of layers or authors.
        file: the CSV.
    """
    from labelstore.analysis.scoring.counting import BACKGROUND

    names = list(dict.fromkeys(c.name for own in scores for c in own.classes))
    names.append(BACKGROUND)
    rows = []
    for own in scores:
        counts = {(c.gold, c.said): c.count for c in own.confusion}
        counts |= {(c.name, c.name): c.correct for c in own.classes}
        rows += [{"scored": own.name, "gold": gold,
                  **{said: counts.get((gold, said), 0) for said in names}}
                 for gold in names]  # fmt: skip
    pyarrow.csv.write_csv(pa.Table.from_pylist(rows), file)


def write_csv(rows: pa.Table, file: Path) -> None:
    """Write a table as CSV."""
    pyarrow.csv.write_csv(_flat(rows), file)
