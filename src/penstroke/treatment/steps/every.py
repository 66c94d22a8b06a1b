"""What each step asks and comes to: from the step to its module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstroke.treatment.moment import Moment
from penstroke.treatment.questions import Question
from penstroke.treatment.screening import screening_questions
from penstroke.treatment.screening_form import screening_form
from penstroke.treatment.steps import (
    aftercare,
    cleaning,
    consent,
    follow_up,
    mesotherapy,
    needling,
    numbing,
    pre_use,
)
from penstroke.treatment.steps.judgement import Judgement
from penstroke.treatment.steps.pre_use import PreUse
from penstroke.treatment.table import State, Step

if TYPE_CHECKING:
    from penstroke.treatment.session import Session


def questions_of(step: Step, session: Session, now: Moment) -> tuple[Question, ...]:
    """What this step asks in the state it is in."""
    roster = session.background.roster
    match step:
        case Step.CONSENT:
            return consent.questions(session)
        case Step.SCREENING:
            return screening_questions(screening_form(), roster.clinicians)
        case Step.PRE_USE:
            return pre_use.QUESTIONS
        case Step.CLEANING:
            return cleaning.QUESTIONS
        case Step.NUMBING if session.state(step) is State.BEGUN:
            early = numbing.early_questions(roster.names) if session.dwell_left_s(now) > 0 else ()
            return (*numbing.REMOVING, *early)
        case Step.NUMBING:
            return numbing.APPLYING
        case Step.NEEDLING:
            return needling.QUESTIONS
        case Step.MESOTHERAPY:
            return mesotherapy.questions(session)
        case Step.AFTERCARE:
            return aftercare.questions(session)
        case Step.FOLLOW_UP:
            return follow_up.QUESTIONS


def answered_questions(
    step: Step, session: Session, answers: Mapping[str, object], now: Moment
) -> tuple[Question, ...]:
    """What these answers answer: the questions of now, or those that were put while the dwell still ran."""
    found = questions_of(step, session, now)
    early = numbing.early_questions(session.background.roster.names)
    overtaken = step is Step.NUMBING and session.state(step) is State.BEGUN and early[0] not in found
    return (*found, *early) if overtaken and early[0].key in answers else found


def keys_of(step: Step, session: Session, now: Moment) -> frozenset[str]:
    """Every key that this step may ask for, in any of its parts."""
    found = {question.key for question in questions_of(step, session, now)}
    if step is Step.NUMBING:
        parts = (*numbing.APPLYING, *numbing.REMOVING, *numbing.early_questions(()))
        found |= {question.key for question in parts}
    return frozenset(found)


def judge(
    step: Step, session: Session, answers: Mapping[str, Any], now: Moment, measured: PreUse | None
) -> Judgement:
    """What parsed answers to `questions_of` come to. Screening is not here: it has an entry of its own."""
    match step:
        case Step.CONSENT:
            return consent.judge(session, answers)
        case Step.PRE_USE:
            if measured is None:
                raise ValueError("the pre-use check needs what was measured")
            return pre_use.judge(session, answers, measured, now.today)
        case Step.CLEANING:
            return cleaning.judge(answers)
        case Step.NUMBING if session.state(step) is State.BEGUN:
            return numbing.judge_removing(answers, session.dwell_left_s(now))
        case Step.NUMBING:
            return numbing.judge_applying(session, answers)
        case Step.NEEDLING:
            return needling.judge(answers)
        case Step.MESOTHERAPY:
            return mesotherapy.judge(session, answers, now.today)
        case Step.AFTERCARE:
            return aftercare.judge(session, answers, session.needling_ended or now.local)
        case Step.FOLLOW_UP:
            return follow_up.judge(answers)
        case Step.SCREENING:
            raise ValueError("screening is judged by the session")
