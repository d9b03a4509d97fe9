"""Agents: who acts. People go by pseudonyms from the first day.

A person's pseudonym is an HMAC-SHA-256 of the name with a key that is kept outside the store
(`LABELSTORE_KEY` in the environment, else the file `LABELSTORE_KEY_FILE`, else one in the user's
configuration folder). The name itself stands only in `.labelstore/names.json`, which is in no
version; dropping it there forgets the person everywhere.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelstore.errors import InvalidInput
from labelstore.model.tables import TABLES
from labelstore.plugins.people import PSEUDONYM
from labelstore.versions.dvc.locks import LOCK_WAIT_S, held
from labelstore.versions.files import read_json, write_json
from labelstore.versions.manifest import Manifest
from labelstore.versions.workspace import Workspace

NAMES = "names.json"
KEY = "LABELSTORE_KEY"
"""Variable that holds the key itself, as hex digits."""
KINDS = ("human", "model", "tool")


@dataclass(frozen=True)
class AgentRow:
    """One row of `agents`."""

    agent_id: int
    kind: str
    name: str
    version: str | None = None
    key_id: str | None = None


def agent(workspace: Workspace, by: str | None) -> AgentRow:
    """Return the agent that acts.

    Args:
        workspace: the store, whose private file learns the name behind a pseudonym.
        by: `NAME`, `human:NAME`, `model:NAME[@VERSION]` or `tool:NAME[@VERSION]`; None takes the
            `LABELSTORE_AGENT` variable, else Git's identity.

    Raises:
        InvalidInput: nobody is named and Git has no identity.
    """
    named = by if by is not None else os.environ.get("LABELSTORE_AGENT")
    named = workspace.git.identity() if named is None else named
    if named is None or not named.strip():
        raise InvalidInput(
            "who is acting? Pass --by NAME, or set Git's user.name and user.email.",
            code="agent-unknown",
        )
    kind, _, rest = named.partition(":")
    if kind not in KINDS:
        kind, rest = "human", named
    if not rest.partition("@")[0].strip():
        raise InvalidInput(f"{named!r} names no {kind}", code="agent-unknown")
    if kind == "human":
        return _person(workspace, rest)
    name, _, version = rest.partition("@")
    return AgentRow(_agent_id(kind, rest), kind, name, version or None)


def pseudonym_of(workspace: Workspace, name: str) -> str:
    """Return what stands for a person's name, which the store's private file learns."""
    return _person(workspace, name).name


def own_pseudonym(name: str) -> str | None:
    """Return what this user's key makes of a person's name; None where there is no key yet."""
    if KEY not in os.environ and not _key_path().exists():
        return None
    return _pseudonym(_key(), name.removeprefix("human:"))


def names(workspace: Workspace) -> dict[str, str]:
    """Return the private mapping from pseudonym to name."""
    found: Any = read_json(workspace.private / NAMES)
    return dict(found or {})


def change_names(workspace: Workspace, changes: Mapping[str, str | None]) -> None:
    """Learn or drop (None) the names behind pseudonyms, whatever other processes do meanwhile."""
    with held(workspace.private / "names.lock", "noting a name", LOCK_WAIT_S):
        known = {**names(workspace), **changes}
        kept = {pseudonym: name for pseudonym, name in known.items() if name is not None}
        write_json(workspace.private / NAMES, kept)


def named(agent: Mapping[str, Any], known: Mapping[str, str]) -> str:
    """Return how to tell an agent: a person by name, a model or tool as `--by` has it.

    Args:
        agent: a row of `agents`.
        known: names of people by pseudonym, see `names`.
    """
    if agent["kind"] == "human":
        return known.get(agent["name"], agent["name"])
    version = f"@{agent['version']}" if agent["version"] else ""
    return f"{agent['kind']}:{agent['name']}{version}"


def agent_names(manifest: Manifest, known: Mapping[str, str]) -> dict[int, str]:
    """Return how to tell each agent of a version, by its id; see `named`."""
    rows = manifest.table(TABLES["agents"]).to_pylist()
    return {row["agent_id"]: named(row, known) for row in rows}


def acting(manifest: Manifest) -> dict[int, int]:
    """Return the agent of each activity of a version, by ids."""
    rows = manifest.table(TABLES["activities"], ["activity_id", "agent_id"]).to_pylist()
    return {row["activity_id"]: row["agent_id"] for row in rows if row["agent_id"] is not None}


def _person(workspace: Workspace, name: str) -> AgentRow:
    key = _key()
    if PSEUDONYM.fullmatch(name):
        own = _key_id(key) if name in names(workspace) else None
        return AgentRow(_agent_id("human", name), "human", name, None, own)
    pseudonym = _pseudonym(key, name)
    if names(workspace).get(pseudonym) != name:
        change_names(workspace, {pseudonym: name})
    return AgentRow(_agent_id("human", pseudonym), "human", pseudonym, None, _key_id(key))


def _pseudonym(key: bytes, name: str) -> str:
    return "person-" + hmac.new(key, name.encode(), hashlib.sha256).hexdigest()[:16]


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"labelstore key id" + key).hexdigest()[:8]


def _agent_id(kind: str, name: str) -> int:
    """Return the id of an agent: the same in every clone."""
    raw = hashlib.blake2b(f"{kind}\0{name}".encode(), digest_size=8).digest()
    return int.from_bytes(raw, "little") >> 1


def _key() -> bytes:
    """Return the secret key: the variable's, else the file's, made on first use for its owner."""
    path = _key_path()
    try:
        if KEY in os.environ:
            return bytes.fromhex(os.environ[KEY].strip())
        return bytes.fromhex(path.read_text().strip())
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    except ValueError as error:
        where = KEY if KEY in os.environ else path
        raise InvalidInput(f"{where}: is no key of hex digits", code="agent-key") from error
    key = secrets.token_bytes(32)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _key()
    with os.fdopen(handle, "w") as file:
        file.write(key.hex() + "\n")
    return key


def _key_path() -> Path:
    chosen = os.environ.get("LABELSTORE_KEY_FILE")
    if chosen:
        return Path(chosen)
    configured = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(configured) / "labelstore" / "pseudonyms.key"
