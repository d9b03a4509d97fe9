"""Splits by hash: stateless, the same on every engine and for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.analysis.splits.groups import Groups

    Ids = NDArray[np.int64]

TOP = 16**8
TURNS = 200


def place(ratios: Mapping[str, float], groups: Groups, closed: Sequence[str], seed: str) -> Ids:
    """Return the subset of each group, shape (g,), by the MD5 text of its name.

    A group never moves while seed, shares and its name stay the same, whatever is added and
    whichever subset is closed. Where one is opened again, groups that were drawn for it while it
    was closed go there.

    Args:
        ratios: subset to share, in the order of the thresholds.
        groups: what is placed.
        closed: subsets that take no new groups: those that fall there are drawn until they fall
            elsewhere.
        seed: of these draws; the first is in `groups`.
    """
    bounds = _bounds(list(ratios.values()))
    found = _below(bounds, groups.draws)
    shut = [s for s, name in enumerate(ratios) if name in closed]
    for turn in range(TURNS):
        again = np.flatnonzero(np.isin(found, shut))
        if not len(again):
            return found
        drawn = [_draw(f"{seed}/{turn}/{name}") for name in groups.names.take(again).to_pylist()]
        found[again] = _below(bounds, np.array(drawn, "U8"))
    found[np.isin(found, shut)] = next(s for s in range(len(ratios)) if s not in shut)
    return found


def _bounds(shares: Sequence[float]) -> NDArray[np.str_]:
    return np.array([f"{min(round(b * TOP), TOP - 1):08x}" for b in np.cumsum(shares)], "U8")


def _below(bounds: NDArray[np.str_], draws: NDArray[np.str_]) -> Ids:
    return np.minimum(np.searchsorted(bounds, draws, side="right"), len(bounds) - 1)


def _draw(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:8]
