"""Who wins a conflict."""

from __future__ import annotations

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
        return [known_takes.get(_place(c)) or RULES[policy](c) for c in conflicts.to_pylist()]

    return decide


def _place(conflict: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what names a conflict, as text: ids are such in JSON."""
    return tuple(str(conflict[name]) for name in PLACE)
