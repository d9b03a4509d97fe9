"""Verbs that stage: nothing of them is in a version before `commit`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from labelstore.lineage.tags import remember_tags
from labelstore.questions import Progress, Questions
from labelstore.versions.agents import names
from labelstore.versions.manifest import Manifest
from labelstore.versions.means import BY_ITSELF, Means
from labelstore.versions.stage import drafting, drop_stage

if TYPE_CHECKING:  # what a verb needs is loaded when it is used: a command uses one of them
    import pyarrow as pa

    from labelstore.analysis.consensus.report import Consensus
    from labelstore.analysis.splits.report import SplitReport
    from labelstore.changes.editing import Edit
    from labelstore.changes.ontology.plan import OntologyChange
    from labelstore.changes.reviewing.marking import Reviewed
    from labelstore.exchange.datasets import Mode
    from labelstore.exchange.importing import ImportReport


class StagingVerbs(Questions):
    """What changes the stage."""

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
        means: Means = BY_ITSELF,
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
        if tag is not None:
            remember_tags(self.workspace)
        return report

    @contextmanager
    def edit(
        self, *, by: str | None = None, message: str | None = None,
        means: Means = BY_ITSELF,
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

    def restore(self) -> bool:
        """Drop the stage; False where there was none."""
        with self.workspace.staging():
            return drop_stage(self.workspace)
