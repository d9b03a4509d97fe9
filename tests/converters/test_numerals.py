"""Numbers read all at once are the numbers that Python reads, with and without simdjson."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelstore_converters import numerals

digits = st.text("0123456789", min_size=1, max_size=20).map(lambda t: t.lstrip("0") or "0")
signs = st.sampled_from(["", "-"])
fractions = st.text("0123456789", min_size=1, max_size=20)
decimals = st.tuples(signs, digits, fractions).map(lambda x: f"{x[0]}{x[1]}.{x[2]}")
written = st.floats(allow_nan=False, allow_infinity=False).map(repr).filter(lambda t: "e" not in t)
whole = st.integers(-(2**53), 2**53).map(str)


@pytest.mark.parametrize("slow", [False, True], ids=["simdjson", "msgspec"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(decimals | written | whole, max_size=50))
def test_numbers_are_rounded_as_python_rounds_them(
    texts: list[str], slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert numerals.PARSER is not None  # simdjson is here
    with monkeypatch.context() as patch:
        if slow:
            patch.setattr(numerals, "PARSER", None)
        found = numerals.numbers(",".join(texts).encode())
    wanted = np.array([float(t) for t in texts])
    assert found is not None
    assert found.view(np.int64).tolist() == wanted.view(np.int64).tolist()


@pytest.mark.parametrize("slow", [False, True], ids=["simdjson", "msgspec"])
@pytest.mark.parametrize("text", [b"1,,2", b"1,", b"1." + b"2.3", b"null", b"9" * 400])
def test_what_is_no_list_of_numbers_is_none(
    text: bytes, slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if slow:
        monkeypatch.setattr(numerals, "PARSER", None)
    assert numerals.numbers(text) is None
