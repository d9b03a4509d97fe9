"""What a tagged version must hold: labels in certain states of review.

In `labelstore.toml`. What HEAD says there holds, so a change of it must be committed first; where
HEAD asks nothing, the file itself does:

    [review]
    require = ["accepted", "gold"]
    layers = ["ground_truth"]      # the default layer, where none are named
    four_eyes = true               # nobody reviews what they made
"""

from __future__ import annotations

import tomllib
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from labelstore.errors import CheckFailed, InvalidInput, counted
from labelstore.model.annotations import ReviewState
from labelstore.versions.settings import table_as
from labelstore.versions.workspace import SETTINGS

if TYPE_CHECKING:
    from labelstore.versions.manifest import Manifest
    from labelstore.versions.workspace import Workspace

TABLE = "review"


class ReviewPolicy(BaseModel):
    """What labels of a tagged version must be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    require: Annotated[list[ReviewState], Field(min_length=1)]
    """States that they may be in."""
    layers: list[str] | None = None
    """Layers that this is about."""
    four_eyes: StrictBool = False
    """Whether another than the author must have reviewed them."""


def review_policy(workspace: Workspace) -> ReviewPolicy | None:
    """Return what a store asks of tagged versions; None where it asks nothing.

    Raises:
        FormatError: with every fault of the table.
    """
    committed = workspace.git.blob("HEAD", SETTINGS) if workspace.git.head() else None
    stated = _stated(committed) if committed else None
    stated = workspace.settings.get(TABLE) if stated is None else stated
    if stated is None:
        return None
    found = table_as(ReviewPolicy, workspace, TABLE, stated)
    return found.model_copy(update={"layers": found.layers or [workspace.default_layer]})


def _stated(settings: bytes) -> Any:
    """Return the table in settings that were committed; None where they cannot be read."""
    try:
        return tomllib.loads(settings.decode()).get(TABLE)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return None


def refuse_unreviewed(
    workspace: Workspace, manifest: Manifest, tag: str | None, then: str = ""
) -> None:
    """Refuse to tag a version that has labels which the store's policy does not let in.

    Args:
        workspace: the store.
        manifest: the version.
        tag: the name that it would get; nothing is asked of one without.
        then: what became of it, to end the message.

    Raises:
        CheckFailed: with how many, and why.
    """
    policy = review_policy(workspace) if tag is not None else None
    if policy is None:
        return
    wrong = unreviewed(manifest, policy)
    if wrong:
        total = sum(wrong.values())
        reasons = "; ".join(f"{n:,} {why}" for why, n in sorted(wrong.items()))
        raise CheckFailed(
            f"no tag {tag!r}: {workspace.folder / SETTINGS} lets only "
            f"{' or '.join(policy.require)} labels into a tagged version, and "
            f"{counted(total, 'label')} of {', '.join(policy.layers or [])} may not enter: "
            f"{reasons}. `labelstore review` shows the states.{then}",
            code="not-reviewed",
        )


def unreviewed(manifest: Manifest, policy: ReviewPolicy) -> Counter[str]:
    """Return how many labels may not enter a tagged version, by why.

    Raises:
        InvalidInput: the policy is of a layer that is not there.
    """
    wrong: Counter[str] = Counter()
    there = manifest.partitions("annotations")
    absent = [name for name in policy.layers or [] if name not in there]
    if absent and there:
        raise InvalidInput(
            f"{SETTINGS}, review.layers: there is no layer {', '.join(absent)} (there is: "
            f"{', '.join(there)})",
            code="layer-unknown",
        )
    for row in states(manifest).to_pylist():
        if row["layer"] in (policy.layers or []):
            wrong[_reason(row, policy)] += row["annotations"]
    del wrong[""]
    return wrong


def states(manifest: Manifest, layer: str | None = None) -> pa.Table:
    """Return how many labels are in which state; see `query/sql/review_states.sql`."""
    from labelstore.query.engine import run  # most stores have no policy, and need no DuckDB

    return run(manifest, "review_states", layer=layer)


def _reason(row: dict[str, Any], policy: ReviewPolicy) -> str:
    if row["state"] not in policy.require:
        return f"{row['state']}" if row["state"] else "without a review"
    if row["outdated"]:
        return "changed after their review"
    return "reviewed by their author" if policy.four_eyes and row["own"] else ""
