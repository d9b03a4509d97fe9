"""What a split is to be, and what its scheme has already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa

from labelstore.analysis.splits.balanced import FREE
from labelstore.errors import InvalidInput
from labelstore.model.tables import TABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.analysis.splits.groups import Groups
    from labelstore.versions.manifest import Manifest

    Ids = NDArray[np.int64]
    Flags = NDArray[np.bool_]

Mode = Literal["hash", "balanced"]


@dataclass(frozen=True)
class Wish:
    """What a split is to be.

    Attributes:
        ratios: subset to share.
        mode: by `hash` of the group alone, or `balanced`: by classes, and what is assigned stays.
        group: SQL expression over columns of `items` whose values are not cut, see `groups_of`.
        stratify: SQL expression over columns of `labels` that is balanced; else the class.
        stratify_items: SQL expression over columns of `items` that is balanced, besides.
        layer: of the labels that are balanced.
        freeze, thaw: subsets that no item joins or leaves from now on, or may again.
        fresh: forget what is assigned, but for frozen subsets.
    """

    ratios: Mapping[str, float]
    mode: Mode = "hash"
    group: str | None = None
    seed: int = 0
    stratify: str | None = None
    stratify_items: str | None = None
    layer: str | None = None
    freeze: Sequence[str] = ()
    thaw: Sequence[str] = ()
    fresh: bool = False

    @property
    def names(self) -> list[str]:
        """Return the subsets in their order."""
        return list(self.ratios)


@dataclass(frozen=True)
class Present:
    """What a scheme has already, in the order of the items.

    Attributes:
        names: subsets, those that are asked for first.
        subset: shape (n,), of each item, `FREE` for none.
        frozen: shape (n,), whether the item stays there whatever is asked.
        since: shape (n,), the activity that froze it, 0 for none.
        stored: shape (n,), the same as it is in the store, before anything thaws.
    """

    names: list[str]
    subset: Ids
    frozen: Flags
    since: Ids
    stored: Ids
    group: pa.Array


def present_of(manifest: Manifest, scheme: str, groups: Groups, wish: Wish) -> Present:
    """Return what a scheme has, in the order of the items of its groups."""
    columns = ["item_id", "subset", "group", "frozen_since"]
    rows = manifest.table(TABLES["splits"], columns, scheme)
    known = np.asarray(rows.column("item_id"))
    at = np.minimum(np.searchsorted(known, groups.items), max(len(known) - 1, 0))
    there = known[at] == groups.items if len(known) else np.zeros(len(groups.items), bool)
    own = rows.take(pa.array(at[there])) if len(known) else rows
    coded = own.column("subset").combine_chunks().dictionary_encode()
    names = [*wish.names, *(n for n in coded.dictionary.to_pylist() if n not in wish.names)]
    codes = np.array([names.index(n) for n in coded.dictionary.to_pylist()], np.int64)
    subset, since = (np.full(len(groups.items), value, np.int64) for value in (FREE, 0))
    subset[there] = codes[np.asarray(coded.indices)] if len(codes) else FREE
    since[there] = np.asarray(own.column("frozen_since").fill_null(0))
    stored = since.copy()
    since[np.isin(subset, [names.index(n) for n in wish.thaw if n in names])] = 0
    closing = [names.index(n) for n in wish.freeze if n in names]
    frozen: Flags = (since > 0) | np.isin(subset, closing)
    places = np.full(len(groups.items), -1)
    places[there] = np.arange(int(there.sum()))
    group = own.column("group").combine_chunks().take(pa.array(places, mask=places < 0))
    return Present(names, subset, frozen, since, stored, group)


def refuse_strangers(present: Present, kept: Flags, closed: Sequence[str], wish: Wish) -> None:
    """Refuse subsets that nobody asks for, and names that are none.

    Raises:
        InvalidInput: says which.
    """
    found = {present.names[s] for s in np.unique(present.subset[kept]) if s != FREE}
    strange = sorted(found - wish.ratios.keys() - set(closed))
    if strange:
        raise InvalidInput(
            f"the scheme has items in {', '.join(strange)}, which the ratios do not name. Name "
            "all subsets, or pass --fresh to assign everything anew.", code="split-subsets",
        )  # fmt: skip
    unknown = [n for n in (*wish.freeze, *wish.thaw) if n not in present.names]
    if unknown:
        raise InvalidInput(f"there is no subset {unknown[0]!r}", code="split-subsets")
    if not set(wish.names) - set(closed):
        raise InvalidInput("every subset is frozen; thaw one, or name another",
                           code="split-frozen")  # fmt: skip


def fixed_groups(groups: Groups, present: Present, kept: Flags) -> Ids:
    """Return the subset that each group is in already, shape (g,).

    Raises:
        InvalidInput: one is in two, with the items.
    """
    at, subset = groups.group[kept], present.subset[kept]
    fixed = np.full(len(groups.names), FREE, np.int64)
    fixed[at] = subset
    apart = np.flatnonzero(fixed[at] != subset)
    if len(apart):
        one = at[apart[0]]
        ids = groups.items[kept][at == one]
        pair = [int(ids[subset[at == one] == s][0]) for s in np.unique(subset[at == one])[:2]]
        told = [present.names[s] for s in np.unique(subset[at == one])[:2]]
        firm = present.frozen[kept][at == one]
        both = len(np.unique(subset[at == one][firm])) > 1
        how = "Both are frozen: thaw one, or group otherwise." if both else (
            "Move one of them, or pass --fresh to assign everything anew.")  # fmt: skip
        raise InvalidInput(
            f"group {groups.names[int(one)].as_py()!r} is in {told[0]} (item {pair[0]}) and in "
            f"{told[1]} (item {pair[1]}) already. {how}", code="split-groups",
        )  # fmt: skip
    return fixed
