"""Needling around the needles themselves: the endpoint of a zone, what bleeding does to depth, the sharps."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from penstroke.safety.limits import PenLimits
from penstroke.safety.zones import Zone
from penstroke.treatment.questions import Kind, Question
from penstroke.treatment.steps.judgement import Judgement, refusals


class Endpoint(StrEnum):
    """What the skin showed."""

    ERYTHEMA = "erythema"
    PINPOINT = "pinpoint-bleeding"
    CONTINUOUS = "continuous-bleeding"
    NONE = "none"


ENDPOINT = Question(
    "endpoint",
    "What does the skin show?",
    Kind.CHOICE,
    choices=tuple(Endpoint),
    help="Even pinpoint bleeding is aimed at; continuous bleeding means that the depth is lowered.",
)

QUESTIONS = (
    Question(
        "sharps",
        "Is the cartridge off the pen and in the sharps container?",
        Kind.YES_NO,
        otherwise="the cartridge is not in the sharps container",
        help="Take it off without touching the needles, and drop it in whole. It is never used again.",
    ),
    Question(
        "skin_wiped",
        "Was blood wiped off, and has all bleeding stopped?",
        Kind.YES_NO,
        otherwise="the skin still bleeds, or was not wiped",
    ),
    Question("note", "Anything to note? Blank if not.", Kind.TEXT, required=False),
)


def judge(answers: Mapping[str, Any]) -> Judgement:
    """Done when the sharps are away and nothing bleeds."""
    return Judgement(reasons=refusals(QUESTIONS, answers))


def lower_depth_um(depth_um: int, zone: Zone, pen: PenLimits) -> int | None:
    """The depth proposed after continuous bleeding at `depth_um`; None where the zone should end.

    What a new session would preset in this zone, if that is shallower, else the pen's next step below; always
    on the step, within its range, and shallower than before.
    """
    step = pen.depth_step_um
    highest = (depth_um - 1) // step * step
    if zone.start_um is not None and zone.start_um < depth_um:
        highest = min(highest, zone.start_um // step * step)
    return highest if highest >= max(pen.depth_min_um, step) else None
