"""Splits by hash: stateless, grouped, the same on every engine and for ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from labelstore.errors import InvalidInput
from labelstore.model.tables import TABLES
from labelstore.query.engine import run
from labelstore.query.sandbox import query
from labelstore.storage.rewriting import Edits
from labelstore.versions.stage import Draft

TOLERANCE = 1e-9
COLUMN_DRAW = 'SUBSTR(MD5($seed || CAST("{0}" AS VARCHAR)), 1, 8)'


@dataclass(frozen=True)
class SplitReport:
    """What a split gave.

    Attributes:
        subsets: items per subset.
        groups: groups per subset.
        moved: items that another assignment of the scheme had elsewhere.
    """

    scheme: str
    subsets: Mapping[str, int]
    groups: Mapping[str, int]
    moved: int


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


def split_by_hash(
    draft: Draft, scheme: str, ratios: Mapping[str, float], *, group: str | None, seed: int
) -> SplitReport:
    """Assign every item to a subset by the MD5 text of its group.

    An item never moves while seed, shares and its group stay the same, whatever is added.

    Args:
        draft: takes the assignment.
        scheme: name of the split.
        ratios: subset to share, in the order of the thresholds.
        group: column of `items` whose values must not be cut; else `group`, the URI, or the id.
        seed: another seed is another split.
    """
    items = _drawn(draft, group, str(seed))
    bounds = [f"{min(round(b * 16**8), 16**8 - 1):08x}" for b in np.cumsum(list(ratios.values()))]
    names = list(ratios)
    draws = np.array(items.column("draw").to_pylist(), dtype="U8")
    at = np.minimum(np.searchsorted(np.array(bounds, "U8"), draws, side="right"), len(names) - 1)
    table = TABLES["splits"]
    rows = pa.table(
        {
            "scheme": pa.repeat(scheme, items.num_rows),
            "item_id": items.column("item_id"),
            "subset": pa.array([names[i] for i in at.tolist()]),
            "group": items.column("group_key"),
            "frozen_since": pa.nulls(items.num_rows, pa.int64()),
            "changed_in": pa.repeat(draft.activity_id, items.num_rows),
            "row_hash": pa.array(np.zeros(items.num_rows, np.uint64)),
        },
    ).cast(table.schema)
    changed, moved = _changed(draft.manifest.table(table, partition=scheme), rows)
    nothing = table.schema.empty_table().select(list(table.key))
    draft.apply({("splits", scheme): Edits(changed, nothing)})
    return _report(scheme, rows, moved)


def _drawn(draft: Draft, group: str | None, seed: str) -> pa.Table:
    """Return item_id, group_key and draw of every item."""
    if group is None or group == "group":
        return run(draft.manifest, "split_items", seed=seed)
    if group not in TABLES["items"].schema.names:
        raise InvalidInput(f"items have no column {group!r}", code="split-group")
    draw = COLUMN_DRAW.format(group)
    sql = f'SELECT item_id, CAST("{group}" AS VARCHAR) AS group_key, {draw} AS draw FROM items'
    found = query(draft.manifest, sql, {"seed": seed})
    if found.column("group_key").null_count:
        raise InvalidInput(f"some items have no {group!r}; group by another column")
    return found


def _changed(before: pa.Table, rows: pa.Table) -> tuple[pa.Table, int]:
    """Return the rows that differ from the scheme's present ones, and how many items moved."""
    known = dict(zip(*(before.column(n).to_pylist() for n in ("item_id", "subset")), strict=True))
    groups = dict(zip(*(before.column(n).to_pylist() for n in ("item_id", "group")), strict=True))
    flags, moved = [], 0
    columns = (rows.column(n).to_pylist() for n in ("item_id", "subset", "group"))
    for item, subset, group in zip(*columns, strict=True):
        flags.append(known.get(item) != subset or groups.get(item) != group)
        moved += item in known and known[item] != subset
    return rows.filter(pa.array(flags, pa.bool_())), moved


def _report(scheme: str, rows: pa.Table, moved: int) -> SplitReport:
    counted = rows.group_by("subset").aggregate([([], "count_all"), ("group", "count_distinct")])
    listed = sorted(counted.to_pylist(), key=lambda r: -r["count_all"])
    return SplitReport(
        scheme,
        {r["subset"]: r["count_all"] for r in listed},
        {r["subset"]: r["group_count_distinct"] for r in listed},
        moved,
    )
