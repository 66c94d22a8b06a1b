"""Screening: what is asked of a patient, and what the answers forbid.

The outcome can only tighten: it blocks, excludes zones, lowers ceilings, bars numbing products, or waits for
a clinician's name. Screening the same patient again within a treatment adds to it and takes nothing back
(`Screened.merged`), and `Screened.limits` hands it to the safety layer, so that a zone excluded here is
refused by the same path as any other.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypeVar

from penstroke import data
from penstroke.safety import Screening
from penstroke.treatment.questions import Day, Kind, Question, zone_and_side
from penstroke.treatment.screening_form import (
    ANAESTHETICS,
    NEVER,
    NOW,
    STOPPED,
    Condition,
    Effect,
    Form,
    Shape,
)

_T = TypeVar("_T")

BIRTHDAY = "birthday"
_SIGNED_BY, _REASON = "_signed_by", "_reason"


@dataclass(frozen=True, slots=True)
class NeedledZone:
    """A zone, its side, and the deepest it is or was needled, in micrometres."""

    zone: str
    side: str | None
    deepest_um: int


@dataclass(frozen=True, slots=True)
class EarlierTreatment:
    """What the records tell of an earlier treatment of this patient."""

    day: datetime.date
    zones: tuple[NeedledZone, ...]


@dataclass(frozen=True, slots=True)
class SignOff:
    """A clinician's decision to treat in spite of a condition that permits one."""

    condition: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Screened:
    """What screening found. Conditions are named in words."""

    blocked_by: tuple[str, ...] = ()
    excluded: tuple[tuple[str, str | None], ...] = ()
    factor: Fraction = Fraction(1)
    sign_offs: tuple[SignOff, ...] = ()
    unsigned: tuple[str, ...] = ()
    """Conditions that wait for a sign-off; they block until then."""
    allergies: tuple[str, ...] = ()
    """Anaesthetics not to be used."""
    warnings: tuple[str, ...] = ()

    @property
    def limits(self) -> Screening:
        """The same as the safety layer takes it."""
        waiting = tuple(f"{condition}, not signed off by a clinician" for condition in self.unsigned)
        return Screening(
            factor=self.factor, excluded=frozenset(self.excluded), blocked_by=(*self.blocked_by, *waiting)
        )

    def merged(self, later: Screened) -> Screened:
        """This and a later screening of the same treatment: whichever is tighter, in everything."""
        signed = _once((*self.sign_offs, *later.sign_offs))
        by_name = {one.condition for one in signed}
        waiting = _once((*self.unsigned, *later.unsigned))
        return Screened(
            blocked_by=_once((*self.blocked_by, *later.blocked_by)),
            excluded=_once((*self.excluded, *later.excluded)),
            factor=min(self.factor, later.factor),
            sign_offs=signed,
            unsigned=tuple(one for one in waiting if one not in by_name),
            allergies=_once((*self.allergies, *later.allergies)),
            warnings=_once((*self.warnings, *later.warnings)),
        )

    def corrected(self, found: Screened) -> Screened:
        """This, and what answers find as they were corrected: a correction signs nothing off, and a sign-off
        that it takes away has to be given anew."""
        together = self.merged(found)
        return replace(
            together,
            sign_offs=tuple(one for one in self.sign_offs if one.condition not in found.unsigned),
            unsigned=_once((*self.unsigned, *found.unsigned)),
        )

    def body(self) -> dict[str, Any]:
        """As the record has it."""
        return {
            "blocked_by": list(self.blocked_by),
            "excluded": [[zone, side] for zone, side in self.excluded],
            "factor": str(self.factor),
            "sign_offs": [
                {"condition": one.condition, "by": one.by, "reason": one.reason} for one in self.sign_offs
            ],
            "unsigned": list(self.unsigned),
            "allergies": list(self.allergies),
            "warnings": list(self.warnings),
        }

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Screened:
        """From the record."""
        return cls(
            blocked_by=tuple(body["blocked_by"]),
            excluded=tuple((zone, side) for zone, side in body["excluded"]),
            factor=Fraction(body["factor"]),
            sign_offs=tuple(SignOff(**one) for one in body["sign_offs"]),
            unsigned=tuple(body["unsigned"]),
            allergies=tuple(body["allergies"]),
            warnings=tuple(body["warnings"]),
        )


def screening_questions(form: Form, clinicians: Sequence[str]) -> tuple[Question, ...]:
    """Everything that is asked, in the form's order. Nothing has a default: no silent no."""
    found = [
        Question(
            BIRTHDAY,
            "When was the patient born?",
            Kind.DATE,
            day=Day.PAST,
            help=f"Nobody under {form.youngest_years} is treated.",
        )
    ]
    for one in form.conditions:
        found += _questions_of(one, tuple(clinicians))
    return tuple(found)


def _questions_of(one: Condition, clinicians: tuple[str, ...]) -> list[Question]:
    match one.shape:
        case Shape.YES_NO:
            first = Question(one.key, one.ask, Kind.YES_NO, help=one.help)
            return [first, *_sign_off_questions(one, (True,), clinicians)]
        case Shape.MEDICINE:
            return [
                Question(one.key, one.ask, Kind.CHOICE, choices=(NEVER, NOW, STOPPED), help=one.help),
                Question(
                    f"{one.key}_stopped_on",
                    one.ask_more,
                    Kind.DATE,
                    day=Day.PAST,
                    only_if=((one.key, (STOPPED,)),),
                ),
                *_sign_off_questions(one, (STOPPED,), clinicians),
            ]
        case Shape.ZONES:
            return [
                Question(
                    one.key,
                    one.ask,
                    Kind.ZONES,
                    zones=data.zone_table(),
                    help="Zones with their side, with commas between; a zone without a side is both sides.",
                )
            ]
        case Shape.PROPHYLAXIS:
            return [
                Question(one.key, one.ask, Kind.YES_NO, help=one.help),
                Question(
                    f"{one.key}_prophylaxis",
                    one.ask_more,
                    Kind.YES_NO,
                    only_if=((one.key, (True,)),),
                    help=f"Without it these zones are left out: {', '.join(one.zones)}.",
                ),
            ]
        case Shape.INGREDIENTS:
            return [Question(one.key, one.ask, Kind.MANY, choices=ANAESTHETICS, help=one.help)]


def _sign_off_questions(one: Condition, when: tuple[Any, ...], clinicians: tuple[str, ...]) -> list[Question]:
    if Effect.SIGN_OFF not in one.effect:
        return []
    return [
        Question(
            one.key + _SIGNED_BY,
            "Which clinician signs off that the patient is treated all the same?",
            Kind.CHOICE,
            required=False,
            choices=clinicians,
            only_if=((one.key, when),),
            help="Leave it blank if nobody does: then the patient is not treated.",
        ),
        Question(
            one.key + _REASON,
            "For what reason?",
            Kind.TEXT,
            only_if=((one.key + _SIGNED_BY, clinicians),),
        ),
    ]


def screen(
    form: Form,
    answers: Mapping[str, Any],
    *,
    today: datetime.date,
    planned: Sequence[NeedledZone] = (),
    earlier: Sequence[EarlierTreatment] = (),
) -> Screened:
    """What parsed answers to `screening_questions` and the records of this patient forbid."""
    found = Screened()
    if _years(datetime.date.fromisoformat(answers[BIRTHDAY]), today) < form.youngest_years:
        found = Screened(blocked_by=(f"age under {form.youngest_years}",))
    for one in form.conditions:
        found = found.merged(_outcome(one, answers, today))
    return found.merged(_too_soon(form, today, planned, earlier))


def _outcome(one: Condition, answers: Mapping[str, Any], today: datetime.date) -> Screened:
    answer = answers[one.key]
    match one.shape:
        case Shape.ZONES:
            places = tuple(zone_and_side(label) for label in answer)
            return Screened(
                excluded=places,
                warnings=tuple(f"{_label(*place)} is left out: {one.name}" for place in places),
            )
        case Shape.INGREDIENTS:
            warnings = tuple(f"no numbing with {name}: {one.name}" for name in answer)
            return Screened(allergies=tuple(answer), warnings=warnings)
        case Shape.PROPHYLAXIS:
            if answer is not True:
                return Screened()
            places = (
                () if answers.get(f"{one.key}_prophylaxis") else tuple((zone, None) for zone in one.zones)
            )
            left_out = tuple(f"{_label(*place)} is left out: {one.name}, no prophylaxis" for place in places)
            return Screened(excluded=places, warnings=(one.warning, *left_out))
        case Shape.MEDICINE:
            return _medicine(one, answers, today)
        case Shape.YES_NO:
            return _yes(one, answers) if answer is True else Screened()


def _yes(one: Condition, answers: Mapping[str, Any]) -> Screened:
    signed = _signed(one, answers) if Effect.SIGN_OFF in one.effect else Screened()
    return signed.merged(
        Screened(
            blocked_by=(one.name,) if Effect.BLOCK in one.effect else (),
            factor=one.factor,
            warnings=(one.warning,) if one.warning else (),
        )
    )


def _medicine(one: Condition, answers: Mapping[str, Any], today: datetime.date) -> Screened:
    if answers[one.key] == NOW:
        return Screened(blocked_by=(f"{one.name} now",))
    if answers[one.key] == NEVER:
        return Screened()
    stopped = datetime.date.fromisoformat(answers[f"{one.key}_stopped_on"])
    if _months_later(stopped, one.within_months) <= today:
        return Screened()
    return _signed(one, answers, f"{one.name} stopped under {one.within_months} months ago")


def _signed(one: Condition, answers: Mapping[str, Any], name: str = "") -> Screened:
    """A sign-off needs both a clinician and a reason; half of one is none."""
    by, reason = answers.get(one.key + _SIGNED_BY), answers.get(one.key + _REASON)
    condition = name or one.name
    if by and reason:
        return Screened(
            sign_offs=(SignOff(condition, by, reason),),
            warnings=(f"{condition}: signed off by {by}: {reason}",),
        )
    return Screened(unsigned=(condition,))


def _too_soon(
    form: Form, today: datetime.date, planned: Sequence[NeedledZone], earlier: Sequence[EarlierTreatment]
) -> Screened:
    """Zones of the plan that were needled too short a time ago."""
    found = Screened()
    for treatment in earlier:
        days = form.interval_days
        if shallow(planned) and shallow(treatment.zones):
            days = form.shallow_days
        # A treatment dated in the future is a clock set wrongly: it counts as just now.
        if (today - treatment.day).days >= days:
            continue
        mine = {(zone.zone, zone.side) for zone in planned}
        places = tuple((zone.zone, zone.side) for zone in treatment.zones if (zone.zone, zone.side) in mine)
        again = treatment.day + datetime.timedelta(days=days)
        found = found.merged(
            Screened(
                excluded=_once(places),
                warnings=tuple(
                    f"{_label(*place)} is left out: needled on {treatment.day}, again not before {again}"
                    for place in _once(places)
                ),
            )
        )
    return found


def shallow(zones: Sequence[NeedledZone]) -> bool:
    """Whether this is nowhere deeper than each zone's start depth; an unknown zone is not shallow."""
    table = {zone.name: zone.start_um for zone in data.zone_table()}
    starts = [(table.get(zone.zone), zone.deepest_um) for zone in zones]
    return bool(starts) and all(start is not None and deepest <= start for start, deepest in starts)


def _years(born: datetime.date, today: datetime.date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _months_later(day: datetime.date, months: int) -> datetime.date:
    """The same day so many months later, or the first of the month after where there is none."""
    year, month = divmod(day.month - 1 + months, 12)
    try:
        return day.replace(year=day.year + year, month=month + 1)
    except ValueError:
        year, month = divmod(day.month + months, 12)
        return day.replace(year=day.year + year, month=month + 1, day=1)


def _label(zone: str, side: str | None) -> str:
    return f"{zone} {side}" if side else zone


def _once(items: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(items))
