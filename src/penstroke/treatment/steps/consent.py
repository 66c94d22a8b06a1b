"""Consent, and the read-back before anything is done: the right patient, places and allergies (time-out)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstroke.treatment.questions import Kind, Question
from penstroke.treatment.screening_form import anaesthetics_in
from penstroke.treatment.steps.judgement import Judgement, refusals

if TYPE_CHECKING:
    from penstroke.treatment.session import Session


def questions(session: Session) -> tuple[Question, ...]:
    """Who took the consent, and what was read back to the patient, by whom."""
    names = session.background.roster.names
    zones = ", ".join(zone.label() for zone in session.plan.zones)
    return (
        Question(
            "informed_consent",
            "Has the patient given informed consent to this treatment, in writing?",
            Kind.YES_NO,
            otherwise="informed consent was not given",
            help="Purpose, risks, alternatives and aftercare were explained and questions answered.",
        ),
        Question("consent_by", "Who took the consent?", Kind.CHOICE, choices=names),
        Question(
            "patient_confirmed",
            "Was the patient's identity read back and confirmed by the patient?",
            Kind.YES_NO,
            detail=session.patient,
            otherwise="the patient's identity was not confirmed",
        ),
        Question(
            "zones_confirmed",
            "Were the zones read back and confirmed by the patient? Left and right are the patient's.",
            Kind.YES_NO,
            detail=zones,
            otherwise="the zones were not confirmed",
        ),
        Question(
            "allergies",
            "Which allergies does the patient have? `none` if there are none.",
            Kind.TEXT,
        ),
        Question(
            "allergies_confirmed",
            "Were the allergies read back and confirmed by the patient?",
            Kind.YES_NO,
            otherwise="the allergies were not confirmed",
        ),
        Question("read_back_by", "Who read them back?", Kind.CHOICE, choices=names),
    )


def judge(session: Session, answers: Mapping[str, Any]) -> Judgement:
    """Done when consent was given and all was confirmed."""
    named = anaesthetics_in(answers["allergies"])
    return Judgement(
        reasons=refusals(questions(session), answers),
        warnings=tuple(f"no numbing with {name}: it is named among the allergies" for name in named),
    )
