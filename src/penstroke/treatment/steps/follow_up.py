"""Follow-up: when the patient is seen again, and the side effects that are reported later."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from penstroke.treatment.questions import Day, Kind, Question
from penstroke.treatment.steps.judgement import Judgement, refusals

EFFECTS = (
    "redness",
    "swelling",
    "dryness",
    "bruising",
    "infection",
    "pigmentation-change",
    "persistent-mark",
    "other",
)
"""`dryness` is dryness or flaking."""
GRADES = ("mild", "moderate", "severe")

QUESTIONS = (
    Question(
        "review_on",
        "When is the patient asked how it went?",
        Kind.DATE,
        day=Day.FUTURE,
    ),
    Question(
        "warning_signs",
        "Does the patient know the warning signs, and whom to call?",
        Kind.YES_NO,
        otherwise="the patient does not know the warning signs",
    ),
)


def judge(answers: Mapping[str, Any]) -> Judgement:
    """Done when the patient knows whom to call."""
    return Judgement(reasons=refusals(QUESTIONS, answers))


def effect_problem(answers: Mapping[str, Any], treated: datetime.date) -> str:
    """Why this side effect of a treatment on that day cannot be, in words; empty where it can."""
    onset = datetime.date.fromisoformat(answers["onset"])
    if onset < treated:
        return f"onset is {onset}, before the treatment on {treated}"
    resolved = answers["resolved"]
    if resolved is not None and datetime.date.fromisoformat(resolved) < onset:
        return f"resolved is {resolved}, before the onset on {onset}"
    return ""


def effect_questions(names: tuple[str, ...]) -> tuple[Question, ...]:
    """A side effect, as the record's `follow-up` has it."""
    return (
        Question("effect", "What was noticed?", Kind.CHOICE, choices=EFFECTS, help="dryness: or flaking"),
        Question("grade", "How bad is it?", Kind.CHOICE, choices=GRADES),
        Question("onset", "Since when?", Kind.DATE, day=Day.PAST),
        Question(
            "resolved",
            "Until when? Blank if it is still there.",
            Kind.DATE,
            required=False,
            day=Day.PAST,
        ),
        Question("action", "What was done about it?", Kind.TEXT),
        Question("note", "Anything to note? Blank if not.", Kind.TEXT, required=False),
        Question("by", "Who took this down?", Kind.CHOICE, choices=names),
    )
