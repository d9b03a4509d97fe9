"""Facts about how labels were made, in words: tools, models, guidelines, reviews, density."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from labelstore.changes.reviewing.policy import states
from labelstore.errors import counted
from labelstore.query.engine import run

if TYPE_CHECKING:
    from labelstore.lineage.rows import Row
    from labelstore.versions.manifest import Manifest


def tools(activities: Iterable[Row]) -> list[str]:
    """Return the tools that were used, with their versions."""
    return sorted({"@".join(filter(None, (a["tool"], a["tool_version"]))) for a in activities})


def models(activities: Iterable[Row]) -> list[str]:
    """Return the models that labelled, with the hash of their weights where it is known."""
    found = set()
    for row in activities:
        if row["model"]:
            weights = row["parameters"].get("weights", {}).get("sha256")
            found.add(row["model"] + (f" (weights sha256 {weights})" if weights else ""))
    return sorted(found)


def guidelines(activities: Iterable[Row]) -> list[str]:
    """Return the guidelines that were gone by, with their hashes where they were files."""
    return sorted({
        row["guideline"] + (f" (sha256 {digest})" if (digest := row["guideline_sha256"]) else "")
        for row in activities if row["guideline"]
    })  # fmt: skip


def per_item(manifest: Manifest) -> str:
    """Return how many labels an item has, by layer."""
    said = []
    items = sum(part.rows for part in manifest.parts_of("items"))
    for layer in manifest.partitions("annotations"):
        rows = run(manifest, "labels_per_item", layer=layer).to_pylist()
        labels = sum(row["labels"] * row["items"] for row in rows)
        said.append(f"{layer}: {labels / max(items, 1):.1f}")
    return ", ".join(said)


def reviewed(manifest: Manifest) -> str:
    """Return in which states of review labels are."""
    rows = states(manifest, None).to_pylist()
    said: dict[str, int] = {}
    for row in rows:
        state = "not reviewed" if row["state"] is None else (
            f"{row['state']}, outdated" if row["outdated"] else row["state"])  # fmt: skip
        said[state] = said.get(state, 0) + row["annotations"]
    return _listed(f"{counted(n, 'label')} {state}" for state, n in said.items())


def _listed(words: Iterable[str]) -> str:
    found: Sequence[str] = sorted(words)
    return ", ".join(found)
