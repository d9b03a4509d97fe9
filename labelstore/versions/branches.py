"""Branches: Git's own, with labels that follow."""

from __future__ import annotations

from dataclasses import dataclass

from labelstore.errors import (
    AlreadyExists,
    Conflict,
    InvalidInput,
    LabelstoreError,
    NotFound,
    StorageFailed,
)
from labelstore.versions.checkout import check_place, follow
from labelstore.versions.dvc.pointer import POINTER
from labelstore.versions.files import write_whole
from labelstore.versions.manifest import Manifest
from labelstore.versions.publish import check_ready, place_objects, pointer
from labelstore.versions.stage import open_stage
from labelstore.versions.tagging import commit_text
from labelstore.versions.workspace import Workspace

HEADS = "refs/heads/"


@dataclass(frozen=True)
class Branch:
    """One branch: its name, its commit, whether it is the current one, its last message."""

    name: str
    sha: str
    current: bool
    subject: str


def branches(workspace: Workspace) -> list[Branch]:
    """Return the branches, by name."""
    form = "%(objectname)%00%(refname)%00%(contents:subject)"
    lines = workspace.git.run("for-each-ref", f"--format={form}", HEADS).splitlines()
    current = workspace.git.branch()
    found = (line.split("\0") for line in lines)
    return [Branch(ref.removeprefix(HEADS), sha, ref == current, said) for sha, ref, said in found]


def create_branch(workspace: Workspace, name: str, rev: str) -> None:
    """Make a branch at a version; the current one stays.

    Raises:
        InvalidInput: no branch may have that name.
        AlreadyExists: one has it.
        NotFound: no such version.
    """
    git = workspace.git
    if name.startswith("-") or not git.succeeds("check-ref-format", "--branch", name):
        raise InvalidInput(f"{name!r} is no name for a branch", code="branch-name")
    if git.succeeds("rev-parse", "-q", "--verify", HEADS + name):
        raise AlreadyExists(f"branch {name!r} is there already", code="branch-exists")
    git.run("branch", "--no-track", name, git.resolve(rev), durable=True)


def switch(workspace: Workspace, name: str, *, create_at: str | None = None) -> None:
    """Go to a branch, and let `labels/` show it.

    Args:
        workspace: the store.
        name: of the branch; one that only a remote has is made here.
        create_at: make it at this version.

    Raises:
        NotFound: no such branch, or its objects are not here.
        Conflict: something is staged on other labels, or Git would lose changes of files.
    """
    with workspace.staging():
        made = _made(workspace, name, create_at)
        try:
            _go(workspace, name)
        except LabelstoreError:
            if made and workspace.git.branch() != HEADS + name:
                workspace.git.run("branch", "-q", "-D", name, durable=True)
            raise


def _made(workspace: Workspace, name: str, create_at: str | None) -> bool:
    """Make a branch where it is to be made; say whether it was."""
    git = workspace.git
    if create_at is not None:
        create_branch(workspace, name, create_at)
        return True
    if git.succeeds("rev-parse", "-q", "--verify", HEADS + name):
        return False
    remote = _of_remote(workspace, name)
    if not remote:
        raise NotFound(
            f"no branch {name!r}. `labelstore branch` lists them; `labelstore switch --create "
            f"{name}` makes it.",
            code="branch-unknown",
        )
    git.run("branch", "--track", name, remote, durable=True)
    return True


def _go(workspace: Workspace, name: str) -> None:
    staged = open_stage(workspace)
    labels = workspace.directory(workspace.git.resolve(HEADS + name))
    if staged and labels != workspace.directory(staged.parent):
        refuse_stage(workspace, f"switching to {name}")
    _follow_git(workspace, HEADS + name, "switch", name)


def _of_remote(workspace: Workspace, name: str) -> str:
    """Return the branch of that name that a remote has; empty where none has, or several."""
    refs = workspace.git.run("for-each-ref", "--format=%(refname:short)", "refs/remotes")
    found = [ref for ref in refs.splitlines() if ref.partition("/")[2] == name]
    return found[0] if len(found) == 1 else ""


def refuse_stage(workspace: Workspace, what: str) -> None:
    """Refuse to go on while something is staged.

    Raises:
        Conflict: something is.
    """
    if open_stage(workspace) is not None:
        raise Conflict(
            f"something is staged, and {what} would leave it behind. Publish it with `labelstore "
            "commit`, or drop it with `labelstore restore`.",
            code="staged",
        )


def fast_forward(workspace: Workspace, commit: str) -> None:
    """Move the current branch on to a commit that follows it, and `labels/` with it."""
    check_ready(workspace, workspace.git.head())
    _follow_git(workspace, commit, "merge", "-q", "--ff-only", commit)


def _follow_git(workspace: Workspace, rev: str, *words: str) -> None:
    """Run a Git command that moves HEAD to a revision, with its labels ready before it does."""
    git = workspace.git
    shows = workspace.checkout and workspace.directory(git.resolve(rev)) is not None
    if shows:
        check_place(workspace, workspace.manifest(rev))
    try:
        git.run(*words, durable=True)
    except StorageFailed as error:
        raise Conflict(str(error), code="git-refused") from error
    if shows:
        follow(workspace, workspace.manifest(rev))


def refuse_moved(workspace: Workspace, commit: str) -> None:
    """Refuse to go on where HEAD is no longer at the commit that a merge was begun from.

    Raises:
        Conflict: somebody else has published.
    """
    head = workspace.git.head()
    if head != commit:
        raise Conflict(
            f"the branch moved to {(head or 'nothing')[:12]} while {commit[:12]} was merged; "
            "nothing was changed. Merge again.",
            code="moved",
        )


def merge_base(workspace: Workspace, one: str, other: str) -> str:
    """Return the commit that two began from.

    Raises:
        Conflict: there is none, or there are several.
    """
    git = workspace.git
    if not git.succeeds("merge-base", one, other):
        raise Conflict(
            f"{one[:12]} and {other[:12]} have no common beginning, so nobody can say what "
            "changed. Import one side's labels into the other instead.",
            code="merge-unrelated",
        )
    bases = git.run("merge-base", "--all", one, other).splitlines()
    if len(bases) > 1:
        told = " and ".join(base[:12] for base in bases)
        raise Conflict(
            f"these branches have merged each other crosswise: they begin from {told} alike, and "
            "what each side changed since is not one answer. Bring one of them up to date by a "
            "fast-forward, or repeat its edits on the other.",
            code="merge-bases",
        )
    return bases[0]


def publish_merge(
    workspace: Workspace, manifest: Manifest, parents: tuple[str, str], message: str
) -> str:
    """Commit a manifest as the merge of HEAD and another commit, and return it.

    Git merges the other files; its own merge of `labels.dvc` is set aside.

    Args:
        workspace: the store.
        manifest: the merged version.
        parents: the commit that HEAD must be at, and the other.
        message: of the commit.

    Raises:
        Conflict: HEAD moved, Git cannot merge another file, files here are in its way, or it
            refuses the commit.
    """
    git, (ours, theirs) = workspace.git, parents
    with workspace.layout.locked():
        refuse_moved(workspace, ours)
        check_ready(workspace, ours)
        check_place(workspace, manifest)
        directory = place_objects(workspace, manifest)
        said = _begin(workspace, theirs)
        if not git.git_path("MERGE_HEAD").exists():
            raise Conflict(f"Git did not begin to merge: {said}", code="git-refused")
        path, text = git.prefix + POINTER, commit_text(message, manifest)
        write_whole(git.root / path, pointer(workspace, manifest, directory), workspace.private)
        git.run("add", "--", path, durable=True)
        _refuse_unmerged(workspace, manifest, text)
        _finish(workspace, ours, text)
        if workspace.checkout:
            follow(workspace, manifest)
    return git.resolve("HEAD")


def _begin(workspace: Workspace, other: str) -> str:
    """Let Git merge the files, and return what it says against it."""
    words = ("merge", "-q", "--no-ff", "--no-commit", other)
    try:
        workspace.git.run("-c", "merge.labelstore.driver=false", *words, durable=True)
    except StorageFailed as error:
        return str(error)
    return "it says nothing"


def _finish(workspace: Workspace, ours: str, text: str) -> None:
    """Commit the merge, or take it back whole.

    Raises:
        Conflict: a hook of Git's refused it, or HEAD moved.
    """
    git = workspace.git
    try:
        refuse_moved(workspace, ours)
        git.run("commit", "-q", "-m", text, durable=True)
    except (StorageFailed, Conflict) as error:
        git.run("merge", "--abort", durable=True)
        raise Conflict(f"{error} The merge was taken back.", code="git-refused") from error


def _refuse_unmerged(workspace: Workspace, manifest: Manifest, text: str) -> None:
    """Refuse to commit while other files are in conflict; Git keeps the merge and its message.

    Raises:
        Conflict: with the files.
    """
    git = workspace.git
    files = git.run("diff", "--name-only", "--diff-filter=U").splitlines()
    if files:
        write_whole(git.git_path("MERGE_MSG"), text)
        if workspace.checkout:
            follow(workspace, manifest)
        raise Conflict(
            f"the labels are merged; these files are not: {', '.join(files)}. Mend them, run "
            "`git add` and `git commit`; `git merge --abort` and `labelstore switch` go back.",
            code="merge-files",
        )
