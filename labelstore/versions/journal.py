"""The journal of a commit under way, from which the next command puts a broken one right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labelstore.errors import Corrupt
from labelstore.versions.dvc.pointer import POINTER
from labelstore.versions.files import read_json
from labelstore.versions.workspace import SETTINGS, Workspace

JOURNAL = "publishing.json"
COMMITTED = (POINTER, SETTINGS, ".gitignore", ".dvcignore", ".dvc/.gitignore", ".dvc/config")
"""Files that a commit of ours may touch."""
JOURNAL_FIELDS = {
    "branch": str,
    "old": str,
    "new": str,
    "tag": str,
    "tag_object": str,
    "files": dict,
    "directory": str,
}


@dataclass(frozen=True)
class Publication:
    """What the journal says of a commit under way.

    Attributes:
        branch: full ref name.
        old, new: commits before and after; `old` is 40 zeros before the first.
        tag: tag name or empty, with the tag object it gets.
        files: path from the top of the repository to its blobs before (or empty) and after.
        directory: name of the new `.dir` object.
    """

    branch: str
    old: str
    new: str
    tag: str
    tag_object: str
    files: dict[str, tuple[str, str]]
    directory: str


def pending(workspace: Workspace) -> Publication | None:
    """Return what the journal says of a commit that never came to its end, or None."""
    path = workspace.private / JOURNAL
    content = read_json(path, JOURNAL_FIELDS)
    if content is None:
        return None
    if not _is_ours(workspace, content):
        raise Corrupt(
            f"{path}: is no journal of a commit to this store; it may come from somebody else. "
            "Delete the file.",
            code="private-file",
        )
    files = {path: (before, after) for path, (before, after) in content["files"].items()}
    return Publication(**{k: content[k] for k in JOURNAL_FIELDS if k != "files"}, files=files)


def _is_ours(workspace: Workspace, content: Mapping[str, Any]) -> bool:
    """Say whether a journal names files of the store, blobs and a branch, and nothing else."""
    git = workspace.git
    top = workspace.layout.root.relative_to(git.root).as_posix()
    tops = {git.prefix, "" if top == "." else f"{top}/"}
    known = {folder + name for folder in tops for name in COMMITTED}
    shas = [
        content["new"],
        content["old"],
        *(s for pair in content["files"].values() for s in pair),
    ]
    return (
        content["files"].keys() <= known
        and all(isinstance(sha, str) and re.fullmatch(r"([0-9a-f]{40})?", sha) for sha in shas)
        and content["branch"].startswith("refs/heads/")
        and git.succeeds("check-ref-format", content["branch"])
        and (not content["tag"] or git.succeeds("check-ref-format", f"refs/tags/{content['tag']}"))
    )
