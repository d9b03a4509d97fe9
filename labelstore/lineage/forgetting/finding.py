"""Which items, sources or people are meant, in any version."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from labelstore.errors import InvalidInput, NotFound
from labelstore.lineage.forgetting.erasing import Unwanted
from labelstore.model.tables import TABLES
from labelstore.plugins.people import PSEUDONYM
from labelstore.versions.agents import names

if TYPE_CHECKING:
    from labelstore.versions.manifest import Manifest
    from labelstore.versions.workspace import Workspace

AGAIN = "Where it was forgotten by a run that broke off, `labelstore forget --force` goes on."
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
        raise NotFound(f"no version has an item {named!r}. {AGAIN}", code="item-unknown")
    return Unwanted(items=frozenset(items), uris=frozenset(uris))


def find_sources(manifests: Iterable[Manifest], named: str) -> Unwanted:
    """Return a data set by name, `LAYER/NAME` or id, in whichever version it is.

    Raises:
        NotFound: no version has such a data set.
        InvalidInput: several layers have one.
    """
    found: dict[int, tuple[str, str]] = {}
    full = "{1}/{0}".format
    for manifest in manifests:
        for row in manifest.table(TABLES["datasets"]).to_pylist():
            own = row["name"], row["layer"]
            if named in (row["name"], full(*own), str(row["dataset_id"])):
                found[row["dataset_id"]] = own
    if not found:
        raise NotFound(f"no version has a source {named!r}. {AGAIN}", code="dataset-unknown")
    if len(set(found.values())) > 1:
        raise InvalidInput(f"{named!r} is the name of several sources; name one of "
                           f"{', '.join(sorted(full(*own) for own in found.values()))}",
                           code="dataset-several")  # fmt: skip
    return Unwanted(datasets=frozenset(found), sources=frozenset(found.values()))


def find_people(workspace: Workspace, named: str) -> list[str]:
    """Return the pseudonyms behind which a person stands, by name or by one of them.

    Raises:
        NotFound: no name of that person is kept here.
    """
    known = names(workspace)
    plain = named.removeprefix("human:")
    found = sorted(key for key, name in known.items() if plain in (key, name))
    if not found:
        there = ", ".join(sorted(set(known.values()))) or "nobody"
        hint = "It is a pseudonym already" if PSEUDONYM.fullmatch(plain) else f"There is: {there}"
        raise NotFound(f"no person is called {plain!r} here. {hint}.", code="agent-unknown")
    return found
