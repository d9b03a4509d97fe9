"""Publishing: from a stage to a commit that Git and DVC both understand.

Order, each step harmless if the next never comes: objects into DVC's cache; blobs, tree, commit
and tag object in Git's database; the journal; the working copy of `labels.dvc`; its index entry;
then branch and tag in one ref transaction. The index goes before the refs, because the next plain
`git commit` takes what the index holds: with the old entry there it would revert the version.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from labelstore.errors import Conflict, InvalidInput, StorageFailed
from labelstore.storage.objects import find, link_into, object_path, put_as, sync_folder
from labelstore.versions.checkout import check_place, follow
from labelstore.versions.dvc.pointer import POINTER, directory_object, pointer_text
from labelstore.versions.files import write_json, write_whole
from labelstore.versions.git import ZERO
from labelstore.versions.journal import JOURNAL, Publication
from labelstore.versions.manifest import Manifest
from labelstore.versions.stage import drop_stage, open_stage
from labelstore.versions.tagging import check_tag_free, commit_text, tag_object
from labelstore.versions.workspace import Workspace


def publish(
    workspace: Workspace,
    manifest: Manifest,
    *,
    parent: str | None,
    message: str,
    tag: str | None = None,
    extra: Mapping[str, bytes] | None = None,
    sign: bool | None = None,
) -> str:
    """Commit a manifest, tag it, and return the commit.

    Args:
        workspace: the store.
        manifest: what to publish.
        parent: commit that HEAD must be at; None for the first of the repository.
        message: of the commit.
        tag: name of an annotated tag to create in the same step.
        extra: further files (path from the top of the repository) of the same commit.
        sign: whether to sign the tag; see `tag_version`.

    Raises:
        Conflict: HEAD moved, is detached, or `labels.dvc` is changed or staged by hand.
        AlreadyExists: the tag is there.
        StorageFailed: Git or the disk failed; everything is as before.
    """
    git = workspace.git
    if not message.strip():
        raise InvalidInput("a version needs a message: pass -m TEXT")
    with workspace.layout.locked():
        branch = check_ready(workspace, parent)
        if tag is not None:
            check_tag_free(git, tag)
        check_place(workspace, manifest)
        directory = place_objects(workspace, manifest)
        files = {**(extra or {}), git.prefix + POINTER: pointer(workspace, manifest, directory)}
        record = _write_commit(
            workspace, branch, parent, files, manifest, message, tag, directory, sign
        )
        write_json(workspace.private / JOURNAL, asdict(record))
        try:
            move(workspace, record)
        except (StorageFailed, OSError):
            put_back(workspace, record)
            (workspace.private / JOURNAL).unlink(missing_ok=True)
            raise
        finish(workspace, record)
    return record.new


def publish_stage(
    workspace: Workspace, message: str, tag: str | None = None, sign: bool | None = None
) -> str | None:
    """Publish what is staged, and return the commit; None where nothing is.

    The caller holds the stage; see `Workspace.staging`.
    """
    staged = open_stage(workspace)
    if staged is None:
        return None
    parent = onto(workspace, staged.parent)
    return publish(workspace, staged.manifest, parent=parent, message=message, tag=tag, sign=sign)


def onto(workspace: Workspace, parent: str) -> str:
    """Return what to publish on: HEAD where it holds the parent's labels, else the parent."""
    head = workspace.git.head()
    if head is not None and workspace.directory(head) == workspace.directory(parent):
        return head
    return parent


def check_ready(workspace: Workspace, parent: str | None) -> str:
    """Return the branch to move, if the repository is in a state to publish from.

    Raises:
        Conflict: it is not; the message says why and what to do.
    """
    git = workspace.git
    branch = git.branch()
    if branch is None:
        raise Conflict(
            "HEAD is detached. Run `git switch BRANCH` first, so that the version has a branch.",
            code="detached",
        )
    head = git.head()
    if head != parent:
        raise Conflict(
            f"{branch.removeprefix('refs/heads/')} moved to {(head or ZERO)[:12]} since the "
            f"stage was made from {(parent or ZERO)[:12]}. Your stage is kept: run "
            "`git switch` back to its parent to commit it there, or `labelstore restore` and "
            "repeat the edit here.",
            code="moved",
        )
    for state in ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD"):
        if git.git_path(state).exists():
            raise Conflict(
                f"Git is in the middle of something ({state}). Finish or abort that first.",
                code="git-busy",
            )
    dirty = git.run("status", "--porcelain", "--", git.prefix + POINTER)
    if dirty:
        raise Conflict(
            f"{git.prefix}{POINTER} is changed, staged or unmerged ({dirty[:2].strip()}), and not "
            f"by this stage. Commit it or run `git restore --staged --worktree {POINTER}`.",
            code="dirty",
        )
    return branch


def check_publishable(workspace: Workspace, tag: str | None) -> None:
    """Refuse what `publish` would refuse, before the work that leads to it is done.

    Raises:
        Conflict: HEAD is detached, has other labels than the stage's parent, or is busy.
        AlreadyExists: the tag is there.
    """
    if tag is not None:
        check_tag_free(workspace.git, tag)
    staged = open_stage(workspace)
    check_ready(workspace, onto(workspace, staged.parent) if staged else workspace.git.head())


def place_objects(workspace: Workspace, manifest: Manifest) -> str:
    """Put a manifest's objects into DVC's cache and return the name of its `.dir` object.

    Costs what is new: an object in the cache is only touched, which keeps it from a collector.
    """
    cache = workspace.layout.cache
    created: set[Path] = set()
    for md5 in _staged(workspace) & set(manifest.files.values()):
        link_into(cache, md5, object_path(workspace.objects, md5))
        created.add(object_path(cache, md5).parent)
    for folder in created:
        sync_folder(folder)
    name, data = _directory(manifest)
    put_as(cache, name, data)
    return name


def _directory(manifest: Manifest) -> tuple[str, bytes]:
    """Return the name and the bytes of a manifest's `.dir` object."""
    data = directory_object(manifest.files)
    return hashlib.md5(data, usedforsecurity=False).hexdigest() + ".dir", data


def _staged(workspace: Workspace) -> set[str]:
    """Return the objects of the stage."""
    return {path.parent.name + path.name for path in workspace.objects.glob("[0-9a-f][0-9a-f]/*")}


def pointer(workspace: Workspace, manifest: Manifest, directory: str) -> bytes:
    """Return the text of `labels.dvc` for a manifest whose objects are in the cache."""
    folders = (workspace.layout.cache,)
    sizes = [find(folders, md5).stat().st_size for md5 in manifest.files.values()]
    return pointer_text(directory, sum(sizes), len(sizes)).encode()


def _write_commit(
    workspace: Workspace,
    branch: str,
    parent: str | None,
    files: Mapping[str, bytes],
    manifest: Manifest,
    message: str,
    tag: str | None,
    directory: str,
    sign: bool | None,
) -> Publication:
    """Write blobs, tree, commit and tag object; no ref, no index, no working file is touched."""
    git = workspace.git
    index = workspace.private / f"tree.{os.getpid()}.index"
    env = {"GIT_INDEX_FILE": str(index)}
    blobs: dict[str, tuple[str, str]] = {}
    try:
        git.run("read-tree", parent or "--empty", env=env)
        for path, data in files.items():
            blob = git.run("hash-object", "-w", "--stdin", input=data, durable=True)
            before = git.run("ls-files", "-s", "--", path, env=env).split(" ")
            blobs[path] = (before[1] if len(before) > 1 else "", blob)
            git.run("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", env=env)
        tree = git.run("write-tree", env=env, durable=True)
    finally:
        index.unlink(missing_ok=True)
    text = commit_text(message, manifest)
    parents = ["-p", parent] if parent else []
    commit = git.run("commit-tree", tree, *parents, input=text, durable=True)
    tagged = tag_object(git, commit, tag, message, manifest.root, sign) if tag else ""
    return Publication(branch, parent or ZERO, commit, tag or "", tagged, blobs, directory)


def move(workspace: Workspace, record: Publication, further: Sequence[str] = ()) -> None:
    """Write working files and index entries, then move branch and tag in one transaction.

    Args:
        workspace: the store.
        record: of the commit.
        further: lines for `git update-ref --stdin` that belong to the same transaction.
    """
    git = workspace.git
    for path, (_, after) in record.files.items():
        write_whole(git.root / path, git.object(after), workspace.private)
        entry = f"100644,{after},{path}"
        git.run("update-index", "--add", "--cacheinfo", entry, durable=True)
    lines = ["start", f"update {record.branch} {record.new} {record.old}"]
    if record.tag:
        lines.append(f"create refs/tags/{record.tag} {record.tag_object}")
    lines += further
    lines += ["prepare", "commit", ""]
    subject = f"labelstore: {record.tag or record.new[:12]}"
    git.run("update-ref", "-m", subject, "--stdin", input="\n".join(lines), durable=True)


def put_back(workspace: Workspace, record: Publication) -> None:
    """Give working files and index entries that `move` wrote their former content."""
    git = workspace.git
    for path, (before, after) in record.files.items():
        file = git.root / path
        if file.exists() and file.read_bytes() == git.object(after):
            if before:
                write_whole(file, git.object(before), workspace.private)
            else:
                file.unlink()
        entry = git.run("ls-files", "-s", "--", path).split(" ")
        if len(entry) > 1 and entry[1] == after:
            if before:
                git.run("update-index", "--cacheinfo", f"100644,{before},{path}")
            else:
                git.run("update-index", "--force-remove", "--", path)


def finish(workspace: Workspace, record: Publication) -> None:
    """After the refs moved: let `labels/` follow, drop the stage, close the journal."""
    if workspace.checkout:
        follow(workspace, workspace.manifest_of(record.directory))
    staged = open_stage(workspace)
    if staged is None or _directory(staged.manifest)[0] == record.directory:
        drop_stage(workspace)
    (workspace.private / JOURNAL).unlink(missing_ok=True)
