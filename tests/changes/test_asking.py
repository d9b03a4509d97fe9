"""What a person answers at a terminal decides conflicts, one by one or all that are left."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from labelstore.changes.merging.conflicts import CONFLICTS
from labelstore.changes.merging.policies import by_policy
from labelstore.cli.conflicts import asked

ROWS = [{"table": "annotations", "partition": "l", "id": n, "cell": "score", "item": "a.jpg",
         "class": "car", "base": "null", "ours": "0.5", "theirs": "0.25", "ours_by": "ada",
         "theirs_by": "bob"} for n in range(4)]  # fmt: skip


@pytest.mark.parametrize(
    ("answers", "takes"),
    [
        (["o", "t", "o", "t"], ["ours", "theirs", "ours", "theirs"]),
        (["o", "T"], ["ours", "theirs", "theirs", "theirs"]),
        (["O"], ["ours"] * 4),
        (["t", "s"], ["theirs", None, None, None]),
        (["?", "", "t", "s"], ["theirs", None, None, None]),
    ],
)
def test_answers_decide(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answers: list[str],
    takes: list[str | None],
) -> None:  # fmt: skip
    given = iter(answers)
    monkeypatch.setattr("typer.prompt", lambda *_, **__: next(given))
    table = pa.Table.from_pylist(ROWS, schema=CONFLICTS)
    assert list(asked(by_policy("ask"))(table)) == takes
    assert not list(given), "every answer was asked for"
    shown = capsys.readouterr().out
    assert "annotations/l/0 (a.jpg, car), score; was null" in shown
    assert "ours: 0.5 (ada)" in shown


def test_what_is_decided_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> str:
        raise AssertionError

    monkeypatch.setattr("typer.prompt", never)
    table = pa.Table.from_pylist(ROWS, schema=CONFLICTS)
    assert list(asked(by_policy("theirs"))(table)) == ["theirs"] * 4
