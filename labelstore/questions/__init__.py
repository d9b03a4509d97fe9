"""What can be asked of a store: one short method per question, each delegating to its module."""

from __future__ import annotations

from labelstore.questions.labels import LabelQuestions
from labelstore.questions.lineage import LineageQuestions
from labelstore.questions.versions import Progress

__all__ = ["Progress", "Questions"]


class Questions(LabelQuestions, LineageQuestions):
    """What a store answers; nothing here changes it."""
