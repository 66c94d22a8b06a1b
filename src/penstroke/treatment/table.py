"""The procedure as one table: its steps, what each needs, and what may be done with it in which state.

The rules in words; `docs/procedure.md` shows them, and a test holds the two together:

1. The steps have one order. A step is submitted or skipped only when every earlier one is done or skipped.
2. Consent, screening, the pre-use check, cleaning and needling are never skipped. Numbing, mesotherapy and
   follow-up may be, by a named person with a reason; aftercare only where nothing was needled.
3. A step that is blocked is not done: it may be submitted again, and skipped where it may be skipped.
4. Numbing is begun when the product is applied, and done when it is wiped off. Needling is begun with the
   first answer to a zone, and done when the sharps are away. What was begun may always be ended, whatever
   else is open, and is never skipped.
5. A step that is done or skipped may be redone, with a reason: it is open again, and nothing after it goes
   on before it is settled. Nothing earlier than mesotherapy is redone once a solution is on the skin.
6. Needles move only while every step before needling is done or skipped, in a zone that a person started
   since the program began, and never once a solution is on the skin.
7. What screening found stays: screening again can add to it, and takes nothing back. A correction of its
   answers counts as if it had been answered, and opens screening again; only a signature lifts what waits
   for one. A zone that screening excluded is passed over, and the rest of the plan goes on; a plan of which
   nothing is left, or one above a lowered ceiling, is refused, and a new visit begins with an adapted plan.
8. When a treatment is closed, nothing but follow-up is added.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Step(StrEnum):
    """The steps, in their order."""

    CONSENT = "consent"
    SCREENING = "screening"
    PRE_USE = "pre-use"
    CLEANING = "cleaning"
    NUMBING = "numbing"
    NEEDLING = "needling"
    MESOTHERAPY = "mesotherapy"
    AFTERCARE = "aftercare"
    FOLLOW_UP = "follow-up"


class State(StrEnum):
    """Where a step stands."""

    OPEN = "open"
    BEGUN = "begun"
    """Under way: the product is on the skin, or zones are being needled."""
    BLOCKED = "blocked"
    """Answered, and something stands against it."""
    DONE = "done"
    SKIPPED = "skipped"


class Act(StrEnum):
    """What can be done with a step."""

    SUBMIT = "submit"
    SKIP = "skip"
    REDO = "redo"
    NEEDLE = "needle"
    """Answer a zone, or move needles in it: of needling only."""


STEPS: Final = tuple(Step)

SETTLED: Final = frozenset({State.DONE, State.SKIPPED})

LEADS_TO: Final = MappingProxyType(
    {
        (State.OPEN, Act.SUBMIT): frozenset({State.DONE, State.BEGUN, State.BLOCKED}),
        (State.OPEN, Act.SKIP): frozenset({State.SKIPPED}),
        (State.OPEN, Act.NEEDLE): frozenset({State.BEGUN}),
        (State.BEGUN, Act.SUBMIT): frozenset({State.DONE, State.BEGUN}),
        (State.BEGUN, Act.NEEDLE): frozenset({State.BEGUN}),
        (State.BLOCKED, Act.SUBMIT): frozenset({State.DONE, State.BEGUN, State.BLOCKED}),
        (State.BLOCKED, Act.SKIP): frozenset({State.SKIPPED}),
        (State.DONE, Act.REDO): frozenset({State.OPEN}),
        (State.SKIPPED, Act.REDO): frozenset({State.OPEN}),
    }
)
"""Every act that a state permits, and the states it may lead to. What is not here is out of order."""

MAY_SKIP: Final = frozenset({Step.NUMBING, Step.MESOTHERAPY, Step.FOLLOW_UP})
MAY_SKIP_UNNEEDLED: Final = frozenset({Step.AFTERCARE})
"""Steps that may be skipped only where no zone was needled."""

IN_TWO_PARTS: Final = frozenset({Step.NUMBING, Step.NEEDLING})

EARLIER: Final = MappingProxyType({step: STEPS[:place] for place, step in enumerate(STEPS)})
"""The steps that come before each."""


def why_not(
    step: Step,
    act: Act,
    states: Mapping[Step, State],
    *,
    needled: bool = False,
    solution_on: bool = False,
    closed: bool = False,
) -> str:
    """Why this act is out of order now, in words; empty where it is in order.

    `needled` says that needles moved in a zone of this treatment, `solution_on` that a solution was applied,
    `closed` that the treatment has ended. None of them is ever taken back.
    """
    state = states[step]
    if closed:
        return "the treatment is closed"
    if act is Act.NEEDLE and step is not Step.NEEDLING:
        return f"nothing is needled in {step}"
    if (state, act) not in LEADS_TO:
        return f"{step} is {state} and cannot be {_PASSIVE[act]}"
    if step is Step.NEEDLING and state is State.OPEN and act is Act.SUBMIT:
        return "needling has not begun: no zone was answered"
    if act is Act.SKIP and not (step in MAY_SKIP or (step in MAY_SKIP_UNNEEDLED and not needled)):
        return f"{step} is never skipped" + (" after needling" if step in MAY_SKIP_UNNEEDLED else "")
    if act in (Act.REDO, Act.NEEDLE) and step in EARLIER[Step.MESOTHERAPY] and solution_on:
        return "a solution is on the skin, so nothing before mesotherapy is done again"
    if act is Act.REDO or (act is Act.SUBMIT and state is State.BEGUN):
        return ""
    return _unsettled(step, states)


def _unsettled(step: Step, states: Mapping[Step, State]) -> str:
    missing = [f"{one} is {states[one]}" for one in EARLIER[step] if states[one] not in SETTLED]
    return f"{', '.join(missing)}, and comes before {step}" if missing else ""


_PASSIVE: Final = MappingProxyType(
    {Act.SUBMIT: "submitted", Act.SKIP: "skipped", Act.REDO: "redone", Act.NEEDLE: "needled"}
)
