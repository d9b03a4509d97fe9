"""Proofs: one label of a version, with the path of hashes that leads to its signed root.

A proof is one JSON file and needs no store. Each of its rows gives a leaf; the hashes beside it
lead to the root of its part, and those beside that to the root of the version. The root stands in
the message of the commit, whose bytes are there too, and in that of the tag, which may be signed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelstore.errors import Corrupt, InvalidInput, NotFound
from labelstore.model.canonical import HASH_DEFINITION, leaves
from labelstore.model.plain import row_of
from labelstore.model.tables import FAMILY, TABLES
from labelstore.storage.digests import Siblings, climb, part_leaf
from labelstore.versions.signing import Signature, signature_of
from labelstore.versions.tagging import stated_root

SCHEMA = "labelstore/proof/1"
TEXT = ("utf-8", "surrogateescape")
"""How the bytes of commits and tags, which may be in any encoding, stand in JSON."""
PIECES = {
    "proof": {"schema", "hash_definition", "annotation_id", "root", "rows", "commit", "tag"},
    "row": {"table", "row", "path", "part"},
    "part": {"partition", "name", "rows", "path"},
    "level": {"place", "nodes"},
    "commit": {"sha", "text"},
    "tag": {"name", "sha", "text"},
}
"""What each piece of a proof has, and nothing else."""
SHORTEST = 16
"""Digits that tell a root."""
LARGEST = 64 * 2**20
"""Bytes of a file that is looked at."""
Said = Mapping[str, Any]


@dataclass(frozen=True)
class Proved:
    """What a proof proves.

    Attributes:
        rows: the rows, by table.
        root: of the version.
        commit: of Git.
        tag: its name, where there is one.
        signature: of the tag.
    """

    annotation_id: int
    rows: Mapping[str, list[Said]]
    root: str
    commit: str
    tag: str | None
    signature: Signature


def read_proof(path: Path) -> dict[str, Any]:
    """Return the content of a proof.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it is no proof, or one of a newer format.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise InvalidInput(f"{path}: is too large to be a proof", code="proof-format")
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound(f"{path}: no such file", code="source-missing") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{path}: is no JSON ({error})", code="proof-format") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise InvalidInput(f"{path}: is no proof ({SCHEMA})", code="proof-format")
    if content.get("hash_definition") != HASH_DEFINITION:
        raise InvalidInput(f"{path}: needs a newer labelstore", code="proof-format")
    return content


def verify_proof(
    content: Said, where: str, *, allowed: Path | None = None, root: str | None = None
) -> Proved:
    """Check a proof, and return what it proves.

    Args:
        content: of the file.
        where: names it, for errors.
        allowed: file of allowed signers; see `ssh-keygen(1)`.
        root: that the version must have, where it is known from elsewhere.

    Raises:
        Corrupt: it proves nothing; with every reason that was found.
    """
    try:
        faults = [*_faults(content, root)]
        found = None if faults else _proved(content, allowed)
        if found and found.signature.state in ("bad", "unknown"):
            faults = [f"the tag's signature is {found.signature.state}: {found.signature.said}"]
        if faults or found is None:
            raise Corrupt("\n".join(f"{where}: {fault}" for fault in faults), code="proof-wrong")
        return found
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Corrupt(f"{where}: is no whole proof ({error!r})", code="proof-wrong") from error


def _proved(content: Said, allowed: Path | None) -> Proved:
    tag = content["tag"]
    rows: dict[str, list[Said]] = {}
    for entry in content["rows"]:
        rows.setdefault(entry["table"], []).append(entry["row"])
    return Proved(
        annotation_id=int(content["annotation_id"]),
        rows=rows,
        root=content["root"],
        commit=content["commit"]["sha"],
        tag=None if tag is None else tag["name"],
        signature=Signature("unsigned") if tag is None else signature_of(
            tag["text"].encode(*TEXT), allowed=allowed),
    )  # fmt: skip


def _faults(content: Said, root: str | None) -> Iterator[str]:
    stated = content["root"]
    _whole("proof", content)
    if root is not None and len(root) < SHORTEST:
        yield f"{root!r} tells no root: give at least {SHORTEST} of its digits"
    elif root is not None and not stated.startswith(root.lower()):
        yield f"is of a version with root {stated}, not {root}"
    for entry in content["rows"]:
        yield from _row_faults(entry, stated)
    yield from _links(content)
    commit = content["commit"]
    _whole("commit", commit)
    text = commit["text"].encode(*TEXT)
    if git_name("commit", text) != commit["sha"]:
        yield f"the commit's text is not that of {commit['sha']}"
    tag = content["tag"]
    if stated_root(text) not in (stated, None if tag else stated):
        yield f"the commit's message does not state root {stated}"
    if tag is not None:
        _whole("tag", tag)
        text = tag["text"].encode(*TEXT)
        head = dict(line.split(" ", 1) for line in tag["text"].split("\n\n", 1)[0].split("\n"))
        if git_name("tag", text) != tag["sha"]:
            yield f"the tag's text is not that of {tag['sha']}"
        if head.get("object") != commit["sha"] or head.get("tag") != tag["name"]:
            yield f"the tag's text is not one of {tag['name']} at {commit['sha']}"
        if stated_root(text) != stated:
            yield f"the tag's message does not state root {stated}"


def _row_faults(entry: Said, root: str) -> Iterator[str]:
    _whole("row", entry)
    _whole("part", entry["part"])
    name = entry["table"]
    try:
        batch = row_of(TABLES[name], entry["row"])
        leaf = leaves(TABLES[name], batch)[0].tobytes()
        part = entry["part"]
        _number(part["rows"])
        own = climb(leaf, [*_path(entry["path"])])
        top = part_leaf(table=name, partition=part["partition"], name=part["name"],
                        rows=part["rows"], root=own)  # fmt: skip
        found = climb(top, [*_path(part["path"])]).hex()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        yield f"{name}: a row or its path is not whole ({error})"
        return
    if found != root:
        yield f"{name}: the row does not lead to root {root}"


def _whole(piece: str, said: Said) -> None:
    if said.keys() != PIECES[piece]:
        raise ValueError(f"a {piece} has {', '.join(sorted(PIECES[piece]))}, and nothing else")


def _number(said: Any) -> int:
    if type(said) is not int:
        raise ValueError(f"{said!r} is no number")
    return said


def _path(said: Any) -> Iterator[Siblings]:
    for level in said:
        _whole("level", level)
        yield Siblings(_number(level["place"]), [bytes.fromhex(node) for node in level["nodes"]])


def _links(content: Said) -> Iterator[str]:
    """Yield what rows are not those of the label that is named."""
    rows = [(e["table"], e["row"]) for e in content["rows"]]
    own = [row for name, row in rows if name == FAMILY[0]]
    if len(own) != 1 or len([1 for name, _ in rows if name == FAMILY[1]]) != 1:
        yield "a proof has one row of annotations and one of geometries"
        return
    label = own[0]
    number = int(content["annotation_id"])
    acts = [row for name, row in rows if name == "activities"]
    agents = (label.get("created_by"), label.get("reviewed_by"),
              *(row.get("agent_id") for row in acts))  # fmt: skip
    wanted = {
        *{(name, number) for name in FAMILY},
        *{("activities", label.get(c)) for c in ("created_in", "changed_in")},
        *{
            (name, label.get(TABLES[name].id_column))
            for name in ("items", "categories", "datasets")
        },
        *{("agents", agent) for agent in agents},
    }
    found = [(name, row.get(TABLES[name].id_column)) for name, row in rows]
    named = {(name, i) for name, i in wanted if i is not None}
    if len({*found}) < len(found):
        yield "a row stands there twice"
    for name, i in sorted({*found} - named):
        yield f"{name} {i} has nothing to do with label {number}"
    for name, i in sorted(named - {*found}):
        yield f"{name} {i} is missing, which label {number} names"


def git_name(kind: str, data: bytes) -> str:
    """Return the name that Git gives an object."""
    head = f"{kind} {len(data)}\0".encode()
    return hashlib.sha1(head + data, usedforsecurity=False).hexdigest()
