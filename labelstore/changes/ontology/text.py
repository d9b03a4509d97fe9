"""The ontology as YAML: written for people, read with the line of every fault."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from labelstore.errors import FormatError, NotFound
from labelstore.model.ontology import Ontology, from_row
from labelstore.model.tables import TABLES
from labelstore.versions.manifest import Manifest

PLAIN = re.compile(r"\w[\w ./()-]*", re.ASCII)
"""Texts that YAML may write as they are; it quotes those of them that mean something else."""


class Lines:
    """Which line of a file a value stands in.

    Args:
        path: the file.
        document: what `ruamel.yaml` read from it.
    """

    def __init__(self, path: str, document: Any) -> None:
        self.path = path
        self._document = document

    def place(self, *steps: str | int) -> str:
        """Return line and field of a value, as an error names them.

        Args:
            steps: keys and places on the way to it; what is not there ends the way.
        """
        line, value = 0, self._document
        for step in steps:
            try:
                line = value.lc.data[step][0]
                value = value[step]
            except (AttributeError, KeyError, IndexError, TypeError):
                break
        return f"line {line + 1}: {'.'.join(map(str, steps)) or 'the file'}"


def read_ontology(path: Path) -> tuple[Ontology, Lines]:
    """Return the ontology of a file, and where its parts stand.

    Raises:
        NotFound: there is no such file.
        FormatError: with every fault and its line.
    """
    if not path.is_file():
        said = "is a folder" if path.is_dir() else "no such file"
        raise NotFound(f"{path}: {said}", code="source-missing")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(str(path), [f"byte {error.start}: is no UTF-8"]) from error
    try:
        document = YAML().load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise FormatError(str(path), [_syntax(error)], code="yaml") from error
    lines = Lines(str(path), document)
    try:
        found = Ontology.model_validate(document)
        found.model_dump_json()
        return found, lines
    except ValidationError as error:
        faults = [f"{lines.place(*e['loc'])}: {e['msg'].lower()}" for e in error.errors()]
        raise FormatError(str(path), faults, code="ontology") from error
    except (PydanticSerializationError, UnicodeEncodeError) as error:
        raise FormatError(str(path), [f"holds what is no text: {error}"], code="yaml") from error


def _syntax(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    line = f"line {mark.line + 1}: " if mark is not None else ""
    return line + str(getattr(error, "problem", None) or error).splitlines()[0]


def ontology_of(manifest: Manifest) -> list[dict[str, Any]]:
    """Return the classes of a version as a file has them, in their order."""
    rows = manifest.table(TABLES["categories"]).to_pylist()
    names = references(rows)
    ranked = sorted(rows, key=lambda r: (r["position"], r["category_id"]))
    return [from_row(row, names) for row in ranked]


def references(rows: Sequence[dict[str, Any]]) -> dict[int, str]:
    """Return how to refer to each class: by name where it is the only one of it, else by id."""
    names = [row["name"] for row in rows]
    alone = {name for name in names if name is not None and names.count(name) == 1}
    ids = ((r["category_id"], r["name"]) for r in rows)
    return {number: name if name in alone else str(number) for number, name in ids}


def ontology_text(classes: Sequence[dict[str, Any]]) -> str:
    """Return classes as YAML."""
    written = CommentedSeq([_block(c) for c in classes])
    yaml = YAML()
    yaml.width = sys.maxsize  # a fold would change runs of blanks
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    yaml.dump(CommentedMap({"classes": written}), out)
    return out.getvalue()


def _block(entry: Mapping[str, Any]) -> CommentedMap:
    """Return an entry whose lists stand in one line each, but for its attributes."""
    found = CommentedMap()
    for name, value in entry.items():
        found[name] = (
            CommentedSeq(map(_line, value)) if name == "attribute_types" else _line(value)
        )
    return found


def _line(value: Any) -> Any:
    """Return a value that stands in one line."""
    if isinstance(value, str):
        return value if PLAIN.fullmatch(value) else DoubleQuotedScalarString(value)
    if isinstance(value, dict):
        found: Any = CommentedMap({_line(k): _line(v) for k, v in value.items()})
    elif isinstance(value, list):
        found = CommentedSeq(map(_line, value))
    else:
        return value
    found.fa.set_flow_style()
    return found
