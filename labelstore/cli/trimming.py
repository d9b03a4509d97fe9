"""Only the command that is run is built: typer takes 50 ms to read the signatures of all."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import typer
from typer.models import CommandInfo, TyperInfo

ALONE = frozenset({"-h", "--help", "--version"})
"""Options of the whole command that need no other command's signature."""


def trimmed(app: typer.Typer, words: Sequence[str]) -> typer.Typer:
    """Return the command line for some words, in which other commands have names and help alone.

    Args:
        app: the whole command line.
        words: arguments, the command's name first.
    """
    first = words[0] if words else "--help"
    if "_LABELSTORE_COMPLETE" in os.environ or (first.startswith("-") and first not in ALONE):
        return app
    found = copy(app)
    found.registered_commands = [
        info if _name(info) == first else _listed(info) for info in app.registered_commands
    ]
    found.registered_groups = [
        info if info.name == first else _emptied(info) for info in app.registered_groups
    ]
    return found


def _name(info: CommandInfo) -> str:
    return info.name or typer.main.get_command_name(getattr(info.callback, "__name__", ""))


def _listed(info: CommandInfo) -> CommandInfo:
    """Return a command that has a name and help, and takes nothing."""
    found = copy(info)
    found.callback = _without_parameters(info.callback)
    return found


def _emptied(info: TyperInfo) -> TyperInfo:
    """Return a group whose commands take nothing."""
    found = copy(info)
    if info.typer_instance is not None:
        found.typer_instance = copy(info.typer_instance)
        commands = info.typer_instance.registered_commands
        found.typer_instance.registered_commands = [_listed(command) for command in commands]
    return found


def _without_parameters(callback: Callable[..., Any] | None) -> Callable[[], None]:
    def listed() -> None:
        return None

    listed.__name__, listed.__doc__ = getattr(callback, "__name__", ""), callback.__doc__
    return listed
