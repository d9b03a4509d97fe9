"""A history of fifty versions whose truth is known: trace, blame and log tell exactly that."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelstore.errors import NotFound
from labelstore.model import labels as l
from labelstore.store import Store, init_store

VERSIONS = 50
ITEMS = 12
CLASSES = ("car", "bus", "van")
PEOPLE = ("ada", "bob", "eve")
Step = tuple[str, str, str, dict[str, Any]]


@dataclass
class Known:
    """What a label is, and what happened to it: version, change, who, and the columns."""

    item: str
    row: dict[str, Any]
    steps: list[Step] = field(default_factory=list)
    gone: bool = False


class History:
    """A store, and what was done to it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.store = init_store(folder, target=64)
        self.rng = np.random.default_rng(seed)
        self.known: dict[int, Known] = {}
        self.subsets: dict[str, list[tuple[str, str]]] = {}
        self.version = ""

    def build(self) -> None:
        for number in range(1, VERSIONS + 1):
            self.version = f"v{number}"
            acts = [self._add] if number == 1 else [
                (self._add, self._score, self._move, self._class, self._review, self._delete,
                 self._split)[i] for i in self.rng.choice(7, 1 + int(self.rng.random() < 0.3),
                                                          replace=False)]  # fmt: skip
            for act in acts:
                act(str(self.rng.choice(PEOPLE)))
            if self.store.staged() is None:  # nothing that was chosen was left to do
                self._score("ada")
            assert self.store.commit(f"version {number}", tag=self.version)

    def _chosen(self, share: float) -> list[int]:
        there = [n for n, known in self.known.items() if not known.gone]
        return [n for n in there if self.rng.random() < share] or there[:1]

    def _add(self, by: str) -> None:
        first = not self.known
        count = 60 if first else 4
        rows = [(f"{self.rng.integers(ITEMS):03d}.jpg", str(self.rng.choice(CLASSES)), float(n))
                for n in range(count)]  # fmt: skip
        with self.store.edit(by=by, message="new") as edit:
            ids = edit.add(
                [l.Box(item=item, category=name, x=x, y=1, width=5, height=5)
                 for item, name, x in rows],
                items=[{"uri": f"{n:03d}.jpg", "width": 99, "height": 99}
                       for n in range(ITEMS)] if first else None,
                categories=[{"name": c} for c in CLASSES] if first else None,
            )  # fmt: skip
        for number, (item, name, x) in zip(ids.tolist(), rows, strict=True):
            own = {"category": name, "score": None, "box": x, "review_state": None}
            self.known[number] = Known(item, own, [(self.version, "created", by, {})])

    def _set(self, by: str, column: str, value: Any, sql: str, share: float) -> None:
        chosen = self._chosen(share)
        with self.store.edit(by=by) as edit:
            edit.update(where=_among(chosen), set={column: sql})
        self._note(chosen, by, column, value)

    def _note(self, chosen: list[int], by: str, column: str, value: Any) -> None:
        for number in chosen:
            known = self.known[number]
            before = known.row[column]
            if before == value:
                continue
            known.row[column] = value
            last = known.steps[-1]
            if last[0] == self.version and last[1] == "created":
                known.steps[-1] = (self.version, "created", by, {})
            elif last[0] == self.version:
                was = last[3].get(column, (before, None))[0]
                columns = {**last[3], column: (was, value)}
                columns = {n: pair for n, pair in columns.items() if pair[0] != pair[1]}
                known.steps[-1] = (self.version, "changed", by, columns)
            else:
                known.steps.append((self.version, "changed", by, {column: (before, value)}))

    def _score(self, by: str) -> None:
        value = float(self.rng.integers(1, 1_000_000)) / 1_000_000
        self._set(by, "score", value, repr(value), 0.1)

    def _move(self, by: str) -> None:
        x = float(self.rng.integers(100, 10**6))
        self._set(by, "box", x, f"{{'v0': {x}, 'v1': 1.0, 'v2': 5.0, 'v3': 5.0}}", 0.1)

    def _class(self, by: str) -> None:
        name = str(self.rng.choice(CLASSES))
        chosen = [n for n in self._chosen(0.1) if self.known[n].row["category"] != name]
        if chosen:
            with self.store.edit(by=by) as edit:
                edit.update(where=_among(chosen), set={"category": f"'{name}'"})
            self._note(chosen, by, "category", name)

    def _review(self, by: str) -> None:
        state = str(self.rng.choice(["accepted", "rejected"]))
        chosen = [n for n in self._chosen(0.1) if self.known[n].row["review_state"] != state]
        if chosen:
            self.store.review(state, ids=chosen, by=by, reason="looked")
            self._note(chosen, by, "review_state", state)

    def _delete(self, by: str) -> None:
        chosen = [n for n in self._chosen(0.03) if self.known[n].steps[-1][0] != self.version]
        if not chosen:
            return
        with self.store.edit(by=by) as edit:
            edit.delete(where=_among(chosen))
        for number in chosen:
            known = self.known[number]
            known.gone = True
            known.steps.append((self.version, "deleted", by, {}))

    def _split(self, by: str) -> None:
        seed = int(self.rng.integers(1000))
        self.store.split("default", ratios="train=0.5,val=0.5", seed=seed, by=by, fresh=True)
        rows = self.store.query("SELECT i.uri, s.subset FROM splits s JOIN items i "
                                "USING (item_id)").to_pylist()  # fmt: skip
        for row in rows:
            own = self.subsets.setdefault(row["uri"], [])
            if own and own[-1][0] == self.version:
                own.pop()
            if not own or own[-1][1] != row["subset"]:
                own.append((self.version, row["subset"]))


def _among(ids: list[int]) -> str:
    return f"annotation_id IN ({', '.join(map(str, ids))})"


@pytest.fixture(scope="module", params=[1, 2])
def history(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> History:
    made = History(tmp_path_factory.mktemp("truth") / "store", request.param)
    made.build()
    return made


def told(store: Store, number: int) -> list[Step]:
    return [
        (s.version, s.change, s.agent or "", {n: pair for n, pair in s.columns.items()})
        for s in store.trace(number).steps
    ]


def plain(steps: list[Step]) -> list[Step]:
    """Return steps with boxes by their left edge, and columns that follow left out."""
    found = []
    for version, change, by, columns in steps:
        own = {n: (a["v0"], b["v0"]) if n == "box" else (a, b) for n, (a, b) in columns.items()
               if n in ("category", "score", "box", "review_state")}  # fmt: skip
        found.append((version, change, by, own))
    return found


def test_every_trace_is_the_truth(history: History) -> None:
    changes = 0
    for number, known in history.known.items():
        truth = [s if s[1] != "deleted" else (*s[:2], "", {}) for s in known.steps]
        found = [s if s[1] != "deleted" else (*s[:2], "", {})
                 for s in plain(told(history.store, number))]  # fmt: skip
        assert found == truth, number
        changes += len(truth)
    assert changes > 2 * len(history.known)


def test_who_deleted_is_known_where_one_alone_acted(history: History) -> None:
    for number, known in history.known.items():
        if known.gone:
            step = history.store.trace(number).steps[-1]
            assert known.steps[-1][2] in (step.agent or "").split(" or ")


def test_every_label_is_blamed_on_who_wrote_it_last(history: History) -> None:
    seen = 0
    for item in sorted({known.item for known in history.known.values()}):
        found = history.store.blame(item)
        truth = {n: k for n, k in history.known.items() if k.item == item and not k.gone}
        assert {own.annotation_id for own in found.labels} == truth.keys()
        for own in found.labels:
            known = truth[own.annotation_id]
            assert own.by == known.steps[-1][2], own
            assert own.commit is not None
            assert own.commit.name == known.steps[-1][0], own
            assert own.category == known.row["category"]
            state = own.review.state if own.review else None
            assert state == known.row["review_state"]
            seen += 1
    assert seen == sum(not known.gone for known in history.known.values())


def test_the_log_of_an_item_names_the_versions_that_touched_it(history: History) -> None:
    for item in ("000.jpg", "007.jpg"):
        truth = {step[0] for k in history.known.values() if k.item == item for step in k.steps}
        truth |= {"v1", *(version for version, _ in history.subsets.get(item, []))}
        found = {c.name for c in history.store.log(item=item)}
        assert truth <= found <= truth | _assigned(history)


def _assigned(history: History) -> set[str]:
    """Return versions that made a split: they write who did it with each place."""
    return {c.name for c in history.store.log()} & {
        version for own in history.subsets.values() for version, _ in own
    }


def test_the_log_of_a_class_names_the_versions_that_touched_it(history: History) -> None:
    for name in CLASSES:
        truth = set()
        for known in history.known.values():
            now = _class_at_birth(known)
            for version, _, _, columns in known.steps:
                before, now = now, columns.get("category", (now, now))[1]
                truth |= {version} if name in (before, now) else set()
        assert {c.name for c in history.store.log(category=name)} == truth


def _class_at_birth(known: Known) -> str:
    for _, _, _, columns in known.steps:
        if "category" in columns:
            return str(columns["category"][0])
    return str(known.row["category"])


def test_the_log_of_an_author_names_the_versions_they_acted_in(history: History) -> None:
    rows = history.store.query("SELECT a.name AS who, t.message FROM activities t "
                               "JOIN agents a USING (agent_id)")  # fmt: skip
    assert rows.num_rows >= VERSIONS
    found = {name: {c.name for c in history.store.log(author=name)} for name in PEOPLE}
    acted = {name: {s[0] for k in history.known.values() for s in k.steps if s[2] == name}
             for name in PEOPLE}  # fmt: skip
    for name in PEOPLE:
        assert acted[name] <= found[name]
    assert set.union(*found.values()) == {f"v{n}" for n in range(1, VERSIONS + 1)}
    with pytest.raises(NotFound, match="nobody is called 'zoe'"):
        history.store.log(author="zoe")


def test_a_trace_says_which_subsets_its_item_lay_in(history: History) -> None:
    for number, known in list(history.known.items())[:20]:
        placed = history.store.trace(number).subsets
        truth = history.subsets.get(known.item, [])
        assert [(p.commit.name, p.subset) for p in placed] == truth


def test_old_versions_know_nothing_of_later_ones(history: History) -> None:
    number = next(n for n, k in history.known.items() if k.steps[0][0] == "v1"
                  and len(k.steps) > 2)  # fmt: skip
    at = history.known[number].steps[1][0]
    found = history.store.trace(number, at=at)
    assert found.steps[-1].version == at
    assert len(found.steps) == 2
