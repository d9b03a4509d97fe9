"""By what means an activity was done: the tool, the model and its weights, the guideline."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from labelstore.errors import InvalidInput
from labelstore.versions.agents import AgentRow

OWN = "labelstore"
DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Means:
    """What an activity was done with, as a user says it.

    Attributes:
        tool: `NAME[@VERSION]` of what the labels were made with; else the variable
            `LABELSTORE_TOOL`, else labelstore itself.
        guideline: file of the rules that annotators went by, or whatever names them; else the
            variable `LABELSTORE_GUIDELINE`.
        weights: file of a model's weights, or `sha256:` and its hash.
    """

    tool: str | None = None
    guideline: str | None = None
    weights: str | None = None

    def columns(self, agent: AgentRow) -> dict[str, Any]:
        """Return columns of `activities`.

        Raises:
            InvalidInput: a tool has no name, or weights are given and no model acts.
        """
        tool, _, number = (self.tool or os.environ.get("LABELSTORE_TOOL") or OWN).partition("@")
        if not tool.strip():
            raise InvalidInput(f"{self.tool!r} names no tool: pass NAME@VERSION", code="tool-name")
        rules = self.guideline or os.environ.get("LABELSTORE_GUIDELINE") or None
        if self.weights and agent.kind != "model":
            raise InvalidInput("weights are a model's: pass --by model:NAME@VERSION, too",
                               code="weights-agent")  # fmt: skip
        return {
            "tool": tool,
            "tool_version": number or (version(OWN) if tool == OWN else ""),
            "guideline": rules,
            "guideline_sha256": _digest(Path(rules)) if rules and _is_file(rules) else None,
            "model": _model(agent) if agent.kind == "model" else None,
        }

    def parameters(self) -> Mapping[str, Any]:
        """Return what is told of the means besides, for an activity's parameters.

        Raises:
            InvalidInput: there are no such weights.
        """
        tool = self.tool or os.environ.get("LABELSTORE_TOOL")
        own = {"written_by": f"{OWN}@{version(OWN)}"} if tool else {}
        return {**own, "weights": _weights(self.weights)} if self.weights else own


def _is_file(name: str) -> bool:
    """Say whether a name is that of a file; a text that is too long for one is none."""
    try:
        return Path(name).is_file()
    except OSError:
        return False


BY_ITSELF = Means()
"""Nothing is said: labelstore itself, or what the environment names."""


def _model(agent: AgentRow) -> str:
    return agent.name + (f"@{agent.version}" if agent.version else "")


def _weights(given: str) -> dict[str, Any]:
    """Return path and hash of a model's weights, or the hash alone."""
    known = DIGEST.fullmatch(given.lower())
    if known:
        return {"sha256": known[1]}
    if not _is_file(given):
        raise InvalidInput(f"{given}: no such file of weights; name it, or give its hash as "
                           "sha256:HEX", code="weights-missing")  # fmt: skip
    return {"path": given, "sha256": _digest(Path(given)), "size": Path(given).stat().st_size}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
