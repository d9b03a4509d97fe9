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


def place(ratios: Mapping[str, float], groups: Groups, closed: Sequence[str], seed: str) -> Ids:
    """Return the subset of each group, shape (g,), by the MD5 text of its name.

    A group never moves while seed, shares and its name stay the same, whatever is added.

    Args:
        ratios: subset to share, in the order of the thresholds.
        groups: what is placed.
        closed: subsets that take no new groups: those that fall there are drawn again.
        seed: of the second draw; the first is in `groups`.
    """
    found = _below(list(ratios.values()), groups.draws)
    names = list(ratios)
    shut = [names.index(name) for name in closed if name in names]
    again = np.flatnonzero(np.isin(found, shut))
    if len(again):
        left = [0.0 if s in shut else share for s, share in enumerate(ratios.values())]
        drawn = [_draw(f"{seed}/again/{name}") for name in groups.names.take(again).to_pylist()]
        found[again] = _below([share / sum(left) for share in left], np.array(drawn, "U8"))
    return found


def _below(shares: Sequence[float], draws: NDArray[np.str_]) -> Ids:
    bounds = [f"{min(round(b * TOP), TOP - 1):08x}" for b in np.cumsum(shares)]
    last = max(s for s, share in enumerate(shares) if share > 0)
    return np.minimum(np.searchsorted(np.array(bounds, "U8"), draws, side="right"), last)


def _draw(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:8]
