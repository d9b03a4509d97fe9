"""Lineage as OpenLineage events: each activity is a run that reads files and writes a version."""

from __future__ import annotations

import uuid
from importlib.metadata import version as version_of
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from labelstore.errors import MissingExtra
from labelstore.model.tables import TABLES
from labelstore.versions.agents import named

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset, RunEvent

    from labelstore.lineage.exports.recorded import Published, Recorded
    from labelstore.lineage.rows import Row

NAMESPACE = "labelstore"
RUNS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:labelstore:activity")
"""Of the ids of runs: the same activity is the same run, whoever tells it."""


def openlineage_events(recorded: Recorded) -> list[str]:
    """Return two events a run, its start and its end, as JSON, the earliest first.

    Raises:
        MissingExtra: the package `openlineage-python` is not installed.
    """
    if find_spec("openlineage") is None:
        raise MissingExtra("OpenLineage needs: pip install 'labelstore[lineage]'", code="lineage")
    from openlineage.client.serde import Serde

    found: list[str] = []
    before: str | None = None
    for version in recorded.versions:
        for row in version.activities:
            found += [Serde.to_json(event) for event in _events(recorded, version, row, before)]
        before = version.root
    return found


def _events(
    recorded: Recorded, version: Published, row: Row, before: str | None
) -> list[RunEvent]:
    """Return the start and the end of an activity."""
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
    from openlineage.client.facet_v2 import documentation_job, job_type_job, ownership_job

    agent = recorded.agent(row)
    owners = [ownership_job.Owner(named(agent, {}), agent["kind"])] if agent else []
    facets = {
        "documentation": documentation_job.DocumentationJobFacet(
            row["message"] or version.commit.subject
        ),
        "ownership": ownership_job.OwnershipJobFacet(owners),
        "jobType": job_type_job.JobTypeJobFacet("BATCH", "LABELSTORE", row["kind"].upper()),
    }
    job = Job(NAMESPACE, f"{recorded.about.name}.{row['kind']}", facets=facets)
    run = Run(
        str(uuid.uuid5(RUNS, f"{row['activity_id']}")), facets={"processing_engine": _tool(row)}
    )
    files = _inputs(recorded, row, before)
    own = f"{NAMESPACE}@{version_of(NAMESPACE)}"
    begin, end = (row[name].isoformat() for name in ("started_at", "ended_at"))
    return [
        RunEvent(eventTime=begin, run=run, job=job, producer=f"urn:{own}", inputs=files,
                 eventType=RunState.START),
        RunEvent(eventTime=end, run=run, job=job, producer=f"urn:{own}", inputs=files,
                 outputs=[_output(recorded, version)], eventType=RunState.COMPLETE),
    ]  # fmt: skip


def _tool(row: Row) -> Any:
    from openlineage.client.facet_v2 import processing_engine_run

    version = row["tool_version"] or "unknown"
    return processing_engine_run.ProcessingEngineRunFacet(version=version, name=row["tool"])


def _inputs(recorded: Recorded, row: Row, before: str | None) -> list[InputDataset]:
    """Return the files that an activity read, by hash, and the version that it changed."""
    from openlineage.client.event_v2 import InputDataset

    found = [
        InputDataset("file", file["path"], facets={"version": _versioned(file["sha256"])})
        for file in row["inputs"] or []
    ]
    if before is not None:
        name = str(recorded.about.name)
        found.append(InputDataset(NAMESPACE, name, facets={"version": _versioned(before)}))
    return found


def _output(recorded: Recorded, version: Published) -> OutputDataset:
    """Return a version, with the columns of its annotations and how many there are."""
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics
    from openlineage.client.facet_v2 import schema_dataset

    columns = [schema_dataset.SchemaDatasetFacetFields(field.name, str(field.type))
               for field in TABLES["annotations"].schema]  # fmt: skip
    facets = {"version": _versioned(version.root),
              "schema": schema_dataset.SchemaDatasetFacet(columns)}  # fmt: skip
    rows = statistics.OutputStatisticsOutputDatasetFacet(
        rowCount=version.rows.get("annotations", 0)
    )
    return OutputDataset(NAMESPACE, str(recorded.about.name), facets=facets,
                         outputFacets={"outputStatistics": rows})  # fmt: skip


def _versioned(version: str) -> Any:
    from openlineage.client.facet_v2 import dataset_version_dataset

    return dataset_version_dataset.DatasetVersionDatasetFacet(version)
