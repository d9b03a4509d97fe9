"""What a file of the ontology asks for, against the classes there are; every fault at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from labelstore.changes.ontology.plan import Plan, Row, Steps
from labelstore.changes.ontology.refusing import circles, faulty_values, taken_names
from labelstore.changes.ontology.text import Lines
from labelstore.errors import FormatError
from labelstore.model.ontology import Ontology, OntologyClass, same_types, to_columns


def plan(ontology: Ontology, lines: Lines, rows: Sequence[Row], new_ids: Iterator[int]) -> Plan:
    """Return what a file asks for.

    Args:
        ontology: the file.
        lines: where its parts stand.
        rows: all of `categories`.
        new_ids: ids for classes that are new.

    Raises:
        FormatError: with every fault and its line.
    """
    planning = _Planning(rows, new_ids)
    for place, entry in enumerate(ontology.classes):
        planning.find(place, entry)
    for number, place in planning.places.items():
        planning.refer(number, place, ontology.classes[place])
    planning.inherit()
    planning.refuse()
    if planning.faults:
        told = sorted(planning.faults, key=lambda fault: fault[0][0])
        faults = [f"{lines.place('classes', *steps)}: {said}" for steps, said in told]
        raise FormatError(lines.path, faults, code="ontology")
    return planning.plan


class _Planning:
    def __init__(self, rows: Sequence[Row], new_ids: Iterator[int]) -> None:
        before = {row["category_id"]: row for row in rows}
        self.plan = Plan(before, dict(before))
        self.places: dict[int, int] = {}
        """Place in the file by class."""
        self.faults: list[tuple[tuple[int, *Steps], str]] = []
        self._new_ids = new_ids

    def find(self, place: int, entry: OntologyClass) -> None:
        """Find the class that an entry is about, or make one."""
        number = self._own(place, entry)
        if number is None:
            return
        if number in self.places:
            self._fault((place, "name"), "the file has this class twice")
            return
        self.places[number] = place
        columns = to_columns(entry)
        if columns.get("position", 0) is None:
            self._fault((place, "position"), "a class needs one; leave it out to keep it")
            del columns["position"]
        old = self.plan.old(number)
        if same_types(old.get("attribute_types"), columns.get("attribute_types")):
            columns.pop("attribute_types", None)
        last = max((r["position"] for r in self.plan.after.values()), default=-1)
        usual = {"category_id": number, "position": 1 + last, "sources": [], "row_hash": 0}
        self.plan.after[number] = {**usual, **old, **columns}

    def _own(self, place: int, entry: OntologyClass) -> int | None:
        """Return the id of an entry's class; None with a fault."""
        if entry.id is not None and entry.was is not None:
            return self._fault((place, "was"), "give `id` or `was`, not both")
        if entry.id is not None:
            if int(entry.id) in self.plan.before:
                return int(entry.id)
            return self._fault((place, "id"), f"there is no class with the id {entry.id}; "
                               "if it went, leave the id out to make it anew")  # fmt: skip
        if entry.was is not None and not self._is_renamed(entry):
            return self._called(self.plan.before, (place, "was"), entry.was)
        if entry.name is None:
            return self._fault((place, "name"), "a class needs a name, or the id of one")
        if any(row["name"] == entry.name for row in self.plan.before.values()):
            return self._called(self.plan.before, (place, "name"), entry.name)
        return next(self._new_ids)

    def _is_renamed(self, entry: OntologyClass) -> bool:
        """Say whether no class has the old name and one the new: this was done before."""
        names = [row["name"] for row in self.plan.before.values()]
        return entry.was not in names and entry.name in names

    def refer(self, number: int, place: int, entry: OntologyClass) -> None:
        """Find the other classes that an entry names."""
        if "parent" in entry.model_fields_set:
            parent = entry.parent
            found = parent and self._called(self.plan.after, (place, "parent"), parent)
            self.plan.after[number] = {**self.plan.after[number], "parent_id": found}
        for i, said in enumerate(entry.merge or []):
            self._merge(number, (place, "merge", i), said)
        for i, taken in enumerate(entry.take or []):
            steps = (place, "take", i, "from")
            source = self._called(self.plan.before, steps, taken.source)
            if source == number:
                self._fault(steps, "a class cannot take from itself")
            elif source is not None:
                where = ("classes", place, "take", i, "where")
                self.plan.taken.append((source, number, taken.where, where))
        if entry.remove:
            self.plan.removed.add(number)
            if number not in self.plan.before:
                self._fault((place, "remove"), "there is no such class")

    def _merge(self, number: int, steps: tuple[int, *Steps], said: str) -> None:
        gone = self._called(
            self.plan.before, steps, said, "; take this out if it was merged before"
        )
        if gone is None:
            return
        if gone == number:
            self._fault(steps, "a class cannot be merged into itself")
        elif gone in self.plan.merged:
            self._fault(steps, "this class is merged already")
        elif gone in self.places:
            self._fault(steps, "this class has an entry of its own: take that out")
        else:
            self.plan.merged[gone] = number
            self.plan.removed.add(gone)

    def inherit(self) -> None:
        """Put the children of merged classes below what these become."""
        for number, row in self.plan.after.items():
            parent = row.get("parent_id")
            if parent in self.plan.merged and number not in self.plan.removed:
                self.plan.after[number] = {**row, "parent_id": self.plan.merged[parent]}

    def refuse(self) -> None:
        """Note what the classes as they are to be break."""
        staying = {n: r for n, r in self.plan.after.items() if n not in self.plan.removed}
        for number, row in staying.items():
            if row.get("parent_id") in self.plan.removed:
                place = self.places[row["parent_id"]]
                self._fault((place, "remove"), f"{self.plan.name(number)} is below it")
        giving = {source for source, *_ in self.plan.taken}
        for number in {target for _, target, *_ in self.plan.taken} & giving:
            said = "this class gives labels to another one: do that in a file of its own"
            self._fault((self.places[number], "take"), said)
        for number, place in self.places.items():
            if number not in staying:
                continue
            for steps, said in faulty_values(staying[number]):
                self._fault((place, *steps), said)
            if circles(number, staying):
                self._fault((place, "parent"), "the way up comes back to this class")
            if taken_names(number, staying, self.plan.old(number).get("name")):
                self._fault((place, "name"), "another class has this name")

    def _called(
        self, rows: Mapping[int, Row], steps: tuple[int, *Steps], said: str, hint: str = ""
    ) -> int | None:
        """Return the id of the class of some name, or id; None with a fault."""
        found = [n for n, row in rows.items() if row.get("name") == said]
        if len(found) == 1:
            return found[0]
        if found:
            listed = ", ".join(map(str, found))
            return self._fault(steps, f"several classes are called {said!r}: give one of the "
                                      f"ids {listed}")  # fmt: skip
        if said.isdecimal() and len(said) < 20 and int(said) in rows:
            return int(said)
        return self._fault(steps, f"there is no class {said!r}{hint}")

    def _fault(self, steps: tuple[int, *Steps], said: str) -> int | None:
        """Note a fault; return None, for the class that is not found."""
        self.faults.append((steps, said))
        return None
