"""A store: one short method per verb that changes it, each delegating to its module."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from labelstore.questions import Progress, Questions
from labelstore.training.known import remember
from labelstore.training.pin import Pin, make_pin, write_pin
from labelstore.versions.agents import names
from labelstore.versions.branches import Branch, branches, create_branch, switch
from labelstore.versions.collect import collect
from labelstore.versions.exchange import pull, push, refuse_forgotten, remote_add
from labelstore.versions.manifest import TARGET, Manifest
from labelstore.versions.means import Means
from labelstore.versions.publish import publish_stage
from labelstore.versions.recovery import recover
from labelstore.versions.setup import exclude_private, init
from labelstore.versions.stage import drafting, drop_stage
from labelstore.versions.tagging import check_tag_free, tag_version
from labelstore.versions.workspace import Workspace

if TYPE_CHECKING:  # what a verb needs is loaded when it is used: a command uses one of them
    import pyarrow as pa

    from labelstore.analysis.consensus.report import Consensus
    from labelstore.analysis.splits.report import SplitReport
    from labelstore.changes.editing import Edit
    from labelstore.changes.merging.branching import MergeReport
    from labelstore.changes.merging.policies import Decide, Policy
    from labelstore.changes.ontology.plan import OntologyChange
    from labelstore.changes.reviewing.marking import Reviewed
    from labelstore.exchange.datasets import Mode
    from labelstore.exchange.exporting import ExportReport
    from labelstore.exchange.importing import ImportReport
    from labelstore.lineage.forgetting.finding import What
    from labelstore.lineage.forgetting.planning import Plan


class Store(Questions):
    """A label store on disk. Open one with `open_store`, or create it with `init_store`."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.recovered = recover(workspace)
        """What was cleared that a killed process had left behind, in words."""

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
        only_listed: bool = False,
        means: Means = Means(),  # noqa: B008 (frozen)
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
        report = import_from(
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
            only_listed=only_listed,
            means=means,
            look=look,
        )
        self._remember(tag)
        return report

    @contextmanager
    def edit(
        self, *, by: str | None = None, message: str | None = None,
        means: Means = Means(),  # noqa: B008 (frozen)
    ) -> Iterator[Edit]:  # fmt: skip
        """Change labels as one activity; staged at the end of the block, or not at all."""
        from labelstore.changes.editing import Edit

        details = {"by": by, "parameters": {"message": message}, "means": means}
        with drafting(self.workspace, "edit", **details) as draft:
            yield Edit(draft, self.workspace.default_layer)
            draft.stage(message)

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

    def consensus(
        self, layers: Sequence[str] = (), *, into: str = "consensus",
        method: Literal["quorum", "dawid-skene"] = "quorum",
        among: Literal["layer", "author"] = "layer", quorum: int | None = None,
        sure: float | None = None, least: float | None = None, by: str | None = None,
        dry_run: bool = False, progress: Progress | None = None,
    ) -> tuple[Consensus, pa.Table]:  # fmt: skip
        """Make one layer of the labels of several authors; staged.

        Each label is that of the author whose shape agrees most with the others', of the class
        that was decided; `relations` say from which labels it comes (`derived_from`). Made again,
        it changes what has changed.

        Args:
            layers: whose labels; where none is named, all that no consensus made.
            into: layer that takes it. What somebody changes there stays when it is made again.
            method: by votes, or by Dawid and Skene's estimate of how each author errs.
            among: each layer is an author, or each agent within one layer is.
            quorum: authors who must have an object; more than half of those who looked otherwise.
            sure: chance that the estimate must exceed, 0.5 otherwise.
            least: agreement of shapes below which no two labels are one object; else what suits
                their kind.
            by: who does it.
            dry_run: only say what would come of it.
            progress: told how many labels were matched.

        Returns:
            What came of it, and the objects of which nobody can say what they are; see
            `labelstore.analysis.agreement.disagreeing.QUEUE`.

        Raises:
            NotFound: there is no such layer.
            InvalidInput: there are fewer than two authors, or `into` has labels of others.
        """
        from labelstore.analysis.consensus.asking import Wanted, consensus

        wanted = Wanted(layers, into, among, method, quorum, sure, least)
        with drafting(self.workspace, "consensus", by=by, parameters=vars(wanted)) as draft:
            found = consensus(draft, wanted, names(self.workspace), progress)
            if not dry_run:
                draft.stage()
        return found

    def review(
        self, state: str, *, where: str | None = None, ids: Sequence[int] | None = None,
        layer: str | None = None, by: str | None = None, reason: str | None = None,
    ) -> Reviewed:  # fmt: skip
        """Put labels into a state of review: draft, submitted, accepted, rejected or gold; staged.

        Args:
            state: the state, or `none`, which takes a review back.
            where: SQL condition on columns of `labels`.
            ids: only these annotations.
            layer: the layer; needed only where a condition without ids holds in several.
            by: who reviews.
            reason: why; kept with the activity.

        Raises:
            InvalidInput: there is no such state, no label is chosen, or the SQL is wrong.
            NotFound: an id is of no label.
        """
        from labelstore.changes.reviewing.marking import Chosen, review

        asked = {"state": state, "where": where, "layer": layer}
        with drafting(self.workspace, "review", by=by, parameters=asked) as draft:
            found = review(draft, state, Chosen(where, ids, layer))
            if found.changed:
                draft.describe({**asked, **vars(found)})
            draft.stage(reason)
        return found

    def commit(
        self, message: str, *, tag: str | None = None, sign: bool | None = None
    ) -> str | None:
        """Publish the stage as a Git commit, and return it; None where there is nothing to do.

        The tag is signed with `sign`, or where Git's `tag.gpgSign` asks for it.
        """
        if tag is not None:
            check_tag_free(self.workspace.git, tag)
        from labelstore.changes.reviewing.policy import refuse_unreviewed

        with self.workspace.staging():
            staged = self.staged()
            if staged is not None:
                refuse_unreviewed(self.workspace, staged.manifest, tag)
            made = publish_stage(self.workspace, message, tag, sign)
        self._remember(tag)
        return made

    def _remember(self, tag: str | None) -> None:
        """Note a new tag, so that `verify` can tell whether it moves."""
        if tag is not None:
            from labelstore.lineage.tags import remember

            remember(self.workspace)

    def restore(self) -> bool:
        """Drop the stage; False where there was none."""
        with self.workspace.staging():
            return drop_stage(self.workspace)

    def tag(
        self, name: str, at: str = "HEAD", *, message: str | None = None, sign: bool | None = None
    ) -> None:
        """Give a version a name, if its labels are in the states that the store's policy asks.

        The tag is signed with `sign`, or where Git's `tag.gpgSign` asks for it.
        """
        from labelstore.changes.reviewing.policy import refuse_unreviewed

        refuse_unreviewed(self.workspace, self.workspace.manifest(at), name)
        tag_version(self.workspace, name, at, message or name, sign)
        self._remember(name)

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
        items: str | Collection[int] | None = None,
        progress: Progress | None = None,
    ) -> ExportReport:
        """Write a version's labels as a file or folder of some format.

        With `items`, ids or a SQL condition on columns of `items`, only these are written; an
        update by that file touches no other item.
        """
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
            among=None if items is None else self._items(items, at),
            names=names(self.workspace),
            progress=progress,
        )

    def pin(
        self, at: str, target: str | Path, *, layer: str | None = None, split: str | None = None
    ) -> Pin:
        """Write a pin file of a version."""
        pin = make_pin(self.workspace, at, layer=layer, split=split)
        write_pin(pin, Path(target))
        remember(self.workspace, Path(target))
        return pin

    def push(self, *, remote: str | None = None, show: bool = False) -> str:
        """Send the objects of all versions to a remote, by DVC."""
        return push(self.workspace, remote, show=show)

    def pull(self, *, remote: str | None = None, show: bool = False) -> str:
        """Fetch the objects of all versions from a remote, by DVC."""
        return pull(self.workspace, remote, show=show)

    def remote_add(self, name: str, url: str, *, default: bool = False) -> None:
        """Add a remote to DVC's configuration."""
        remote_add(self.workspace, name, url, default=default)

    def forget(
        self, what: What | None = None, named: str = "", *, reason: str = "", force: bool = False,
        by: str | None = None, sign: bool | None = None, progress: Progress | None = None,
    ) -> Plan:  # fmt: skip
        """Remove an item or a source from every version, or who stands behind a pseudonym.

        Every version is written anew, and branches and tags follow; a tag `forgotten/N` holds the
        map from old roots to new ones, by which pins and `verify` go on. Then the old objects are
        removed from the remotes and the cache.

        Args:
            what: `item`, `source` or `agent`; None only removes objects of versions that were
                written anew before, such as in another clone.
            named: URI or id of an item; name, `LAYER/NAME` or id of a source; name or pseudonym of
                a person.
            reason: why; kept with the map, so it must not name what is forgotten.
            force: do it; otherwise only say what it takes.
            by: who does it.
            sign: whether to sign the map; as Git's `tag.gpgSign` says otherwise.
            progress: told how far things are.

        Raises:
            NotFound: no version has it.
            Conflict: something is staged, or HEAD is not on a branch with clean labels.
            InvalidInput: the reason is missing, or names it.
            StorageFailed: a remote cannot be reached; the same again without arguments goes on.
        """
        from labelstore.lineage.forgetting.cleaning import (
            clean,
            forgotten_versions,
            gone,
            note,
            remotes,
        )
        from labelstore.lineage.forgetting.finding import forget_agent
        from labelstore.lineage.forgetting.forget import forget
        from labelstore.lineage.forgetting.planning import Plan

        if what == "agent":
            people = forget_agent(self.workspace, named, dry_run=not force)
            return Plan(what, people=people, done=force)
        with self.workspace.staging():
            plan = Plan("objects") if what is None else forget(
                self.workspace, what, named, reason, dry_run=not force, by=by, sign=sign,
                progress=progress)  # fmt: skip
            plan.remotes = remotes(self.workspace)
            if what is None:
                plan.objects = len(gone(self.workspace, forgotten_versions(self.workspace)))
            if force and what is None:
                refuse_forgotten(self.workspace)
                note(self.workspace, forgotten_versions(self.workspace))
        if force and (what is None or plan.name):
            for remote in plan.remotes:
                push(self.workspace, remote)
            plan.removed = clean(self.workspace)
            self.workspace.git.run("pack-refs", "--all")  # which tools read for tags that moved
        return plan

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
