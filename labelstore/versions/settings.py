"""Tables of `labelstore.toml`, checked against what they may hold."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from labelstore.errors import FormatError
from labelstore.versions.workspace import SETTINGS, Workspace

Model = TypeVar("Model", bound=BaseModel)


def table_as(model: type[Model], workspace: Workspace, name: str, stated: Any) -> Model:
    """Return a table of the settings as a model has it.

    Args:
        model: what the table may hold.
        workspace: the store.
        name: of the table.
        stated: what stands in it.

    Raises:
        FormatError: with every fault of the table.
    """
    try:
        return model.model_validate(stated)
    except ValidationError as error:
        there = ", ".join(model.model_fields)
        faults = [
            f"{'.'.join([name, *map(str, e['loc'])])}: "
            + (f"is no setting; there are {there}" if e["type"] == "extra_forbidden" else e["msg"])
            for e in error.errors()
        ]
        raise FormatError(str(workspace.folder / SETTINGS), faults, code="settings") from error
