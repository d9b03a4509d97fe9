"""Of which images annotations are, told before they are decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore_converters.coco.lookup import Lookup
    from labelstore_converters.coco.members import Members

CHUNK = 2_000
"""Annotations looked at at a time: what is made of more does not stay in the cache."""


class _Owner(msgspec.Struct, gc=False):
    image_id: int
    category_id: int | None = None
    id: int | str | None = None


def owners(members: Members, images: Lookup, categories: Lookup) -> NDArray[np.int64] | None:
    """Return the local number of the image of each annotation, shape (n,).

    Args:
        members: the annotations.
        images: local numbers of the images.
        categories: local numbers of the classes.

    Returns:
        None where an annotation names what is not listed, or anything in an unusual way.
    """
    found = []
    for at in range(0, len(members), CHUNK):
        try:
            said = msgspec.json.decode(members.listed(at, at + CHUNK), type=list[_Owner])
            ids = np.fromiter((owner.image_id for owner in said), np.int64, len(said))
        except (msgspec.DecodeError, UnicodeDecodeError, OverflowError):
            return None  # who decodes it says what is wrong
        found.append(images.many(ids))
        classes = {owner.category_id for owner in said} - {None}
        if (found[-1] < 0).any() or any(categories.one(known) < 0 for known in classes):
            return None
    return np.concatenate(found) if found else None
