"""A split scheme, made or continued, as an edit of the table `splits`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.analysis.splits import balanced, hashed
from labelstore.analysis.splits.balanced import FREE
from labelstore.analysis.splits.groups import Groups, Strata, groups_of, strata_of
from labelstore.analysis.splits.present import (
    Present,
    Wish,
    fixed_groups,
    present_of,
    refuse_strangers,
)
from labelstore.analysis.splits.report import SplitReport, deviations
from labelstore.model.tables import TABLES
from labelstore.storage.rewriting import Edits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.versions.manifest import Manifest
    from labelstore.versions.stage import Draft

    Ids = NDArray[np.int64]
    Flags = NDArray[np.bool_]


def split(draft: Draft, scheme: str, wish: Wish) -> SplitReport:
    """Assign every item to a subset.

    Args:
        draft: takes the assignment.
        scheme: name of the split.
        wish: what it is to be.

    Raises:
        InvalidInput: an expression may not run, a group lies in two subsets already, or the
            scheme has subsets that nobody asks for.
    """
    manifest = draft.manifest
    groups = groups_of(manifest, wish.group, str(wish.seed))
    strata = strata_of(manifest, groups, wish.layer, wish.stratify, wish.stratify_items)
    present = present_of(manifest, scheme, groups, wish)
    closed = sorted({present.names[s] for s in np.unique(present.subset[present.frozen])})
    kept = _kept(groups, present, wish)
    refuse_strangers(present, kept, closed, wish)
    fixed = fixed_groups(groups, present, kept)
    subset = _placed(groups, strata, present.names, fixed, closed, wish)
    items, left_out = _of_items(groups, subset, present, closed)
    moved = _write(draft, scheme, groups, present, items, wish)
    wanted = _wanted(wish, closed, present.names, items)
    if left_out:
        there = items != FREE
        own = Groups(groups.items[there], groups.group[there], groups.names, groups.draws)
        strata = strata_of(manifest, own, wish.layer, wish.stratify, wish.stratify_items)
    return _report(scheme, wish, groups, strata, present.names, items, wanted, closed,
                   moved, left_out)  # fmt: skip


def present_report(
    manifest: Manifest, scheme: str, wanted: Mapping[str, float] | None, layer: str | None
) -> SplitReport:
    """Return how the present split of a scheme shares items and classes out.

    Args:
        manifest: the version.
        scheme: of `splits`.
        wanted: shares; else those that the subsets have of the items.
        layer: of the labels; all where there is none.
    """
    rows = manifest.table(TABLES["splits"], ["item_id", "subset", "frozen_since"], scheme)
    coded = rows.column("subset").combine_chunks().dictionary_encode()
    names, at = coded.dictionary.to_pylist(), np.asarray(coded.indices).astype(np.int64)
    count = rows.num_rows
    places = pa.array([str(i) for i in range(count)])
    items = Groups(np.asarray(rows.column("item_id")), np.arange(count), places,
                   np.empty(count, "U8"))  # fmt: skip
    strata = strata_of(manifest, items, layer, None, None)
    own = np.bincount(at, minlength=len(names))
    shares = dict(zip(names, (own / max(count, 1)).tolist(), strict=True))
    subsets = dict(zip(names, own.tolist(), strict=True))
    frozen = sorted(set(rows.filter(rows.column("frozen_since").is_valid())
                        .column("subset").to_pylist()))  # fmt: skip
    asked = dict(wanted or shares)
    return SplitReport(scheme, "present", asked, subsets, {}, 0, 0, frozen,
                       deviations(strata, items, at, names, asked))  # fmt: skip


def _placed(
    groups: Groups, strata: Strata, names: Sequence[str], fixed: Ids, closed: Sequence[str],
    wish: Wish,
) -> Ids:  # fmt: skip
    """Return the subset of each group; groups of closed subsets are not counted for the rest."""
    if wish.mode == "hash":
        drawn = hashed.place(wish.ratios, groups, closed, str(wish.seed))
        return np.where(fixed == FREE, drawn, fixed)
    shut = np.isin(fixed, [s for s, n in enumerate(names) if n in closed])
    left = [0.0 if n in closed else wish.ratios.get(n, 0.0) for n in names]
    ratios = [share / sum(left) for share in left]
    inside = ~shut[strata.group]
    own = Strata(strata.names, strata.group[inside], strata.stratum[inside], strata.count[inside])
    sizes = np.where(shut, 0, groups.sizes())
    return balanced.place(ratios, sizes, own, groups.draws, fixed)


def _kept(groups: Groups, present: Present, wish: Wish) -> Flags:
    """Return which items stay where they are, shape (n,).

    By hash nothing needs to be remembered but what is frozen; beside a frozen item the others of
    its group are looked at, too, so that none is torn out of its subset without a word.
    """
    there: Flags = present.subset != FREE
    if wish.fresh:
        return present.frozen
    if wish.mode == "balanced":
        return there
    beside: Flags = np.isin(groups.group, groups.group[present.frozen])
    return there & beside


def _wanted(
    wish: Wish, closed: Sequence[str], names: Sequence[str], subset: Ids
) -> dict[str, float]:
    """Return the share of each subset: frozen ones have theirs, the others the rest."""
    counts = np.bincount(subset[subset != FREE], minlength=len(names))
    total = max(int(counts.sum()), 1)
    has = {n: int(counts[names.index(n)]) / total for n in closed}
    left = {n: share for n, share in wish.ratios.items() if n not in has}
    rest = (1 - sum(has.values())) / sum(left.values())
    return {n: has.get(n, wish.ratios.get(n, 0.0) * rest) for n in {**wish.ratios, **has}}


def _of_items(
    groups: Groups, subset: Ids, present: Present, closed: Sequence[str]
) -> tuple[Ids, int]:
    """Return the subset of each item, and how many new ones are kept out of frozen subsets."""
    found = subset[groups.group]
    shut = np.isin(found, [s for s, n in enumerate(present.names) if n in closed])
    barred = shut & ~present.frozen
    found[barred] = FREE
    return found, int(barred.sum())


def _write(
    draft: Draft, scheme: str, groups: Groups, present: Present, subset: Ids, wish: Wish
) -> int:
    """Put the rows that differ into the draft; return how many items moved."""
    table = TABLES["splits"]
    freeze = np.isin(subset, [present.names.index(n) for n in wish.freeze])
    since = np.where(freeze & (present.since == 0), draft.activity_id, present.since)
    own = groups.names.take(pa.array(groups.group))
    other = pc.not_equal(own, present.group).fill_null(True)
    moved = (present.subset != FREE) & (subset != present.subset)
    differs = (subset != present.subset) | np.asarray(other) | (since != present.stored)
    chosen = np.flatnonzero(differs & (subset != FREE))
    gone = np.flatnonzero((subset == FREE) & (present.subset != FREE))
    count = len(chosen)
    rows = pa.table({
        "scheme": pa.repeat(scheme, count),
        "item_id": groups.items[chosen],
        "subset": pa.array(present.names).take(pa.array(subset[chosen])),
        "group": own.take(pa.array(chosen)),
        "frozen_since": pa.array(since[chosen], mask=since[chosen] == 0),
        "changed_in": pa.repeat(draft.activity_id, count),
        "row_hash": np.zeros(count, np.uint64),
    }).cast(table.schema)  # fmt: skip
    keys = {"scheme": pa.repeat(scheme, len(gone)), "item_id": groups.items[gone]}
    nothing = table.schema.empty_table().select(list(table.key))
    removed = pa.table({n: keys[n] for n in table.key}).cast(nothing.schema)
    draft.apply({("splits", scheme): Edits(rows, removed)})
    return int(moved.sum())


def _report(
    scheme: str, wish: Wish, groups: Groups, strata: Strata, names: Sequence[str], subset: Ids,
    wanted: Mapping[str, float], closed: Sequence[str], moved: int, left_out: int,
) -> SplitReport:  # fmt: skip
    inside = subset != FREE
    of_group = np.full(len(groups.names), FREE, np.int64)
    of_group[groups.group[inside]] = subset[inside]
    items, own = (np.bincount(at[at != FREE], minlength=len(names)).tolist()
                  for at in (subset, of_group))  # fmt: skip
    return SplitReport(
        scheme, wish.mode, dict(wanted), dict(zip(names, items, strict=True)),
        dict(zip(names, own, strict=True)), moved, left_out,
        sorted({*closed, *wish.freeze}),
        deviations(strata, groups, of_group, names, wanted),
    )  # fmt: skip
