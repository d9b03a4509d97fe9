"""Git's history with other labels in it: commits, branches and tags that are written anew."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from labelstore.lineage.forgetting.mentions import BLANK, Words
from labelstore.versions.dvc.pointer import POINTER
from labelstore.versions.forgotten import PREFIX, held_commits
from labelstore.versions.signing import SIGNED, signed_tag, wants_signing

if TYPE_CHECKING:
    from labelstore.versions.git import Git
    from labelstore.versions.workspace import Workspace

UNSIGNED = ("gpgsig", "gpgsig-sha256", "mergetag")
"""Headers of a commit that hold for the old one only."""


@dataclass
class History:
    """Commits and tags that take the place of others.

    Attributes:
        workspace: the store.
        directories: `.dir` objects to replace, old to new.
        roots: of these versions, old to new.
        pointers: text of `labels.dvc` by new `.dir` object.
        words: that messages must not have.
        commits: what was written, old to new.
        tags: tag objects that were, old and new, by name.
        dropped: tags whose signature is gone.
    """

    workspace: Workspace
    directories: Mapping[str, str]
    roots: Mapping[str, str]
    pointers: Mapping[str, bytes]
    words: Words
    commits: dict[str, str] = field(default_factory=dict)
    tags: dict[str, tuple[str, str]] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)

    @property
    def _git(self) -> Git:
        return self.workspace.git

    def rewrite(self, told: Callable[[int, int], None] | None = None) -> list[str]:
        """Write commits and tags anew, and return the lines that make Git's refs follow.

        No ref is touched. Dates and people stay; signatures of commits cannot.
        """
        commits = held_commits(self._git)
        for count, (old, directory) in enumerate(
            zip(commits, self.workspace.directories(commits), strict=True), 1
        ):
            self._commit(old, directory)
            if told:
                told(count, len(commits))
        return [*self._branches(), *self._tags()]

    def _commit(self, old: str, directory: str | None) -> None:
        """Write a commit anew, if its labels or one of its parents are others now."""
        raw = self._git.object(old, "commit")
        head, _, message = raw.partition(b"\n\n")
        parents = [line[7:].decode() for line in head.split(b"\n") if line.startswith(b"parent ")]
        now = self.directories.get(directory or "")
        if now is None and not any(p in self.commits for p in parents):
            return
        tree = self._git.run("rev-parse", f"{old}^{{tree}}")
        lines = [f"tree {tree if now is None else self._tree(tree, now)}".encode()]
        lines += [f"parent {self.commits.get(p, p)}".encode() for p in parents]
        lines += [line for line in _headers(head) if not line.startswith((b"tree ", b"parent "))]
        text = b"\n".join(lines) + b"\n\n" + self._message(message)
        new = self._git.run("hash-object", "-t", "commit", "-w", "--stdin", input=text,
                            durable=True)  # fmt: skip
        self.commits[old] = new

    def _tree(self, tree: str, directory: str) -> str:
        """Return a tree with another `labels.dvc`."""
        git = self._git
        index = self.workspace.private / f"tree.{os.getpid()}.index"
        env = {"GIT_INDEX_FILE": str(index)}
        try:
            git.run("read-tree", tree, env=env)
            blob = git.run("hash-object", "-w", "--stdin", input=self.pointers[directory],
                           durable=True)  # fmt: skip
            entry = f"100644,{blob},{git.prefix}{POINTER}"
            git.run("update-index", "--cacheinfo", entry, env=env)
            return git.run("write-tree", env=env, durable=True)
        finally:
            index.unlink(missing_ok=True)

    def _message(self, message: bytes) -> bytes:
        """Return a message with the new roots, that names nothing that is forgotten."""
        found = self._roots.sub(lambda m: self.roots[m[0].decode()].encode(), message)
        if not self.words:
            return found
        text = found.decode(errors="surrogateescape")
        return self.words.pattern.sub(BLANK, text).encode(errors="surrogateescape")

    @cached_property
    def _roots(self) -> re.Pattern[bytes]:
        return re.compile(b"|".join(root.encode() for root in self.roots) or b"(?!)")

    def _branches(self) -> Iterator[str]:
        form = "--format=%(refname) %(objectname) %(symref)"
        listed = self._git.run("for-each-ref", form, "refs/heads")
        for ref, at, other in (line.split(" ") for line in listed.splitlines()):
            if at in self.commits and not other:  # another name of a branch follows it
                yield f"update {ref} {self.commits[at]} {at}"

    def _tags(self) -> Iterator[str]:
        form = "--format=%(objecttype) %(objectname) %(refname)"
        for line in self._git.run("for-each-ref", form, "refs/tags").splitlines():
            kind, made, ref = line.split(" ", 2)
            if ref.startswith(f"refs/tags/{PREFIX}"):
                continue  # of what was forgotten before; it names commits that are no more
            name = ref.removeprefix("refs/tags/")
            new = self._tag(name, made) if kind == "tag" else self.commits.get(made, made)
            if new != made:
                self.tags[name] = made, new
                yield f"update {ref} {new} {made}"

    def _tag(self, name: str, made: str) -> str:
        """Return a tag object anew, if what it names is; itself otherwise."""
        raw = self._git.object(made, "tag")
        head, _, message = raw.partition(b"\n\n")
        lines = head.split(b"\n")
        old, kind = lines[0][7:].decode(), lines[1][5:]
        new = self._tag(name, old) if kind == b"tag" else self.commits.get(old, old)
        if new == old:
            return made
        signed = SIGNED.search(message)
        text = self._message(message[: signed.start()] if signed else message)
        if signed and wants_signing(self._git) and kind == b"commit":
            return signed_tag(self._git, new, name, text.decode(errors="replace"))
        self.dropped += [name] if signed else []
        told = b"\n".join([b"object " + new.encode(), *lines[1:]]) + b"\n\n" + text
        return self._git.run("hash-object", "-t", "tag", "-w", "--stdin", input=told,
                             durable=True)  # fmt: skip


def _headers(head: bytes) -> Sequence[bytes]:
    """Return the headers of a commit without those that sign it, each with its further lines."""
    found: list[bytes] = []
    for line in head.split(b"\n"):
        if line.startswith(b" ") and found:
            found[-1] += b"\n" + line
        else:
            found.append(line)
    return [line for line in found if line.split(b" ", 1)[0].decode() not in UNSIGNED]
