"""What a store answers about the labels of one version: SQL, and what is computed from them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from labelstore.errors import SHOWN_FAULTS, NotFound
from labelstore.model.tables import TABLES
from labelstore.questions.versions import Progress, VersionQuestions
from labelstore.versions.agents import names
from labelstore.versions.manifest import Manifest

if TYPE_CHECKING:  # what a verb needs is loaded when it is used: a command uses one of them
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from labelstore.analysis.agreement.coefficients import Metric
    from labelstore.analysis.agreement.report import Agreement
    from labelstore.analysis.curation.asking import Choice
    from labelstore.analysis.drift.report import Drift
    from labelstore.analysis.faults import Finding
    from labelstore.analysis.scoring.report import Score
    from labelstore.analysis.splits.leaks import Leak
    from labelstore.analysis.splits.report import SplitReport
    from labelstore.analysis.statistics import Stats
    from labelstore.query.sandbox import Limits

    Ids = NDArray[np.int64]


class LabelQuestions(VersionQuestions):
    """What a store answers about the labels of one version."""

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

    def agreement(
        self, layers: Sequence[str] = (), *, at: str | None = None,
        by: Literal["layer", "author"] = "layer", least: float | None = None,
        value: str | None = None, metric: Metric = "interval", alike: float = 0.9,
        progress: Progress | None = None,
    ) -> tuple[Agreement, pa.Table]:  # fmt: skip
        """Return how far authors who labelled the same items agree, and where they do not.

        Args:
            layers: whose labels are compared; where none is named, all that no consensus made.
            at: the version; the stage or else the newest where it is left out.
            by: each layer is an author, or each agent within one layer is one.
            least: agreement of shapes below which no two labels are one object; else what suits
                their kind.
            value: SQL expression over columns of `labels` whose numbers are compared, too.
            metric: of these.
            alike: agreement from which shapes need no review.
            progress: told how many labels were matched.

        Returns:
            The agreement, and the objects that are judged otherwise, the worst first; see
            `labelstore.analysis.agreement.disagreeing.QUEUE`.

        Raises:
            NotFound: there is no such layer.
            InvalidInput: there are fewer than two authors, or the expression is wrong.
        """
        from labelstore.analysis.agreement.asking import Question, asked

        question = Question(layers, by, least, value, metric, alike)
        return asked(self.manifest(at), question, names(self.workspace), progress)

    def score(
        self, layers: Sequence[str] = (), *, gold: str = "gold", at: str | None = None,
        by: Literal["layer", "author"] = "layer", items: str | None = None,
        least: float | None = None, min_score: float | None = None, precision: bool = True,
        progress: Progress | None = None,
    ) -> list[Score]:  # fmt: skip
        """Return how layers, or the authors within one, do against a gold set.

        Args:
            layers: who is scored; all but the gold set where none is named.
            gold: layer that is the truth.
            at: the version; the stage or else the newest where it is left out.
            by: each layer is scored, or each agent within one layer.
            items: SQL condition on columns of `items`: which the gold set covers, also where
                there is nothing; else those on which it has a label.
            least: agreement of shapes below which no two labels are one object; else what suits
                their kind.
            min_score: labels of a lower score count for average precision alone.
            precision: whether to compute COCO's average precision, which takes longest.
            progress: told how many labels were matched.

        Raises:
            NotFound: there is no such layer.
            InvalidInput: nobody is scored, or the condition is wrong.
        """
        from labelstore.analysis.scoring.asking import Question, scores

        question = Question(layers, gold, by, items, least, min_score, precision)
        return scores(self.manifest(at), question, names(self.workspace), progress)

    def review_states(self, *, at: str | None = None, layer: str | None = None) -> pa.Table:
        """Return how many labels are in which state of review, by layer; or of one layer.

        Columns `layer`, `state` (null for none), `outdated` (something wrote the label after its
        review), `own` (who made it reviewed it, or nobody says who did) and `annotations`.
        """
        from labelstore.changes.reviewing.policy import states

        return states(self.manifest(at), layer)

    def curate(
        self, count: int, *, by: Mapping[str, float] | None = None, at: str | None = None,
        layer: str | None = None, compare: Sequence[str] = (), slices: str | None = None,
        embeddings: pa.Table | None = None, items: str | Collection[int] | None = None,
        seed: int = 0, progress: Progress | None = None,
    ) -> Choice:  # fmt: skip
        """Return which items to label or review next, and why.

        Args:
            count: how many at most.
            by: reasons and their weights: `rare`, `low-score`, `duplicates`, `rules` (the usual
                ones), `disagreement`, `slices`, `distance`, `unlabelled`.
            at: the version; the stage or else the newest where it is left out.
            layer: whose labels; the default one if there are several, or the first to compare.
            compare: layers that are compared for disagreement; one: the people within it.
            slices: SQL expression over columns of `items`; items of slices that have few labelled
                items are chosen.
            embeddings: column `embedding` (lists of numbers) and `item_id` or `uri`; items are
                chosen that are far from all that is labelled or chosen.
            items: the only ones to choose from: ids, or a SQL condition on columns of `items`.
            seed: among items of equal score another seed chooses others.
            progress: told how many labels were matched.

        Raises:
            NotFound: there is no such layer.
            InvalidInput: there is no such reason, or what it needs is missing or wrong.
        """
        from labelstore.analysis.curation.asking import Question, chosen

        manifest = self.manifest(at)
        if self.workspace.default_layer not in manifest.partitions("annotations"):
            layer = layer or next(iter(compare), None)
        own = self._one_layer(manifest, layer)
        question = Question(count, by or {}, own, compare, slices, seed)
        pool = None if items is None else self._items(items, at)
        return chosen(manifest, question, names(self.workspace), items=pool,
                      embeddings=embeddings, progress=progress)  # fmt: skip

    def check_split(
        self, scheme: str, *, at: str | None = None, ratios: str | None = None,
        layer: str | None = None, images: str | Path | None = None,
        progress: Progress | None = None,
    ) -> tuple[SplitReport, list[Leak]]:  # fmt: skip
        """Return how a split shares items and classes out, and what leaks between its subsets.

        Args:
            scheme: the split.
            at: the version; the stage or else the newest where it is left out.
            ratios: shares that are wanted; else those that were asked for last.
            layer: of the labels; the default one if there are several.
            images: folder below which the images are, to find those that look the same.
            progress: told how many images were read.

        Raises:
            NotFound: there is no such scheme.
        """
        from labelstore.analysis.splits.assigning import present_report
        from labelstore.analysis.splits.leaks import leaks
        from labelstore.analysis.splits.ratios import last_asked, parse_ratios

        manifest = self.manifest(at)
        own = self._layer_if_any(manifest, layer)
        found = leaks(manifest, scheme, Path(images) if images else None, progress)
        wanted = parse_ratios(ratios) if ratios else last_asked(manifest, scheme)
        return present_report(manifest, scheme, wanted, own), found

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

    def _items(self, items: str | Collection[int], at: str | None) -> Ids:
        """Return the ids of items, rising: those given, or for which a condition holds."""
        import numpy as np

        if not isinstance(items, str):
            own = np.unique(np.array([int(i) for i in items], np.int64))
            known = self.manifest(at).table(TABLES["items"], ["item_id"]).column(0)
            strange = np.setdiff1d(own, np.asarray(known))
            if len(strange):
                raise NotFound(f"there are no items {', '.join(map(str, strange[:5].tolist()))}",
                               code="item-unknown")  # fmt: skip
            return own
        from labelstore.query.sandbox import expressions

        expressions([items])
        rows = self.query(f"SELECT item_id FROM items WHERE ({items}\n)", at=at)
        return np.unique(np.asarray(rows.column(0), np.int64))

    def _layer_if_any(self, manifest: Manifest, layer: str | None) -> str | None:
        """Return the layer that is meant; all of them where the default one is not there."""
        there = manifest.partitions("annotations")
        if layer is None and self.workspace.default_layer not in there:
            return None
        return self._one_layer(manifest, layer)

    def _one_layer(self, manifest: Manifest, layer: str | None) -> str | None:
        """Return the layer that is meant; None where there is none but one."""
        there, default = manifest.partitions("annotations"), self.workspace.default_layer
        if layer is None and len(there) > 1 and default not in there:
            raise NotFound(f"there is no layer {default!r}, which is meant where none is named; "
                           f"name one of {', '.join(there)}", code="layer-unknown")  # fmt: skip
        named = default if layer is None and len(there) > 1 else layer
        return None if named is None else manifest.layer(named)
