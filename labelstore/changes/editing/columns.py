"""Columns that people give of labels, tracks and relations, and those that they cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from difflib import get_close_matches

from labelstore.changes.editing.flat import FORMS
from labelstore.errors import InvalidInput
from labelstore.model.tables import FAMILY, TABLES, Table

NAMED = {
    "uri": ("items", "item_id", "item"),
    "category": ("categories", "category_id", "class"),
}
"""Column of a name, with the table, the id and the word for what it names."""
REFERRED = {
    "item_id": ("items", "item"),
    "category_id": ("categories", "class"),
    "dataset_id": ("datasets", "data set"),
}
"""Column of an id, with the table that must have it and the word for what it means."""
IDS = frozenset({*REFERRED, "track_id", "group_id", "parent_annotation_id"})
"""Columns of ids that rows may be given with."""
NEVER_SET = frozenset({"number_style"})
"""How a source wrote its numbers: nothing that a hand can know."""
OURS = frozenset(
    {"annotation_id", "row_hash", "geometry_hash", "created_in", "changed_in",
     "xmin", "ymin", "xmax", "ymax"}
)  # fmt: skip
"""Columns that the store fills itself."""


def refuse_columns(table: Table, names: Sequence[str], named: Collection[str] = ()) -> None:
    """Refuse columns of tracks and relations that people cannot give.

    Raises:
        InvalidInput: with all of them, and those that can be given.
    """
    known = [*named, *(n for n in table.columns("content") if n != table.id_column)]
    unknown = [n for n in names if n not in known]
    both = [f"{c} and {i}" for c, (_, i, _) in NAMED.items() if {c, i} <= set(names)]
    if unknown or both:
        said = f"unknown columns of {table.name}: {', '.join(unknown)}" if unknown else (
            f"columns given twice: {', '.join(both)}")  # fmt: skip
        raise InvalidInput(f"{said}. These can be given: {', '.join(known)}.", code="edit-column")


def near(name: str | None, known: Collection[str | None]) -> str:
    """Return a hint at the name that was meant, where there is one like it."""
    folded = {k.casefold(): k for k in known if k}
    close = get_close_matches((name or "").casefold(), folded, 1, 0.75)
    return f" (is it {folded[close[0]]!r}?)" if close else ""


def refuse_given(names: Sequence[str]) -> None:
    """Refuse columns of labels that people cannot give.

    Raises:
        InvalidInput: with all of them.
    """
    known = {n for name in FAMILY for n in TABLES[name].schema.names} | NAMED.keys()
    known -= NEVER_SET
    ours = sorted(OURS & set(names))
    if ours:
        raise InvalidInput(
            f"the store fills {', '.join(ours)} itself: leave {'them' if ours[1:] else 'it'} out",
            code="edit-column",
        )
    unknown = [n for n in names if n not in known]
    if unknown:
        fields = {field for form in FORMS.values() for field in form}
        hints = [hint for n in unknown if n not in fields and (hint := near(n, known | fields))]
        raise InvalidInput(
            f"unknown columns: {', '.join(unknown)}{''.join(hints)}. These can be given: those of "
            "`annotations` and `geometries`; or x, y, width, height; or cx, cy, width, height, "
            "angle; or cx, cy, rx, ry, angle",
            code="edit-column",
        )
    repeated = [n for n, count in Counter(names).items() if count > 1]
    both = [f"{c} and {i}" for c, (_, i, _) in NAMED.items() if {c, i} <= set(names)]
    if repeated or both:
        raise InvalidInput(
            f"columns given twice: {', '.join([*repeated, *both])}", code="edit-column"
        )
