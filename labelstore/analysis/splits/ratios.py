"""The shares that subsets are to have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from labelstore.errors import InvalidInput
from labelstore.model.tables import TABLES

if TYPE_CHECKING:
    from labelstore.versions.manifest import Manifest

TOLERANCE = 1e-9


def last_asked(manifest: Manifest, scheme: str) -> dict[str, float] | None:
    """Return the shares that were asked for when a scheme was last split, None if nobody says."""
    rows = manifest.table(TABLES["activities"], ["kind", "parameters", "ended_at"])
    own = rows.filter(pc.equal(rows.column("kind"), "split")).sort_by("ended_at")
    told = [json.loads(text or "{}") for text in own.column("parameters").to_pylist()]
    asked = [t["ratios"] for t in told if t.get("scheme") == scheme and t.get("ratios")]
    return parse_ratios(asked[-1]) if asked else None


def parse_ratios(text: str) -> dict[str, float]:
    """Return subset to share from `train=0.8,val=0.1,test=0.1`.

    Raises:
        InvalidInput: a share is missing or not positive, or they do not add up to 1.

    Example:
        >>> parse_ratios("train=0.8,val=0.2")
        {'train': 0.8, 'val': 0.2}
    """
    ratios: dict[str, float] = {}
    for entry in text.split(","):
        name, _, share = entry.partition("=")
        if name.strip() in ratios:
            raise InvalidInput(f"{name.strip()!r} is named twice", code="split-ratios")
        try:
            ratios[name.strip()] = float(share)
        except ValueError:
            raise InvalidInput(f"{entry!r}: write NAME=SHARE, as in train=0.8") from None
    bad = [n for n, share in ratios.items() if not (n and 0 < share <= 1)]
    if bad or abs(sum(ratios.values()) - 1) > TOLERANCE:
        raise InvalidInput(
            f"{text!r}: shares must be above 0 and add up to 1", code="split-ratios"
        )
    return ratios
