"""A tree of a pinned version of a store."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from labelstore.errors import InvalidInput
from labelstore.training.loading import load
from labelstore.training.pins.making import make_pin
from labelstore.training.pins.pin import write_pin
from labelstore.trees.media import Link
from labelstore.trees.tree import TreeReport, Wanted, materialise

if TYPE_CHECKING:
    from labelstore.versions.workspace import Workspace


def tree_of(
    workspace: Workspace, target: Path, wanted: Wanted, *,
    pin: str | os.PathLike[str] | None = None, at: str | None = None, layer: str | None = None,
    split: str | None = None, media: str | os.PathLike[str] | None = None, link: Link = "hard",
    force: bool = False, progress: Callable[[str, int, int], None] | None = None,
) -> TreeReport:  # fmt: skip
    """Write a tree of a version; see `tree.materialise`.

    Args:
        workspace: the store.
        target: folder of the tree.
        wanted: what it is to be.
        pin: pin file.
        at: the version, where there is no pin; it is pinned.
        layer: which labels, where there is no pin.
        split: `SCHEME/SUBSET`, where there is no pin.
        media: folder of media.
        link: how they are placed.
        force: replace files that somebody changed.
        progress: told how far things are.

    Raises:
        InvalidInput: neither pin nor version is given, or both, or a pin and what it states.
    """
    if (pin is None) == (at is None):
        raise InvalidInput("name the version by a pin or by at", code="load-arguments")
    if pin is not None and (layer or split):
        raise InvalidInput("layer and split stand in the pin", code="load-arguments")
    whole, top = target.resolve(), workspace.folder.resolve()
    own = [top / name for name in ("labels", ".dvc", ".labelstore", ".git")]
    if top.is_relative_to(whole) or any(whole.is_relative_to(folder) for folder in own):
        raise InvalidInput(f"{target}: is the store's own; name another folder", code="tree-store")
    place = Path(pin) if pin is not None else workspace.private / f"tree.{os.getpid()}.lock"
    try:
        if pin is None:
            write_pin(make_pin(workspace, str(at), layer=layer, split=split), place)
        samples = load(workspace.folder, pin=place, every_table=True)
        return materialise(samples, place.read_text(encoding="utf-8"), target, wanted,
                           media=None if media is None else Path(media), link=link, force=force,
                           progress=progress)  # fmt: skip
    finally:
        if pin is None:
            place.unlink(missing_ok=True)
