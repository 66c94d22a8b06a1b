"""Every row of the screening form has its effect; together they only tighten; what was found stays."""

from __future__ import annotations

import datetime
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from visits import ADA, TODAY, Visit, nothing_found

from penstroke import data
from penstroke.errors import AnswerError, LimitsError
from penstroke.safety import Constraints, PenLimits, Refusal, Scope, check_depth, depth_limit
from penstroke.treatment.check import check
from penstroke.treatment.questions import parse_answers
from penstroke.treatment.screening import (
    EarlierTreatment,
    NeedledZone,
    Screened,
    screen,
    screening_questions,
    shallow,
)
from penstroke.treatment.screening_form import (
    Condition,
    Effect,
    Shape,
    anaesthetics_in,
    parse_form,
    screening_form,
)
from penstroke.treatment.table import State, Step

FORM = screening_form()
PLANNED = (NeedledZone("forehead", None, 400), NeedledZone("cheek", "left", 750))

BLOCKING = (
    "bleeding_disorder",
    "pregnancy_or_nursing",
    "steel_allergy",
    "uncontrolled_diabetes",
    "chemo_or_radiotherapy",
)
SIGNED = ("keloid_history", "immune_suppression", "scleroderma", "systemic_infection", "anticoagulant")
ZONED = (
    "active_acne",
    "herpes",
    "warts",
    "eczema",
    "sunburn",
    "open_lesions",
    "moles",
    "keratoses",
    "young_scars",
    "fillers",
    "surgery",
)
LOWERING = ("anticoagulant", "darker_skin", "sun_plans")
OTHERS = ("isotretinoin", "cold_sores", "anaesthetic_allergy")


def found(
    today: datetime.date = TODAY, earlier: tuple[EarlierTreatment, ...] = (), **changes: Any
) -> Screened:
    given = {key: value for key, value in {**nothing_found(), **changes}.items() if value is not None}
    parsed = parse_answers(screening_questions(FORM, (ADA,)), given, today=today)
    return screen(FORM, parsed, today=today, planned=PLANNED, earlier=earlier)


def test_every_row_is_tested_here() -> None:
    assert {one.key for one in FORM.conditions} == {*BLOCKING, *SIGNED, *ZONED, *LOWERING, *OTHERS}


def test_nothing_found_leaves_everything() -> None:
    assert found() == Screened()
    assert found().limits.blocked_by == ()


@pytest.mark.parametrize("key", BLOCKING)
def test_a_row_that_blocks(key: str) -> None:
    outcome = found(**{key: True})
    assert outcome.blocked_by == (FORM.named(key).name,)
    assert outcome.limits.blocked_by == outcome.blocked_by


@pytest.mark.parametrize(
    ("born", "blocked"),
    [("2004-11-24", True), ("2004-11-23", False), ("2010-01-01", True), ("1950-06-01", False)],
)
def test_nobody_under_22(born: str, blocked: bool) -> None:
    assert bool(found(birthday=born).blocked_by) == blocked


def test_born_on_a_leap_day() -> None:
    before, on = datetime.date(2026, 2, 28), datetime.date(2026, 3, 1)
    assert found(today=before, birthday="2004-02-29").blocked_by
    assert not found(today=on, birthday="2004-02-29").blocked_by


@pytest.mark.parametrize("key", SIGNED)
def test_a_row_that_needs_a_name(key: str) -> None:
    name = FORM.named(key).name
    waiting = found(**{key: True})
    assert waiting.unsigned == (name,)
    assert waiting.limits.blocked_by == (f"{name}, not signed off by a clinician",)
    for half in ({f"{key}_signed_by": ADA}, {f"{key}_reason": "stable"}):
        with pytest.raises(AnswerError, match=f"{key}_reason"):
            found(**{key: True, **half})
    signed = found(**{key: True, f"{key}_signed_by": ADA, f"{key}_reason": "stable"})
    assert signed.unsigned == ()
    assert signed.limits.blocked_by == ()
    assert [(one.condition, one.by, one.reason) for one in signed.sign_offs] == [(name, ADA, "stable")]


def test_isotretinoin() -> None:
    assert found(isotretinoin="now").blocked_by == ("isotretinoin now",)
    recent = {"isotretinoin": "stopped", "isotretinoin_stopped_on": "2026-05-24"}
    assert found(**recent).unsigned == ("isotretinoin stopped under 6 months ago",)
    signed = {"isotretinoin_signed_by": ADA, "isotretinoin_reason": "low dose"}
    assert found(**recent, **signed).limits.blocked_by == ()
    assert found(isotretinoin="stopped", isotretinoin_stopped_on="2026-05-23") == Screened()


def test_six_months_from_a_day_that_a_month_has_not() -> None:
    answers = {"isotretinoin": "stopped", "isotretinoin_stopped_on": "2025-08-31"}
    assert found(today=datetime.date(2026, 2, 28), **answers).unsigned
    assert not found(today=datetime.date(2026, 3, 1), **answers).unsigned


@pytest.mark.parametrize("key", ZONED)
def test_a_row_that_leaves_zones_out(key: str) -> None:
    outcome = found(**{key: "cheek left, chin, temple"})
    assert outcome.excluded == (("cheek", "left"), ("chin", None), ("temple", None))
    assert outcome.warnings[0] == f"cheek left is left out: {FORM.named(key).name}"
    zone = data.zone_named("temple")
    assert zone is not None
    assert outcome.limits.excludes(zone, "right")


@pytest.mark.parametrize("key", LOWERING)
def test_a_row_that_lowers_ceilings(key: str) -> None:
    answers = {key: True}
    if key in SIGNED:
        answers |= {f"{key}_signed_by": ADA, f"{key}_reason": "stable"}
    outcome = found(**answers)
    assert outcome.factor == Fraction(3, 4)
    assert outcome.limits.factor == Fraction(3, 4)
    assert FORM.named(key).warning in outcome.warnings
    assert FORM.named(key).proposed
    assert "proposed" in FORM.named(key).warning


def test_of_several_factors_the_smallest_counts() -> None:
    assert found(darker_skin=True, sun_plans=True).factor == Fraction(3, 4)


def test_cold_sores() -> None:
    assert found(cold_sores=True, cold_sores_prophylaxis=True).excluded == ()
    assert found(cold_sores=True, cold_sores_prophylaxis=True).warnings
    assert found(cold_sores=True, cold_sores_prophylaxis=False).excluded == (("upper_lip", None),)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("none", ()),
        ("penicillin, nickel, pecans, Cain's balm", ()),
        ("Lidocaine!", ("lidocaine",)),
        ("Lidocain und Prilokain", ("lidocaine", "prilocaine")),
        ("xylocaine spray; lignocaine", ("lidocaine",)),
        ("EMLA cream", ("lidocaine", "prilocaine")),
        ("tetracaine/benzocaine", ("tetracaine", "benzocaine")),
        ("articaine (dentist)", ("other",)),
        ("lidocaína, articaína", ("lidocaine", "other")),
    ],
)
def test_the_anaesthetics_that_a_text_names(text: str, named: tuple[str, ...]) -> None:
    assert anaesthetics_in(text) == named


@pytest.mark.req("S-22")
@pytest.mark.parametrize(
    "applying",
    [
        {"product": "cream", "ingredients": ["lidocaine"]},
        {"product": "Lidocaine 4 % gel", "ingredients": ["benzocaine"], "lidocaine_pct": None},
        {"product": "EMLA", "ingredients": ["other"], "lidocaine_pct": None},
    ],
)
def test_an_anaesthetic_named_at_consent_bars_numbing_with_it(applying: dict[str, Any]) -> None:
    visit = Visit()
    consent = visit.submit(Step.CONSENT, allergies="latex, lidocaine")
    assert consent.warnings == ("no numbing with lidocaine: it is named among the allergies",)
    screening = visit.submit(Step.SCREENING)  # says that there is no allergy to an anaesthetic
    assert screening.state is State.DONE
    assert any("screening does not" in warning for warning in screening.warnings)
    visit.submit(Step.PRE_USE)
    visit.submit(Step.CLEANING)
    if "lidocaine" not in applying["ingredients"]:
        applying = {**applying, "concentration": "as on its label"}
    outcome = visit.submit(Step.NUMBING, **applying)
    assert [reason.code for reason in outcome.reasons] == ["numbing-allergy"]
    assert "lidocaine" in outcome.reasons[0].message
    assert visit.replayed() == visit.session


@pytest.mark.req("S-22")
def test_an_allergy_that_is_corrected_into_consent_is_not_forgotten() -> None:
    visit = Visit().to(Step.NUMBING)
    visit.tell("correction", of=2, key="answers.allergies", old="none", new="lidocaine", by=ADA, reason="x")
    visit.crash()
    visit.resume()
    visit.submit(Step.CONSENT)  # a file that still says none
    assert visit.submit(Step.NUMBING).reasons[0].code == "numbing-allergy"


def test_numbing_outside_the_plan_is_warned_about() -> None:
    visit = Visit().to(Step.SCREENING)
    visit.submit(Step.SCREENING, active_acne="cheek left")
    visit.submit(Step.PRE_USE)
    visit.submit(Step.CLEANING)
    outcome = visit.submit(Step.NUMBING, zones=["forehead", "cheek left", "chin"])
    assert outcome.state is State.BEGUN
    assert outcome.warnings == (
        "cheek left is numbed, and nothing is needled there in this plan",
        "chin is numbed, and nothing is needled there in this plan",
    )


def test_an_allergy_bars_a_numbing_product_that_holds_it() -> None:
    visit = Visit().to(Step.SCREENING)
    visit.submit(Step.SCREENING, anaesthetic_allergy=["prilocaine", "lidocaine"])
    for step in (Step.PRE_USE, Step.CLEANING):
        visit.submit(step)
    outcome = visit.submit(Step.NUMBING)
    assert outcome.state is State.BLOCKED
    assert [reason.code for reason in outcome.reasons] == ["numbing-allergy"]
    other = {"ingredients": ["tetracaine"], "lidocaine_pct": None, "concentration": "4 %"}
    assert visit.submit(Step.NUMBING, **other).state is State.BEGUN


# -- the interval ------------------------------------------------------------------------------------------


def needled(days_ago: int, *zones: NeedledZone) -> tuple[EarlierTreatment, ...]:
    return (EarlierTreatment(TODAY - datetime.timedelta(days=days_ago), zones),)


@pytest.mark.parametrize(("days", "left_out"), [(-1, True), (0, True), (27, True), (28, False), (400, False)])
def test_four_weeks_between_sessions(days: int, left_out: bool) -> None:
    outcome = found(earlier=needled(days, NeedledZone("cheek", "left", 500), NeedledZone("chin", None, 500)))
    assert outcome.excluded == ((("cheek", "left"),) if left_out else ())


@pytest.mark.parametrize(("days", "left_out"), [(13, True), (14, False)])
def test_two_weeks_where_both_were_shallow(days: int, left_out: bool) -> None:
    planned = (NeedledZone("cheek", "left", 500),)
    outcome = screen(
        FORM,
        parse_answers(screening_questions(FORM, (ADA,)), nothing_found(), today=TODAY),
        today=TODAY,
        planned=planned,
        earlier=needled(days, NeedledZone("cheek", "left", 500)),
    )
    assert bool(outcome.excluded) == left_out


@pytest.mark.parametrize(
    ("zones", "expected"),
    [
        ((NeedledZone("cheek", "left", 500),), True),
        ((NeedledZone("cheek", "left", 501),), False),
        ((NeedledZone("cheek", "left", 500), NeedledZone("forehead", None, 301)), False),
        ((NeedledZone("eyelid", "left", 1),), False),
        ((NeedledZone("moon", None, 1),), False),
        ((), False),
    ],
)
def test_what_is_shallow(zones: tuple[NeedledZone, ...], expected: bool) -> None:
    assert shallow(zones) == expected


def test_a_zone_needled_lately_says_when_it_may_be_again() -> None:
    outcome = found(earlier=needled(10, NeedledZone("cheek", "left", 800)))
    assert outcome.warnings == ("cheek left is left out: needled on 2026-11-13, again not before 2026-12-11",)


# -- together ----------------------------------------------------------------------------------------------

PEN = PenLimits(50, 2500, 50, 50, 250, 1500, 10)


def permitted(screened: Screened) -> dict[tuple[str, str | None], int]:
    """The limit of each zone and side; a zone that is refused has none."""
    limits = {}
    for zone in data.zone_table():
        for side in ("left", "right") if zone.sided else (None,):
            verdict = depth_limit(
                Constraints(zone=zone, side=side, pen=PEN, screening=screened.limits, scope=Scope.SELECT)
            )
            if not isinstance(verdict, Refusal):
                limits[(zone.name, side)] = verdict.limit_um
    return limits


def adding(one: Condition) -> dict[str, Any]:
    """Answers with which this row applies, as mildly as it can."""
    signed = {f"{one.key}_signed_by": ADA, f"{one.key}_reason": "stable"}
    match one.shape:
        case Shape.YES_NO:
            return {one.key: True, **(signed if Effect.SIGN_OFF in one.effect else {})}
        case Shape.MEDICINE:
            return {one.key: "stopped", f"{one.key}_stopped_on": "2026-10-01", **signed}
        case Shape.ZONES:
            return {one.key: "cheek left"}
        case Shape.PROPHYLAXIS:
            return {one.key: True, f"{one.key}_prophylaxis": False}
        case Shape.INGREDIENTS:
            return {one.key: ["lidocaine"]}


def tighter(after: Screened, before: Screened) -> bool:
    limits, wider = permitted(after), permitted(before)
    return (
        set(limits) <= set(wider)
        and all(limit <= wider[place] for place, limit in limits.items())
        and set(before.allergies) <= set(after.allergies)
    )


@pytest.mark.req("S-02")
@settings(max_examples=60)
@given(st.lists(st.sampled_from(FORM.conditions), unique_by=lambda one: one.key, max_size=4), st.data())
def test_a_condition_more_never_loosens(some: list[Condition], draw: st.DataObject) -> None:
    answers: dict[str, Any] = {}
    for one in some:
        answers |= adding(one)
    more = draw.draw(st.sampled_from([one for one in FORM.conditions if one not in some]))
    assert tighter(found(**answers, **adding(more)), found(**answers))


@pytest.mark.req("S-22")
@settings(max_examples=60)
@given(*[st.lists(st.sampled_from(FORM.conditions), unique_by=lambda one: one.key, max_size=3)] * 2)
def test_screening_again_takes_nothing_back(first: list[Condition], second: list[Condition]) -> None:
    outcomes = [
        found(**{key: value for one in some for key, value in adding(one).items()})
        for some in (first, second)
    ]
    together = outcomes[0].merged(outcomes[1])
    assert all(tighter(together, one) for one in outcomes)
    assert together.limits == outcomes[0].merged(outcomes[1]).merged(outcomes[0]).limits


@pytest.mark.req("S-22")
def test_a_yes_that_is_taken_back_stays_a_yes_in_this_treatment() -> None:
    visit = Visit().to(Step.SCREENING)
    visit.submit(Step.SCREENING, pregnancy_or_nursing=True)
    outcome = visit.submit(Step.SCREENING)
    assert outcome.state is State.BLOCKED
    assert outcome.reasons[0].code == "screening-blocks"
    assert visit.session.limits is not None
    assert visit.session.limits.blocked_by == ("pregnancy or nursing",)
    assert visit.replayed() == visit.session


@pytest.mark.req("S-22")
def test_what_the_pen_is_given_only_tightens() -> None:
    visit = Visit().to(Step.SCREENING)
    visit.submit(Step.SCREENING, active_acne="cheek left", sun_plans=True)
    visit.settle(visit.session.redo(Step.SCREENING, reason="a slip", by=ADA, now=visit.now))
    visit.submit(Step.SCREENING, warts="chin")
    limits = visit.session.limits
    assert limits is not None
    assert limits.excluded == {("cheek", "left"), ("chin", None)}
    assert limits.factor == Fraction(3, 4)


def test_a_sign_off_may_be_fetched() -> None:
    visit = Visit().to(Step.SCREENING)
    waiting = visit.submit(Step.SCREENING, keloid_history=True)
    assert (waiting.state, waiting.reasons[0].code) == (State.BLOCKED, "sign-off-missing")
    # A no now does not do away with the yes before: only a clinician does.
    assert visit.submit(Step.SCREENING).state is State.BLOCKED
    signed = {"keloid_history": True, "keloid_history_signed_by": ADA, "keloid_history_reason": "old, flat"}
    assert visit.submit(Step.SCREENING, **signed).state is State.DONE
    assert visit.session.screened is not None
    assert visit.session.screened.sign_offs[0].by == ADA


def test_an_operator_signs_nothing_off() -> None:
    visit = Visit().to(Step.SCREENING)
    with pytest.raises(AnswerError, match="keloid_history_signed_by"):
        visit.submit(
            Step.SCREENING,
            keloid_history=True,
            keloid_history_signed_by="Ben Example",
            keloid_history_reason="x",
        )


def test_the_outcome_reaches_the_safety_layer() -> None:
    visit = Visit().to(Step.SCREENING)
    assert visit.session.limits is None
    visit.submit(Step.SCREENING, active_acne="cheek left", sun_plans=True)
    violations = check(visit.plan, screening=visit.session.limits)
    assert [one.code for one in violations] == ["depth-above-limit", "zone-excluded"]
    forehead = data.zone_named("forehead")
    verdict = check_depth(0.4, Constraints(zone=forehead, screening=visit.session.limits, scope=Scope.PLAN))
    assert isinstance(verdict, Refusal)
    assert verdict.reasons[0].bound_by == "screening"


@pytest.mark.parametrize("one", FORM.conditions, ids=lambda one: one.key)
def test_a_row_says_where_it_comes_from(one: Condition) -> None:
    assert one.source.text
    assert one.source.status == "sourced"
    if one.factor < 1:
        assert one.effect_source is not None
        assert one.effect_source.status == "proposed"


def test_the_outcome_comes_back_from_the_record() -> None:
    import json

    outcome = found(
        keloid_history=True,
        keloid_history_signed_by=ADA,
        keloid_history_reason="old",
        scleroderma=True,
        active_acne="cheek left",
        sun_plans=True,
        anaesthetic_allergy="lidocaine",
        isotretinoin="now",
    )
    assert Screened.of(json.loads(json.dumps(outcome.body()))) == outcome


# -- a form that is wrong ----------------------------------------------------------------------------------

TEXT = data.packaged_text("screening.toml")
SPOILT = {
    "no toml": ("format = 1", "format ="),
    "other effect": ('effect = ["block"]', 'effect = ["maybe"]'),
    "no effect": ('effect = ["block"]', "effect = []"),
    "factor above one": ('factor = "3/4"', 'factor = "4/3"'),
    "factor of one": ('factor = "3/4"', 'factor = "1"'),
    "factor of zero": ('factor = "3/4"', 'factor = "0"'),
    "extra key": ('key = "herpes"', 'key = "herpes"\ncolour = "red"'),
    "twice": ('key = "herpes"', 'key = "warts"'),
    "bad key": ('key = "herpes"', 'key = "Herpes!"'),
    "unknown zone": ('zones = ["upper_lip"]', 'zones = ["upper_lips"]'),
    "unknown source": ('source = "labels"', 'source = "hearsay"'),
    "no age": ("youngest_years = 22", "youngest_years = -1"),
    "no interval": ("shallow_days = 14", "shallow_days = true"),
    "interval upside down": ("shallow_days = 14", "shallow_days = 40"),
    "medicine": ('now = "block"', 'now = "sign-off"'),
    "status": ('status = "proposed"', 'status = "sure"'),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_form_that_is_wrong_is_refused_whole(case: str) -> None:
    old, new = SPOILT[case]
    assert old in TEXT
    with pytest.raises(LimitsError) as wrong:
        parse_form(TEXT.replace(old, new, 1))
    assert wrong.value.code == "limits-invalid"
