"""Ids: int64, given once, never reused, ordered by arrival, the same for the same input.

63 bits: 12 of generation (one more than the highest before it), 27 of a digest of what was read
and where, 24 of sequence. Ids of one activity count upwards, so they cost next to nothing in
Parquet; two clones can meet in a block only by chance, and `merge` looks for that.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from labelstore.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

GENERATION_BITS, DIGEST_BITS, SEQUENCE_BITS = 12, 27, 24
TOP_GENERATION = 2**GENERATION_BITS - 1
BLOCK = 2**SEQUENCE_BITS


class IdBlock:
    """Gives ids to the rows of one activity.

    Args:
        generation: 1 + the highest generation of the parent version; stays at 4095 after that.
        material: what tells this activity from others: input digests, options, parent root,
            ordinal in the stage.
        taken: first ids of blocks that are in use, which are passed over; its own join them.
    """

    def __init__(self, generation: int, material: str, taken: set[int] | None = None) -> None:
        self.generation = min(generation, TOP_GENERATION)
        self._material = material
        self._taken = set() if taken is None else taken
        self._blocks = [self._first()]
        self._next = 1

    @property
    def activity_id(self) -> int:
        """Return the id of the activity itself: the first of its first block."""
        return self._blocks[0]

    def take(self, count: int) -> NDArray[np.int64]:
        """Return the next `count` ids, in rising order.

        Raises:
            InvalidInput: the generation has no more blocks.
        """
        while self._next + count > len(self._blocks) * BLOCK:
            self._blocks.append(self._following(self._blocks[-1]))
        at = np.arange(self._next, self._next + count, dtype=np.int64)
        self._next += count
        firsts = np.array(self._blocks, np.int64)
        ids: NDArray[np.int64] = firsts[at // BLOCK] + at % BLOCK
        return ids

    def _first(self) -> int:
        """Return the first id of a free block that the material names."""
        salt = 0
        while True:
            text = f"{self._material}\0{salt}".encode()
            raw = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
            first: int = ((self.generation << DIGEST_BITS) | raw % 2**DIGEST_BITS) << SEQUENCE_BITS
            if first not in self._taken:
                self._taken.add(first)
                return first
            salt += 1

    def _following(self, first: int) -> int:
        """Return the next free block after one, in the same generation."""
        while True:
            first += BLOCK
            if first >> (DIGEST_BITS + SEQUENCE_BITS) != self.generation:
                raise InvalidInput("too many rows for one activity; import the source in pieces")
            if first not in self._taken:
                self._taken.add(first)
                return first


def blocks_of(ids: NDArray[np.int64]) -> set[int]:
    """Return the first ids of the blocks that some ids belong to."""
    return {int(block) << SEQUENCE_BITS for block in np.unique(ids >> SEQUENCE_BITS)}


def first_of(generation: int) -> int:
    """Return the least id of a generation."""
    first: int = min(generation, TOP_GENERATION) << (DIGEST_BITS + SEQUENCE_BITS)
    return first
