"""What a store answers about where its labels come from, and whether all is as it was stated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from labelstore.errors import InvalidInput
from labelstore.questions.versions import Progress, VersionQuestions
from labelstore.versions.dvc.pointer import POINTER
from labelstore.versions.files import write_whole
from labelstore.versions.git import Commit

if TYPE_CHECKING:  # what a verb needs is loaded when it is used: a command uses one of them
    from labelstore.lineage.blame import Blame
    from labelstore.lineage.exports.card import Card
    from labelstore.lineage.trace import Trace
    from labelstore.lineage.verifying import Verified
    from labelstore.training.pins.changes import PinDiff


class LineageQuestions(VersionQuestions):
    """What a store answers about where its labels come from."""

    def log(
        self, at: str = "HEAD", *, limit: int | None = None, item: str | None = None,
        category: str | None = None, author: str | None = None, path: str | None = None,
    ) -> list[Commit]:  # fmt: skip
        """Return the commits that changed the store, newest first.

        Args:
            at: the newest.
            limit: at most so many.
            item: only those that changed this item, its labels or its subset; URI or id.
            category: only those that changed labels of this class.
            author: only those in which they acted.
            path: only those that read such a file: its path, the end of it, or a pattern.
        """
        from labelstore.lineage.history import Asked, history

        asked = Asked(item, category, author, path)
        if asked:
            return history(self.workspace, at, asked, limit)
        return self.workspace.git.log(at, POINTER, limit)

    def trace(self, annotation_id: int, *, at: str = "HEAD") -> Trace:
        """Return the life of one label, up to a version, and the pins that hold it."""
        from labelstore.lineage.holding import Pinned, holding
        from labelstore.lineage.trace import trace
        from labelstore.training.pins.known import known_pins

        found = trace(self.workspace, annotation_id, at)
        pins = (Pinned(str(path), p.revision, p.commit, p.directory, p.layer, p.split)
                for path, p in known_pins(self.workspace))  # fmt: skip
        found.pins = holding(self.workspace, pins, found)
        return found

    def blame(self, item: str | int, *, at: str = "HEAD") -> Blame:
        """Return who last wrote each label of an item, and in which version.

        Args:
            item: URI or id.
            at: the version.
        """
        from labelstore.lineage.blame import blame

        return blame(self.workspace, str(item), at)

    def verify(
        self, at: str = "HEAD", *, every: bool = False, remote: bool = False,
        allowed: str | Path | None = None, progress: Progress | None = None,
    ) -> Verified:  # fmt: skip
        """Compute anew all that a version states of itself: bytes, hashes, roots, tags, rules.

        Args:
            at: the version.
            every: all versions up to it, and every tag.
            remote: read the remote's objects too, and compare them.
            allowed: file of allowed signers; what Git's settings name otherwise.
            progress: told how many parts were looked at.
        """
        from labelstore.lineage.verifying import verify
        from labelstore.training.pins.known import known_pins

        pinned = [(str(path), p.revision, p.commit) for path, p in known_pins(self.workspace)]
        signers = None if allowed is None else Path(allowed)
        return verify(self.workspace, at, every=every, remote=remote, allowed=signers,
                      pinned=pinned, progress=progress)  # fmt: skip

    def prove(self, annotation_id: int, target: str | Path, *, at: str = "HEAD") -> int:
        """Write a proof of what a version says of a label; return its size in bytes.

        `labelstore.lineage.proofs.verify_proof` checks it without a store.
        """
        import json

        from labelstore.lineage.proving import prove

        if Path(target).is_dir():
            raise InvalidInput(f"{target}: is a folder; name a file", code="target")
        text = json.dumps(prove(self.workspace, annotation_id, at), indent=1) + "\n"
        write_whole(Path(target), text)
        return len(text.encode())

    def card(self, *, at: str = "HEAD") -> Card:
        """Return a version's data card: sources, counts, authors, agreement, gaps, licences."""
        from labelstore.lineage.exports.card import card
        from labelstore.lineage.exports.recorded import recorded

        return card(recorded(self.workspace, at))

    def prov(self, target: str | Path, *, at: str = "HEAD") -> None:
        """Write the lineage of a version as W3C PROV, in its JSON form; needs `prov`."""
        from labelstore.lineage.exports.prov import prov_json
        from labelstore.lineage.exports.recorded import recorded

        write_whole(Path(target), prov_json(recorded(self.workspace, at)) + "\n")

    def openlineage(self, target: str | Path, *, at: str = "HEAD") -> int:
        """Write what led to a version as OpenLineage events, one a line; return how many.

        Needs `openlineage-python`, whose file transport writes the same form.
        """
        from labelstore.lineage.exports.openlineage import openlineage_events
        from labelstore.lineage.exports.recorded import recorded

        events = openlineage_events(recorded(self.workspace, at))
        write_whole(Path(target), "".join(f"{event}\n" for event in events))
        return len(events)

    def croissant(self, target: str | Path, *, at: str = "HEAD") -> None:
        """Write a version as a Croissant data set: a folder of its parts and their description."""
        from labelstore.lineage.exports.croissant import write_croissant
        from labelstore.lineage.exports.recorded import recorded

        write_croissant(recorded(self.workspace, at), Path(target))

    def check_pin(self, path: str | Path) -> list[str]:
        """Return what is wrong with a pin in this store; nothing for a good one."""
        from labelstore.training.pins.making import check_pin

        return check_pin(self.workspace, Path(path))

    def pin_note(self, path: str | Path) -> str | None:
        """Return that a pinned version was written anew to forget something; None where not."""
        from labelstore.training.pins.making import followed
        from labelstore.training.pins.pin import read_pin

        return followed(self.workspace, read_pin(Path(path)))[1]

    def compare_pins(self, a: str | Path, b: str | Path) -> PinDiff:
        """Return what changed for a training set from one pin file to another."""
        from labelstore.storage.cache import Cache
        from labelstore.training.pins.changes import compare
        from labelstore.training.pins.pin import read_pin

        old, new = (read_pin(Path(path)) for path in (a, b))
        return compare(self.workspace, old, new, Cache.at())
