"""Which items, sources or people are meant, in any version."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from labelstore.errors import InvalidInput, NotFound
from labelstore.lineage.forgetting.erasing import Unwanted
from labelstore.model.tables import TABLES
from labelstore.versions.agents import NAMES, PSEUDONYM, names
from labelstore.versions.files import write_json

if TYPE_CHECKING:
    from labelstore.versions.manifest import Manifest
    from labelstore.versions.workspace import Workspace

What = Literal["item", "source", "agent"]


def find_items(manifests: Iterable[Manifest], named: str) -> Unwanted:
    """Return an item by URI or id, in whichever version it is, with the frames of a video.

    Raises:
        NotFound: no version has such an item.
    """
    items: set[int] = set()
    uris: set[str] = set()
    for manifest in manifests:
        rows = manifest.table(TABLES["items"], ["item_id", "parent_id", "uri"]).to_pylist()
        own = {r["item_id"] for r in rows if named in (r["uri"], str(r["item_id"]))} | items
        size = -1
        while len(own) > size:  # frames, and what is below them
            size = len(own)
            own |= {r["item_id"] for r in rows if r["parent_id"] in own}
        items |= own
        uris |= {r["uri"] for r in rows if r["item_id"] in own and r["uri"]}
    if not items:
        raise NotFound(f"no version has an item {named!r}", code="item-unknown")
    return Unwanted(items=frozenset(items), uris=frozenset(uris))


def find_sources(manifests: Iterable[Manifest], named: str) -> Unwanted:
    """Return a data set by name, `LAYER/NAME` or id, in whichever version it is.

    Raises:
        NotFound: no version has such a data set.
        InvalidInput: several layers have one.
    """
    found: dict[int, tuple[str, str]] = {}
    for manifest in manifests:
        for row in manifest.table(TABLES["datasets"]).to_pylist():
            told = (row["name"], f"{row['layer']}/{row['name']}", str(row["dataset_id"]))
            if named in told:
                found[row["dataset_id"]] = row["name"], told[1]
    if not found:
        raise NotFound(f"no version has a source {named!r}", code="dataset-unknown")
    if len({full for _, full in found.values()}) > 1:
        raise InvalidInput(f"{named!r} is the name of several sources; name one of "
                           f"{', '.join(sorted(full for _, full in found.values()))}",
                           code="dataset-several")  # fmt: skip
    return Unwanted(datasets=frozenset(found), names=frozenset(n for n, _ in found.values()))


def forget_agent(workspace: Workspace, named: str, *, dry_run: bool) -> list[str]:
    """Drop who stands behind pseudonyms, and return these; nothing else knows it.

    Args:
        workspace: the store.
        named: a name, or the pseudonym.
        dry_run: only return them.

    Raises:
        NotFound: no name of that person is kept here.
    """
    known = names(workspace)
    plain = named.removeprefix("human:")
    gone = [key for key, name in known.items() if plain in (key, name)]
    if not gone:
        hint = " It is a pseudonym already." if PSEUDONYM.fullmatch(plain) else ""
        raise NotFound(f"nobody here is called {plain!r}.{hint}", code="agent-unknown")
    if not dry_run:
        kept = {key: name for key, name in known.items() if key not in gone}
        write_json(workspace.private / NAMES, kept)
    return sorted(gone)
