"""Verbs that make versions, name them, and write them anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labelstore.lineage.tags import remember_tags
from labelstore.questions import Progress, Questions
from labelstore.versions.branches import Branch, branches, create_branch, switch
from labelstore.versions.publish import publish_stage
from labelstore.versions.tagging import check_tag_free, tag_version

if TYPE_CHECKING:  # what a verb needs is loaded when it is used: a command uses one of them
    from labelstore.changes.merging.branching import MergeReport
    from labelstore.changes.merging.policies import Decide, Policy
    from labelstore.lineage.forgetting.finding import What
    from labelstore.lineage.forgetting.planning import Plan


class PublishingVerbs(Questions):
    """What makes versions, branches and tags."""

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
        if tag is not None:
            remember_tags(self.workspace)
        return made

    def tag(
        self, name: str, at: str = "HEAD", *, message: str | None = None, sign: bool | None = None
    ) -> None:
        """Give a version a name, if its labels are in the states that the store's policy asks.

        The tag is signed with `sign`, or where Git's `tag.gpgSign` asks for it.
        """
        from labelstore.changes.reviewing.policy import refuse_unreviewed

        refuse_unreviewed(self.workspace, self.workspace.manifest(at), name)
        tag_version(self.workspace, name, at, message or name, sign)
        remember_tags(self.workspace)

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

    def forget(
        self, what: What | None = None, named: str = "", *, reason: str = "", force: bool = False,
        by: str | None = None, sign: bool | None = None, progress: Progress | None = None,
    ) -> Plan:  # fmt: skip
        """Remove an item or a source from every version, or who stands behind a pseudonym.

        Every version is written anew, and branches and tags follow; a tag `forgotten/N` holds the
        map from old roots to new ones, by which pins and `verify` go on. Then the old objects are
        removed from the cache and the remotes.

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
        from labelstore.lineage.forgetting.forget import forget, forget_person, forget_rest

        if what is None:
            return forget_rest(self.workspace, force=force)
        if what == "agent":
            return forget_person(self.workspace, named, force=force)
        return forget(self.workspace, what, named, reason, force=force, by=by, sign=sign,
                      progress=progress)  # fmt: skip
