"""The map of what was forgotten, and all branches and tags with it, in one ref transaction."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from labelstore.errors import StorageFailed
from labelstore.lineage.forgetting.cleaning import note
from labelstore.lineage.tags import replace_seen
from labelstore.versions.dvc.pointer import POINTER
from labelstore.versions.files import write_json
from labelstore.versions.forgotten import PREFIX, Forgotten, forgotten
from labelstore.versions.journal import JOURNAL, Publication
from labelstore.versions.publish import finish, move, put_back
from labelstore.versions.tagging import write_tag

if TYPE_CHECKING:
    from labelstore.versions.git import Git
    from labelstore.versions.workspace import Workspace


def next_name(git: Git) -> str:
    """Return the name of the next map's tag."""
    numbers = [int(one.name.removeprefix(PREFIX)) for one in forgotten(git)]
    return f"{PREFIX}{1 + max(numbers, default=0)}"


def publish_map(
    workspace: Workspace, branch: str, record: Forgotten, lines: list[str], sign: bool | None
) -> None:
    """Move all branches and tags at once, with the map; then note which objects are to go."""
    git = workspace.git
    head = git.run("rev-parse", "HEAD")
    new = record.commits.get(head, head)
    path = git.prefix + POINTER
    directory = workspace.directory(new) or ""
    blobs = [git.run("rev-parse", f"{commit}:{path}") for commit in (head, new)]
    publication = Publication(branch, head, new, record.name, _tag(git, record, sign),
                              {path: (blobs[0], blobs[1])}, directory)  # fmt: skip
    further = [line for line in lines if not line.startswith(f"update {branch} ")]
    if new != head:
        write_json(workspace.private / JOURNAL, asdict(publication))
    try:
        move(workspace, publication, further)
    except (StorageFailed, OSError):
        put_back(workspace, publication)
        (workspace.private / JOURNAL).unlink(missing_ok=True)
        raise
    finish(workspace, publication)
    replace_seen(workspace, record.tags)
    note(workspace, [version.directory for version in record.versions])


def _tag(git: Git, record: Forgotten, sign: bool | None) -> str:
    """Write the tag with the map, of an empty commit of its own, which keeps no old version."""
    tree = git.run("hash-object", "-t", "tree", "-w", "--stdin", input=b"")
    commit = git.run("commit-tree", tree, input=f"Forgot {record.what}\n", durable=True)
    return write_tag(git, commit, record.name, record.text(), sign)
