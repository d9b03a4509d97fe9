"""Images that look the same: difference hashes of 64 bits, compared by bands.

Two hashes that differ in at most three bits agree in one of four bands of 16, so an equality join
finds every such pair. The mirrored image is hashed too. Crops of more than a few percent are not
found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labelstore.model.tables import TABLES
from labelstore.storage.parallel import fork_map

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.versions.manifest import Manifest

    Hashes = NDArray[np.uint64]
    Pairs = list[tuple[str, str, str, str]]

MOST = 3
"""Bits in which two images that look the same may differ."""
BANDS = 4
CHUNK = 200
FLAT = 6
"""Hashes with fewer bits set, or unset, are of nearly plain images, which all look the same."""


def difference_hash(pixels: Any) -> int:
    """Return 64 bits: whether each of 8 x 8 grey values is darker than its right neighbour.

    Args:
        pixels: shape (8, 9), grey values of the image made that small.
    """
    bits = (pixels[:, 1:] > pixels[:, :-1]).ravel()
    return int(np.packbits(bits).view(">u8")[0])


def hashes_of(files: Sequence[Path], progress: Callable[[str, int, int], None] | None) -> Hashes:
    """Return the hashes of images, as they are and mirrored, shape (n, 2); 0 for none.

    Args:
        files: images; one that cannot be read has no hash.
        progress: told how many were read.
    """
    chunks = [files[i : i + CHUNK] for i in range(0, len(files), CHUNK)]
    read = 0

    def tell(own: Hashes) -> None:
        nonlocal read
        read += len(own)
        if progress:
            progress("reading images", read, len(files))

    return np.concatenate([np.empty((0, 2), np.uint64), *fork_map(_hashed, chunks, tell)])


def _hashed(files: Sequence[Path]) -> Hashes:
    from PIL import Image, ImageOps

    found = np.zeros((len(files), 2), np.uint64)
    for i, file in enumerate(files):
        try:
            with Image.open(file) as image:
                image.draft("L", (64, 64))
                small = ImageOps.exif_transpose(image).convert("L").resize((9, 8))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            continue
        pixels = np.asarray(small, np.int16)
        found[i] = difference_hash(pixels), difference_hash(pixels[:, ::-1])
    return found


def alike(hashes: Hashes) -> NDArray[np.int64]:
    """Return the pairs that look the same, shape (k, 2), the first before the second.

    Args:
        hashes: shape (n, 2), see `hashes_of`.
    """
    bits = np.bitwise_count(hashes[:, 0])
    good = np.flatnonzero((bits >= FLAT) & (bits <= 64 - FLAT))
    found = [np.empty((0, 2), np.int64)]
    own = hashes[good]
    for band in range(BANDS):
        shift = np.uint64(16 * band)
        keys = [(own[:, side] >> shift) & np.uint64(0xFFFF) for side in (0, 1)]
        for side in (0, 1):
            found.append(_joined(keys[0], keys[side], own[:, 0], own[:, side]))
    pairs = np.unique(good[np.concatenate(found)].reshape(-1, 2), axis=0)
    return pairs[pairs[:, 0] < pairs[:, 1]]


def _joined(left: Hashes, right: Hashes, of_left: Hashes, of_right: Hashes) -> NDArray[np.int64]:
    """Return places of pairs with one key, whose hashes differ in at most three bits."""
    order = np.argsort(right, kind="stable")
    first = np.searchsorted(right[order], left, "left")
    count = np.searchsorted(right[order], left, "right") - first
    a = np.repeat(np.arange(len(left)), count)
    within = np.arange(len(a)) - np.repeat(np.cumsum(count) - count, count)
    b = order[np.repeat(first, count) + within]
    near = np.bitwise_count(of_left[a] ^ of_right[b]) <= MOST
    pairs = np.sort(np.stack([a, b], axis=1)[near & (a != b)], axis=1)
    return np.asarray(pairs, np.int64)


def across_subsets(
    manifest: Manifest, scheme: str, images: Path,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Pairs, int]:  # fmt: skip
    """Return images that look the same and are in different subsets: name and subset of each.

    Of images with one hash in one subset the first stands for all.

    Args:
        manifest: the version.
        scheme: of `splits`.
        images: folder below which the URIs of items are.
        progress: told how many images were read.

    Returns:
        The pairs, and how many there are if each image counts.
    """
    rows = manifest.table(TABLES["splits"], ["item_id", "subset"], scheme).to_pydict()
    subset = dict(zip(rows["item_id"], rows["subset"], strict=True))
    items = manifest.table(TABLES["items"], ["item_id", "uri", "modality"]).to_pylist()
    top = images.resolve()
    placed = [(r["uri"], subset[r["item_id"]], (top / r["uri"]).resolve()) for r in items
              if r["item_id"] in subset and r["uri"]]  # fmt: skip
    there = [entry for entry in placed if entry[2].is_relative_to(top) and entry[2].is_file()]
    hashes = hashes_of([file for _, _, file in there], progress)
    _, codes = np.unique([name for _, name, _ in there], return_inverse=True)
    keys = np.concatenate([hashes, codes.astype(np.uint64).reshape(-1, 1)], axis=1)
    _, first, count = np.unique(keys, axis=0, return_index=True, return_counts=True)
    pairs = alike(hashes[first])
    pairs = pairs[codes[first[pairs[:, 0]]] != codes[first[pairs[:, 1]]]]
    told = [(there[first[a]], there[first[b]]) for a, b in pairs.tolist()]
    every = int((count[pairs[:, 0]] * count[pairs[:, 1]]).sum())
    return [(a[0], a[1], b[0], b[1]) for a, b in told], every
