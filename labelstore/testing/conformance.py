"""What every converter has to keep, as tests that an author's own test class inherits.

Example:
    class TestVoc(Conformance):
        format = "voc"
        sources = (Path("tests/data/voc"),)
        broken = {Path("tests/data/broken.xml"): "line 3"}
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from labelstore.errors import InvalidInput, LossRefused
from labelstore.exchange.export import Export
from labelstore.exchange.tally import saying
from labelstore.model.tables import FAMILY, TABLES
from labelstore.plugins import Piece, find_format
from labelstore.storage.parquet import conform
from labelstore.store import Store, init_store
from labelstore.testing.comparing import lost


def _by_seq(pieces: Sequence[Piece]) -> list[pa.Table]:
    """Return the rows of both tables, in the order of the source."""
    tables = [pa.concat_tables([conform(getattr(piece, name), TABLES[name]) for piece in pieces])
              for name in FAMILY]  # fmt: skip
    order = np.argsort(tables[0].column("seq").combine_chunks())
    return [rows.take(pa.array(order)) for rows in tables]


SAMPLE = "coco"
"""Format of the labels that others are to hold."""


class Conformance:
    """Tests of one format; `pytest` collects them from a subclass whose name begins with `Test`.

    Attributes:
        format: name of the converter, as its package registers it.
        sources: files or folders that it reads, all of whose text it has to write again.
        broken: files or folders that it has to refuse, and a part of what it then says.
        images: whether it has a place for labels of single images, such as COCO's; formats of
            sequences have none, and have to refuse them.
        also: columns that read otherwise in a label, by the codes of losses that say so beside
            `drops-COLUMN` and `changes-COLUMN`; without the format's name before them.
    """

    format: ClassVar[str]
    sources: ClassVar[Sequence[Path]]
    broken: ClassVar[Mapping[Path, str]] = {}
    images: ClassVar[bool] = True
    also: ClassVar[Mapping[str, Collection[str]]] = {}

    def test_text_comes_back(self, tmp_path: Path) -> None:
        """An export writes each file that was read, byte for byte, and no other."""
        for i, source in enumerate(self.sources):
            store = _read(tmp_path / f"store-{i}", self.format, source)
            target = tmp_path / f"out-{i}" / source.name
            target.parent.mkdir()
            store.export_to(self.format, target)
            before, written = texts(source), texts(target)
            assert before, f"{source}: has no text"
            assert written.keys() == before.keys(), source
            for name, data in written.items():
                assert data == before[name], f"{source}, {name}: another text came back"

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
            first = {i: reading.annotations(i) for i in order}
            again = {i: reading.annotations(i) for i in reversed(order)}
            for name in FAMILY:
                same = (getattr(first[i], name).equals(getattr(again[i], name)) for i in order)
                assert all(same), f"{source}: {name} differ"

    def test_labels_that_can_be_chosen_are_those_of_their_items(self) -> None:
        """A source that says of which items its labels are gives any of them, and they are."""
        for source in self.sources:
            reading = find_format(self.format).open(source)
            owners = reading.owners()
            if owners is None:
                continue
            lots = np.array_split(np.arange(len(owners))[::-1], 3)
            chosen = _by_seq([reading.chosen(places) for places in lots])
            whole = _by_seq([reading.annotations(i) for i in range(reading.pieces)])
            assert chosen == whole, source
            assert chosen[0].column("item_id").to_pylist() == owners.tolist(), source

    def test_losses_are_those_that_are_told(self, tmp_path: Path) -> None:
        """Labels of another format lose what the export says, and nothing else."""
        first, target = _sample(tmp_path / "first"), self._target(tmp_path)
        if not self.images:
            return self._refuses_images(first, target)
        report = first.export_to(self.format, target, allow_loss=["all"], sidecar=False)
        layer = first.workspace.default_layer
        export = Export(first.manifest(), self.format, layer, None, None)
        found = lost(export, target)
        assert found.said, "nothing was compared"
        assert not found.untold(report.notices, export.converter, self.also)
        return None

    def test_a_sidecar_brings_all_back(self, tmp_path: Path) -> None:
        """Labels of another format come back as they were."""
        first, target = _sample(tmp_path / "first"), self._target(tmp_path)
        if not self.images:
            return self._refuses_images(first, target)
        first.export_to(self.format, target, allow_loss=["all"])
        second = _read(tmp_path / "second", self.format, target)
        for store, name in ((first, "a.json"), (second, "b.json")):
            store.export_to("coco", tmp_path / name)
        sides = [json.loads((tmp_path / name).read_text()) for name in ("a.json", "b.json")]
        assert sides[0] == sides[1]
        return None

    def test_nothing_is_written_before_losses_are_accepted(self, tmp_path: Path) -> None:
        """A refused export leaves nothing behind."""
        first, target = _sample(tmp_path / "first"), self._target(tmp_path)
        if self.format == SAMPLE:
            assert not first.export_to(self.format, target).losses
            return
        with pytest.raises((LossRefused, InvalidInput)):
            first.export_to(self.format, target)
        assert [p.name for p in tmp_path.iterdir()] == ["first"]

    def test_broken_files_are_refused_and_named(self, tmp_path: Path) -> None:
        """A file with faults is named with its place, and nothing is stored."""
        for i, (source, told) in enumerate(self.broken.items()):
            store = init_store(tmp_path / f"store-{i}")
            said = _refusal(store, self.format, source)
            assert said is not None, f"{source}: was read"
            assert told in said, f"{source}: {said}"
            assert store.staged() is None

    def _target(self, folder: Path) -> Path:
        """Return where to write, with the suffix of the sources."""
        return folder / f"out{self.sources[0].suffix}"

    def _refuses_images(self, store: Store, target: Path) -> None:
        with pytest.raises(InvalidInput):
            store.export_to(self.format, target, allow_loss=["all"])
        assert not target.exists()


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
    """Return how many labels say something in each content column; see `saying`."""
    found: dict[str, int] = {}
    manifest = store.manifest()
    for name in FAMILY:
        for part in manifest.parts_of(name):
            rows = manifest.read(part)
            for column in TABLES[name].columns("content"):
                said = pc.sum(saying(column, rows.column(column))).as_py() or 0
                found[column] = found.get(column, 0) + said
    return found


def _read(folder: Path, name: str, source: Path) -> Store:
    store = init_store(folder)
    store.import_from(name, source, message="conformance", commit=True)
    return store


def _sample(folder: Path) -> Store:
    """Return a store of real COCO labels."""
    with as_file(files("labelstore.cli") / "demo" / "delivery-1.json") as source:
        return _read(folder, SAMPLE, source)
