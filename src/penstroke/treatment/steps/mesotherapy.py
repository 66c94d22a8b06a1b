"""Mesotherapy: solutions applied to the skin after needling, each with what it is, its lot and its expiry.

Applied, not delivered: a pen of this class must not claim to bring anything through the skin (21 CFR
878.4430), so this is a step of its own and is worded so.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from penstroke import data
from penstroke.safety.verdict import Reason
from penstroke.treatment.procedure_figures import procedure_figures
from penstroke.treatment.questions import Kind, Question, zone_and_side
from penstroke.treatment.steps.judgement import Judgement

if TYPE_CHECKING:
    from penstroke.treatment.session import Session

VITAMIN_C = "vitamin C"
INGREDIENTS = (
    "hyaluronic acid",
    VITAMIN_C,
    "other vitamins",
    "minerals",
    "amino acids",
    "peptides",
    "growth factors",
    "other",
)

_VITAMIN_C_SOURCE = "15 published cases of granuloma, doi 10.1097/DSS.0000000000004450"
_STERILE_SOURCE = "needled skin is open; CDC MMWR 73(16):372 traced infections to one spa's needling"


def questions(session: Session) -> tuple[Question, ...]:
    """One or more solutions, and on which of the needled zones."""
    needled = {zone for zone, _ in session.needled}
    clinicians = session.background.roster.clinicians
    solution = (
        Question("product", "Which solution was applied to the skin?", Kind.TEXT),
        Question("ingredients", "What does it hold?", Kind.MANY, choices=INGREDIENTS),
        Question("ingredients_text", "Its ingredients by name and strength, as on the label.", Kind.TEXT),
        Question("lot", "Which lot?", Kind.TEXT),
        Question("expiry", "Until when may it be used?", Kind.DATE),
        Question("sterile", "Is it labelled sterile?", Kind.YES_NO),
        Question(
            "volume_ml",
            "How much was applied?",
            Kind.NUMBER,
            unit="mL",
            low=Decimal(0),
            high=Decimal(100),
            above_low=True,
        ),
        Question(
            "zones",
            "To which of the needled zones?",
            Kind.ZONES,
            zones=tuple(zone for zone in data.zone_table() if zone.name in needled),
        ),
        Question(
            "override_by",
            "A solution that is not sterile, or holds vitamin C, is blocked. Which clinician overrides that?",
            Kind.CHOICE,
            required=False,
            choices=clinicians,
            help="Blank if none does.",
            only_if=(("sterile", (False,)), ("ingredients", (VITAMIN_C,))),
        ),
        Question("override_reason", "For what reason?", Kind.TEXT, only_if=(("override_by", clinicians),)),
    )
    return (
        Question(
            "solutions",
            "Which solutions were applied to the skin after needling?",
            Kind.GROUP,
            each=solution,
            help="About 3 mL in all for a full face.",
        ),
    )


def judge(session: Session, answers: Mapping[str, Any], today: datetime.date) -> Judgement:
    """Done when nothing is blocked, or a clinician answers for what is."""
    reasons: list[Reason] = []
    warnings: list[str] = []
    entries: list[tuple[str, dict[str, Any]]] = []
    for solution in answers["solutions"]:
        reasons += _for_good(session, solution, today)
        liftable = _liftable(solution)
        by, why = solution.get("override_by"), solution.get("override_reason")
        if liftable and by and why:
            warnings += [f"{one.message}; overridden by {by}: {why}" for one in liftable]
            entries += [
                ("override", {"what": one.code, "product": solution["product"], "by": by, "reason": why})
                for one in liftable
            ]
        else:
            reasons += liftable
    total = sum((Decimal(repr(one["volume_ml"])) for one in answers["solutions"]), Decimal(0))
    usual = procedure_figures().full_face_ml
    if total > usual:
        warnings.append(f"{total.normalize():f} mL in all; about {usual} mL is usual for a full face")
    return Judgement(
        reasons=tuple(reasons), warnings=tuple(warnings), entries=() if reasons else tuple(entries)
    )


def _for_good(session: Session, solution: Mapping[str, Any], today: datetime.date) -> list[Reason]:
    """What no name lifts: an expired solution, or one on skin that was not needled."""
    product, found = solution["product"], []
    if datetime.date.fromisoformat(solution["expiry"]) < today:
        message = f"{product}, lot {solution['lot']}, expired on {solution['expiry']}"
        found.append(Reason("solution-expired", message, "use one that has not expired"))
    for label in solution["zones"]:
        if not _was_needled(session, *zone_and_side(label)):
            message = f"{product}: {label} was not needled in this treatment"
            found.append(Reason("zone-not-needled", message, "name only zones that were needled"))
    if not solution["zones"]:
        found.append(Reason("zone-not-needled", f"{product}: no zone is named", "name the zones"))
    return found


def _was_needled(session: Session, zone: str, side: str | None) -> bool:
    return any(zone == name and side in (None, its_side) for name, its_side in session.needled)


def _liftable(solution: Mapping[str, Any]) -> list[Reason]:
    hint = "use another; or a clinician overrides it by name and with a reason"
    product, found = solution["product"], []
    if not solution["sterile"]:
        message = f"{product} is not labelled sterile ({_STERILE_SOURCE})"
        found.append(Reason("solution-not-sterile", message, hint))
    if VITAMIN_C in solution["ingredients"]:
        message = f"{product} holds vitamin C, which is not put on needled skin ({_VITAMIN_C_SOURCE})"
        found.append(Reason("solution-vitamin-c", message, hint))
    return found
