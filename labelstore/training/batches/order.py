"""In which order samples come, and which process reads which.

The order of an epoch is a function of seed, epoch and item ids alone: no library's random numbers
are in it, so that any machine gives the same. Ranks take every n-th sample of it, so that after
the same number of steps the samples that all ranks have had are the first ones of the order: a run
can go on with another number of ranks, another batch size or other workers, and sees the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from labelstore.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

Uneven = Literal["pad", "drop", "keep"]
"""What becomes of samples that do not share out evenly: some come twice, they are left out, or
some ranks get one more."""

_ADD, _FIRST, _SECOND = (
    np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)


@dataclass(frozen=True)
class Order:
    """How the samples of an epoch are dealt out.

    Attributes:
        shuffle: by seed and epoch; otherwise in the order of the items' ids.
        seed: any number below 2^64.
        batch: samples of a batch.
        rank: of this process, from 0.
        ranks: how many processes train together.
        uneven: see `Uneven`.
        drop_last: leave out a last batch that is not full.
    """

    shuffle: bool = False
    seed: int = 0
    batch: int = 1
    rank: int = 0
    ranks: int = 1
    uneven: Uneven = "pad"
    drop_last: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no order."""
        whole = all(isinstance(n, int) for n in (self.batch, self.rank, self.ranks, self.seed))
        rules = {
            "batch size, ranks and seed are whole numbers": whole,
            f"batch size {self.batch}: must be at least 1": whole and self.batch >= 1,
            f"rank {self.rank} of {self.ranks}: ranks count from 0": 0 <= self.rank < self.ranks,
            f"seed {self.seed}: must be from 0 and below 2^64": 0 <= self.seed < 2**64,
            f"uneven={self.uneven!r}: pad, drop or keep": self.uneven in ("pad", "drop", "keep"),
        }
        broken = [said for said, holds in rules.items() if not holds]
        if broken:
            raise InvalidInput("; ".join(broken), code="order")

    def samples(self, item_ids: Ints, epoch: int, done: int = 0) -> Ints:
        """Return which samples this rank reads, in order.

        Args:
            item_ids: of all samples, shape (n,).
            epoch: from 0.
            done: samples of this epoch that all ranks together have had.
        """
        whole = shuffled(item_ids, self.seed, epoch) if self.shuffle else np.arange(len(item_ids))
        left = whole[done:]
        spare = -len(left) % self.ranks
        if spare and self.uneven == "pad" and len(whole):
            left = np.concatenate([left, np.resize(whole, spare)])
        elif spare and self.uneven == "drop":
            left = left[: len(left) - len(left) % self.ranks]
        return left[self.rank :: self.ranks]

    def batches(self, item_ids: Ints, epoch: int, done: int = 0) -> list[Ints]:
        """Return the samples of each batch of this rank; see `samples`."""
        own = self.samples(item_ids, epoch, done)
        count = len(own) // self.batch if self.drop_last else -(-len(own) // self.batch)
        return [own[i * self.batch : (i + 1) * self.batch] for i in range(count)]

    def count(self, items: int, done: int = 0) -> int:
        """Return how many batches this rank reads of so many samples."""
        left = max(items - done, 0)
        own = len(range(self.rank, left, self.ranks))
        if self.uneven != "keep":
            own = left // self.ranks + (self.uneven == "pad" and left % self.ranks > 0)
        return own // self.batch if self.drop_last else -(-own // self.batch)


def shuffled(item_ids: Ints, seed: int, epoch: int) -> Ints:
    """Return the places of samples in the order of an epoch, shape (n,).

    Samples are sorted by a hash of item, seed and epoch (splitmix64, of which each step is a
    permutation of 64-bit numbers), so what two versions share keeps its order.
    """
    start = _mixed(np.array([seed], np.uint64)) + np.uint64(epoch % 2**64)
    keys = _mixed(np.asarray(item_ids, np.int64).view(np.uint64) ^ _mixed(start))
    found: Ints = np.argsort(keys, kind="stable")
    return found


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = values + _ADD
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    return z ^ (z >> np.uint64(31))
