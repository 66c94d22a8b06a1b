"""Numbing, in two parts: the product goes on, its dwell passes on the port's clock, and it is wiped off."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from penstroke import data
from penstroke.safety.verdict import Reason
from penstroke.treatment.procedure_figures import procedure_figures
from penstroke.treatment.questions import Kind, Question, zone_and_side
from penstroke.treatment.screening_form import ANAESTHETICS, anaesthetics_in
from penstroke.treatment.steps.judgement import Judgement, refusals

if TYPE_CHECKING:
    from penstroke.treatment.session import Session

_ZERO = Decimal(0)
_LONGEST_MIN = Decimal(240)
"""As in a plan: a slip of the keyboard, not a limit of a product."""

APPLYING = (
    Question("product", "Which numbing product is put on?", Kind.TEXT),
    Question(
        "ingredients",
        "Which anaesthetics does it hold?",
        Kind.MANY,
        choices=ANAESTHETICS,
    ),
    Question(
        "lidocaine_pct",
        "How much lidocaine does it hold?",
        Kind.NUMBER,
        unit="%",
        low=_ZERO,
        high=Decimal(100),
        above_low=True,
        only_if=(("ingredients", ("lidocaine",)),),
    ),
    Question(
        "concentration",
        "In which concentration are the others?",
        Kind.TEXT,
        only_if=(("ingredients", ANAESTHETICS[1:]),),
        help="As on the label, with its unit.",
    ),
    Question(
        "over_the_counter",
        "Is it sold over the counter, without a prescription?",
        Kind.YES_NO,
    ),
    Question(
        "grams", "How much is put on?", Kind.NUMBER, unit="g", low=_ZERO, high=Decimal(1000), above_low=True
    ),
    Question(
        "area_cm2",
        "On how large an area?",
        Kind.NUMBER,
        unit="cm²",
        low=_ZERO,
        high=Decimal(20000),
        above_low=True,
    ),
    Question(
        "zones",
        "On which zones?",
        Kind.ZONES,
        zones=data.zone_table(),
    ),
    Question(
        "dwell_min",
        "How long must it stay on, by its label?",
        Kind.NUMBER,
        unit="min",
        low=_ZERO,
        high=_LONGEST_MIN,
        above_low=True,
        help="In practice 20 to 60 minutes; the label decides. It is counted down from now.",
    ),
)

REMOVING = (
    Question(
        "wiped_off",
        "Are all traces of the numbing product wiped off?",
        Kind.YES_NO,
        otherwise="numbing product is still on the skin",
    ),
    Question(
        "skin_reaction",
        "How does the skin look under it? Blank if there is nothing to note.",
        Kind.TEXT,
        required=False,
    ),
)


def early_questions(names: tuple[str, ...]) -> tuple[Question, ...]:
    """Asked as well while the dwell is still running."""
    return (
        Question(
            "early_reason",
            "The dwell is not over. Why is the product taken off now?",
            Kind.TEXT,
            help="To wait instead, leave this step and come back when the time is up.",
        ),
        Question("early_by", "Who decided that?", Kind.CHOICE, choices=names),
    )


def judge_applying(session: Session, answers: Mapping[str, Any]) -> Judgement:
    """Begun when the product may be used; an allergy blocks it."""
    # What the label's words name is in it, whatever was chosen from the list.
    on_label = anaesthetics_in(f"{answers['product']} {answers.get('concentration') or ''}")
    reasons = [
        Reason(
            "numbing-allergy",
            f"{answers['product']} holds {name}, and the patient is allergic to it",
            "use another product, or skip numbing",
        )
        for name in dict.fromkeys((*answers["ingredients"], *on_label))
        if name in session.no_numbing_with
    ]
    figures = procedure_figures()
    left = [zone for index, zone in enumerate(session.plan.zones, start=1) if index not in session.left_out]
    places = {(zone.zone, zone.side) for zone in left} | {(zone.zone, None) for zone in left}
    warnings = [
        f"{label} is numbed, and nothing is needled there in this plan"
        for label in answers["zones"]
        if zone_and_side(label) not in places
    ]
    lidocaine_pct = answers.get("lidocaine_pct")
    if (
        lidocaine_pct is not None
        and lidocaine_pct > figures.lidocaine_otc_pct
        and answers["over_the_counter"]
    ):
        warnings.append(
            f"{answers['product']}: {lidocaine_pct:g} % lidocaine, over the counter; products above "
            f"{figures.lidocaine_otc_pct} % are not to be used (FDA, March 2024)"
        )
    if not figures.dwell_from_min <= answers["dwell_min"] <= figures.dwell_to_min:
        warnings.append(
            f"a dwell of {answers['dwell_min']:g} min is outside the {figures.dwell_from_min} to "
            f"{figures.dwell_to_min} min of practice; the label decides"
        )
    return Judgement(reasons=tuple(reasons), warnings=tuple(warnings), begun=not reasons)


def judge_removing(answers: Mapping[str, Any], left_s: float) -> Judgement:
    """Done when all is wiped off, whether or not the dwell is over."""
    warnings: tuple[str, ...] = ()
    if left_s > 0:
        warnings = (
            f"taken off {left_s / 60:.0f} min before the dwell was over, by {answers['early_by']}: "
            f"{answers['early_reason']}",
        )
    return Judgement(
        reasons=refusals(REMOVING, answers), warnings=warnings, facts={"dwell_left_s": round(left_s, 3)}
    )
