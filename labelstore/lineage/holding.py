"""Which pins hold a label, and as of which change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labelstore.errors import NotFound
from labelstore.lineage.rows import Row, item_parts, label_parts, label_row
from labelstore.lineage.subsets import subsets_in
from labelstore.lineage.trace import Held, Step, Trace

if TYPE_CHECKING:
    from labelstore.versions.workspace import Workspace


@dataclass(frozen=True)
class Pinned:
    """What a pin file says of the data set that it names; see `labelstore.training.pin.Pin`."""

    path: str
    revision: str
    commit: str
    directory: str
    layer: str
    split: str | None


def holding(workspace: Workspace, pins: Iterable[Pinned], of: Trace) -> list[Held]:
    """Return the pins whose data set has a label, and those of versions that are not here.

    Args:
        workspace: the store.
        pins: to look at.
        of: the label.
    """
    found = []
    for pin in pins:
        try:
            row = _row(workspace, pin, of.annotation_id)
        except NotFound:
            found.append(Held(pin.path, pin.revision, pin.commit, None, here=False))
            continue
        if row is not None:
            found.append(Held(pin.path, pin.revision, pin.commit, _since(of.steps, row)))
    return sorted(found, key=lambda held: held.path)


def _row(workspace: Workspace, pin: Pinned, annotation_id: int) -> Row | None:
    """Return a label as a pin has it; None where it does not.

    Raises:
        NotFound: the pin's version is not here.
    """
    manifest = workspace.manifest_of(pin.directory)
    parts = [p for p in label_parts(manifest, annotation_id) if p.partition == pin.layer]
    row = label_row(manifest, parts, annotation_id)
    if row is None or pin.split is None:
        return row
    scheme, _, subset = pin.split.rpartition("/")
    placed = item_parts(manifest, row["item_id"], ("splits",))
    return row if subsets_in(manifest, placed, row["item_id"]).get(scheme) == subset else None


def _since(steps: Iterable[Step], row: Row) -> str | None:
    """Return the newest version in which the label came to be as a row has it."""
    hashes = row["row_hash"], row["geometry_hash"]
    return next((s.version for s in [*steps][::-1] if s.hashes == hashes), None)
