"""Marks of a review: which state labels are in, who says so and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelstore.changes.editing import altering
from labelstore.changes.reviewing.policy import review_policy
from labelstore.errors import CheckFailed, InvalidInput, NotFound, counted, shown
from labelstore.model.annotations import ReviewState
from labelstore.query.sandbox import expressions

if TYPE_CHECKING:
    from labelstore.versions.stage import Draft

State = Literal[ReviewState, "none"]
STATES: tuple[str, ...] = (*get_args(ReviewState), "none")
"""`none` takes a review back."""
STARTED = "(SELECT t.started_at FROM activities AS t WHERE t.activity_id = changed_in)"
WROTE = "(SELECT t.agent_id FROM activities AS t WHERE t.activity_id = changed_in)"
MADE = (
    "COALESCE(created_by, "
    "(SELECT t.agent_id FROM activities AS t WHERE t.activity_id = created_in))"
)
OUTDATED = (
    "COALESCE(changed_in <> created_in AND (reviewed_at IS NULL OR "
    f"COALESCE({STARTED} <> reviewed_at, TRUE)), FALSE)"
)
"""SQL: whether something wrote a label after its review."""


@dataclass(frozen=True)
class Chosen:
    """Which labels are reviewed: those that all that is given holds for.

    Attributes:
        where: SQL condition on columns of `labels`.
        ids: annotation ids; None where none were given.
        layer: the layer; needed only where a condition without ids holds in several.
    """

    where: str | None = None
    ids: Sequence[int] | None = None
    layer: str | None = None


@dataclass(frozen=True)
class Reviewed:
    """What a review did.

    Attributes:
        state: that the labels are in now.
        labels: how many were chosen.
        changed: of these, how many were not in that state by the same reviewer.
        before: how many of those that changed were in which state, `none` too.
    """

    state: str
    labels: int
    changed: int
    before: dict[str, int] = field(default_factory=dict)


def review(draft: Draft, state: str, chosen: Chosen) -> Reviewed:
    """Put labels into a state of review, in the name of who acts.

    Labels that the same reviewer put there, and that nothing wrote since, stay as they are.

    Args:
        draft: takes them.
        state: one of `STATES`.
        chosen: which labels.

    Raises:
        InvalidInput: the state is unknown, nothing is chosen, or the SQL is wrong.
        NotFound: an id is of no label.
    """
    if state not in STATES:
        raise InvalidInput(f"{state!r} is no state of review; these are: {', '.join(STATES)}",
                           code="review-state")  # fmt: skip
    draft.distinguish(f"review {state} {chosen}")
    found = _found(draft, chosen)
    changed = found.filter(_differs(found, state, draft.agent_id))
    count = changed.num_rows
    policy = review_policy(draft.workspace)
    if policy is not None and policy.four_eyes and state in policy.require:
        _refuse_own(changed, draft.agent_id, policy.require)
    if count:
        new = pa.nulls(count, pa.string()) if state == "none" else pa.repeat(state, count)
        altering.write(draft, changed.select(list(altering.KEYS)), {"review_state": new})
    before = Counter(s or "none" for s in changed.column("review_state").to_pylist())
    return Reviewed(state, found.num_rows, count, dict(sorted(before.items())))


def _found(draft: Draft, chosen: Chosen) -> pa.Table:
    """Return keys and reviews of the chosen labels."""
    if chosen.where is None and chosen.ids is None:
        raise InvalidInput("which labels? Give ids, or a SQL condition with --where.",
                           code="review-nothing")  # fmt: skip
    conditions, parameters = [], {}
    if chosen.ids is not None:
        _refuse_unknown(draft, chosen.ids)
        conditions.append("annotation_id IN (SELECT UNNEST($ids))")
        parameters["ids"] = list(chosen.ids) or [-1]
    if chosen.where is not None:
        expressions([chosen.where])
        conditions.append(f"({chosen.where}\n)")
    return altering.selected(
        draft.manifest,
        [
            *altering.KEYS,
            "review_state",
            "reviewed_by",
            f"{OUTDATED} AS outdated",
            f"{WROTE} AS wrote",
            f"{MADE} AS made",
        ],
        " AND ".join(conditions),
        chosen.layer,
        parameters,
        several=chosen.ids is not None,
    )


def _refuse_unknown(draft: Draft, ids: Sequence[int]) -> None:
    """Refuse ids that no label has; all of them at once."""
    odd = sorted(i for i in ids if not 0 <= i < 2**63)
    unknown = np.unique(np.array([i for i in ids if 0 <= i < 2**63], np.int64))
    for part in draft.manifest.parts_of("annotations"):
        if ((unknown >= part.min_id) & (unknown <= part.max_id)).any():
            there = draft.manifest.read(part, ["annotation_id"]).column(0)
            unknown = np.setdiff1d(unknown, np.asarray(there))
    none = [*odd, *unknown.tolist()]
    if none:
        raise NotFound(
            f"{counted(len(none), 'id')} of no label: {shown(none)}",
            code="annotation-unknown",
        )


def _refuse_own(changed: pa.Table, reviewer: int, granted: Sequence[str]) -> None:
    """Refuse labels that the reviewer made, or was the last to write.

    A review into another state is such a writing, too: else whoever changed a label could submit
    it and accept it then. Only what they had granted already they may grant again.
    """
    made, wrote, by = (pc.equal(changed.column(name), reviewer).fill_null(False)
                       for name in ("made", "wrote", "reviewed_by"))  # fmt: skip
    state = pc.is_in(changed.column("review_state"), value_set=pa.array(granted))
    again = pc.and_(pc.and_(by, state), pc.invert(changed.column("outdated")))
    rows = changed.filter(pc.or_(made, pc.and_(wrote, pc.invert(again))))
    if rows.num_rows:
        raise CheckFailed(
            f"somebody else must review {counted(rows.num_rows, 'label')}: the reviewer made them "
            "or was the last to write them (four_eyes in labelstore.toml): "
            f"{shown(rows.column('annotation_id').to_pylist(), 5)}",
            code="review-own",
        )


def _differs(found: pa.Table, state: str, reviewer: int) -> pa.Array:
    """Return which labels are not in a state by a reviewer, or were written since."""
    if state == "none":
        return pc.is_valid(found.column("review_state"))
    same = pc.and_(
        pc.equal(found.column("review_state"), state).fill_null(False),
        pc.equal(found.column("reviewed_by"), reviewer).fill_null(False),
    )
    return pc.invert(pc.and_(same, pc.invert(found.column("outdated"))))
