"""The published contract: schemas, hashes, verbs, names, import budget."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pyarrow as pa
import pytest
import typer
from conftest import TINY

import labelstore
from labelstore import errors
from labelstore.cli.app import app
from labelstore.cli.trimming import trimmed
from labelstore.errors import LabelstoreError
from labelstore.model.kinds import Kind
from labelstore.model.published import published_files
from labelstore.model.rules import check_table
from labelstore.model.tables import TABLES
from labelstore.store import Store

SCHEMAS = Path(__file__).parents[2] / "schemas" / "v1"
HEAVY = ("pyarrow", "duckdb", "dvc", "s3fs", "numpy", "pydantic", "fsspec", "botocore")
PYTHON_NAMES = {"remote check": "remote_check", "import": "import_from", "export": "export_to",
                "remote add": "remote_add",
                "ontology show": "ontology", "ontology apply": "apply_ontology"}  # fmt: skip
ONLY_COMMANDS = {"init", "demo", "schema export", "formats", "convert",
                 "merge-driver", "verify-proof"}  # fmt: skip
ONLY_PYTHON = {
    "review_states",
    "manifest",
    "staged",
    "edit",
    "check_pin",
    "compare_pins",
    "pin_note",
    "check_split",
}


def commands() -> set[str]:
    names = {c.name for c in app.registered_commands if c.name}
    for group in app.registered_groups:
        inner = group.typer_instance
        assert inner is not None
        names |= {f"{group.name} {c.name}" for c in inner.registered_commands}
    return names


def test_published_schemas_equal_the_models() -> None:
    on_disk = {p.name: p.read_text() for p in SCHEMAS.iterdir()}
    assert on_disk == published_files()


def test_examples_validate_by_json_schema() -> None:
    files = published_files()
    for vector in json.loads(files["hash_vectors.json"]):
        schema = json.loads(files[f"{vector['table']}.schema.json"])
        jsonschema.validate(vector["row"], schema)


def test_an_example_of_every_kind_is_accepted_by_all() -> None:
    files = published_files()
    examples = json.loads(files["examples.json"])
    assert set(examples) == set(get_args(Kind))
    for kind, family in examples.items():
        assert family["annotations"]["kind"] == ("box" if kind == "track" else kind)
        for name, row in family.items():
            jsonschema.validate(row, json.loads(files[f"{name}.schema.json"]))
            model = TABLES[name].model.model_validate_json(json.dumps(row))
            values = model.model_dump()
            table = pa.Table.from_pylist([values], schema=TABLES[name].schema)
            assert check_table(TABLES[name].model, table) == [], (kind, name)
            (back,) = table.to_pylist(maps_as_pydicts="strict")
            assert back == values


def test_commands_and_methods_are_the_same_verbs() -> None:
    methods = {n for n, f in inspect.getmembers(Store, inspect.isfunction) if n[0] != "_"}
    in_python = {PYTHON_NAMES.get(c, c) for c in commands() - ONLY_COMMANDS}
    assert in_python == methods - ONLY_PYTHON


def test_every_public_name_can_be_imported() -> None:
    for name in labelstore.__all__:
        assert getattr(labelstore, name) is not None
    assert sorted(labelstore.__all__) == dir(labelstore)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = labelstore.nonsense


def test_the_command_line_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['labelstore', '--help']\n"
        "from labelstore.cli.app import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        f"print(sorted(m for m in {HEAVY} if m in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == "[]"
    assert "diff" in done.stdout


def test_an_import_loads_neither_queries_nor_diffs(store: Store) -> None:
    code = (
        "import sys\nfrom labelstore.store import open_store\n"
        f"open_store({str(store.workspace.folder)!r}).import_from('coco', {str(TINY)!r},"
        " commit=True, tag='v1')\n"
        "unwanted = 'duckdb', 'scipy', 'dvc', 'yaml', 'labelstore.changes.diff'\n"
        "print([m for m in unwanted if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_command_that_is_built_alone_is_whole() -> None:
    whole: Any = typer.main.get_command(app)
    for name in whole.commands:
        alone: Any = typer.main.get_command(trimmed(app, [name]))
        assert told(alone.commands[name]) == told(whole.commands[name])
        for other, command in whole.commands.items():
            assert alone.commands[other].help == command.help


def told(command: Any) -> Any:
    """Return what a command, or each command of a group, takes and says."""
    inner = getattr(command, "commands", {})
    taken = [(type(p), p.name, p.opts, p.help, p.default) for p in command.params]
    return command.help, taken, {name: told(found) for name, found in inner.items()}


def test_every_command_has_help() -> None:
    for name in sorted(commands()):
        words = [sys.executable, "-m", "labelstore.cli", *name.split(), "--help"]
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.returncode == 0, name
        assert len(done.stdout) > 100, name


def test_exit_codes_are_those_of_the_design() -> None:
    found = {
        name: cls.exit_code
        for name, cls in vars(errors).items()
        if isinstance(cls, type)
        and issubclass(cls, LabelstoreError)
        and cls is not LabelstoreError
    }
    assert found == {
        "InvalidInput": 2, "FormatError": 2, "CheckFailed": 1, "LossRefused": 1, "NotFound": 3,
        "AlreadyExists": 3, "Conflict": 4, "StorageFailed": 5, "Corrupt": 6, "MissingExtra": 2,
    }  # fmt: skip
    assert issubclass(errors.InvalidInput, ValueError)
    assert issubclass(errors.NotFound, LookupError)
    assert issubclass(errors.StorageFailed, OSError)
    assert issubclass(errors.MissingExtra, ImportError)
