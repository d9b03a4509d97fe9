"""Data sets: which one a source is a delivery of, and whether it describes itself anew."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Literal

from labelstore.errors import InvalidInput
from labelstore.model.tables import TABLES
from labelstore.versions.manifest import Manifest

Mode = Literal["add", "update", "replace"]
MODES = ("add", "update", "replace")


def known_dataset(
    manifest: Manifest, format_name: str, layer: str, name: str, mode: Mode | None
) -> dict[str, Any] | None:
    """Return the `datasets` row that a source is a delivery of, or None for a new data set.

    Raises:
        InvalidInput: the mode does not fit what is there.
    """
    rows: list[dict[str, Any]] = manifest.table(TABLES["datasets"]).to_pylist()
    same = [r for r in rows if (r["format"], r["layer"]) == (format_name, layer)]
    named = [r for r in same if r["name"] == name]
    if named and mode is None:
        raise InvalidInput(
            f"data set {name!r} is in layer {layer!r} already. Pass --mode update "
            "(a new delivery of it), --mode replace, or --mode add with --dataset NAME.",
            code="import-mode",
        )
    if mode in ("update", "replace"):
        if not named:
            there = ", ".join(r["name"] for r in same) or "none"
            raise InvalidInput(
                f"layer {layer!r} has no {format_name} data set {name!r} to "
                f"{mode} (it has: {there}). Name one with --dataset.",
                code="dataset-unknown",
            )
        return named[0]
    if named:
        raise InvalidInput(
            f"data set {name!r} is in layer {layer!r} already; give the new one "
            "another name with --dataset.",
            code="dataset-exists",
        )
    return None


def reference(manifest: Manifest, formats: Collection[str], of: str | None) -> int | None:
    """Return the data set whose items and classes a source is of; None where there is none.

    Args:
        manifest: the version.
        formats: which may be.
        of: its name, or layer and name with a `/` between; may be left out where there is one.

    Raises:
        InvalidInput: there are several and none is named, or none of that name.
    """
    rows = manifest.table(TABLES["datasets"]).to_pylist()
    there = [r for r in rows if r["format"] in formats]
    whole = [f"{r['layer']}/{r['name']}" for r in there]
    named = [r for r, path in zip(there, whole, strict=True) if of in (None, r["name"], path)]
    names = ", ".join(whole) or "none"
    if of is not None and not named:
        said = f"no data set {of!r} has the images that the source is of (there are: {names})"
        raise InvalidInput(said, code="dataset-unknown")
    if len(named) > 1:
        raise InvalidInput(
            f"the source may be of several data sets ({names}); choose one with --of",
            code="dataset-ambiguous",
        )
    return int(named[0]["dataset_id"]) if named else None


def is_known(before: Mapping[str, Any], after: Mapping[str, Any], *, order: bool) -> bool:
    """Say whether a delivery says of itself what the one before said.

    Args:
        before: `datasets` row of the delivery before.
        after: that of the new one.
        order: whether order and layout count; else they stay as they were.
    """
    if not order and _alike(before, after):
        return True
    return all(before[k] == after[k] for k in TABLES["datasets"].columns("content"))


def _alike(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Say whether two deliveries describe themselves alike, order aside."""
    if any(before[k] != after[k] for k in ("info", "licenses")):
        return False
    old, new = (json.loads(row["leftovers"] or "{}") for row in (before, after))
    orders = [{k: set(v) for k, v in d.get("key_orders", {}).items()} for d in (old, new)]
    tops = [set(d.get("top", [])) for d in (old, new)]
    return orders[0] == orders[1] and tops[0] == tops[1] and old.get("keys") == new.get("keys")
