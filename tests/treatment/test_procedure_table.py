"""The table of steps: every step in every state with every act, against its rules written a second time."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from visits import BEN, GOOD, MEASURED, Visit, with_states

from penstroke.errors import Refused
from penstroke.treatment.dose import Dose, ZoneDose
from penstroke.treatment.session import Session
from penstroke.treatment.table import LEADS_TO, STEPS, Act, State, Step, why_not

EVERY = list(itertools.product(STEPS, State, Act))
SETTLED = {State.DONE, State.SKIPPED}


def in_order(
    step: Step, act: Act, states: dict[Step, State], *, needled: bool, solution_on: bool, closed: bool
) -> bool:
    """The rules in words at the head of the table, one by one, in another shape."""
    state = states[step]
    before = all(states[one] in SETTLED for one in STEPS[: STEPS.index(step)])
    if closed:
        return False
    if act is Act.NEEDLE:
        return step is Step.NEEDLING and state in {State.OPEN, State.BEGUN} and before and not solution_on
    if act is Act.REDO:
        early = step not in (Step.MESOTHERAPY, Step.AFTERCARE, Step.FOLLOW_UP)
        return state in SETTLED and not (early and solution_on)
    if act is Act.SKIP:
        may = step in (Step.NUMBING, Step.MESOTHERAPY, Step.FOLLOW_UP)
        may = may or (step is Step.AFTERCARE and not needled)
        return may and state in {State.OPEN, State.BLOCKED} and before
    if state is State.BEGUN:
        return True
    return (
        state in {State.OPEN, State.BLOCKED}
        and before
        and not (step is Step.NEEDLING and state is State.OPEN)
    )


def surroundings(step: Step) -> list[dict[Step, State]]:
    """All earlier steps settled, then one of them in each state that is not; later ones open."""
    earlier = STEPS[: STEPS.index(step)]
    settled = dict.fromkeys(STEPS, State.OPEN) | dict.fromkeys(earlier, State.DONE)
    found = [settled]
    for one, state in itertools.product(earlier, (State.OPEN, State.BEGUN, State.BLOCKED, State.SKIPPED)):
        found.append({**settled, one: state})
    return found


@pytest.mark.parametrize(("step", "state", "act"), EVERY)
def test_every_step_state_and_act(step: Step, state: State, act: Act) -> None:
    for around in surroundings(step):
        for needled, solution_on, closed in itertools.product((False, True), repeat=3):
            states = {**around, step: state}
            problem = why_not(step, act, states, needled=needled, solution_on=solution_on, closed=closed)
            expected = in_order(step, act, states, needled=needled, solution_on=solution_on, closed=closed)
            assert (not problem) == expected, (states, problem)


def act_on(session: Session, step: Step, act: Act, visit: Visit) -> Session:
    """Do it, with good answers."""
    if act is Act.SUBMIT:
        given = GOOD[step]
        if step is Step.NUMBING and session.state(step) is State.BEGUN:
            given = {"wiped_off": True}
        measured = MEASURED if step is Step.PRE_USE else None
        return session.submit(step, given, visit.now, measured=measured).session
    if act is Act.SKIP:
        return session.skip(step, reason="not wanted", by=BEN, now=visit.now).session
    if act is Act.REDO:
        return session.redo(step, reason="a slip", by=BEN, now=visit.now).session
    session.may_answer_zone()
    return session.noted("zone", {"index": 1, "zone": "forehead", "side": None, "answer": "start"})


@pytest.mark.parametrize(
    ("step", "state", "act"),
    [one for one in EVERY if one[2] is not Act.NEEDLE or one[0] is Step.NEEDLING],  # the others have no zones
)
def test_a_session_does_what_the_table_says(step: Step, state: State, act: Act) -> None:
    visit = Visit()
    needled = STEPS.index(step) > STEPS.index(Step.NEEDLING)
    for around in surroundings(step):
        states = {**around, step: state}
        session = with_states(visit.session, states)
        if needled:
            session = replace(session, dose=Dose({1: ZoneDose(passes_begun=1)}))
        expected = in_order(step, act, states, needled=needled, solution_on=False, closed=False)
        if not expected:
            with pytest.raises(Refused) as refused:
                act_on(session, step, act, visit)
            assert refused.value.code == "step-out-of-order"
            assert refused.value.hint
            continue
        after = act_on(session, step, act, visit)
        assert after.state(step) in LEADS_TO[state, act]
        others = {one: state for one, state in after.states.items() if one is not step}
        assert others == {one: state for one, state in states.items() if one is not step}


def test_every_transition_is_used() -> None:
    """No line of the table is there for nothing."""
    for state, act in LEADS_TO:
        assert any(
            in_order(step, act, {**around, step: state}, needled=False, solution_on=False, closed=False)
            for step in STEPS
            for around in surroundings(step)
        ), (state, act)


def test_the_steps_are_those_of_the_record() -> None:
    assert [step.value for step in STEPS] == [
        "consent",
        "screening",
        "pre-use",
        "cleaning",
        "numbing",
        "needling",
        "mesotherapy",
        "aftercare",
        "follow-up",
    ]
