"""Numbers become text all at once, with the text that one by one they have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstore_converters.lined.tokens import SHORTEST, number_texts
from labelstore_converters.numerals import float_texts
from labelstore_converters.pieces import MOST, pieces_of
from labelstore_converters.yolo.numbertext import STYLES, style_of, words

finite = st.floats(allow_nan=False, allow_infinity=False)
two_decimals = st.integers(-90_000, 90_000).map(lambda v: v / 100)
numbers = finite | two_decimals | st.sampled_from([0.0, -0.0, 1e16, 1e-4, 9.9e-5, 1e22, 12.0])


@given(values=st.lists(numbers, max_size=20), often=st.integers(1, 400))
def test_floats_are_as_python_writes_them(values: list[float], often: int) -> None:
    """Also where many are equal, of which each is written once."""
    found = float_texts(np.array(values * often, np.float64))
    assert found.to_pylist() == [repr(value) for value in values] * often


@pytest.mark.parametrize("often", [1, 300])
def test_numbers_of_two_decimals_are_looked_up(often: int) -> None:
    values = np.round(np.arange(-50, 50) * 0.37, 2)
    found = float_texts(np.tile(values, often))
    assert found.to_pylist() == [repr(value) for value in values.tolist()] * often


@given(pairs=st.lists(st.tuples(numbers | two_decimals, st.integers(0, SHORTEST)), max_size=30))
def test_decimals_are_as_they_were_told(pairs: list[tuple[float, int]]) -> None:
    """A text that reads back as another number gives way to the shortest exact one."""
    values, how = (np.array(side) for side in zip(*pairs, strict=True)) if pairs else ([], [])
    expected = []
    for value, style in pairs:
        text = repr(value) if style == SHORTEST else f"{value:.{max(style - 1, 0)}f}"
        expected.append(text if float(text) == value else repr(value))
    found = number_texts(np.asarray(values, np.float64), np.asarray(how, np.uint8))
    assert found.to_pylist() == expected


@given(
    lines=st.lists(st.lists(st.floats(0, 1), max_size=5), max_size=6),
    style=st.sampled_from(STYLES),
)
def test_the_style_of_a_line_is_found(lines: list[list[float]], style: str) -> None:
    """What is written in the style that is found is what was written."""
    counts = np.array([len(line) for line in lines], np.int64)
    values = np.array([value for line in lines for value in line], np.float64)
    whole = np.zeros(len(values), bool)
    tokens = words(values, whole, style)
    found = style_of(values, whole, tokens, counts)
    assert found.null_count == 0
    for own, begin, count in zip(
        found.to_pylist(), np.cumsum(counts) - counts, counts, strict=True
    ):
        inside = slice(int(begin), int(begin + count))
        assert words(values[inside], whole[inside], own).equals(tokens[inside])


@given(sizes=st.lists(st.integers(0, 2 * MOST), max_size=30), files=st.integers(1, 5))
def test_pieces_hold_all_files_once_and_not_too_many(sizes: list[int], files: int) -> None:
    found = pieces_of(sizes, files)
    assert [at for piece in found for at in piece] == list(range(len(sizes)))
    for piece in found:
        assert 0 < len(piece) <= files
        assert len(piece) == 1 or sum(sizes[at] for at in piece) <= MOST
