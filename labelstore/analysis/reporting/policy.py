"""Policies: what a difference may be, in a file of rules."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    ValidationError,
)

from labelstore.analysis.drift.shares import class_drift
from labelstore.changes.meaning import WORD_OF
from labelstore.changes.pairing import Side
from labelstore.changes.summary import reclassified
from labelstore.errors import FormatError, InvalidInput, counted
from labelstore.model.tables import TABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelstore.changes.report import Report

    Ids = NDArray[np.int64]

RELINKED = WORD_OF["track_id"]
Share = Annotated[StrictFloat, Field(ge=0, le=1)]
Count = Annotated[StrictInt, Field(ge=0)]


class Policy(BaseModel):
    """Rules of a difference; those that are left out allow all.

    A whole number is a count of labels; a number with a point a share of the labels before.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    added: Count | Share | None = None
    """Most labels that may come."""
    removed: Count | Share | None = None
    """Most labels that may go."""
    changed: Count | Share | None = None
    """Most labels that may change in what they say."""
    reclassified: Count | Share | None = None
    """Most labels that may change class, but for classes that are merged as a whole."""
    lost_tracks: Count | None = None
    """Most tracks that may have labels before and none after."""
    frozen: list[str] | None = None
    """Subsets (`SCHEME/SUBSET`) whose labels stay, and that no item joins or leaves."""
    ontology: StrictBool | None = None
    """Whether classes may differ."""
    drift: Share | None = None
    """Most by which class shares may move, as Jensen-Shannon distance."""
    agreement: Share | None = None
    """Least agreement (IoU and its like) of a label with what it was."""


@dataclass(frozen=True)
class Broken:
    """One rule that is broken: what it allows, and what was found."""

    rule: str
    allowed: str
    found: str


def read_policy(path: Path) -> Policy:
    """Return the policy in a TOML file.

    Raises:
        FormatError: with every fault.
    """
    try:
        return Policy.model_validate(tomllib.loads(path.read_text()))
    except ValidationError as error:
        rules = ", ".join(Policy.model_fields)
        faults = [f"{e['loc'][0]}: "
                  + (f"is no rule; there are {rules}" if e["type"] == "extra_forbidden"
                     else e["msg"].lower()) for e in error.errors()]  # fmt: skip
        raise FormatError(str(path), list(dict.fromkeys(faults)), code="policy") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(str(path), [str(error)], code="policy") from error
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}", code="policy") from error


def broken_rules(policy: Policy, report: Report) -> list[Broken]:
    """Return the rules that a difference breaks, in their order.

    Raises:
        InvalidInput: the policy names a split that neither version has.
    """
    found = []
    for rule, judge in JUDGES.items():
        allowed = getattr(policy, rule)
        if allowed is not None:
            found += list(judge(rule, allowed, report))
    return found


def _counted(rule: str, allowed: float, report: Report) -> Iterator[Broken]:
    count = _count(rule, report)
    total = _labels_before(report)
    most = allowed * total if isinstance(allowed, float) else allowed
    if count > most:
        share = f" ({count / total:.3%} of {total:,})" if total else ""
        limit = f"{allowed:.3%}" if isinstance(allowed, float) else f"{allowed:,}"
        yield Broken(rule, f"at most {limit}", f"{count:,}{share}")


def _count(rule: str, report: Report) -> int:
    if rule == "reclassified":
        return sum(n for *_, n in reclassified(report.found, report.names))
    tally = report.found.tables.get("annotations")
    return 0 if tally is None else int(getattr(tally, rule))


def _labels_before(report: Report) -> int:
    parts = report.sides[0].parts_of("annotations", report.layers[0])
    return sum(part.rows for part in parts)


def _lost_tracks(rule: str, allowed: int, report: Report) -> Iterator[Broken]:
    lost = sum(len(own) for own in _lost(report))
    if lost > allowed:
        yield Broken(
            rule,
            f"at most {allowed:,}",
            f"{counted(lost, 'track has', 'tracks have')} no label now",
        )


def _lost(report: Report) -> Iterator[Ids]:
    """Yield the tracks, by layer, that labels left and that no label is on now.

    Tracks of two layers have numbers of their own: there those none of whose labels has a partner.
    """
    labels, (before, after) = report.found.labels, report.sides
    if report.layers != (None, None):
        yield from _without_partner(report)
        return
    relinked = pc.match_substring(pc.binary_join(labels.column("meanings"), "|"), RELINKED)
    went = labels.filter(pc.or_(pc.equal(labels.column("change"), "removed"), relinked))
    for layer in pc.unique(went.column("layer")).to_pylist():
        keys = went.filter(pc.equal(went.column("layer"), layer))
        keys = keys.select(["item_id", "annotation_id"])
        rows = Side(before, layer, keys).rows(np.unique(np.asarray(keys.column("item_id"))))
        tracks = _tracks(rows["annotations"])
        if len(tracks):
            there = after.table(TABLES["annotations"], ["track_id"], layer)
            yield np.setdiff1d(tracks, _tracks(there))


def _without_partner(report: Report) -> Iterator[Ids]:
    """Yield the tracks of the older layer none of whose labels was found again."""
    labels = report.found.labels
    went = labels.filter(pc.equal(labels.column("change"), "removed")).column("annotation_id")
    columns = ["annotation_id", "track_id"]
    rows = report.sides[0].table(TABLES["annotations"], columns, report.layers[0])
    gone = pc.is_in(rows.column("annotation_id"), value_set=went)
    yield np.setdiff1d(_tracks(rows.filter(gone)), _tracks(rows.filter(pc.invert(gone))))


def _tracks(rows: pa.Table) -> Ids:
    return np.unique(np.asarray(rows.column("track_id").drop_null()))


def _frozen(rule: str, allowed: Sequence[str], report: Report) -> Iterator[Broken]:
    labels = report.found.labels
    items = labels.filter(pc.not_equal(labels.column("change"), "provenance")).column("item_id")
    for name in allowed:
        scheme, _, subset = name.partition("/")
        own = _subset(report, scheme, subset)
        count = int(pc.sum(pc.is_in(items, value_set=own)).as_py() or 0)
        if count:
            yield Broken(
                f"{rule} {name}",
                "no change of its labels",
                counted(count, "label differs", "labels differ"),
            )
        moves = report.found.moves.filter(pc.equal(report.found.moves.column("scheme"), scheme))
        moved = sum(int(pc.sum(pc.equal(moves.column(side), subset)).as_py() or 0)
                    for side in ("before", "after"))  # fmt: skip
        if moved:
            yield Broken(
                f"{rule} {name}", "no item joins or leaves", f"{counted(moved, 'item')} did"
            )


def _subset(report: Report, scheme: str, subset: str) -> pa.Array:
    """Return the items of a subset in either version.

    Raises:
        InvalidInput: neither has it.
    """
    found = []
    for manifest in report.sides:
        rows = manifest.table(TABLES["splits"], ["item_id", "subset"], scheme)
        found.append(rows.filter(pc.equal(rows.column("subset"), subset)).column("item_id"))
    items = pc.unique(pa.chunked_array([c for column in found for c in column.chunks], pa.int64()))
    if not len(items):
        raise InvalidInput(f"frozen: no version has items in {scheme}/{subset}", code="policy")
    return items


def _ontology(rule: str, allowed: bool, report: Report) -> Iterator[Broken]:
    edits = report.found.classes
    if edits and not allowed:
        first = f"{edits[0].what} {edits[0].category}"
        yield Broken(rule, "no change of classes", f"{len(edits):,}, such as {first}")


def _drift(rule: str, allowed: float, report: Report) -> Iterator[Broken]:
    moved = class_drift(*report.sides, *report.layers)
    before, after = (sum(p.rows for p in side.parts_of("annotations", layer))
                     for side, layer in zip(report.sides, report.layers, strict=True))  # fmt: skip
    if bool(before) != bool(after):
        yield Broken(rule, f"at most {allowed:g}", "one side has no labels")
    if moved is not None and moved.jensen_shannon > allowed:
        yield Broken(rule, f"at most {allowed:g}", f"{moved.jensen_shannon:.4f}")


def _agreement(rule: str, allowed: float, report: Report) -> Iterator[Broken]:
    low, least = 0, 1.0
    for rows in report.all_measures():
        own = rows.column("agreement").drop_null()
        low += int(pc.sum(pc.less(own, allowed)).as_py() or 0)
        least = min(least, pc.min(own).as_py() if len(own) else 1.0)
    if low:
        yield Broken(
            rule, f"at least {allowed:g}", f"{counted(low, 'label')} below, {least:.3f} the least"
        )


JUDGES: dict[str, Callable[[str, Any, Report], Iterator[Broken]]] = {
    **dict.fromkeys(("added", "removed", "changed", "reclassified"), _counted),
    "lost_tracks": _lost_tracks,
    "frozen": _frozen,
    "ontology": _ontology,
    "drift": _drift,
    "agreement": _agreement,
}
