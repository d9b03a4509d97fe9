"""What a store answers about its versions: what they hold, and in what two of them differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from labelstore.versions.described import Version, describe
from labelstore.versions.manifest import Manifest
from labelstore.versions.stage import Stage, open_stage
from labelstore.versions.workspace import Workspace

if TYPE_CHECKING:  # what a verb needs is loaded when it is used: a command uses one of them
    from labelstore.changes.difference import Diff

Progress = Callable[[str, int, int], None]
"""Called with a phase, how much of it is done, and how much there is (0: not known)."""


class VersionQuestions:
    """What a store answers about its versions.

    Attributes:
        workspace: where the store is.
    """

    workspace: Workspace

    def manifest(self, at: str | None = None) -> Manifest:
        """Return a version's manifest; without `at` the stage, else HEAD."""
        if at is None:
            staged = self.staged()
            return staged.manifest if staged else self.workspace.manifest("HEAD")
        return self.workspace.manifest(at)

    def staged(self) -> Stage | None:
        """Return what `commit` would publish, or None."""
        return open_stage(self.workspace)

    def status(self) -> Diff | None:
        """Return what differs between HEAD and the stage, or None where nothing is staged."""
        from labelstore.changes.diff import diff

        staged = self.staged()
        if staged is None:
            return None
        return diff(self.workspace.manifest(staged.parent), staged.manifest)

    def show(self, at: str = "HEAD") -> Version:
        """Return one version, described."""
        return describe(self.workspace, at)

    def ontology(self, *, at: str | None = None) -> list[dict[str, Any]]:
        """Return the classes of a version in their order, as `apply_ontology` takes them."""
        from labelstore.changes.ontology.text import ontology_of

        return ontology_of(self.manifest(at))

    def diff(
        self, before: str, after: str | None = None, *, shapes: bool = True,
        match: Literal["identity", "geometry"] = "identity", least: float | None = None,
        progress: Progress | None = None,
    ) -> Diff:  # fmt: skip
        """Compare two versions, or two layers.

        Args:
            before: the older version; `REV:LAYER` for one layer of it.
            after: the newer, or a layer of it; else the stage, or HEAD. Labels of layers are
                paired by geometry.
            shapes: name the columns in which shapes differ.
            match: `geometry` also pairs labels that went with labels that came, so what was
                renumbered is one change.
            least: agreement from 0 to 1 below which no two are one; else what suits their kind.
            progress: told how far things are.

        Raises:
            InvalidInput: one side is a layer and the other is none.
        """
        from labelstore.changes.sides import compared, revision_and_layer

        (old, layer), (new, other) = revision_and_layer(before), revision_and_layer(after)
        sides = (self.manifest(old), layer), (self.manifest(new), other)
        return compared(*sides, shapes=shapes, match=match, least=least, progress=progress)
