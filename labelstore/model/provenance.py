"""Activities, agents and datasets: who did what, with what, from which source (W3C PROV)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import pyarrow as pa
from pydantic import Field

from labelstore.model.columns import Column, Row
from labelstore.model.links import RowHash
from labelstore.model.units import Id, JsonObject, JsonText

ActivityKind = Literal[
    "import", "edit", "review", "split", "merge", "model_run", "ontology", "consensus"
]
AgentKind = Literal["human", "model", "tool"]


class ActivityInput(Row):
    """One file that an activity read."""

    path: str
    """As the user named it."""
    sha256: str
    size: int
    rows: int | None = None


class Activity(Row):
    """One import, edit, review, split, merge, model run, change of classes or consensus."""

    activity_id: Annotated[Id, Column(1)]
    generation: Annotated[int, Field(ge=1, le=4095), Column(2, pa.int16())]
    """1 + the highest generation before it; the top bits of the ids that it gave."""
    kind: Annotated[ActivityKind, Column(3)]
    agent_id: Annotated[Id, Column(4)] | None = None
    tool: Annotated[str, Column(5)]
    tool_version: Annotated[str, Column(6)]
    model: Annotated[str, Column(7)] | None = None
    guideline: Annotated[str, Column(8)] | None = None
    guideline_sha256: Annotated[str, Column(9)] | None = None
    parameters: Annotated[JsonObject, Column(10)] | None = None
    inputs: Annotated[list[ActivityInput], Column(11)] | None = None
    started_at: Annotated[datetime, Column(12)]
    ended_at: Annotated[datetime, Column(13)]
    message: Annotated[str, Column(14)] | None = None
    row_hash: Annotated[RowHash, Column(15, pa.uint64(), role="hash")]


class Agent(Row):
    """A person, a model or a tool that acts."""

    agent_id: Annotated[Id, Column(1)]
    kind: Annotated[AgentKind, Column(2)]
    name: Annotated[str, Field(min_length=1), Column(3)]
    """A model's or tool's name; for a person a pseudonym."""
    version: Annotated[str, Column(4)] | None = None
    key_id: Annotated[str, Column(5)] | None = None
    """Which secret key made the pseudonym."""
    row_hash: Annotated[RowHash, Column(6, pa.uint64(), role="hash")]


class SourceFile(Row):
    """One file of a source, and how its text is written."""

    path: str
    sha256: str
    size: int
    newline: Literal["lf", "crlf", "none"]
    final_newline: bool
    bom: bool
    json_style: JsonText | None = None
    """Indentation and separators, where the file is plain `json` text."""


class Dataset(Row):
    """What one source said of itself."""

    dataset_id: Annotated[Id, Column(1)]
    name: Annotated[str, Field(min_length=1), Column(2)]
    format: Annotated[str, Field(min_length=1), Column(3)]
    layer: Annotated[str, Field(min_length=1), Column(4)]
    info: Annotated[JsonText, Column(5)] | None = None
    licenses: Annotated[JsonText, Column(6)] | None = None
    files: Annotated[list[SourceFile], Column(7)] | None = None
    leftovers: Annotated[JsonObject, Column(8)] | None = None
    """Order of keys and whatever else the format needs to write the file again."""
    changed_in: Annotated[Id, Column(9, role="provenance")] | None = None
    row_hash: Annotated[RowHash, Column(10, pa.uint64(), role="hash")]
