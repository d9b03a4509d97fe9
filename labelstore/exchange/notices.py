"""What imports and exports count that is unusual, in words."""

from __future__ import annotations

from labelstore.plugins import Format, find_format

WORDS = {
    "unlisted-items": "items that labels use and the source does not list; kept as placeholders",
    "unlisted-categories": "classes that labels use and the source does not list; kept likewise",
    "value-differs-between-sources": "values in which two sources differ; each keeps its own",
    "annotations-given-ids": "labels that came from no file; given ids after the highest",
    "annotations-completed": "labels are given box, area or crowd flag by their shape",
    "lines-skipped": "lines break the format; left out",
    "labels-skipped": "labels break the format; left out",
    "files-skipped": "files break the format; left out whole",
    "labels-restored": "labels are as they were before the export; its sidecar has them",
    "labels-changed": "labels were changed since the export; what it left out of them is back",
    "labels-new": "labels are not those of the export; taken as they are read",
    "labels-gone": "labels of the export are no longer there, and go",
    "items-gone": "items of the export are no longer there, and go with their labels",
    "items-given-ids": "items that the data set does not list; given ids after the highest",
    "categories-given-ids": "classes that the data set does not list; given ids after the highest",
}

NOT_IN_PIXELS = "not-in-pixels"
"""How the code ends of labels whose coordinates are parts of the image, in a file of pixels."""
SHARED = {
    NOT_IN_PIXELS: "labels in parts of the image, since nobody knows its size (--images or "
    "--sizes tell it); written so",
}
"""Words for losses of any format that cannot tell them, by the end of their code."""
NOUNS = {"": "labels", "items": "items", "categories": "classes", "datasets": "data sets"}


def words(format_name: str, code: str) -> str:
    """Return what a code counts, to follow the number; the code itself where nothing is known."""
    left_out = code.removeprefix(f"{format_name}-drops-")
    table, _, column = left_out.rpartition(".")
    if left_out != code and table:
        return f"{NOUNS[table]} lose their `{column}`, as allowed"
    if left_out != code:
        return f"labels lose their `{left_out}`, as allowed"
    return {**WORDS, **meanings(find_format(format_name))}.get(code, code)


def meanings(converter: Format) -> dict[str, str]:
    """Return what an import or export of a format may tell, by code."""
    shared = {} if converter.has_parts else SHARED
    return {**converter.notices, **{f"{converter.name}-{c}": said for c, said in shared.items()}}
