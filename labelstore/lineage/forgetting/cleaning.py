"""Objects of versions that are no more: out of the cache and off the remotes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from labelstore.errors import LabelstoreError
from labelstore.storage.cache import Cache
from labelstore.storage.objects import object_path
from labelstore.versions.dvc.pointer import read_directory_object
from labelstore.versions.exchange import push, remote_of
from labelstore.versions.files import read_json, write_json
from labelstore.versions.forgotten import forgotten, held_commits
from labelstore.versions.stage import open_stage

if TYPE_CHECKING:
    from labelstore.versions.workspace import Workspace

LEFT = "forgotten.json"
"""What is still to be removed, and from where; a run that was killed goes on with it."""


def objects_of(workspace: Workspace, directories: Iterable[str]) -> set[str]:
    """Return the objects of versions that are here, their `.dir` objects among them."""
    found: set[str] = set()
    for directory in directories:
        try:
            files = workspace.manifest_of(directory).files
        except LabelstoreError:  # removed already
            continue
        found |= {directory, *files.values()}
    return found


def gone(workspace: Workspace, old: Collection[str]) -> set[str]:
    """Return the objects of old versions that no version has any more, as far as they are known.

    Args:
        workspace: the store.
        old: `.dir` objects of the versions that are no more.
    """
    commits = held_commits(workspace.git)
    now = {d for d in workspace.directories(commits) if d} - set(old)
    staged = open_stage(workspace)
    kept = objects_of(workspace, now) | set(staged.manifest.files.values() if staged else ())
    found = objects_of(workspace, old)
    for name in remotes(workspace):
        for directory, data in remote_of(workspace, name)[1].there(set(old) - found).items():
            found |= {directory, *read_directory_object(data, f"{directory} on {name}").values()}
    return found - kept


def note(workspace: Workspace, old: Collection[str]) -> None:
    """Note which objects of old versions are to be removed from everywhere; see `gone`."""
    left = _left(workspace)
    places = ["", *left["places"], *remotes(workspace)]
    write_json(workspace.private / LEFT, {
        "objects": sorted(gone(workspace, old) | set(left["objects"])),
        "places": list(dict.fromkeys(places)),
    })  # fmt: skip


def forgotten_versions(workspace: Workspace) -> set[str]:
    """Return the `.dir` objects of all versions that maps say are no more."""
    return {v.directory for one in forgotten(workspace.git) for v in one.versions}


def remotes(workspace: Workspace) -> list[str]:
    """Return the names of the remotes that DVC knows here."""
    sections = (s for s in workspace.layout.config if s.startswith("remote "))
    return sorted(s.removeprefix("remote ").strip("\"'") for s in sections)


def clean(workspace: Workspace) -> dict[str, int]:
    """Remove what is noted from the cache, then from each remote, which gets what is new first.

    What is removed from a place is noted, so that a run that breaks off goes on where it was.
    Whoever may not write to a remote has cleaned their own cache by then.

    Returns:
        How many objects went, by remote, and from the cache.

    Raises:
        StorageFailed: a remote cannot be reached or refuses.
    """
    left = _left(workspace)
    found: dict[str, int] = {}
    places = list(left["places"]) if left["objects"] else []
    for place in places:
        if place:
            push(workspace, place)
            found[place] = remote_of(workspace, place)[1].remove(left["objects"])
        else:
            found["cache"] = _out_of_cache(workspace, left["objects"])
        left["places"].remove(place)
        write_json(workspace.private / LEFT, left)
    (workspace.private / LEFT).unlink(missing_ok=True)
    return found


def _left(workspace: Workspace) -> dict[str, list[str]]:
    content = read_json(workspace.private / LEFT, {"objects": list, "places": list})
    return content or {"objects": [], "places": []}


def _out_of_cache(workspace: Workspace, objects: Iterable[str]) -> int:
    count = Cache.at().remove(objects)
    for folder in workspace.object_folders:
        for name in objects:
            path = object_path(folder, name)
            if path.exists():
                path.unlink()
                count += 1
    return count
