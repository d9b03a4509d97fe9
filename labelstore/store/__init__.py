"""A store: one short method per verb, each delegating to its module."""

from __future__ import annotations

from pathlib import Path

from labelstore.store.publishing import PublishingVerbs
from labelstore.store.sending import SendingVerbs
from labelstore.store.staging import StagingVerbs
from labelstore.versions.manifest import TARGET
from labelstore.versions.recovery import recover
from labelstore.versions.setup import exclude_private, init
from labelstore.versions.workspace import Workspace


class Store(StagingVerbs, PublishingVerbs, SendingVerbs):
    """A label store on disk. Open one with `open_store`, or create it with `init_store`."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.recovered = recover(workspace)
        """What was cleared that a killed process had left behind, in words."""


def init_store(folder: str | Path = ".", *, target: int = TARGET) -> Store:
    """Create a store in a folder, setting up Git and DVC where they are missing."""
    return Store(init(Path(folder), target=target))


def open_store(folder: str | Path = ".") -> Store:
    """Open the store at a folder or above it."""
    workspace = Workspace.find(Path(folder))
    exclude_private(workspace)
    return Store(workspace)
