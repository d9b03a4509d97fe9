"""What imports and exports count that is unusual, in words."""

from __future__ import annotations

from labelstore.plugins import Format, find_format

MATCHED_ANEW = "labels-matched-anew"
UNNAMED = "people-unnamed"
WORDS = {
    "unlisted-items": "items that labels use and the source does not list; kept as placeholders",
    "unlisted-categories": "classes that labels use and the source does not list; kept likewise",
    "value-differs-between-sources": "values in which two sources differ; each keeps its own",
    "annotations-given-ids": "labels that came from no file; given ids after the highest",
    "annotations-completed": "labels are given box, area or crowd flag by their shape",
    "lines-skipped": "lines break the format; left out",
    "labels-skipped": "labels break the format; left out",
    "files-skipped": "files break the format; left out whole",
    UNNAMED: "people whose names are not known here; pseudonyms stand for them",
    MATCHED_ANEW: "labels have another number than before; found by what they are",
    "labels-restored": "labels are as they were before the export; its sidecar has them",
    "labels-changed": "labels were changed since the export; what it left out of them is back",
    "labels-new": "labels are not those of the export; taken as they are read",
    "labels-gone": "labels of the export are no longer in the file",
    "items-gone": "items of the export are no longer in the file, nor are their labels",
    "items-given-ids": "items that the data set does not list; given ids after the highest",
    "categories-given-ids": "classes that the data set does not list; given ids after the highest",
}

LEFT_OUT = "; left out"
"""How the words of codes end that count labels that are left out."""
NOT_IN_PIXELS = "not-in-pixels"
"""How the code ends of labels whose coordinates are parts of the image, in a file of pixels."""
VIDEOS_OUT, BARE_TRACKS, BARE_CLASSES = "videos-out", "tracks-without-labels", "unused-classes"
SHARED = {
    VIDEOS_OUT: "videos, which are not listed; their frames are",
    BARE_TRACKS: "tracks that no label is on, which go",
    BARE_CLASSES: "classes that no label has, which go",
    "drops-outside": "labels that say that the object is not there, written as if it were",
    NOT_IN_PIXELS: "labels in parts of the image, since nobody knows its size (--images or "
    "--sizes tell it); written so",
}
"""Words for losses of any format that cannot tell them, by the end of their code."""
NOUNS = {"": "labels", "items": "items", "categories": "classes", "datasets": "data sets",
         "tracks": "tracks"}  # fmt: skip


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
    has = {
        NOT_IN_PIXELS: converter.has_parts,
        VIDEOS_OUT: "parent_id" in converter.lists["items"] or bool(converter.refers),
        BARE_TRACKS: converter.lists_tracks or "track_id" not in converter.carries,
        BARE_CLASSES: converter.lists_classes,
        "drops-outside": "outside" in converter.carries,
    }
    own = {f"{converter.name}-{c}": said for c, said in SHARED.items() if not has[c]}
    return {**converter.notices, **own}
