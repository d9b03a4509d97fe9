"""What every converter has to keep, as tests that an author's own test class inherits.

Example:
    class TestVoc(Conformance):
        format = "voc"
        sources = (Path("tests/data/voc"),)
        broken = {Path("tests/data/broken.xml"): "line 3"}
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from labelstore.errors import InvalidInput, LossRefused
from labelstore.model.tables import FAMILY, TABLES
from labelstore.plugins import find_format
from labelstore.store import Store, init_store

UNTOLD = frozenset(
    {"layer", "item_id", "annotation_id", "kind", "xmin", "ymin", "xmax", "ymax", "leftovers",
     "frame", "box_form"}
)  # fmt: skip
"""Keys, what follows from the shapes, and how others are told."""


class Conformance:
    """Tests of one format; `pytest` collects them from a subclass whose name begins with `Test`.

    Attributes:
        format: name of the converter, as its package registers it.
        sources: files or folders that it reads, all of whose text it has to write again.
        broken: files or folders that it has to refuse, and a part of what it then says.
    """

    format: ClassVar[str]
    sources: ClassVar[Sequence[Path]]
    broken: ClassVar[Mapping[Path, str]] = {}

    def test_text_comes_back(self, tmp_path: Path) -> None:
        """Each file that an export writes is, byte for byte, the one that was read."""
        for i, source in enumerate(self.sources):
            store = _read(tmp_path / f"store-{i}", self.format, source)
            target = tmp_path / f"out-{i}"
            store.export_to(self.format, target)
            written = texts(target)
            assert written, f"{source}: nothing was written"
            before = texts(source)
            for name, data in written.items():
                own = next(iter(before.values())) if source.is_file() else before[name]
                assert data == own, f"{source}, {name}: another text came back"

    def test_the_same_again_changes_nothing(self, tmp_path: Path) -> None:
        """A delivery that is the same as the one before is no change."""
        for i, source in enumerate(self.sources):
            store = _read(tmp_path / f"store-{i}", self.format, source)
            report = store.import_from(self.format, source, mode="update")
            assert not report.changed, f"{source}: {report.difference}"

    def test_rows_break_no_rule(self, tmp_path: Path) -> None:
        """What is read breaks no rule that is an error."""
        for i, source in enumerate(self.sources):
            store = _read(tmp_path / f"store-{i}", self.format, source)
            found = [f.code for f in store.check() if f.severity == "error"]
            assert not found, f"{source}: {found}"

    def test_pieces_can_be_read_in_any_order(self) -> None:
        """A piece is the same whenever it is read."""
        for source in self.sources:
            reading = find_format(self.format).open(source)
            order = range(reading.pieces)
            first = {i: reading.annotations(i).annotations for i in order}
            again = {i: reading.annotations(i).annotations for i in reversed(order)}
            assert all(first[i].equals(again[i]) for i in order), f"{source}: pieces differ"

    def test_losses_are_those_that_are_told(self, tmp_path: Path) -> None:
        """Labels of another format lose what the export says, and nothing else."""
        first = _sample(tmp_path / "first")
        target = tmp_path / "out"
        try:
            report = first.export_to(self.format, target, allow_loss=["all"], sidecar=False)
        except (InvalidInput, NotImplementedError):
            return  # the format has no place for images of another one
        second = _read(tmp_path / "second", self.format, target)
        before, after = filled(first), filled(second)
        gone = {c for c, count in before.items() if after.get(c, 0) < count} - UNTOLD
        told = "\n".join(report.notices)
        for column in gone:
            assert column in told or "left-out" in told, f"{column} is lost and nobody says so"
        drops = f"{self.format}-drops-"
        for code in report.notices:
            column = code.removeprefix(drops)
            if code.startswith(drops) and "." not in column and column != "source_id":
                assert not after.get(column), f"{code} is told, and {column} is there"

    def test_a_sidecar_brings_all_back(self, tmp_path: Path) -> None:
        """Labels of another format come back as they were."""
        first = _sample(tmp_path / "first")
        try:
            first.export_to(self.format, tmp_path / "mid", allow_loss=["all"])
        except (InvalidInput, NotImplementedError):
            return
        second = _read(tmp_path / "second", self.format, tmp_path / "mid")
        for store, name in ((first, "a.json"), (second, "b.json")):
            store.export_to("coco", tmp_path / name)
        sides = [json.loads((tmp_path / name).read_text()) for name in ("a.json", "b.json")]
        assert sides[0] == sides[1]

    def test_nothing_is_written_before_losses_are_accepted(self, tmp_path: Path) -> None:
        """A refused export leaves nothing behind."""
        try:
            _sample(tmp_path / "first").export_to(self.format, tmp_path / "out")
        except (LossRefused, InvalidInput, NotImplementedError):
            assert [p.name for p in tmp_path.iterdir()] == ["first"]

    def test_broken_files_are_refused_and_named(self, tmp_path: Path) -> None:
        """A file with faults is named with its place, and nothing is stored."""
        for i, (source, told) in enumerate(self.broken.items()):
            store = init_store(tmp_path / f"store-{i}")
            said = _refusal(store, self.format, source)
            assert said is not None, f"{source}: was read"
            assert told in said, f"{source}: {said}"
            assert store.staged() is None


def _refusal(store: Store, name: str, source: Path) -> str | None:
    """Return why a source is not read, None where it is."""
    try:
        store.import_from(name, source)
    except InvalidInput as error:
        return str(error)
    return None


def texts(source: Path) -> dict[str, bytes]:
    """Return the files of a source by their paths; all but images and sidecars."""
    if source.is_file():
        return {source.name: source.read_bytes()}
    left_out = (".png", ".jpg", ".parquet")
    found = (p for p in source.rglob("*") if p.is_file() and p.suffix not in left_out)
    return {p.relative_to(source).as_posix(): p.read_bytes() for p in found}


def filled(store: Store) -> dict[str, int]:
    """Return how many labels say something in each content column; no crowd says nothing."""
    found: dict[str, int] = {}
    manifest = store.manifest()
    for name in FAMILY:
        for part in manifest.parts_of(name):
            rows = manifest.read(part)
            for column in TABLES[name].columns("content"):
                found[column] = found.get(column, 0) + _said(rows.column(column), column)
    return found


def _said(values: Any, column: str) -> int:
    if column == "is_crowd":
        values = pc.if_else(values, values, pa.scalar(None, pa.bool_()))
    return int(len(values) - values.null_count)


def _read(folder: Path, name: str, source: Path) -> Store:
    store = init_store(folder)
    store.import_from(name, source, message="conformance", commit=True)
    return store


def _sample(folder: Path) -> Store:
    """Return a store of real COCO labels."""
    with as_file(files("labelstore.cli") / "demo" / "delivery-1.json") as source:
        return _read(folder, "coco", source)
