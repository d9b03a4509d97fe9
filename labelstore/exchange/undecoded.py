"""Labels of a source that says of which items they are: decoded in the order of parts.

What a part needs is decoded by the process that builds it; nothing goes through scratch files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from labelstore.errors import InvalidInput
from labelstore.exchange.numbering import Numbering, numbered
from labelstore.model.arrow import reordered
from labelstore.plugins import Reading

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Undecoded:
    """Labels that are decoded when their part is built; see `bulk.Ordered`.

    Attributes:
        reading: the source.
        numbering: ids of its items and classes.
        keys: shape (n,), the item of each, rising.
        places: shape (n,), where each stands in the source; rising within an item.
    """

    reading: Reading
    numbering: Numbering
    keys: Ids
    places: Ids

    @classmethod
    def of(cls, reading: Reading, numbering: Numbering) -> Undecoded | None:
        """Return the labels of a source, or None where it has to be decoded to know them."""
        owners = reading.owners()
        if owners is None:
            return None
        items = numbering.items[owners]
        places = np.argsort(items, kind="stable")
        return cls(reading, numbering, items[places], places)

    def family(self, begin: int, end: int) -> tuple[list[pa.Table], Mapping[str, int]]:
        """Return both tables' rows from one label to another, and counts of what is unusual.

        Raises:
            InvalidInput: the converter decodes other labels than it said.
        """
        piece = self.reading.chosen(self.places[begin:end])
        tables, items, seqs = numbered(piece, self.numbering)
        order = np.lexsort((seqs, items))
        said = (self.keys[begin:end], self.places[begin:end])
        if not all(map(np.array_equal, (items[order], seqs[order]), said)):
            raise InvalidInput(
                "the converter decodes labels of other items than its `owners` says",
                code="converter-owners",
            )
        if (np.diff(order) != 1).any():
            tables = [reordered(rows, order) for rows in tables]
        return tables, piece.notices
