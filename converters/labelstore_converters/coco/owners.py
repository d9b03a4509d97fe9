"""Of which images annotations are, told before they are decoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore_converters.coco.lookup import Lookup

CHUNK = 2_000
"""Annotations looked at at a time: what is made of more does not stay in the cache."""


class _Owner(msgspec.Struct, gc=False):
    image_id: int
    category_id: int | None = None
    id: int | str | None = None


def owners(
    raws: Sequence[msgspec.Raw], images: Lookup, categories: Lookup
) -> NDArray[np.int64] | None:
    """Return the local number of the image of each annotation, shape (n,).

    Args:
        raws: JSON text of each annotation.
        images: local numbers of the images.
        categories: local numbers of the classes.

    Returns:
        None where an annotation names what is not listed, or anything in an unusual way.
    """
    found = []
    for at in range(0, len(raws), CHUNK):
        text = b"[" + b",".join(raws[at : at + CHUNK]) + b"]"
        try:
            said = msgspec.json.decode(text, type=list[_Owner])
            ids = np.fromiter((owner.image_id for owner in said), np.int64, len(said))
        except (msgspec.ValidationError, OverflowError):
            return None
        found.append(images.many(ids))
        classes = {owner.category_id for owner in said} - {None}
        if (found[-1] < 0).any() or any(categories.one(known) < 0 for known in classes):
            return None
    return np.concatenate(found) if found else None
