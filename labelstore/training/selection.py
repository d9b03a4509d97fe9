"""Which rows of a version are read: a subset of a split, and what a query finds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import InvalidInput, NotFound
from labelstore.model.tables import TABLES
from labelstore.query.conditions import check_condition
from labelstore.query.engine import connect
from labelstore.query.sandbox import query as ask
from labelstore.query.views import VIEWS
from labelstore.versions.manifest import Manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

COLUMNS = ("item_id", "annotation_id")


@dataclass(frozen=True)
class Selection:
    """Ids that a query found.

    Attributes:
        items: sorted ids of items, or None for all.
        labels: sorted ids of annotations, or None for all labels of these items.
    """

    items: Ids | None = None
    labels: Ids | None = None

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the ids, little-endian, each column after its name, as hex."""
        found = hashlib.sha256()
        for name, ids in zip(COLUMNS, (self.items, self.labels), strict=True):
            if ids is not None:
                found.update(name.encode() + b"\0" + ids.astype("<i8").tobytes())
        return found.hexdigest()

    def narrowed(self, labels: Ids) -> Selection:
        """Return the same with only those labels that are among others, too."""
        both = labels if self.labels is None else np.intersect1d(self.labels, labels)
        return Selection(self.items, both)


def select(manifest: Manifest, query: str) -> Selection:
    """Return the items and labels that a query names.

    Args:
        manifest: the version.
        query: a SELECT whose result has a column `item_id` (only these items), `annotation_id`
            (only these labels; items without one stay, with none) or both.

    Raises:
        InvalidInput: the query may not run, is wrong, or its result has neither column.
    """
    found = ask(manifest, query)
    there = [name for name in COLUMNS if name in found.column_names]
    if not there:
        raise InvalidInput(
            "the query's result has neither item_id nor annotation_id; write, for example, "
            "SELECT item_id FROM items WHERE width >= 640",
            code="query-columns",
        )
    return Selection(*(_ids(found, name) if name in there else None for name in COLUMNS))


def select_labels(manifest: Manifest, where: str) -> Ids:
    """Return the sorted ids of labels that meet a condition on columns of `labels`."""
    with connect() as con:
        check_condition(con, where, VIEWS)
    found = ask(manifest, f"SELECT annotation_id FROM labels WHERE (\n{where}\n)")
    return _ids(found, "annotation_id")


def _ids(found: pa.Table, name: str) -> Ids:
    column = found.column(name)
    if not pa.types.is_integer(column.type):
        raise InvalidInput(f"the query's {name} is no id but {column.type}", code="query-columns")
    try:
        values: Ids = np.unique(np.asarray(column.drop_null().cast(pa.int64())))
    except pa.ArrowInvalid as error:
        raise InvalidInput(
            f"the query's {name} is no id: {error}", code="query-columns"
        ) from error
    return values


def parse_split(manifest: Manifest, split: str) -> tuple[str, str]:
    """Return scheme and subset of `SCHEME/SUBSET`.

    Raises:
        InvalidInput: it is not of that form.
        NotFound: the version has no such scheme, or the scheme no such subset.
    """
    scheme, _, subset = split.rpartition("/")
    if not scheme or not subset:
        raise InvalidInput(f"{split!r}: write SCHEME/SUBSET, as in default/train")
    known = subsets_of(manifest, scheme)
    if subset not in known:
        raise NotFound(f"split {scheme!r} has no {subset!r} (it has: {', '.join(known)})")
    return scheme, subset


def subsets_of(manifest: Manifest, scheme: str) -> list[str]:
    """Return the subsets of a split scheme, by name.

    Raises:
        NotFound: the version has no such scheme.
    """
    if scheme not in manifest.partitions("splits"):
        there = ", ".join(manifest.partitions("splits")) or "none"
        raise NotFound(f"no split scheme {scheme!r} (there is: {there})", code="split-unknown")
    rows = manifest.table(TABLES["splits"], ["subset"], scheme)
    return sorted(rows.column(0).unique().to_pylist())


def subset_items(manifest: Manifest, split: str) -> Ids:
    """Return the sorted ids of the items in `SCHEME/SUBSET`; raises as `parse_split`."""
    scheme, subset = parse_split(manifest, split)
    rows = manifest.table(TABLES["splits"], ["item_id", "subset"], scheme)
    chosen = rows.filter(pc.equal(rows.column("subset"), subset)).column("item_id")
    found: Ids = np.sort(np.asarray(chosen))
    return found
