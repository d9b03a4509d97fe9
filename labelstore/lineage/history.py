"""Versions by what they did: to an item, to a class, by whom, from which file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from labelstore.changes.diff import diff
from labelstore.changes.summary import class_names
from labelstore.errors import NotFound
from labelstore.lineage.rows import Row, item_named, item_parts
from labelstore.lineage.walking import new_activities, versions
from labelstore.model.tables import FAMILY, TABLES
from labelstore.versions.agents import agent_names, names, own_pseudonym

if TYPE_CHECKING:
    from labelstore.storage.index import Part
    from labelstore.versions.git import Commit
    from labelstore.versions.manifest import Manifest
    from labelstore.versions.workspace import Workspace

Pair = tuple["Manifest | None", "Manifest"]
"""The version before one on its branch, and that one."""


@dataclass(frozen=True)
class Asked:
    """Which versions are meant: those that meet all that is given.

    Attributes:
        item: URI or id; they change it, its labels or where it lies.
        category: name of a class of which they change labels.
        author: name, pseudonym, or `model:NAME` as `--by` takes it, of who acted in them.
        path: of a file that they read, or a pattern of such paths, or its last part.
    """

    item: str | None = None
    category: str | None = None
    author: str | None = None
    path: str | None = None

    def __bool__(self) -> bool:
        return any(v is not None for v in (self.item, self.category, self.author, self.path))


def history(
    workspace: Workspace, rev: str, asked: Asked, limit: int | None = None
) -> list[Commit]:
    """Return the versions that did what is asked, newest first.

    What came by a merge is of that merge.

    Raises:
        NotFound: there is no such version; or no version up to it has the item, class or author.
    """
    every = list(versions(workspace, rev))
    tests = [t for t in (_of_item(every, asked.item), _of_class(every, asked.category),
                         _of_author(workspace, every, asked.author), _of_path(asked.path))
             if t is not None]  # fmt: skip
    found: list[Commit] = []
    for place in range(len(every) - 1, -1, -1):
        pair = (every[place - 1][1] if place else None, every[place][1])
        if limit is not None and len(found) == limit:
            break
        if all(test(pair) for test in tests):
            found.append(every[place][0])
    return found


Test = Callable[[Pair], bool]
Every = list[tuple["Commit", "Manifest"]]


def _of_item(every: Every, item: str | None) -> Test | None:
    if item is None:
        return None
    row = next((own for _, m in every[::-1] if (own := item_named(m, item))), None)
    if row is None:
        raise NotFound(f"no version has an item {item!r}; give its URI or its id.",
                       code="item-unknown")  # fmt: skip
    number, tables = int(row["item_id"]), ("items", *FAMILY, "splits")

    def differs(pair: Pair) -> bool:
        before, now = ({p.digest: (m, p) for p in item_parts(m, number, tables)} if m else {}
                       for m in pair)  # fmt: skip
        sides = (_hashes(own, other, number) for own, other in ((before, now), (now, before)))
        return next(sides) != next(sides)

    return differs


Parts = dict[bytes, tuple["Manifest", "Part"]]


def _hashes(own: Parts, other: Parts, item_id: int) -> set[tuple[Any, ...]]:
    """Return what rows of an item there are in parts that the other version does not have."""
    found: set[tuple[Any, ...]] = set()
    for digest in own.keys() - other.keys():
        manifest, part = own[digest]
        table = TABLES[part.table]
        rows = manifest.read(part, [*dict.fromkeys((*table.key, "item_id", table.hash_column))])
        found |= {(part.table, part.partition, *row.values()) for row in rows.to_pylist()
                  if row["item_id"] == item_id}  # fmt: skip
    return found


def _of_class(every: Every, category: str | None) -> Test | None:
    if category is None:
        return None
    ids = {i for _, m in every for i, name in class_names(m).items() if name == category}
    if not ids:
        raise NotFound(f"no version has a class {category!r}", code="category-unknown")

    def differs(pair: Pair) -> bool:
        before, now = pair
        if before is None:
            return any(ids & part.class_counts.keys() for part in now.parts_of("annotations"))
        labels = diff(before, now, shapes=False).labels
        named = (labels.column(f"category_{side}").unique() for side in ("before", "after"))
        return bool(ids & {i for own in named for i in own.to_pylist()})

    return differs


def _of_author(workspace: Workspace, every: Every, author: str | None) -> Test | None:
    if author is None:
        return None
    known, pseudonym = names(workspace), own_pseudonym(author)
    ids: set[int] = set()
    there: dict[str, None] = {}
    for stated, told in _agents(every, known):
        ids |= {r["agent_id"] for r in stated if r["name"] in (author, pseudonym)
                or told[r["agent_id"]] == author}  # fmt: skip
        there.update(dict.fromkeys(told.values()))
    if not ids:
        raise NotFound(f"nobody is called {author!r} (there is: {', '.join(there)})",
                       code="agent-unknown")  # fmt: skip
    return lambda pair: any(a["agent_id"] in ids for a in new_activities(*pair))


def _agents(every: Every, known: Mapping[str, str]) -> Iterator[tuple[list[Row], dict[int, str]]]:
    """Yield the agents of each version in which these differ, and how to tell them."""
    seen: list[bytes] = []
    for _, manifest in every:
        digests = [part.digest for part in manifest.parts_of("agents")]
        if digests != seen:
            seen = digests
            rows = manifest.table(TABLES["agents"], ["agent_id", "name"]).to_pylist()
            yield rows, agent_names(manifest, known)


def _of_path(path: str | None) -> Test | None:
    if path is None:
        return None

    def meant(stated: str) -> bool:
        return stated == path or stated.endswith(f"/{path}") or fnmatch(stated, path)

    return lambda pair: any(
        meant(f["path"]) for a in new_activities(*pair) for f in a["inputs"] or []
    )
