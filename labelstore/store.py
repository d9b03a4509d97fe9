"""A store: one short method per verb, each delegating to the module that does it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from labelstore.errors import SHOWN_FAULTS
from labelstore.training.pin import Pin, check_pin, make_pin, write_pin
from labelstore.versions.agents import names
from labelstore.versions.branches import Branch, branches, create_branch, switch
from labelstore.versions.collect import collect
from labelstore.versions.described import Version, describe
from labelstore.versions.dvc.pointer import POINTER
from labelstore.versions.exchange import pull, push, remote_add
from labelstore.versions.git import Commit
from labelstore.versions.manifest import TARGET, Manifest
from labelstore.versions.publish import check_tag_free, publish_stage, tag_version
from labelstore.versions.recovery import recover
from labelstore.versions.setup import exclude_private, init
from labelstore.versions.stage import Stage, drafting, drop_stage, open_stage
from labelstore.versions.workspace import Workspace

if TYPE_CHECKING:  # what a verb needs is loaded when it is used: a command uses one of them
    import pyarrow as pa

    from labelstore.analysis.agreement.coefficients import Metric
    from labelstore.analysis.agreement.report import Agreement
    from labelstore.analysis.drift.report import Drift
    from labelstore.analysis.faults import Finding
    from labelstore.analysis.splits.leaks import Leak
    from labelstore.analysis.splits.report import SplitReport
    from labelstore.analysis.statistics import Stats
    from labelstore.changes.difference import Diff
    from labelstore.changes.editing import Edit
    from labelstore.changes.merging.branching import MergeReport
    from labelstore.changes.merging.policies import Decide, Policy
    from labelstore.changes.ontology.plan import OntologyChange
    from labelstore.exchange.datasets import Mode
    from labelstore.exchange.exporting import ExportReport
    from labelstore.exchange.importing import ImportReport
    from labelstore.lineage.trace import Trace
    from labelstore.query.sandbox import Limits

Progress = Callable[[str, int, int], None]
"""Called with a phase, how much of it is done, and how much there is (0: not known)."""


class Store:
    """A label store on disk. Open one with `open_store`, or create it with `init_store`."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.recovered = recover(workspace)
        """What was cleared that a killed process had left behind, in words."""

    def manifest(self, at: str | None = None) -> Manifest:
        """Return a version's manifest; without `at` the stage, else HEAD."""
        if at is None:
            staged = self.staged()
            return staged.manifest if staged else self.workspace.manifest("HEAD")
        return self.workspace.manifest(at)

    def staged(self) -> Stage | None:
        """Return what `commit` would publish, or None."""
        return open_stage(self.workspace)

    def import_from(
        self,
        format_name: str,
        source: str | Path,
        *,
        layer: str | None = None,
        mode: Mode | None = None,
        by: str | None = None,
        dataset: str | None = None,
        message: str | None = None,
        dry_run: bool = False,
        commit: bool = False,
        tag: str | None = None,
        task: str | None = None,
        images: str | Path | None = None,
        sizes: str | Path | None = None,
        sidecar: bool = True,
        on_error: Literal["stop", "skip"] = "stop",
        of: str | None = None,
        look: Callable[[Manifest, Manifest], None] | None = None,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Read a file or folder of some format into the stage; with `commit` publish that.

        With `dry_run` nothing is staged; `look` is given what is there and what would be.
        """
        from labelstore.exchange.importing import import_from
        from labelstore.exchange.sizes import beside

        folder, file = Path(images) if images else None, Path(sizes) if sizes else None
        known = beside(folder, file, skip=on_error == "skip")
        return import_from(
            self.workspace,
            format_name,
            Path(source),
            layer=layer,
            mode=mode,
            by=by,
            dataset=dataset,
            message=message,
            progress=progress,
            stage=not dry_run,
            commit=commit and not dry_run,
            tag=tag,
            task=task,
            beside=known,
            sidecar=sidecar,
            of=of,
            look=look,
        )

    @contextmanager
    def edit(self, *, by: str | None = None, message: str | None = None) -> Iterator[Edit]:
        """Change labels as one activity; staged at the end of the block, or not at all."""
        from labelstore.changes.editing import Edit

        with drafting(self.workspace, "edit", by=by, parameters={"message": message}) as draft:
            yield Edit(draft, self.workspace.default_layer)
            draft.stage(message)

    def ontology(self, *, at: str | None = None) -> list[dict[str, Any]]:
        """Return the classes of a version in their order, as `apply_ontology` takes them."""
        from labelstore.changes.ontology.text import ontology_of

        return ontology_of(self.manifest(at))

    def apply_ontology(
        self, path: str | Path, *, by: str | None = None, dry_run: bool = False
    ) -> list[OntologyChange]:
        """Rename, merge, split and re-parent classes as a YAML file says; staged, as one activity.

        Args:
            path: the file; see `labelstore.model.ontology.Ontology`.
            by: who does it.
            dry_run: only say what would happen.
        """
        from labelstore.changes.ontology.applying import apply_ontology

        with drafting(self.workspace, "ontology", by=by) as draft:
            changes = apply_ontology(draft, Path(path), self.workspace.default_layer)
            draft.describe({"changes": [vars(c) for c in changes]})
            if not dry_run:
                draft.stage()
        return changes

    def split(
        self, scheme: str, *, ratios: str, mode: Literal["hash", "balanced"] = "hash",
        group: str | None = None, stratify: str | None = None,
        stratify_items: str | None = None, layer: str | None = None, seed: int = 0,
        freeze: Sequence[str] = (), thaw: Sequence[str] = (), fresh: bool = False,
        by: str | None = None,
    ) -> SplitReport:  # fmt: skip
        """Assign every item to a subset; staged.

        Args:
            scheme: name of the split; several stand side by side.
            ratios: subset to share, such as `train=0.8,val=0.1,test=0.1`.
            mode: `hash`: by the group's name alone, so nothing ever moves; `balanced`: so that
                each subset has its share of every class, and what is assigned stays.
            group: SQL expression over columns of `items` whose values are not cut; else their
                `group`, the video that they are frames of, or the URI.
            stratify: SQL expression over columns of `labels` that is balanced; else the class.
            stratify_items: SQL expression over columns of `items` that is balanced, besides.
            layer: of the labels that are balanced; the default one if there are several, or all
                where that is not among them.
            seed: another seed is another split.
            freeze: subsets that no item joins or leaves from now on.
            thaw: frozen subsets that items may join and leave again; by hash, groups that came
                meanwhile may move there.
            fresh: assign everything anew, but for frozen subsets.
            by: who does it.

        Raises:
            InvalidInput: a group lies in two subsets already, what is assigned stays and is in
                subsets that the ratios do not name, or an expression is wrong.
        """
        from labelstore.analysis.splits.assigning import split
        from labelstore.analysis.splits.present import Wish
        from labelstore.analysis.splits.ratios import parse_ratios

        own = self._layer_if_any(self.manifest(), layer)
        wish = Wish(parse_ratios(ratios), mode, group, seed, stratify, stratify_items, own,
                    freeze, thaw, fresh)  # fmt: skip
        parameters = {"scheme": scheme, **vars(wish), "ratios": ratios}
        with drafting(self.workspace, "split", by=by, parameters=parameters) as draft:
            report = split(draft, scheme, wish)
            draft.stage()
        return report

    def check_split(
        self, scheme: str, *, at: str | None = None, ratios: str | None = None,
        layer: str | None = None, images: str | Path | None = None,
        progress: Progress | None = None,
    ) -> tuple[SplitReport, list[Leak]]:  # fmt: skip
        """Return how a split shares items and classes out, and what leaks between its subsets.

        Args:
            scheme: the split.
            at: the version; the stage or else the newest where it is left out.
            ratios: shares that are wanted; else those that the subsets have of the items.
            layer: of the labels; the default one if there are several.
            images: folder below which the images are, to find those that look the same.
            progress: told how many images were read.

        Raises:
            NotFound: there is no such scheme.
        """
        from labelstore.analysis.splits.assigning import present_report
        from labelstore.analysis.splits.leaks import leaks
        from labelstore.analysis.splits.ratios import parse_ratios

        manifest = self.manifest(at)
        own = self._layer_if_any(manifest, layer)
        found = leaks(manifest, scheme, Path(images) if images else None, progress)
        wanted = parse_ratios(ratios) if ratios else None
        return present_report(manifest, scheme, wanted, own), found

    def status(self) -> Diff | None:
        """Return what differs between HEAD and the stage, or None where nothing is staged."""
        from labelstore.changes.diff import diff

        staged = self.staged()
        if staged is None:
            return None
        return diff(self.workspace.manifest(staged.parent), staged.manifest)

    def commit(self, message: str, *, tag: str | None = None) -> str | None:
        """Publish the stage as a Git commit, and return it; None where there is nothing to do."""
        if tag is not None:
            check_tag_free(self.workspace.git, tag)
        with self.workspace.staging():
            return publish_stage(self.workspace, message, tag)

    def restore(self) -> bool:
        """Drop the stage; False where there was none."""
        with self.workspace.staging():
            return drop_stage(self.workspace)

    def log(self, at: str = "HEAD", *, limit: int | None = None) -> list[Commit]:
        """Return the commits that changed the store, newest first."""
        return self.workspace.git.log(at, POINTER, limit)

    def show(self, at: str = "HEAD") -> Version:
        """Return one version, described."""
        return describe(self.workspace, at)

    def tag(self, name: str, at: str = "HEAD", *, message: str | None = None) -> None:
        """Give a version a name."""
        tag_version(self.workspace, name, at, message or name)

    def branch(self, name: str | None = None, at: str = "HEAD") -> list[Branch]:
        """Make a branch at a version, if a name is given, and return all branches."""
        if name is not None:
            create_branch(self.workspace, name, at)
        return branches(self.workspace)

    def switch(self, name: str, *, create: bool = False, at: str = "HEAD") -> None:
        """Go to a branch, made at a version if it is to be created; `labels/` follows."""
        switch(self.workspace, name, create_at=at if create else None)

    def merge(
        self, branch: str, *, policy: Policy | Decide = "ask",
        decisions: Sequence[Mapping[str, Any]] = (), by: str | None = None,
        message: str | None = None, dry_run: bool = False,
    ) -> MergeReport:  # fmt: skip
        """Merge another branch's labels into the current one, and publish the result.

        Args:
            branch: a branch, tag or commit.
            policy: who wins where both sides changed a cell otherwise: `ours`, `theirs`, the
                `newest`, the `reviewer`, or `ask` (nobody: the conflicts are returned, and
                nothing is changed); or a function that is given the table of conflicts.
            decisions: what was decided of single conflicts; they go before the policy.
            by: who merges.
            message: of the commit.
            dry_run: only say what would come of it.
        """
        from labelstore.changes.merging.branching import merge_branch
        from labelstore.changes.merging.policies import by_policy

        decide = policy if callable(policy) else by_policy(policy, decisions)
        return merge_branch(
            self.workspace, branch, decide=decide, by=by, message=message, dry_run=dry_run
        )

    def diff(
        self, before: str, after: str | None = None, *, shapes: bool = True,
        match: Literal["identity", "geometry"] = "identity", least: float | None = None,
        progress: Progress | None = None,
    ) -> Diff:  # fmt: skip
        """Compare two versions, or two layers.

        Args:
            before: the older version; `REV:LAYER` for one layer of it.
            after: the newer, or a layer of it; else the stage, or HEAD. Labels of layers are
                paired by geometry.
            shapes: name the columns in which shapes differ.
            match: `geometry` also pairs labels that went with labels that came, so what was
                renumbered is one change.
            least: agreement from 0 to 1 below which no two are one; else what suits their kind.
            progress: told how far things are.

        Raises:
            InvalidInput: one side is a layer and the other is none.
        """
        from labelstore.changes.sides import compared, revision_and_layer

        (old, layer), (new, other) = revision_and_layer(before), revision_and_layer(after)
        sides = (self.manifest(old), layer), (self.manifest(new), other)
        return compared(*sides, shapes=shapes, match=match, least=least, progress=progress)

    def drift(
        self, before: str | None, after: str | None = None, *, layer: str | None = None,
        of_before: str | None = None, of_after: str | None = None,
    ) -> Drift:  # fmt: skip
        """Return how far labels of one side are from those of another, in every respect.

        Args:
            before: the older version; `REV:LAYER` for one layer of it.
            after: the newer, or a layer of it; else the stage, or HEAD.
            layer: of both sides; the default one if there are several.
            of_before: which labels of the older side: `split:SCHEME/SUBSET`, or a SQL condition
                on columns of `labels`; else all.
            of_after: which of the newer.

        Raises:
            NotFound: one of the sides has no labels, or there is no such layer or split.
            InvalidInput: a condition may not run, or is wrong.
        """
        from labelstore.analysis.drift.asking import drift_between, sample
        from labelstore.changes.sides import revision_and_layer

        sides = []
        for text, which in ((before, of_before), (after, of_after)):
            rev, named = revision_and_layer(text)
            manifest = self.manifest(rev)
            sides.append(sample(manifest, self._one_layer(manifest, named or layer), which))
        return drift_between(sides[0], sides[1], names(self.workspace))

    def query(
        self,
        sql: str,
        *,
        at: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        since: str | None = None,
        master: str | None = None,
    ) -> pa.Table:
        """Return the result of one SELECT over a version's views.

        Args:
            sql: the query.
            at: the version; the stage or else the newest where it is left out.
            parameters: values of its `$name` parameters.
            limits: memory and time; 4 GiB and ten minutes by default. Spark has its own.
            since: ask all versions from this one to `at`, or HEAD; what is staged is not among
                them. Each view has a column `version` then.
            master: ask this Spark cluster, such as `spark://host:7077` or `local[2]`, which must
                be able to open the store's files.

        Raises:
            InvalidInput: the query may not run, is wrong, or exceeds its limits.
        """
        from labelstore.query.history import History
        from labelstore.query.sandbox import planned, query

        history = History(self.workspace, at or "HEAD")
        if master is None:
            return query(self.manifest(at), sql, parameters, limits, history, since)
        from labelstore.query.spark import ask, connected

        plan = planned(self.manifest(at), sql, history, since)
        with connected(master) as session:
            return ask(session, plan, sql, parameters, self.workspace.private)

    def stats(
        self, *, at: str | None = None, layer: str | None = None, items: bool = False,
        by: Sequence[str] = (), where: str | None = None, beta: float = 0.999,
    ) -> Stats:  # fmt: skip
        """Return a version in numbers: class balance, and sizes, density and groups if asked.

        Args:
            at: the version; the stage or else the newest where it is left out.
            layer: the default one if there are several.
            items: count items too, and measure sizes and labels per item: scans the labels.
            by: balance by `split`, `layer`, `author`, `source`, `kind` or `month`, too.
            where: only labels that meet this SQL condition on columns of `labels`.
            beta: of the effective number of samples, which gives the weights.

        Raises:
            InvalidInput: labels cannot be grouped so, the condition may not run, or beta is none.
        """
        from labelstore.analysis.statistics import stats

        manifest = self.manifest(at)
        own = self._one_layer(manifest, layer) if "layer" not in by or layer else None
        return stats(manifest, own, items=items, by=by, where=where, beta=beta,
                     known=names(self.workspace))  # fmt: skip

    def _layer_if_any(self, manifest: Manifest, layer: str | None) -> str | None:
        """Return the layer that is meant; all of them where the default one is not there."""
        there = manifest.partitions("annotations")
        if layer is None and self.workspace.default_layer not in there:
            return None
        return self._one_layer(manifest, layer)

    def _one_layer(self, manifest: Manifest, layer: str | None) -> str | None:
        """Return the layer that is meant; None where there is none but one."""
        several = len(manifest.partitions("annotations")) > 1
        named = self.workspace.default_layer if layer is None and several else layer
        return None if named is None else manifest.layer(named)

    def agreement(
        self, layers: Sequence[str] = (), *, at: str | None = None,
        by: Literal["layer", "author"] = "layer", least: float | None = None,
        value: str | None = None, metric: Metric = "interval",
        progress: Progress | None = None,
    ) -> tuple[Agreement, pa.Table]:  # fmt: skip
        """Return how far authors who labelled the same items agree, and where they do not.

        Args:
            layers: whose labels are compared; all of the version where none is named.
            at: the version; the stage or else the newest where it is left out.
            by: each layer is an author, or each agent within one layer is one.
            least: agreement of shapes below which no two labels are one object; else what suits
                their kind.
            value: SQL expression over columns of `labels` whose numbers are compared, too.
            metric: of these.
            progress: told how many labels were matched.

        Returns:
            The agreement, and the objects that are judged otherwise, the worst first; see
            `labelstore.analysis.agreement.disagreeing.QUEUE`.

        Raises:
            NotFound: there is no such layer.
            InvalidInput: there are fewer than two authors, or the expression is wrong.
        """
        from labelstore.analysis.agreement.asking import Question, asked

        question = Question(layers, by, least, value, metric)
        return asked(self.manifest(at), question, names(self.workspace), progress)

    def check(
        self, *, at: str | None = None, shown: int = SHOWN_FAULTS, progress: Progress | None = None
    ) -> list[Finding]:
        """Return the rules that a version breaks.

        Args:
            at: the version; the stage or else the newest where it is left out.
            shown: how many labels of each rule to tell one by one.
            progress: told how many parts were looked at.
        """
        from labelstore.analysis.checks import check

        return check(self.manifest(at), progress, shown=shown)

    def export_to(
        self,
        format_name: str,
        target: str | Path,
        *,
        at: str | None = None,
        layer: str | None = None,
        dataset: str | None = None,
        task: str | None = None,
        digits: int | None = None,
        allow_loss: Collection[str] = (),
        sidecar: bool = True,
        progress: Progress | None = None,
    ) -> ExportReport:
        """Write a version's labels as a file or folder of some format."""
        from labelstore.exchange.exporting import export_to

        return export_to(
            self.manifest(at),
            format_name,
            Path(target),
            layer=self.workspace.default_layer if layer is None else layer,
            dataset=dataset,
            task=task,
            digits=digits,
            allow_loss=allow_loss,
            sidecar=sidecar,
            progress=progress,
        )

    def trace(self, annotation_id: int, *, at: str = "HEAD") -> Trace:
        """Return the life of one label."""
        from labelstore.lineage.trace import trace

        return trace(self.workspace, annotation_id, at)

    def pin(
        self, at: str, target: str | Path, *, layer: str | None = None, split: str | None = None
    ) -> Pin:
        """Write a pin file of a version."""
        pin = make_pin(self.workspace, at, layer=layer, split=split)
        write_pin(pin, Path(target))
        return pin

    def check_pin(self, path: str | Path) -> list[str]:
        """Return what is wrong with a pin in this store; nothing for a good one."""
        return check_pin(self.workspace, Path(path))

    def push(self, *, remote: str | None = None, show: bool = False) -> str:
        """Send the objects of all versions to a remote, by DVC."""
        return push(self.workspace, remote, show=show)

    def pull(self, *, remote: str | None = None, show: bool = False) -> str:
        """Fetch the objects of all versions from a remote, by DVC."""
        return pull(self.workspace, remote, show=show)

    def remote_add(self, name: str, url: str, *, default: bool = False) -> None:
        """Add a remote to DVC's configuration."""
        remote_add(self.workspace, name, url, default=default)

    def gc(self, *, force: bool = False) -> str:
        """Collect objects that no commit needs; without `force` only say which."""
        return collect(self.workspace, force=force)


def init_store(folder: str | Path = ".", *, target: int = TARGET) -> Store:
    """Create a store in a folder, setting up Git and DVC where they are missing."""
    return Store(init(Path(folder), target=target))


def open_store(folder: str | Path = ".") -> Store:
    """Open the store at a folder or above it."""
    workspace = Workspace.find(Path(folder))
    exclude_private(workspace)
    return Store(workspace)
