"""The two sides of a comparison as they are named, and how they are compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from labelstore.changes.diff import diff
from labelstore.changes.difference import Diff
from labelstore.changes.pairing import Side, across, paired
from labelstore.errors import InvalidInput
from labelstore.versions.manifest import Manifest

Match = Literal["identity", "geometry"]


def revision_and_layer(text: str | None) -> tuple[str | None, str | None]:
    """Return what `REV` or `REV:LAYER` names; either may be left out.

    Example:
        >>> revision_and_layer("v3:model-a"), revision_and_layer("v3"), revision_and_layer(None)
        (('v3', 'model-a'), ('v3', None), (None, None))
    """
    rev, colon, layer = (text or "").partition(":")
    return rev or None, layer if colon else None


def compared(
    old: tuple[Manifest, str | None], new: tuple[Manifest, str | None], *, shapes: bool = True,
    match: Match = "identity", least: float | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Diff:  # fmt: skip
    """Compare two versions, or a layer of each; see `Store.diff`.

    Raises:
        InvalidInput: one side is a layer and the other is none, or a least agreement is asked of
            labels that are paired by id.
    """
    if (old[1] is None) != (new[1] is None):
        raise InvalidInput("one side is a layer (REV:LAYER) and the other is a version; "
                           "name layers on both", code="diff-sides")  # fmt: skip
    if old[1] is not None and new[1] is not None:
        sides = (Side.whole(m, m.layer(n)) for m, n in ((old[0], old[1]), (new[0], new[1])))
        return across(*sides, least=least, progress=progress)
    if match == "identity" and least is not None:
        raise InvalidInput("a least agreement is for --match geometry; ids need none",
                           code="diff-agreement")  # fmt: skip
    found = diff(old[0], new[0], shapes=shapes, progress=progress)
    if match == "identity":
        return found
    return paired(found, old[0], new[0], least=least, progress=progress)
