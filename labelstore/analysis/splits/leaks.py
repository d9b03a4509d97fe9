"""What leaks between the subsets of a split scheme."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from labelstore.changes.summary import item_names
from labelstore.errors import NotFound
from labelstore.query.engine import run

if TYPE_CHECKING:
    from labelstore.versions.manifest import Manifest

    Progress = Callable[[str, int, int], None]

GAP = 10
"""Frames that are at most so far apart are neighbours."""
KINDS = {
    "groups": "groups (scene, patient, video) that are cut through",
    "content": "files of the same content in several subsets",
    "copies": "altered copies of one file in several subsets",
    "frames": "neighbouring frames of a video in different subsets",
}
"""What statements `leaked_KIND` find."""
DUPLICATES = "images that look the same in several subsets"
EXAMPLES = 10


@dataclass(frozen=True)
class Leak:
    """One kind of leak.

    Attributes:
        kind: groups, content, copies, frames or duplicates.
        words: what it is.
        count: groups, files, videos or pairs of images that are concerned.
        items: items that are concerned.
        examples: (value, subset, other subset, items) of the worst.
    """

    kind: str
    words: str
    count: int
    items: int
    examples: Sequence[tuple[str, str, str, int]]


def leaks(
    manifest: Manifest, scheme: str, images: Path | None = None, progress: Progress | None = None
) -> list[Leak]:
    """Return what leaks between the subsets of a scheme; nothing for a good one.

    Args:
        manifest: the version.
        scheme: of `splits`.
        images: folder below which the URIs of items are; then images are compared by what they
            look like, too.
        progress: told how many images were looked at.

    Raises:
        NotFound: there is no such scheme.
    """
    if scheme not in manifest.partitions("splits"):
        listed = ", ".join(manifest.partitions("splits")) or "none"
        raise NotFound(f"there is no split scheme {scheme!r} (there is: {listed})",
                       code="split-unknown")  # fmt: skip
    found = list(_by_statement(manifest, scheme))
    if images is not None:
        from labelstore.analysis.splits.duplicates import across_subsets

        pairs, count = across_subsets(manifest, scheme, images, progress)
        if pairs:
            items = {name for a, _, b, _ in pairs for name in (a, b)}
            told = [(f"{a} and {b}", one, other, 2) for a, one, b, other in pairs[:EXAMPLES]]
            found.append(Leak("duplicates", DUPLICATES, count, len(items), told))
    return found


def _by_statement(manifest: Manifest, scheme: str) -> Iterator[Leak]:
    for kind, words in KINDS.items():
        values: dict[str, Any] = {"scheme": scheme, **({"gap": GAP} if kind == "frames" else {})}
        rows = run(manifest, f"leaked_{kind}", **values)
        if rows.num_rows:
            items = int(pc.sum(rows.column("items")).as_py())
            shown = rows.slice(0, EXAMPLES)
            names = item_names(shown.column("example").combine_chunks(), manifest)
            told = [
                (names[r["example"]] if kind == "content" else r["value"], r["first_subset"],
                 r["last_subset"], r["items"])
                for r in shown.to_pylist()
            ]  # fmt: skip
            yield Leak(kind, words, rows.num_rows, items, told)
