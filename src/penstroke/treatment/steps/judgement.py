"""What a step's answers come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstroke.safety.verdict import Reason
from penstroke.treatment.questions import Kind, Question


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a step is done; `reasons` say why it is not."""

    reasons: tuple[Reason, ...] = ()
    warnings: tuple[str, ...] = ()
    begun: bool = False
    """In order, and the step has a second part still to come."""
    entries: tuple[tuple[str, dict[str, Any]], ...] = ()
    """What goes to the record before the step itself: kind and body."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What goes into the step's own entry beside the answers."""


def refusals(questions: Sequence[Question], answers: Mapping[str, Any]) -> tuple[Reason, ...]:
    """A reason for every yes-or-no that had to be a yes and was not."""
    return tuple(
        Reason("step-blocked", question.otherwise, "see to it, and answer the step again")
        for question in questions
        if question.kind is Kind.YES_NO and question.otherwise and answers.get(question.key) is False
    )
