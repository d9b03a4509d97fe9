"""Real files with something broken in them are read, or refused in our own words."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from told import DATA, SOURCES

from labelstore.errors import LabelstoreError
from labelstore.plugins import find_format

PAIRS = [(name, path) for name, paths in SOURCES.items() for path in paths]
MUTANTS = 12
"""Of each source."""
WORDS = (
    b"", b"null", b"-1", b"1e999", b"NaN", b"[]", b"{}", b'"x"', b"99999999999999999999",
    b"\xff", b"\0", b"<", b"&", b"true", b"0x10", b" ", b"\n", b"\r", b"\xef\xbb\xbf",
    b"1,5", b"..", b"/etc/passwd",
)  # fmt: skip


def mutants(data: bytes, seed: str) -> Iterator[bytes]:
    """Yield texts in which a token is another, or a part is cut out, doubled or moved."""
    chance = random.Random(seed)
    for _ in range(MUTANTS):
        at, to = sorted(chance.randrange(len(data) + 1) for _ in range(2))
        to = min(to, at + chance.choice((1, 3, 10, 200)))
        yield chance.choice(
            (
                data[:at] + chance.choice(WORDS) + data[to:],
                data[:at],
                data[:at] + data[to:],
                data[:to] + data[at:to] + data[to:],
                data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :],
            )
        )


def refused(name: str, source: Path) -> str | None:
    """Return why a source is not read, in our own words; other errors go on."""
    try:
        read(name, source)
    except LabelstoreError as refusal:
        return str(refusal)
    return None


def read(name: str, source: Path) -> None:
    """Read all of a source."""
    reading = find_format(name).open(source)
    reading.items()
    reading.categories()
    reading.tracks()
    for piece in range(reading.pieces):
        reading.annotations(piece)


@pytest.mark.parametrize(("name", "path"), PAIRS, ids=[path for _, path in PAIRS])
def test_a_mutant_is_read_or_refused(tmp_path: Path, name: str, path: str) -> None:
    original = DATA / path
    source = tmp_path / original.name
    if original.is_dir():
        shutil.copytree(original, source)
    else:
        shutil.copy(original, source)
    files = [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file())
    files = [p for p in files if p.suffix not in (".jpg",)]
    assert refused(name, source) is None
    outcomes = {"read": 0, "refused": 0}
    for file in files[:4]:
        whole = file.read_bytes()
        for mutant in mutants(whole, f"{path}/{file.name}"):
            file.write_bytes(mutant)
            outcomes["refused" if refused(name, source) else "read"] += 1
        file.write_bytes(whole)
    assert sum(outcomes.values()) == MUTANTS * len(files[:4]) > 0
