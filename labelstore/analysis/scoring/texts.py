"""Transcripts against a gold set: edits of words and letters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.analysis.agreement.units import Units
from labelstore.analysis.scoring.report import Texts
from labelstore.changes.matching import ranks
from labelstore.geometry.texts import edit_counts
from labelstore.model.tables import TABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.analysis.agreement.units import Author

    Ids = NDArray[np.int64]


def texts_of(units: Units, gold: Author, other: Author) -> Texts | None:
    """Return how far texts are from those of the gold set; None where neither has any.

    Texts that are too different to be taken for one are compared in their order on an item, since
    a transcript that is all wrong is one of it nevertheless; the rest is put in or taken out.

    Args:
        units: of both, in this order.
        gold: the gold set.
        other: who is scored.
    """
    sides = [_texts(author, units.labels[:, a]) for a, author in enumerate((gold, other))]
    there = [np.asarray(side.is_valid()) for side in sides]
    if not (there[0] | there[1]).any():
        return None
    both = np.flatnonzero(there[0] & there[1])
    lone = [np.flatnonzero(there[a] & ~there[1 - a]) for a in (0, 1)]
    pairs = _by_order(units.items, *lone)
    rest = [np.setdiff1d(own, taken) for own, taken in zip(lone, pairs, strict=True)]
    at = [np.concatenate([both, pairs[0], rest[0], np.full(len(rest[1]), -1)]),
          np.concatenate([both, pairs[1], np.full(len(rest[0]), -1), rest[1]])]  # fmt: skip
    columns = [_taken(side, own) for side, own in zip(sides, at, strict=True)]
    (letter_edits, letters), (word_edits, words) = edit_counts(columns[0], columns[1])
    return Texts(int(there[0].sum()), int(words.sum()), int(word_edits.sum()),
                 int(letters.sum()), int(letter_edits.sum()))  # fmt: skip


def _texts(author: Author, labels: Ids) -> pa.Array:
    """Return the text of each label, null where there is none."""
    side = author.side
    rows = side.manifest.table(TABLES["geometries"], ["annotation_id", "text"], side.layer)
    rows = rows.filter(rows.column("text").is_valid())
    at = pc.index_in(pa.array(labels), value_set=rows.column("annotation_id").combine_chunks())
    return rows.column("text").combine_chunks().take(at)


def _by_order(items: Ids, first: Ids, second: Ids) -> tuple[Ids, Ids]:
    """Return which are paired: the k-th of an item with the k-th."""
    ranked = [np.stack([items[own], ranks(items[own])], axis=1) for own in (first, second)]
    kind = np.dtype([("item", np.int64), ("rank", np.int64)])
    keys = [np.ascontiguousarray(r, np.int64).view(kind).reshape(-1) for r in ranked]
    _, a, b = np.intersect1d(keys[0], keys[1], assume_unique=True, return_indices=True)
    return first[a], second[b]


def _taken(texts: pa.Array, at: Ids) -> pa.Array:
    """Return texts at these places, an empty one for -1."""
    return pc.fill_null(texts.take(pa.array(at, mask=at < 0)), "")
