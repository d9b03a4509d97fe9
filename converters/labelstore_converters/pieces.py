"""How much of a folder of label files is read at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

MOST = 2 << 20
"""Bytes of label files a piece; a file of more is one."""


def sizes_of(paths: Iterable[str | Path | None]) -> list[int]:
    """Return how many bytes each file has; none where it is not there."""
    return [0 if path is None else _size(path) for path in paths]


def _size(path: str | Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def pieces_of(sizes: Sequence[int], files: int) -> list[range]:
    """Return ranges of files, one after the other, of which each is read at a time.

    Args:
        sizes: of all files, in bytes.
        files: how many a piece may have at most.
    """
    ends = list(accumulate(sizes, initial=0))
    cuts = [0]
    for at in range(len(sizes)):
        if at > cuts[-1] and (at - cuts[-1] == files or ends[at + 1] - ends[cuts[-1]] > MOST):
            cuts.append(at)
    return [range(a, b) for a, b in pairwise([*cuts, len(sizes)]) if b > a]
