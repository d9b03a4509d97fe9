"""A data card: what a version holds, who made it by which means, and what is known to be missing.

People are pseudonyms in it, for it is made to be handed on.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labelstore.analysis.agreement.asking import Question, asked
from labelstore.analysis.agreement.report import Agreement
from labelstore.analysis.reporting import html
from labelstore.analysis.reporting.markdown import text_table
from labelstore.changes.reviewing.policy import states
from labelstore.errors import InvalidInput
from labelstore.lineage.exports.facts import guidelines, models, tools
from labelstore.model.tables import TABLES
from labelstore.query.engine import run
from labelstore.query.rules import broken_rules
from labelstore.versions.agents import named

if TYPE_CHECKING:
    from labelstore.lineage.exports.recorded import Recorded
    from labelstore.versions.manifest import Manifest

Rows = Sequence[Sequence[Any]]
SAID = {
    "description": "description", "uses": "made for", "collection": "collection",
    "protocol": "annotation protocol", "preprocessing": "preprocessing",
    "sensitive": "personal or sensitive information", "biases": "biases",
    "limitations": "limitations", "social_impact": "social impact",
    "maintenance": "maintenance", "cite_as": "cite as", "url": "url",
}  # fmt: skip
"""What people say of a data set, by field of `[about]`."""


@dataclass(frozen=True)
class Section:
    """One part of a card.

    Attributes:
        title: its heading.
        columns: of its table.
        rows: of its table.
    """

    title: str
    columns: Sequence[str]
    rows: Rows


@dataclass(frozen=True)
class Card:
    """A data card.

    Attributes:
        name: of the data set.
        version: tag, else the first digits of the commit.
        root: of the version.
        sections: its parts, in order.
    """

    name: str
    version: str
    root: str
    sections: Sequence[Section]

    def markdown(self) -> str:
        """Return the card as Markdown."""
        lines = [f"# {self.name}, {self.version}", ""]
        for section in self.sections:
            table = text_table(section.columns, section.rows)
            lines += [f"## {section.title}", "", *table, ""]
        return "\n".join(lines)

    def html(self) -> str:
        """Return the card as a page that stands alone."""
        body = [f"<h2>{s.title}</h2>{html.table(s.columns, s.rows)}" for s in self.sections]
        return html.document(f"{self.name} {self.version}", f"{self.name}, {self.version}", body)

    def as_json(self) -> dict[str, Any]:
        """Return the card as JSON values."""
        return {"name": self.name, "version": self.version, "root": self.root, "sections": [
            {"title": s.title, "rows": [dict(zip(s.columns, row, strict=True)) for row in s.rows]}
            for s in self.sections]}  # fmt: skip


def card(recorded: Recorded) -> Card:
    """Return the data card of a version."""
    found = [section for section in _sections(recorded) if section.rows]
    newest = recorded.newest
    return Card(str(recorded.about.name), newest.commit.name, newest.root, found)


def _sections(recorded: Recorded) -> Iterator[Section]:
    manifest, newest = recorded.manifest, recorded.newest
    agreement = _agreement(manifest)
    about = recorded.about.model_dump()
    said = [(words, about[name]) for name, words in SAID.items() if about[name]]
    made = [("creators", ", ".join(about["creators"]))] if about["creators"] else []
    own = [
        ("version", newest.commit.name),
        ("commit", newest.commit.sha),
        ("root", newest.root),
        ("published", newest.commit.when),
        ("versions before it", len(recorded.versions) - 1),
    ]
    yield Section("About", ["what", "said"], [*said, *made, *own])
    yield Section("Counts", ["what", "count"], [*_counts(manifest)])
    yield Section("Classes", ["layer", "class", "labels", "items"], [*_classes(manifest)])
    yield Section("Splits", ["scheme", "subset", "items"], _splits(manifest))
    yield Section("Sources", ["name", "format", "layer", "file", "sha256"], [
        (row["name"], row["format"], row["layer"], file["path"], file["sha256"])
        for row in recorded.datasets for file in row["files"] or []
    ])  # fmt: skip
    yield Section("Licences", ["of", "licence", "url"], [*_licences(recorded)])
    yield Section("Authors", ["author", "kind", "labels", "activities"], _authors(recorded))
    yield Section("Means", ["what", "which"], [*_means(recorded)])
    yield Section("Review", ["layer", "state", "outdated", "labels"], [
        (r["layer"], r["state"] or "none", "yes" if r["outdated"] else "", r["annotations"])
        for r in states(manifest, None).to_pylist()
    ])  # fmt: skip
    if agreement is not None:
        yield Section("Agreement", ["measure", "value"], [*_measures(agreement)])
    yield Section("Forgotten", ["what was done"], [(words,) for words in recorded.forgotten])
    yield Section("Known gaps", ["gap", "how many"], [*_gaps(recorded, agreement)])


def _counts(manifest: Manifest) -> Iterator[tuple[str, int]]:
    modalities = manifest.table(TABLES["items"], ["modality"]).column(0).to_pylist()
    for name, count in sorted(Counter(modalities).items()):
        yield f"items ({name})", count
    for layer in manifest.partitions("annotations"):
        yield f"labels in {layer}", sum(p.rows for p in manifest.parts_of("annotations", layer))
    for name in ("categories", "tracks", "relations"):
        rows = sum(part.rows for part in manifest.parts_of(name))
        if rows:
            yield {"categories": "classes"}.get(name, name), rows


def _classes(manifest: Manifest) -> Iterator[tuple[str, str, int, int]]:
    for layer in manifest.partitions("annotations"):
        for row in run(manifest, "class_balance", layer=layer).to_pylist():
            yield layer, row["category"] or "(no class)", row["annotations"], row["items"]


def _splits(manifest: Manifest) -> list[tuple[str, str, int]]:
    found: Counter[tuple[str, str]] = Counter()
    for scheme in manifest.partitions("splits"):
        subsets = manifest.table(TABLES["splits"], ["subset"], partition=scheme).column(0)
        found.update((scheme, subset) for subset in subsets.to_pylist())
    return [(*key, count) for key, count in sorted(found.items())]


def _licences(recorded: Recorded) -> Iterator[tuple[str, str, str | None]]:
    if recorded.about.license:
        yield "the labels as a whole", recorded.about.license, None
    for row in recorded.datasets:
        stated = json.loads(row["licenses"] or "null")
        for one in stated if isinstance(stated, list) else []:
            if isinstance(one, dict):
                yield row["name"], str(one.get("name", "")), one.get("url")


def _authors(recorded: Recorded) -> list[tuple[str, str, int, int]]:
    """Return agents with the labels that are theirs and what they did, by pseudonym."""
    labels: Counter[int] = Counter()
    for row in run(recorded.manifest, "classes_by_author", layer=None).to_pylist():
        labels[int(row["value"] or 0)] += row["annotations"]
    acts = Counter(activity["agent_id"] for activity in recorded.activities)
    return sorted(
        (named(agent, {}), agent["kind"], labels[key], acts[key])
        for key, agent in recorded.agents.items()
    )


def _means(recorded: Recorded) -> Iterator[tuple[str, str]]:
    done = recorded.activities
    for what, found in (("tool", tools(done)), ("model", models(done)),
                        ("guideline", guidelines(done))):  # fmt: skip
        yield from ((what, one) for one in found)
    kinds = Counter(activity["kind"] for activity in done)
    yield "activities", ", ".join(f"{count} of {kind}" for kind, count in sorted(kinds.items()))


def _agreement(manifest: Manifest) -> Agreement | None:
    """Return how far the layers agree; None where there are not two to compare."""
    try:
        return asked(manifest, Question(()), {}, None)[0]
    except InvalidInput:
        return None


def _measures(found: Agreement) -> Iterator[tuple[str, str]]:
    alpha = "none" if found.alpha is None else f"{found.alpha:.3f}"
    between = "" if found.low is None else f" ({found.low:.3f} to {found.high:.3f})"
    layers = ", ".join(author.name for author in found.authors)
    yield f"Krippendorff's alpha of the class, of layers {layers}", alpha + between
    if found.shapes is not None:
        yield "mean agreement of shapes", f"{found.shapes:.3f}"
    yield "objects compared", f"{found.objects:,}"
    yield "items compared", f"{found.items:,}"


def _gaps(recorded: Recorded, agreement: Agreement | None) -> Iterator[tuple[str, str]]:
    """Yield what is missing, as far as the store can know."""
    manifest, done = recorded.manifest, recorded.activities
    empty = sum(r["items"] for r in run(manifest, "labels_per_item", layer=None).to_pylist()
                if not r["labels"])  # fmt: skip
    unlicensed = [
        row["name"] for row in recorded.datasets if not json.loads(row["licenses"] or "[]")
    ]
    unreviewed = sum(r["annotations"] for r in states(manifest, None).to_pylist()
                     if r["state"] is None or r["outdated"])  # fmt: skip
    unused = sum(part.rows for part in manifest.parts_of("categories")) - len(
        {row["category_id"] for row in run(manifest, "class_balance", layer=None).to_pylist()
         if row["annotations"]} - {None})  # fmt: skip
    counts = {
        "items without a label": empty,
        "classes that no label has": unused,
        "labels that nobody reviewed as they are": unreviewed,
    }
    yield from ((what, f"{count:,}") for what, count in counts.items() if count)
    if unlicensed:
        yield f"sources that state no licence: {', '.join(unlicensed)}", str(len(unlicensed))
    if recorded.about.license is None:
        yield "no licence of the labels is stated ([about] in labelstore.toml)", ""
    if not guidelines(done):
        yield "no activity names a guideline", ""
    if agreement is None:
        yield "agreement is not measured: no two layers to compare", ""
    for rule, count, _, _ in broken_rules(manifest, 0):
        yield f"{rule.words} ({rule.code})", f"{count:,}"
