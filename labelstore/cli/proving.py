"""The commands `verify`, `prove` and `verify-proof`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labelstore.cli.options import (
    HERE,
    AtVersion,
    Json,
    Quiet,
    Revision,
    StoreDir,
    opened,
)
from labelstore.cli.output import emit_json, progress
from labelstore.errors import CheckFailed, Corrupt, counted

if TYPE_CHECKING:
    from labelstore.lineage.proofs import Proved
    from labelstore.lineage.verifying import Verified
    from labelstore.versions.signing import Signature

Allowed = Annotated[
    Path | None,
    typer.Option("--allowed-signers", metavar="FILE", help="Who may sign tags, as ssh-keygen(1) "
                 "has it; else what Git's gpg.ssh.allowedSignersFile names."),
]  # fmt: skip
Signed = Annotated[
    bool, typer.Option("--signed", help="Fail unless somebody who is allowed signed the tag.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("verify")(verify)
    app.command("prove")(prove)
    app.command("verify-proof")(verify_proof)


def verify(
    rev: Annotated[str, Revision(metavar="[REV]", help="Tag, branch or commit.")] = "HEAD",
    every: Annotated[
        bool, typer.Option("--all", help="All versions up to REV, and every tag.")
    ] = False,
    remote: Annotated[
        bool, typer.Option("--remote", help="Read the remote's objects too.")
    ] = False,
    allowed: Allowed = None,
    signed: Signed = False,
    store: StoreDir = HERE,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compute anew all that a version states of itself, and name every fault.

    The bytes of each object against its name; each row's hash, and each part's digest and root,
    from the rows; the version's root against those that commit and tag state; the tag against its
    signature, against the pins that are known, and against what it was when this clone saw it
    first; and the rules that rows of one table owe to another. Exits with 6 where anything was
    changed, with 1 where only a rule is broken or a signature is missing.

    \b
    Examples:
      labelstore verify v3
      labelstore verify --all --allowed-signers auditors.txt --signed
      labelstore verify v3 --remote
    """
    with progress(quiet=quiet) as advance:
        found = opened(store).verify(rev, every=every, remote=remote, allowed=allowed,
                                     progress=advance)  # fmt: skip
    missing = [f"tag {name} is not signed by anybody who is allowed" for name, own in
               found.signatures.items() if own.state != "good"] if signed else []  # fmt: skip
    if signed and not found.signatures:
        missing = [f"{rev} has no tag that could be signed"]
    if json:
        emit_json("verify", {**_verified_json(found), "missing": missing})
    else:
        _show(found)
    if found.faults:
        raise typer.Exit(Corrupt.exit_code)
    if missing and not json:
        raise CheckFailed("\n".join(missing), code="not-signed")
    if found.rules or missing:
        raise typer.Exit(CheckFailed.exit_code)


def _verified_json(found: Verified) -> dict[str, Any]:
    return {
        "versions": found.versions,
        "objects": len(found.read),
        "rows": found.rows,
        "faults": [vars(fault) for fault in found.faults],
        "rules": [vars(fault) for fault in found.rules],
        "signatures": {name: vars(own) for name, own in found.signatures.items()},
        "forgotten": found.forgotten,
    }


def _show(found: Verified) -> None:
    for fault in [*found.faults, *found.rules]:
        typer.echo(f"{fault.version}: {fault.where}: {fault.what}")
    for name, own in found.signatures.items():
        typer.echo(f"tag {name}: {signature_words(own)}")
    for words in found.forgotten:
        typer.echo(words)
    read = f"{counted(len(found.read), 'object')}, {counted(found.rows, 'row')}"
    said = counted(len(found.faults) + len(found.rules), "fault") if (
        found.faults or found.rules) else "no fault"  # fmt: skip
    typer.echo(f"{counted(len(found.versions), 'version')}, {read}: {said}")


def signature_words(own: Signature) -> str:
    """Return what a signature is worth, in words."""
    return {
        "good": f"signed by {own.by or 'somebody who is allowed'}",
        "unsigned": "not signed",
        "unchecked": "signed; by whom is not checked, since nothing says who is allowed "
                     "(--allowed-signers FILE)",
        "unknown": "signed by a key that nobody allowed",
        "bad": "its signature is of another text",
    }[own.state]  # fmt: skip


def prove(
    annotation_id: Annotated[int, typer.Argument(metavar="ID", help="Id of an annotation.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="To write.")],
    at: AtVersion = "HEAD",
    store: StoreDir = HERE,
) -> None:  # fmt: skip
    """Write a small file that proves what a version says of one label.

    It holds the label's rows, those that they name (item, class, source, who wrote them), and the
    hashes that lead from each to the root in the tag. `labelstore verify-proof` checks it without
    a store.

    \b
    Example:
      labelstore prove 3366897374462139 --at v3 -o label.proof.json
    """
    size = opened(store).prove(annotation_id, output, at=at)
    typer.echo(f"wrote {output}: {size:,} bytes")


def verify_proof(
    file: Annotated[Path, typer.Argument(help="Proof, as `labelstore prove` writes it.")],
    allowed: Allowed = None,
    root: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="Root that the version must have, or its start."),
    ] = None,
    signed: Signed = False,
    json: Json = False,
) -> None:
    """Check a proof, with no store at hand; exits with 6 where it proves nothing.

    \b
    Examples:
      labelstore verify-proof label.proof.json --allowed-signers auditors.txt --signed
      labelstore verify-proof label.proof.json --root 77ed4ebb59987c0d
    """
    from labelstore.lineage.proofs import read_proof, verify_proof

    found = verify_proof(read_proof(file), str(file), allowed=allowed, root=root)
    if json:
        emit_json("verify-proof", {**vars(found), "annotation_id": str(found.annotation_id),
                                   "signature": vars(found.signature)})  # fmt: skip
    else:
        _show_proof(found, known=root is not None)
    if signed and found.signature.state != "good":
        raise CheckFailed(f"{file}: {signature_words(found.signature)}", code="not-signed")


def _made(found: Proved, label: Mapping[str, Any]) -> Iterator[str]:
    """Yield who had a part in a label, as the rows that the proof holds tell it."""
    agents = {row["agent_id"]: row["name"] for row in found.rows.get("agents", [])}
    acts = {row["activity_id"]: row for row in found.rows.get("activities", [])}
    for column, words in (("created_by", "made by"), ("reviewed_by", "reviewed by")):
        if label.get(column) is not None:
            yield f"{words}: {agents.get(label[column])}"
    first, last = label.get("created_in"), label.get("changed_in")
    for key, words in (
        (first, "brought by"),
        (last if last != first else None, "last written by"),
    ):
        act = acts.get(key)
        if act is not None:
            inputs = act.get("inputs") or []
            files = ", ".join(f"{f['path']} (sha256 {f['sha256']})" for f in inputs)
            who = agents.get(act.get("agent_id"))
            said = f"{words}: {who}, {act['kind']} at {act.get('ended_at')}"
            yield said + (f", from {files}" if files else "")


def _show_proof(found: Proved, *, known: bool) -> None:
    typer.echo(f"annotation {found.annotation_id} is in the version with root {found.root}")
    (label,) = found.rows["annotations"]
    for name, column, words in (("items", "uri", "item"), ("categories", "name", "class")):
        for row in found.rows.get(name, []):
            typer.echo(f"  {words}: {row.get(column)}")
    for column in ("layer", "kind", "review_state"):
        if label.get(column) is not None:
            typer.echo(f"  {column}: {label[column]}")
    for words in _made(found, label):
        typer.echo(f"  {words}")
    tag = f"tag {found.tag}: {signature_words(found.signature)}" if found.tag else "no tag"
    typer.echo(f"commit {found.commit}, {tag}")
    if found.signature.state != "good" and not known:
        typer.echo(
            "the file is whole; whether its root is the right one only a signature that "
            "you trust can say, or a root that you know: --allowed-signers, --root"
        )
