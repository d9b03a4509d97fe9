"""What an export loses, seen by reading it again."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labelstore.exchange.export import Export
from labelstore.exchange.losses import USUAL
from labelstore.exchange.notices import BARE_CLASSES, LEFT_OUT, NOT_IN_PIXELS, meanings
from labelstore.exchange.recognising import numbered
from labelstore.plugins import Beside, Format
from labelstore.plugins.pages.comparing import alike
from labelstore.testing.content import Content, Row, content_of, content_of_export

ALSO = {"class": ("class",), "track": ("track_id",), NOT_IN_PIXELS: ("frame",),
        "drops-categories.name": ("class",)}  # fmt: skip
"""Columns that read otherwise, by the codes of any converter that say so."""


@dataclass
class Losses:
    """What reads otherwise.

    Attributes:
        gone: how many rows that are there lack something that they said, by column; columns of
            other tables than those of labels with the table before them.
        changed: how many say something else, or say something that they did not.
        out: how many said something and are not there.
        said: how many said something at first.
        left_out: how many labels are not there.
        apart: how many are several labels.
        classes: how many classes that no label had are not there.
    """

    gone: Counter[str] = field(default_factory=Counter)
    out: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    apart: int = 0
    classes: int = 0

    def add(self, before: Row, after: Row, table: str = "") -> None:
        """Count how two rows differ."""
        self.said.update(f"{table}{name}" for name in before)
        for name in before.keys() | after.keys():
            if not alike(before.get(name), after.get(name)):
                kind = self.changed if name in after else self.gone
                kind[f"{table}{name}"] += 1

    def add_item(self, before: Row, after: Row | None, unsaid: Collection[str]) -> None:
        """Count what an item does not say any more.

        Args:
            before: what it says by column.
            after: what it says when read; None where it is not there.
            unsaid: columns that readers fill by themselves, which so is not said.
        """
        for name, value in before.items():
            usual = USUAL[name].to_pylist() if name in USUAL else []
            if value in usual and (name in unsaid or name == "labelled_state"):
                continue
            self.said[f"items.{name}"] += 1
            if after is None:
                self.out[f"items.{name}"] += 1
            elif name in unsaid or not alike(value, after.get(name)):
                self.gone[f"items.{name}"] += 1

    def untold(
        self, told: Mapping[str, int], converter: Format, also: Mapping[str, Collection[str]]
    ) -> list[str]:
        """Return what is lost and not told, and what is told and not lost; nothing if all is well.

        Args:
            told: losses by code, as an export tells them.
            converter: what wrote it.
            also: columns that may read otherwise in a label, by the codes that say so, without the
                name of the format before them.
        """
        begin = f"{converter.name}-"
        codes = {c.removeprefix(begin): n for c, n in told.items()}
        out = {c.removeprefix(begin) for c, said in meanings(converter).items()
               if said.endswith(LEFT_OUT)}  # fmt: skip
        ways = {**ALSO, **also}
        wrong = []
        for column in sorted(self.said.keys() | self.gone.keys() | self.changed.keys()):
            others = sum(codes.get(c, 0) for c, columns in ways.items() if column in columns)
            lost, dropped = self.gone[column] + self.changed[column], codes.get(f"drops-{column}")
            expected = codes.get(f"changes-{column}", 0)
            if dropped is not None and "." in column:
                if not lost <= dropped <= lost + self.out[column]:
                    wrong.append(f"{column}: {dropped} told to go, {lost} do")
            elif dropped is not None:
                if self.said[column] != dropped or lost + self.out[column] + others < dropped:
                    wrong.append(
                        f"{column}: {dropped} told to go, {lost} of {self.said[column]} do"
                    )
            elif lost > expected + others or (lost < expected and not others):
                wrong.append(f"{column}: {lost} read otherwise, told are {expected} and {others}")
        return [*wrong, *self._out(codes, [n for code, n in codes.items() if code in out])]

    def _out(self, codes: Mapping[str, int], counts: Sequence[int]) -> Iterator[str]:
        """Yield how many labels are left out, if that is not what is told."""
        if not max(counts, default=0) <= self.left_out <= sum(counts):
            yield f"{self.left_out} labels are left out, told are {counts}"
        if self.classes != codes.get(BARE_CLASSES, 0):
            yield f"{self.classes} unused classes go, told are {codes.get(BARE_CLASSES, 0)}"
        if self.apart > codes.get("rings-apart", 0):
            yield f"{self.apart} labels are several now, and nobody says so"


def lost(export: Export, target: Path) -> Losses:
    """Return what an export of labels lost.

    Args:
        export: what was written.
        target: where it stands; read without a sidecar, with the sizes of its images.
    """
    data, converter = export.data(), export.converter
    uris = converter.uris(data)
    before = content_of_export(export)
    sizes = {uri: (row["width"], row["height"])
             for uri, (_, row) in zip(uris, before.items, strict=True)
             if {"width", "height"} <= row.keys()}  # fmt: skip
    after = content_of(converter.open(target, Beside(sizes=sizes)), converter)
    found = Losses()
    names = numbered(converter.item_key(uri) for uri in uris)
    places = {key: i for i, key in enumerate(numbered(key for key, _ in after.items))}
    unsaid = converter.unsaid if export.foreign else frozenset()
    for key, (_, row) in zip(names, before.items, strict=True):
        there = after.items[places[key]][1] if key in places else None
        found.add_item(row, there, unsaid)
    classes = dict(after.classes)
    for name, row in before.classes:
        found.add(row, classes.get(name, {}), "categories.")
    used = {label.get("class") for own in before.labels.values() for label in own}
    found.classes = sum(
        bool(name) and name not in used and name not in classes for name, _ in before.classes
    )
    _labels(before, after, [places.get(name, -1) for name in names], _told(export), found)
    return found


def _told(export: Export) -> dict[int, list[tuple[int, int]]]:
    """Return of each item, by its place, how many labels its file has for each, and where."""
    data = export.data()
    numbers = {n: i for i, n in enumerate(data.items.column("item_id").to_pylist())}
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for told in export.converter.records(data):
        items: Iterable[int] = told.rows.column("item_id").to_pylist()
        places = [0] * len(told.rows) if told.places is None else told.places.tolist()
        for item, count, place in zip(items, told.counts.tolist(), places, strict=True):
            found[numbers[item]].append((count, place))
    return found


def _labels(
    before: Content, after: Content, places: list[int],
    told: Mapping[int, list[tuple[int, int]]], found: Losses,
) -> None:  # fmt: skip
    """Count how labels differ, the k-th of an item being the k-th in its file."""
    for item, labels in before.labels.items():
        both = list(zip(labels, told[item], strict=True))
        rest = iter(after.labels.get(places[item], []))
        for label, (count, _) in sorted(both, key=lambda pair: pair[1][1]):
            own = [next(rest, None) for _ in range(count)]
            assert None not in own, f"a label is not there: {label}"
            found.left_out += not own
            found.apart += len(own) > 1
            if len(own) == 1 and own[0] is not None:
                found.add(label, own[0])
            else:
                found.said.update(label.keys())
                found.out.update(label.keys())
        more = next(rest, None)
        assert more is None, f"a label is there that was not: {more}"
