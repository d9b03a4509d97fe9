"""What lines say, column by column, and the lines again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore_converters.lined.tokens import (
    ALPHABET,
    SHORTEST,
    Floats,
    Ints,
    Lines,
    Mask,
    number_texts,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Styles = NDArray[np.uint8]


@dataclass(frozen=True)
class Cells:
    """Columns of n lines.

    Attributes:
        values: shape (n, k), numbers; NaN where a line does not go so far, or has text.
        words: columns of text, by their place among the k.
    """

    values: Floats
    words: Mapping[int, pa.StringArray]

    def alike(self, other: Cells) -> Mask:
        """Return which lines say the same, shape (n,); 0 and -0 do not."""
        same: Mask = (self.values.view(np.int64) == other.values.view(np.int64)).all(axis=1)
        for at, own in self.words.items():
            same &= np.asarray(pc.equal(own, other.words[at]).fill_null(False))
        return same


@dataclass
class Fields:
    """What lines say as columns of the model.

    Attributes:
        annotations, geometries: columns by name, Arrow or NumPy, of shape (n,).
        classes: what each line calls its class.
        frames: frame of each, where a file is of a sequence.
        tracks: number of each line's track; null for none.
    """

    annotations: dict[str, Any]
    geometries: dict[str, Any]
    classes: pa.StringArray
    frames: Ints | None = None
    tracks: pa.Int64Array | None = None


class Layout(ABC):
    """What the columns of a line are.

    Attributes:
        separator: between columns.
        whole: columns, by place, that are written without a point where nobody said how.
        fillers: numbers, by column, that stand for nothing and are written without a point.
    """

    separator = " "
    whole: frozenset[int] = frozenset()
    fillers: Mapping[int, float] = {}

    @abstractmethod
    def cells(self, lines: Lines) -> tuple[Cells, Ints]:
        """Return the columns of lines, and the token that each came from.

        Returns:
            The cells, and shape (n, k): the token of each number, -1 where there is none.
        """

    @abstractmethod
    def faults(self, lines: Lines, cells: Cells) -> Iterator[tuple[int, str]]:
        """Yield lines that are no labels, with what is wrong."""

    @abstractmethod
    def fields(self, cells: Cells) -> Fields:
        """Return what lines say."""

    @abstractmethod
    def lines(self, fields: Fields) -> Cells:
        """Return lines that say it."""

    def holds(self, annotations: pa.RecordBatch, geometries: pa.RecordBatch) -> Mask:
        """Return which labels a line can say, shape (n,); each on an item that has lines."""
        return np.asarray(annotations.column("category_id").is_valid())

    def canonical(self, lines: Lines) -> Cells:
        """Return what lines say, as far as columns of the model can hold it."""
        return self.lines(self.fields(self.cells(lines)[0]))

    def default_styles(self, cells: Cells) -> Styles:
        """Return how numbers are written where nobody said it, shape (n, k)."""
        found = np.full(cells.values.shape, SHORTEST, np.uint8)
        for at in self.whole:
            found[cells.values[:, at] % 1 == 0, at] = 0
        for at, filler in self.fillers.items():
            found[cells.values[:, at] == filler, at] = 0
        return found


def style_words(styles: Styles, cells: Cells) -> pa.StringArray:
    """Return styles as a word a line, its columns of text and those that it lacks left out."""
    there = ~np.isnan(cells.values)
    columns = [at for at in range(styles.shape[1]) if at not in cells.words]
    letters = np.where(there, ALPHABET[styles], 0)[:, columns].astype(np.uint8)
    words = np.ascontiguousarray(letters).view(f"S{len(columns)}").reshape(-1)
    return pa.array(words.astype(str).tolist(), pa.string())


def style_numbers(words: pa.StringArray, cells: Cells, layout: Layout) -> Styles:
    """Return styles from their words; the layout's own where there is none."""
    found = layout.default_styles(cells)
    columns = [at for at in range(found.shape[1]) if at not in cells.words]
    back = np.full(128, SHORTEST, np.uint8)
    back[ALPHABET] = np.arange(len(ALPHABET))
    own = np.flatnonzero(np.asarray(words.is_valid()))
    if len(own):
        given = np.array(words.take(pa.array(own)).to_pylist(), f"S{len(columns)}")
        letters = given.view(np.uint8).reshape(len(own), len(columns))
        block = found[own[:, None], np.array(columns)]
        written = np.where(letters > 0, back[np.minimum(letters, 127)], block)
        found[own[:, None], np.array(columns)] = written
    return found


def line_texts(cells: Cells, styles: Styles, separator: str) -> pa.StringArray:
    """Return lines as text."""
    there = ~np.isnan(cells.values)
    there[:, list(cells.words)] = True
    numeric = there.copy()
    numeric[:, list(cells.words)] = False
    pieces = [number_texts(cells.values[numeric], styles[numeric])]
    places = np.zeros(there.shape, np.int64)
    places[numeric] = np.arange(len(pieces[0]))
    for at, words in cells.words.items():
        places[:, at] = sum(map(len, pieces)) + np.arange(len(words))
        pieces.append(words)
    tokens = pa.concat_arrays(pieces).take(pa.array(places[there]))
    offsets = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), tokens), separator)
