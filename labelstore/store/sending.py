"""Verbs that bring versions elsewhere: files, pins, remotes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from labelstore.questions import Progress, Questions
from labelstore.versions.agents import names
from labelstore.versions.collect import collect
from labelstore.versions.exchange import pull, push, remote_add, remote_of

if TYPE_CHECKING:  # what a verb needs is loaded when it is used: a command uses one of them
    from labelstore.exchange.exporting import ExportReport
    from labelstore.storage.probing import Finding
    from labelstore.training.pins.pin import Pin
    from labelstore.trees.media import Link
    from labelstore.trees.tree import Kind, TreeReport


class SendingVerbs(Questions):
    """What brings versions elsewhere."""

    def export_to(
        self,
        format_name: str,
        target: str | Path,
        *,
        at: str | None = None,
        layer: str | None = None,
        dataset: str | None = None,
        task: str | None = None,
        digits: int | None = None,
        allow_loss: Collection[str] = (),
        sidecar: bool = True,
        items: str | Collection[int] | None = None,
        progress: Progress | None = None,
    ) -> ExportReport:
        """Write a version's labels as a file or folder of some format.

        With `items`, ids or a SQL condition on columns of `items`, only these are written; an
        update by that file touches no other item.
        """
        from labelstore.exchange.exporting import export_to

        return export_to(
            self.manifest(at),
            format_name,
            Path(target),
            layer=self.workspace.default_layer if layer is None else layer,
            dataset=dataset,
            task=task,
            digits=digits,
            allow_loss=allow_loss,
            sidecar=sidecar,
            among=None if items is None else self._items(items, at),
            names=names(self.workspace),
            progress=progress,
        )

    def pin(
        self, at: str, target: str | Path, *, layer: str | None = None, split: str | None = None,
        query: str | None = None,
    ) -> Pin:  # fmt: skip
        """Write a pin file of a version.

        Args:
            at: the version.
            target: the file.
            layer: which labels; the default layer otherwise.
            split: `SCHEME/SUBSET`.
            query: a SELECT of `item_id`, `annotation_id` or both: only these are read.
        """
        from labelstore.training.pins.known import remember
        from labelstore.training.pins.making import make_pin
        from labelstore.training.pins.pin import write_pin

        pin = make_pin(self.workspace, at, layer=layer, split=split, query=query)
        write_pin(pin, Path(target))
        remember(self.workspace, Path(target))
        return pin

    def materialise(
        self, target: str | Path, *, pin: str | Path | None = None, at: str | None = None,
        format: Kind = "yolo", task: str | None = None, layer: str | None = None,
        split: str | None = None, scheme: str | None = None, media: str | Path | None = None,
        link: Link = "hard", allow_loss: Collection[str] = ("all",), force: bool = False,
        progress: Progress | None = None,
    ) -> TreeReport:  # fmt: skip
        """Write a version as a folder that trainers read, or bring that folder up to date.

        Args:
            target: the folder; the pin is put into it as `labelstore.lock`.
            pin: pin file; otherwise the version is named by `at` and pinned.
            at: the version, without a pin.
            format: `yolo` or `coco`.
            task: of the format, such as `detect`; what suits the labels otherwise.
            layer: without a pin, which labels.
            split: without a pin, `SCHEME/SUBSET`.
            scheme: write all subsets of this split scheme.
            media: folder that the items' `uri` are below; without it no media are placed.
            link: `hard`, `symlink` or `copy`.
            allow_loss: codes of losses that are accepted; a tree is for training, so by default
                `all`, and what is left out is told.
            force: replace files of labels that somebody changed.
            progress: told how far things are.
        """
        from labelstore.trees.opening import tree_of
        from labelstore.trees.tree import Wanted

        wanted = Wanted(format, task, scheme, allow_loss)
        return tree_of(self.workspace, Path(target), wanted, pin=pin, at=at, layer=layer,
                       split=split, media=media, link=link, force=force,
                       progress=progress)  # fmt: skip

    def push(self, *, remote: str | None = None, show: bool = False) -> str:
        """Send the objects of all versions to a remote, by DVC."""
        return push(self.workspace, remote, show=show)

    def pull(self, *, remote: str | None = None, show: bool = False) -> str:
        """Fetch the objects of all versions from a remote, by DVC."""
        return pull(self.workspace, remote, show=show)

    def remote_add(self, name: str, url: str, *, default: bool = False) -> None:
        """Add a remote to DVC's configuration."""
        remote_add(self.workspace, name, url, default=default)

    def remote_check(self, name: str | None = None, *, write: bool = True) -> list[Finding]:
        """Return what a remote lets us do; nothing is left behind.

        Args:
            name: of the remote; the default one otherwise.
            write: try to write, too.
        """
        from labelstore.storage.probing import probe

        return probe(remote_of(self.workspace, name)[1], write=write)

    def gc(self, *, force: bool = False) -> str:
        """Collect objects that no commit needs; without `force` only say which."""
        return collect(self.workspace, force=force)
