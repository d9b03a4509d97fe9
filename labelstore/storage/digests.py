"""Digests of parts and versions: an order-free sum for identity, a Merkle root for audit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labelstore.storage.cutting import mix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Keys = NDArray[np.int64]

ARITY = 16
NODE_PERSON = b"labelstore.node1"
PART_PERSON = b"labelstore.part1"
EMPTY_ROOT = bytes(32)


def digest(keys: Iterable[Keys], hashes: NDArray[np.uint64]) -> bytes:
    """Return the order-free 128-bit digest of a part: two 64-bit sums over mixed (key, hash).

    Args:
        keys: the key columns, each of shape (n,).
        hashes: shape (n,), the rows' 64-bit hashes.
    """
    lanes = []
    columns = [k.astype(np.uint64) for k in keys]
    for salt in (1, 2):
        mixed = mix(hashes, salt)
        for column in columns:
            mixed = mix(mixed ^ mix(column, salt), salt)
        with np.errstate(over="ignore"):
            lanes.append(int(mixed.sum(dtype=np.uint64)))
    return lanes[0].to_bytes(8, "little") + lanes[1].to_bytes(8, "little")


def merkle_root(leaves: NDArray[np.uint8]) -> bytes:
    """Return the BLAKE2b-256 root over leaves in row order.

    A node is the personalised hash of its level and of up to sixteen children; so a proof is at
    most fifteen hashes a level. No leaves give 32 zero bytes.

    Args:
        leaves: shape (n, 32), uint8.
    """
    nodes = leaves.tobytes()
    level = 0
    while True:
        level += 1
        step = 32 * ARITY
        nodes = b"".join(_node(level, nodes[i : i + step]) for i in range(0, len(nodes), step))
        if len(nodes) <= 32:
            return nodes or EMPTY_ROOT


@dataclass(frozen=True)
class Siblings:
    """One level of a path up a Merkle tree.

    Attributes:
        place: of the node among its siblings, from 0.
        nodes: the other children of its parent, in order, 32 bytes each.
    """

    place: int
    nodes: Sequence[bytes]


def merkle_path(leaves: NDArray[np.uint8], index: int) -> list[Siblings]:
    """Return what leads from one leaf to the root; see `climb`.

    Args:
        leaves: shape (n, 32), uint8.
        index: of the leaf.
    """
    nodes = [leaf.tobytes() for leaf in leaves]
    path: list[Siblings] = []
    while len(nodes) > 1 or not path:
        start = index // ARITY * ARITY
        group = nodes[start : start + ARITY]
        place = index - start
        path.append(Siblings(place, [*group[:place], *group[place + 1 :]]))
        level = len(path)
        nodes = [_node(level, b"".join(nodes[i : i + ARITY])) for i in range(0, len(nodes), ARITY)]
        index //= ARITY
    return path


def climb(leaf: bytes, path: Sequence[Siblings]) -> bytes:
    """Return the root that a leaf and its path lead to.

    Raises:
        ValueError: the path is of no tree.
    """
    node = leaf
    for level, step in enumerate(path, 1):
        others = list(step.nodes)
        if not 0 <= step.place <= len(others) < ARITY or any(len(n) != 32 for n in others):
            raise ValueError(f"level {level} of a path is of no tree")
        node = _node(level, b"".join([*others[: step.place], node, *others[step.place :]]))
    return node


def _node(level: int, children: bytes) -> bytes:
    start = hashlib.blake2b(bytes([level]), digest_size=32, person=NODE_PERSON)
    start.update(children)
    return start.digest()


def part_leaf(*, table: str, partition: str, name: str, rows: int, root: bytes) -> bytes:
    """Return the leaf of one part in the tree of a version."""
    text = f"{table}\0{partition}\0{name}\0{rows}\0".encode()
    return hashlib.blake2b(text + root, digest_size=32, person=PART_PERSON).digest()
