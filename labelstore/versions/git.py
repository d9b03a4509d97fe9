"""Git, by its own commands."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labelstore.errors import InvalidInput, NotFound, StorageFailed

DURABLE = ("-c", "core.fsync=all", "-c", "core.fsyncMethod=fsync")
ZERO = "0" * 40


@dataclass(frozen=True)
class Commit:
    """One commit as the log shows it."""

    sha: str
    author: str
    when: str
    subject: str
    tags: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the version's first tag, else its short commit."""
        return self.tags[0] if self.tags else self.sha[:12]


@dataclass(frozen=True)
class Git:
    """A Git repository, seen from one folder inside it.

    Args:
        root: top folder of the working tree.
        prefix: the store's folder below it, with a final slash, or empty.
    """

    root: Path
    prefix: str = ""

    @classmethod
    def at(cls, folder: Path) -> Git | None:
        """Return the repository that a folder is in, or None."""
        done = subprocess.run(
            ["git", "rev-parse", "--show-toplevel", "--show-prefix"],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            return None
        root, prefix = done.stdout.split("\n")[:2]
        return cls(Path(root), prefix)

    def run(
        self,
        *args: str,
        input: bytes | str | None = None,
        env: Mapping[str, str] | None = None,
        durable: bool = False,
    ) -> str:
        """Return what a Git command prints.

        Raises:
            StorageFailed: the command failed; the message is Git's own.
        """
        done = self._call(args, input, env, durable)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            raise StorageFailed(f"git {args[0]}: {said}", code="git-failed")
        return done.stdout.decode(errors="surrogateescape").removesuffix("\n")

    def succeeds(self, *args: str) -> bool:
        """Say whether a Git command exits with 0."""
        return self._call(args, None, None, False).returncode == 0

    def _call(
        self,
        args: Sequence[str],
        input: bytes | str | None,
        env: Mapping[str, str] | None,
        durable: bool,
    ) -> subprocess.CompletedProcess[bytes]:
        data = input.encode() if isinstance(input, str) else input
        return subprocess.run(
            ["git", "--literal-pathspecs", *(DURABLE if durable else ()), *args],
            cwd=self.root,
            input=data,
            stdin=subprocess.DEVNULL if data is None else None,
            capture_output=True,
            env={**os.environ, "LC_ALL": "C", **(env or {})},
        )

    def resolve(self, rev: str) -> str:
        """Return the commit that a revision names.

        Raises:
            NotFound: there is none.
        """
        if rev.startswith("-") or not rev.strip():
            raise InvalidInput(f"{rev!r} is no revision; give a tag, branch or commit")
        done = self._call(["rev-parse", "-q", "--verify", f"{rev}^{{commit}}"], None, None, False)
        if done.returncode:
            raise NotFound(
                f"no version {rev!r}. `labelstore log` lists the versions.",
                code="revision-unknown",
            )
        return done.stdout.decode().strip()

    def head(self) -> str | None:
        """Return the commit of HEAD, or None before the first one."""
        done = self._call(["rev-parse", "-q", "--verify", "HEAD^{commit}"], None, None, False)
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def branch(self) -> str | None:
        """Return the full name of the current branch, or None when HEAD is detached."""
        done = self._call(["symbolic-ref", "-q", "HEAD"], None, None, False)
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def blob(self, commit: str, path: str) -> bytes | None:
        """Return a file of a commit (path within the store), or None where it has none."""
        done = self._call(["cat-file", "blob", f"{commit}:{self.prefix}{path}"], None, None, False)
        return done.stdout if done.returncode == 0 else None

    def blobs(self, commits: Sequence[str], path: str) -> list[bytes | None]:
        """Return a file (path within the store) of many commits, None where one has none.

        Raises:
            StorageFailed: Git failed.
        """
        if "\n" in self.prefix + path:  # would end a line that Git is asked by
            return [self.blob(commit, path) for commit in commits]
        asked = "".join(f"{commit}:{self.prefix}{path}\n" for commit in commits)
        done = self._call(["cat-file", "--batch"], asked.encode(), None, False)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            raise StorageFailed(f"git cat-file: {said}", code="git-failed")
        found: list[bytes | None] = []
        at, data = 0, done.stdout
        for _ in commits:
            end = data.index(b"\n", at)
            words = data[at:end].split(b" ")
            at = end + 1
            if words[-1] == b"missing":
                found.append(None)
                continue
            size = int(words[-1])
            found.append(data[at : at + size])
            at += size + 1
        return found

    def object(self, name: str, kind: str = "blob") -> bytes:
        """Return the bytes of an object of one kind: blob, commit, tag.

        Raises:
            StorageFailed: Git has none of that name and kind.
        """
        done = self._call(["cat-file", kind, name], None, None, False)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            raise StorageFailed(f"git cat-file: {said}", code="git-failed")
        return done.stdout

    def git_path(self, name: str) -> Path:
        """Return where Git keeps a file of its own, also in linked work trees."""
        return self.root / self.run("rev-parse", "--git-path", name)

    def identity(self) -> str | None:
        """Return `name <email>` of the configured committer, or None."""
        done = self._call(["var", "GIT_COMMITTER_IDENT"], None, None, False)
        if done.returncode:
            return None
        return done.stdout.decode(errors="replace").rsplit(" ", 2)[0]

    def log(
        self, rev: str, path: str | None = None, limit: int | None = None, *, main: bool = False,
        full: bool = False,
    ) -> list[Commit]:  # fmt: skip
        """Return the commits up to a revision, newest first, that touched a path of the store.

        Args:
            rev: the revision.
            path: within the store.
            limit: at most so many.
            main: only those of the branch itself; what was merged counts as its merge.
            full: also those of sides of a merge that it took nothing from.
        """
        args = ["log", "--format=%H%x00%an%x00%aI%x00%s", *(["--first-parent"] if main else [])]
        args += ["--full-history"] if full else []
        if limit is not None:
            args.append(f"--max-count={limit}")
        args += [self.resolve(rev), "--"]
        if path is not None:
            args.append(self.prefix + path)
        tags = self._tags()
        found = []
        for line in filter(None, self.run(*args).split("\n")):
            sha, author, when, subject = line.split("\0")
            found.append(Commit(sha, author, when, subject, tuple(tags.get(sha, ()))))
        return found

    def _tags(self) -> dict[str, list[str]]:
        """Return the names of the tags of each commit."""
        form = "%(objectname) %(*objectname) %(refname:strip=2)"
        found: dict[str, list[str]] = {}
        for line in self.run("for-each-ref", f"--format={form}", "refs/tags").splitlines():
            own, peeled, name = line.split(" ", 2)
            found.setdefault(peeled or own, []).append(name)
        return found
