"""Signatures of tags, made and checked by Git itself (SSH, OpenPGP, X.509)."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from labelstore.errors import NotFound, StorageFailed

if TYPE_CHECKING:
    from labelstore.versions.git import Git

ALLOWED = "gpg.ssh.allowedSignersFile"
TRUST = "gpg.minTrustLevel"
SSH = b"-----BEGIN SSH SIGNATURE-----"
State = Literal["good", "unsigned", "unchecked", "unknown", "bad"]
SIGNED = re.compile(rb"^-----BEGIN [A-Z ]*(SIGNATURE|MESSAGE)-----$", re.MULTILINE)


@dataclass(frozen=True)
class Signature:
    """What a tag's signature is worth.

    Attributes:
        state: `good`: by somebody who is allowed; `unknown`: right, but by a key that nobody
            allowed; `bad`: of another text; `unchecked`: nothing says who is allowed; `unsigned`.
        by: who signed, as the file of allowed signers calls them, where it is good.
        said: Git's own words.
    """

    state: State
    by: str | None = None
    said: str = ""


def signature_of(tag: bytes, git: Git | None = None, allowed: Path | None = None) -> Signature:
    """Return what the signature of a tag object is worth.

    Args:
        tag: its bytes.
        git: repository whose settings say who is allowed, if there is one.
        allowed: file of allowed signers (`ssh-keygen(1)`), which goes before the settings.

    Raises:
        NotFound: there is no such file of allowed signers.
        StorageFailed: Git cannot read the tag.
    """
    if not SIGNED.search(tag):
        return Signature("unsigned")
    if not re.fullmatch(rb"-----END [A-Z ]+-----", tag.rstrip(b"\n").rsplit(b"\n", 1)[-1]):
        return Signature("bad", said="text stands after the signature")
    options = ["-c", f"{TRUST}=fully", *_options(git)]
    if allowed is not None:
        if not allowed.is_file():
            raise NotFound(f"{allowed}: no such file of allowed signers", code="source-missing")
        if SSH not in tag:
            return Signature("unknown", said=f"{allowed} is of SSH keys, the signature is none")
        options += ["-c", f"{ALLOWED}={allowed.absolute()}"]
    with _scratch() as folder:
        name = _call(folder, ["hash-object", "-t", "tag", "-w", "--stdin"], tag)
        done = subprocess.run(["git", *options, "verify-tag", name.decode().strip()],
                              cwd=folder, capture_output=True)  # fmt: skip
    lines = (done.stdout + done.stderr).decode(errors="replace").split("\n")
    said = "; ".join(line.strip() for line in lines if line.strip())
    return Signature(_state(done.returncode, said), _by(said), said)


def _state(code: int, said: str) -> State:
    if code == 0:
        return "good"
    if "allowedSignersFile needs to be configured" in said:
        return "unchecked"
    if re.search("No principal matched|No public key|^gpg: Good signature", said, re.MULTILINE):
        return "unknown"
    return "bad"


def _by(said: str) -> str | None:
    found = re.search(r'Good "git" signature for (.+?) with |Good signature from "(.+?)"', said)
    return next((g for g in found.groups() if g), None) if found else None


def signed_tag(git: Git, commit: str, tag: str, message: str) -> str:
    """Write a signed tag object, with no name yet, and return it; signed as `git tag -s` does.

    Raises:
        StorageFailed: Git has no key to sign with, or could not.
    """
    objects = git.git_path("objects").absolute()
    env = {"GIT_OBJECT_DIRECTORY": str(objects)}
    with _scratch() as folder:
        words = [*_options(git), "-c", "core.fsync=all", "tag", "-s", "--cleanup=verbatim",
                 "-F", "-", tag, commit]  # fmt: skip
        _call(folder, words, message.encode(), env)
        made = _call(folder, ["rev-parse", f"refs/tags/{tag}"], b"", env).decode().strip()
    if not SIGNED.search(git.object(made, "tag")):  # which Git does not tell by its exit code
        raise StorageFailed(
            "Git made no signature; see whether `git tag -s` works here (gpg.format, "
            "user.signingKey)",
            code="git-failed",
        )
    return made


def wants_signing(git: Git) -> bool:
    """Say whether Git's settings ask that tags be signed."""
    asked = ("config", "--type=bool", "--get", "tag.gpgSign")
    return git.succeeds(*asked) and git.run(*asked) == "true"


def _options(git: Git | None) -> list[str]:
    """Return the settings of a repository that signatures go by, for another one."""
    if git is None or not git.succeeds("config", "--get-regexp", r"^(gpg|user)\."):
        return []
    listed = git.run("config", "-z", "--get-regexp", r"^(gpg|user)\.").split("\0")
    pairs = (entry.split("\n", 1) for entry in listed if "\n" in entry)
    return [word for name, value in pairs for word in ("-c", f"{name}={value}")]


@contextmanager
def _scratch() -> Iterator[str]:
    """Make an empty repository for one call."""
    with tempfile.TemporaryDirectory(prefix="labelstore-tag-") as folder:
        _call(folder, ["init", "-q", "--bare", "."], b"")
        yield folder


def _call(
    folder: str, words: Sequence[str], data: bytes, env: dict[str, str] | None = None
) -> bytes:
    done = subprocess.run(["git", *words], cwd=folder, input=data, capture_output=True,
                          env={**os.environ, "LC_ALL": "C", **(env or {})})  # fmt: skip
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise StorageFailed(f"git: {said}", code="git-failed")
    return done.stdout
