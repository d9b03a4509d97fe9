"""What was forgotten: maps from old versions to those that took their place.

Each forgetting leaves an annotated tag `forgotten/N`, whose message is a map of hashes, counts and
the reason; it says nothing of what went. A tag travels to every clone, and can be signed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from labelstore.errors import Corrupt

if TYPE_CHECKING:
    from labelstore.versions.git import Git

PREFIX = "forgotten/"
BEGIN = "```json\n"
END = "\n```"
FORMAT = 1


@dataclass(frozen=True)
class Rewritten:
    """One version that took the place of another.

    Attributes:
        commit, new_commit: of Git, before and after.
        root, new_root: of the labels.
        directory, new_directory: DVC's `.dir` objects.
        counts: rows that are gone or blanked, by table.
    """

    commit: str
    new_commit: str
    root: str
    new_root: str
    directory: str
    new_directory: str
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Forgotten:
    """What one forgetting did.

    Attributes:
        name: its tag.
        what: `item` or `source`.
        reason: as it was given.
        at: when, in ISO 8601.
        by: pseudonym, or model or tool, of who did it.
        versions: the versions that were written anew, the oldest first.
        commits: all commits that were, versions or not: old to new.
        tags: objects of tags that were made anew, old and new, by name.
    """

    name: str
    what: str
    reason: str
    at: str
    by: str
    versions: Sequence[Rewritten]
    commits: Mapping[str, str]
    tags: Mapping[str, Sequence[str]]

    def words(self) -> str:
        """Return what was done, in a line."""
        versions = len(self.versions)
        return (f"{self.name}: {versions} version{'s' * (versions != 1)} written anew on "
                f"{self.at[:10]} to forget an {self.what}: {self.reason}").replace(
                    "an source", "a source")  # fmt: skip

    def text(self) -> str:
        """Return the message of its tag."""
        content = {"format": FORMAT, **asdict(self)}
        said = json.dumps(content, indent=1, sort_keys=True)
        return f"Forgot {self.what}: {self.reason}\n\n{BEGIN}{said}{END}\n"


def forgotten(git: Git) -> list[Forgotten]:
    """Return what was forgotten, the earliest first.

    Raises:
        Corrupt: a tag of that name holds no map.
    """
    refs = git.run("for-each-ref", "--format=%(refname:strip=2)", f"refs/tags/{PREFIX}*")
    found = [_read(git, name) for name in refs.splitlines()]
    return sorted(found, key=lambda one: int(one.name.removeprefix(PREFIX)))


def _read(git: Git, name: str) -> Forgotten:
    try:
        text = git.run("cat-file", "tag", f"refs/tags/{name}")
        begin = text.index(BEGIN) + len(BEGIN)
        content: dict[str, Any] = json.loads(text[begin : text.index(END, begin)])
        int(name.removeprefix(PREFIX))
        if content.pop("format") != FORMAT:
            raise ValueError("another format")
        versions = [Rewritten(**one) for one in content.pop("versions")]
        return Forgotten(**{**content, "name": name, "versions": versions})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Corrupt(
            f"tag {name}: is no map of what was forgotten ({error}). Such tags are labelstore's; "
            "rename it.",
            code="forgotten-map",
        ) from error


def held_commits(git: Git) -> list[str]:
    """Return the commits of all branches and tags but those of maps, parents first."""
    listed = ("--branches", f"--exclude={PREFIX}*", "--tags")
    return git.run("rev-list", "--topo-order", "--reverse", *listed).splitlines()


def named_commits(git: Git, *within: str) -> Iterator[tuple[str, str]]:
    """Yield each branch and tag, or those refs that are named, but no maps; with its commit."""
    form = "--format=%(refname) %(objectname) %(*objectname)"
    for line in git.run(
        "for-each-ref", form, *(within or ("refs/heads", "refs/tags"))
    ).splitlines():
        ref, *objects = line.split()
        if not ref.startswith(f"refs/tags/{PREFIX}"):
            yield ref.split("/", 2)[2], objects[-1]


def commit_now(maps: Sequence[Forgotten], commit: str) -> str:
    """Return the commit that took the place of another, however often; itself where none did."""
    for one in maps:
        commit = one.commits.get(commit, commit)
    return commit


def version_now(maps: Sequence[Forgotten], directory: str) -> Rewritten | None:
    """Return what took the place of a version of labels, by its `.dir`; None where nothing did."""
    found: Rewritten | None = None
    for version in _versions(maps):
        if version.directory == (found.new_directory if found else directory):
            found = version
    return found


def tag_now(maps: Sequence[Forgotten], name: str, made: str) -> str:
    """Return the object that a tag was made anew as, however often; itself where it was not."""
    for one in maps:
        old, new = one.tags.get(name, ("", ""))
        made = new if made == old else made
    return made


def _versions(maps: Sequence[Forgotten]) -> Iterator[Rewritten]:
    for one in maps:
        yield from one.versions
