"""Who wins a conflict."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from labelstore.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

Take = Literal["ours", "theirs"] | None
Policy = Literal["ask", "ours", "theirs", "newest", "reviewer"]
Decide = Callable[["pa.Table"], Sequence[Take]]
"""Gets conflicts, see `conflicts.CONFLICTS`, and returns which side each takes; None leaves it."""
PLACE = ("table", "partition", "id", "cell")
"""What names a conflict."""


def _newest(conflict: Mapping[str, Any]) -> Take:
    """Return the side that was written later, where that is known."""
    ours, theirs = conflict["ours_at"], conflict["theirs_at"]
    if ours is None or theirs is None or ours == theirs:
        return None
    return "ours" if ours > theirs else "theirs"


def _reviewer(conflict: Mapping[str, Any]) -> Take:
    """Return the side that a reviewer wrote, where one did and the other is none's."""
    ours, theirs = conflict["ours_reviewed"], conflict["theirs_reviewed"]
    if ours == theirs:
        return None
    return "ours" if ours else "theirs"


RULES: Mapping[str, Callable[[Mapping[str, Any]], Take]] = {
    "ask": lambda _: None,
    "ours": lambda _: "ours",
    "theirs": lambda _: "theirs",
    "newest": _newest,
    "reviewer": _reviewer,
}


def by_policy(policy: str, said: Sequence[Mapping[str, Any]] = ()) -> Decide:
    """Return what decides conflicts: what was said of each, else the policy.

    Args:
        policy: one of `RULES`.
        said: decisions, each with `PLACE` and `take`, as `conflicts.CONFLICTS` has them.

    Raises:
        InvalidInput: no such policy, or a decision is none.
    """
    if policy not in RULES:
        known = ", ".join(RULES)
        raise InvalidInput(f"no policy {policy!r}; there are {known}", code="merge-policy")
    for number, one in enumerate(said):
        missing = [n for n in PLACE if n not in one]
        if missing or one.get("take") not in ("ours", "theirs", None):
            raise InvalidInput(
                f"decision {number}: needs {', '.join(PLACE)}, and take: ours or theirs"
                f" (not {one.get('take')!r})",
                code="merge-decision",
            )
    known_takes = {_place(one): one.get("take") for one in said}

    def decide(conflicts: pa.Table) -> list[Take]:
        rows = conflicts.to_pylist()
        _refuse_stale(rows, said)
        return [known_takes.get(_place(c)) or RULES[policy](c) for c in rows]

    return decide


def _refuse_stale(
    conflicts: Sequence[Mapping[str, Any]], said: Sequence[Mapping[str, Any]]
) -> None:
    """Refuse decisions of conflicts that are no more, or of values that are others now.

    Raises:
        InvalidInput: with the first of them.
    """
    known = {_place(c): c for c in conflicts}
    for number, one in enumerate(said):
        conflict = known.get(_place(one))
        if one.get("take") is None:
            continue
        same = conflict is not None and all(
            json.loads(conflict[side]) == one[side] for side in ("ours", "theirs") if side in one
        )
        if not same:
            what = "is no conflict" if conflict is None else "has other values now"
            raise InvalidInput(
                f"decision {number} ({' '.join(_place(one))}): {what}. Write the conflicts again "
                "with --conflicts FILE.",
                code="merge-decision",
            )


def _place(conflict: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what names a conflict, as text: ids are such in JSON."""
    return tuple(str(conflict[name]) for name in PLACE)
