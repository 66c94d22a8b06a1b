"""Cleaning: dirt, oil and make-up off, then antiseptic; and nothing numbing left from home."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstroke.treatment.questions import Kind, Question
from penstroke.treatment.steps.judgement import Judgement, refusals

QUESTIONS = (
    Question("agent", "What was the skin cleaned with?", Kind.TEXT),
    Question(
        "clean",
        "Are dirt, oil and make-up off?",
        Kind.YES_NO,
        otherwise="the skin is not clean",
    ),
    Question(
        "home_numbing_off",
        "Is any numbing product that the patient came with wiped off?",
        Kind.YES_NO,
        otherwise="a numbing product that is not on record is still on the skin",
        help="Yes as well if there was none.",
    ),
    Question("antiseptic", "Which antiseptic was put on?", Kind.TEXT),
    Question(
        "antiseptic_dry",
        "Is the antiseptic dry?",
        Kind.YES_NO,
        otherwise="the antiseptic is not dry",
    ),
)


def judge(answers: Mapping[str, Any]) -> Judgement:
    """Done when the skin is clean and the antiseptic dry."""
    return Judgement(reasons=refusals(QUESTIONS, answers))
