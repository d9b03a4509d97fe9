"""The `labelstore` command. Heavy libraries are imported inside commands, never here."""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated

import typer

from labelstore.cli import (
    agreed,
    agreeing,
    branching,
    curating,
    data,
    forgetting,
    formats,
    handing,
    history,
    ontology,
    pinning,
    proving,
    questions,
    remotes,
    reviewing,
    scoring,
    splitting,
    traces,
    trees,
)
from labelstore.cli.trimming import trimmed
from labelstore.errors import InvalidInput, LabelstoreError, StorageFailed

app = typer.Typer(
    name="labelstore",
    help="A typed, versioned store for machine-learning labels.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
MODULES = (
    data, splitting, formats, history, pinning, traces, proving, handing, branching, questions,
    agreeing, agreed, forgetting, scoring, trees, curating, reviewing, ontology, remotes,
)  # fmt: skip
for module in MODULES:
    module.register(app)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"labelstore {installed('labelstore')}")
        raise typer.Exit


def _refuse_undecodable(words: list[str]) -> None:
    for i, word in enumerate(words, start=1):
        if any("\ud800" <= c <= "\udfff" for c in word):
            raise InvalidInput(f"argument {i} is no UTF-8: {word.encode(errors='replace')!r}")


def _stop_on_sigterm() -> None:
    """Let a command that is told to end clear its scratch files; its children just end."""
    process = os.getpid()

    def stop(*_: object) -> None:
        if os.getpid() != process:
            os._exit(143)
        sys.exit(143)

    signal.signal(signal.SIGTERM, stop)


def main() -> None:
    """Run the command line; turn our errors into one message and an exit code."""
    _stop_on_sigterm()
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        _refuse_undecodable(sys.argv[1:])
        trimmed(app, sys.argv[1:])(prog_name="labelstore")
    except LabelstoreError as error:
        if debug:
            raise
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        if debug:
            raise
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"error: {where}{error.strerror or error}\n")
        sys.exit(StorageFailed.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing was published\n")
        sys.exit(130)
