"""Numbers read eight bytes at a time are the numbers that Python reads."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from labelstore_converters.coco.numerals import WORD, floats, integers

digits = st.text("0123456789", min_size=1, max_size=20)
signs = st.sampled_from(["", "-"])
decimals = st.tuples(signs, digits, digits).map(lambda x: f"{x[0]}{x[1]}.{x[2]}")
written = st.floats(allow_nan=False, allow_infinity=False).map(repr).filter(lambda t: "e" not in t)


def places(texts: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    joined = (" " * WORD + ",".join(texts)).encode()
    lengths = np.array([len(t) for t in texts])
    return np.frombuffer(joined, np.uint8), WORD - 1 + np.cumsum(lengths + 1), lengths


@given(st.lists(decimals | written, min_size=1, max_size=50))
def test_floats_are_rounded_as_python_rounds_them(texts: list[str]) -> None:
    found = floats(*places(texts))
    wanted = np.array([float(t) for t in texts])
    assert found.view(np.int64).tolist() == wanted.view(np.int64).tolist()


@given(st.lists(st.tuples(signs, digits).map("".join), min_size=1, max_size=20))
def test_a_number_without_a_point_is_not_a_number(texts: list[str]) -> None:
    assert np.isnan(floats(*places(texts))).all()


@given(st.lists(digits | decimals | st.just("-1"), min_size=1, max_size=50))
def test_whole_numbers_of_sixteen_digits_are_exact(texts: list[str]) -> None:
    wanted = [int(t) if t.isdigit() and len(t) <= 16 else -1 for t in texts]
    assert integers(*places(texts)).tolist() == wanted
