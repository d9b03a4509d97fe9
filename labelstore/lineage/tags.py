"""Tags of versions: what they state, who signed them, and whether they are where they were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelstore.errors import LabelstoreError
from labelstore.versions.files import read_json, write_json
from labelstore.versions.forgotten import forgotten, tag_now
from labelstore.versions.signing import Signature, signature_of
from labelstore.versions.tagging import stated_root

if TYPE_CHECKING:
    from labelstore.versions.git import Git
    from labelstore.versions.workspace import Workspace

SEEN = "tags.json"


@dataclass(frozen=True)
class Tag:
    """One tag of a commit that published a version.

    Attributes:
        commit: that it names.
        root: of the version there; None where that cannot be read.
        stated_name, stated_root: what the tag object itself says; None for a plain tag.
    """

    name: str
    commit: str
    root: str | None
    stated_name: str | None
    stated_root: str | None
    signature: Signature


def tags_of(workspace: Workspace, allowed: Path | None = None) -> Iterator[Tag]:
    """Yield the tags of versions: those that state a root, and those of commits that do."""
    git = workspace.git
    for name, (made, commit) in refs(git).items():
        plain = made == commit
        text = b"" if plain else git.object(made, "tag")
        said = stated_root(text)
        if said is None and stated_root(git.object(commit, "commit")) is None:
            continue  # of code, or of something else that is none of ours
        head = text.split(b"\n\n", 1)[0].decode(errors="replace").split("\n")
        stated = next((line[4:] for line in head if line.startswith("tag ")), None)
        signature = Signature("unsigned") if plain else signature_of(text, git, allowed)
        yield Tag(name, commit, _root(workspace, commit), stated, said, signature)


def moved(
    workspace: Workspace, pinned: Sequence[tuple[str, str, str]] = ()
) -> Iterator[tuple[str, str]]:
    """Yield tags that are not where they were, and how that is known; remember the rest.

    Args:
        workspace: the store.
        pinned: file, revision and commit of the pins that are known.
    """
    now, maps = refs(workspace.git), forgotten(workspace.git)
    for name, first in _seen(workspace).items():
        was = tag_now(maps, name, first)
        if name not in now:
            yield name, f"is gone; it was {was[:12]} when this clone saw it first"
        elif now[name][0] != was:
            yield name, (f"is {now[name][0][:12]} now, and was {was[:12]} when this clone saw it "
                         "first; somebody moved it or made it anew")  # fmt: skip
    for file, revision, commit in pinned:
        if revision in now and now[revision][1] != commit:
            yield revision, (f"names commit {now[revision][1][:12]}, and the pin {file} has it at "
                             f"{commit[:12]}")  # fmt: skip
    remember_tags(workspace)


def remember_tags(workspace: Workspace) -> None:
    """Note which tags there are, in a file that is in no version; what was noted stays."""
    seen = _seen(workspace)
    fresh = {name: made for name, (made, _) in refs(workspace.git).items() if name not in seen}
    if fresh:
        write_json(workspace.private / SEEN, {"tags": {**seen, **fresh}})


def replace_seen(workspace: Workspace, made: Mapping[str, Sequence[str]]) -> None:
    """Note tags that were made anew for a reason, old and new object by name."""
    seen = _seen(workspace)
    seen |= {name: new for name, (_, new) in made.items()}
    write_json(workspace.private / SEEN, {"tags": seen})


def _seen(workspace: Workspace) -> dict[str, str]:
    try:
        content: Any = read_json(workspace.private / SEEN, {"tags": dict})
    except LabelstoreError:  # whoever can break this file can delete it, too
        return {}
    return {str(name): str(made) for name, made in (content or {}).get("tags", {}).items()}


def refs(git: Git) -> dict[str, tuple[str, str]]:
    """Return the object and the commit of each tag."""
    form = "%(objectname) %(*objectname) %(*objecttype) %(refname:strip=2)"
    found = {}
    for line in git.run("for-each-ref", f"--format={form}", "refs/tags").splitlines():
        made, peeled, kind, name = line.split(" ", 3)
        commit = peeled or made
        if kind == "tag":  # a tag of a tag, which is peeled once only
            commit = git.run("rev-parse", f"refs/tags/{name}^{{}}")
        if git.succeeds("cat-file", "-e", f"{commit}^{{commit}}"):
            found[name] = (made, commit)
    return found


def _root(workspace: Workspace, commit: str) -> str | None:
    try:
        return workspace.manifest(commit).root
    except LabelstoreError:  # told as a fault of the version
        return None
