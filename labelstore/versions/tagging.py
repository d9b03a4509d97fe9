"""Tags of versions, and the root that a commit or a tag states of its labels."""

from __future__ import annotations

import re

from labelstore.errors import AlreadyExists, InvalidInput
from labelstore.versions.git import ZERO, Git
from labelstore.versions.manifest import Manifest
from labelstore.versions.signing import signed_tag, wants_signing
from labelstore.versions.workspace import Workspace

ROOT_TRAILER = "Labelstore-Root"
FORMAT_TRAILER = "Labelstore-Format"


def commit_text(message: str, manifest: Manifest) -> str:
    """Return the message of a commit, with the root that it publishes."""
    trailers = f"{ROOT_TRAILER}: {manifest.root}\n{FORMAT_TRAILER}: 1"
    return f"{message.strip()}\n\n{trailers}\n"


def stated_root(message: bytes) -> str | None:
    """Return the root that the message of a commit or of a tag states, the last one."""
    if message.rstrip().endswith(b"-----"):  # what stands in a signature is no message
        message = message.rsplit(b"\n-----BEGIN ", 1)[0]
    found = re.findall(rb"^%b: ([0-9a-f]{64})$" % ROOT_TRAILER.encode(), message, re.MULTILINE)
    return found[-1].decode() if found else None


def check_tag_free(git: Git, tag: str) -> None:
    """Refuse a tag name that Git does not allow or that is taken.

    Raises:
        InvalidInput: no tag may have that name.
        AlreadyExists: one has it.
    """
    if tag.startswith("-") or not git.succeeds("check-ref-format", f"refs/tags/{tag}"):
        raise InvalidInput(f"{tag!r} is no name for a tag", code="tag-name")
    there = git.run("for-each-ref", "--format=%(refname:strip=2)", "refs/tags").splitlines()
    if tag in there:
        raise AlreadyExists(
            f"tag {tag!r} is there already. Choose another name; versions never move.",
            code="tag-exists",
        )
    for other in there:
        if tag.startswith(f"{other}/") or other.startswith(f"{tag}/"):
            raise AlreadyExists(
                f"tag {other!r} is there, and Git keeps tags as paths: {tag!r} cannot be one too.",
                code="tag-exists",
            )


def tag_version(
    workspace: Workspace, name: str, rev: str, message: str, sign: bool | None = None
) -> None:
    """Give a published version an annotated tag that names its root.

    Args:
        workspace: the store.
        name: of the tag.
        rev: the version.
        message: of the tag.
        sign: whether to sign it as `git tag -s` does; as Git's `tag.gpgSign` says otherwise.

    Raises:
        AlreadyExists: there is such a tag.
        NotFound: no such version.
    """
    git = workspace.git
    check_tag_free(git, name)
    commit = git.resolve(rev)
    root = workspace.manifest(commit).root
    made = tag_object(git, commit, name, message, root, sign)
    git.run("update-ref", f"refs/tags/{name}", made, ZERO, durable=True)


def tag_object(
    git: Git, commit: str, tag: str, message: str, root: str, sign: bool | None = None
) -> str:
    """Write a tag object whose message ends with the root, signed if that is wanted."""
    return write_tag(git, commit, tag, f"{message.strip()}\n\n{ROOT_TRAILER}: {root}\n", sign)


def write_tag(git: Git, commit: str, tag: str, text: str, sign: bool | None = None) -> str:
    """Write a tag object, with no name yet, and return it.

    Args:
        git: the repository.
        commit: that it is of.
        tag: what it calls itself.
        text: its message.
        sign: whether to sign it; as Git's `tag.gpgSign` says otherwise.
    """
    if wants_signing(git) if sign is None else sign:
        return signed_tag(git, commit, tag, text)
    tagger = git.run("var", "GIT_COMMITTER_IDENT")
    head = f"object {commit}\ntype commit\ntag {tag}\ntagger {tagger}\n\n"
    return git.run("mktag", input=head + text, durable=True)
