"""What the single steps come to: pen and cartridge before use, numbing, the endpoint, solutions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from visits import ADA, AIR, BEN, CARTRIDGE, MEASURED, PLAN, SOLUTION, Visit

from penstroke import data
from penstroke.errors import AnswerError, LimitsError
from penstroke.safety import PenLimits
from penstroke.treatment.procedure_figures import UNITS, parse_procedure_figures, procedure_figures
from penstroke.treatment.steps.needling import lower_depth_um
from penstroke.treatment.steps.pre_use import PreUse, air_run_wish
from penstroke.treatment.table import State, Step

# -- before use --------------------------------------------------------------------------------------------


def test_the_run_in_the_air_is_that_of_the_deepest_pass() -> None:
    assert air_run_wish(Visit().session) == (0.75, 110, 3)


NAN = float("nan")


@pytest.mark.parametrize(
    ("measured", "codes"),
    [
        (MEASURED, []),
        (replace(MEASURED, faults=("stall",)), ["self-test-failed"]),
        (replace(MEASURED, state="self-test"), ["self-test-failed"]),
        (replace(MEASURED, state="fault"), ["self-test-failed"]),
        (replace(MEASURED, air=None), ["air-run-missing"]),
        (replace(MEASURED, air=replace(AIR, depth_max_mm=0.85)), []),
        (replace(MEASURED, air=replace(AIR, depth_max_mm=0.86)), ["air-run-off"]),
        (replace(MEASURED, air=replace(AIR, depth_min_mm=0.64)), ["air-run-off"]),
        (replace(MEASURED, air=replace(AIR, depth_min_mm=NAN)), ["air-run-off"]),
        (replace(MEASURED, air=replace(AIR, rate_max_hz=121.0)), []),
        (replace(MEASURED, air=replace(AIR, rate_max_hz=121.1)), ["air-run-off"]),
        (replace(MEASURED, air=replace(AIR, rate_min_hz=98.9)), ["air-run-off"]),
        (replace(MEASURED, air=replace(AIR, rate_min_hz=NAN)), ["air-run-off"]),
        (replace(MEASURED, battery_pct=10), ["battery-short"]),
        (replace(MEASURED, battery_pct=11), []),
        (replace(MEASURED, cartridge=replace(CARTRIDGE, present=False)), ["cartridge-missing"]),
        (replace(MEASURED, cartridge=replace(CARTRIDGE, id=0)), ["cartridge-unreadable"]),
        (replace(MEASURED, cartridge=replace(CARTRIDGE, expiry="2026-11-22")), ["cartridge-expired"]),
        (replace(MEASURED, cartridge=replace(CARTRIDGE, expiry="2026-11-23")), []),
        (replace(MEASURED, cartridge=replace(CARTRIDGE, expiry="")), ["cartridge-expired"]),
        (
            replace(MEASURED, cartridge=replace(CARTRIDGE, treatment=9, strokes=1)),
            ["cartridge-other-treatment"],
        ),
        (replace(MEASURED, cartridge=replace(CARTRIDGE, treatment=0x1234, strokes=1)), []),
        (replace(MEASURED, cartridge=replace(CARTRIDGE, strokes=1)), ["cartridge-used"]),
    ],
)
def test_pen_and_cartridge_before_use(measured: PreUse, codes: list[str]) -> None:
    visit = Visit().to(Step.PRE_USE)
    outcome = visit.submit(Step.PRE_USE, measured=measured)
    assert [reason.code for reason in outcome.reasons] == codes
    assert outcome.state is (State.BLOCKED if codes else State.DONE)
    assert outcome.body["measured"]["battery_pct"] == measured.battery_pct
    assert visit.replayed() == visit.session


@pytest.mark.parametrize(("pct", "codes"), [(20, []), (19, ["battery-short"])])
def test_the_battery_must_do_for_the_whole_plan(pct: int, codes: list[str]) -> None:
    """720 s of needling are a tenth of what a full battery is taken to last for, and a tenth must be left."""
    zone = {"zone": "back", "area_cm2": 576, "depth_mm": 0.75, "rate_hz": 110, "passes": 2}
    plan = PLAN.model_validate({"version": 1, "title": "A back", "zones": [zone]})
    visit = Visit(plan=plan).to(Step.PRE_USE)
    outcome = visit.submit(Step.PRE_USE, measured=replace(MEASURED, battery_pct=pct))
    assert [reason.code for reason in outcome.reasons] == codes


def test_every_reason_is_told_at_once() -> None:
    visit = Visit().to(Step.PRE_USE)
    measured = replace(MEASURED, battery_pct=5, air=None, cartridge=replace(CARTRIDGE, expiry="2020-01-01"))
    codes = [reason.code for reason in visit.submit(Step.PRE_USE, measured=measured, pen_clean=False).reasons]
    assert codes == ["step-blocked", "air-run-missing", "battery-short", "cartridge-expired"]


@pytest.mark.parametrize(("day", "codes"), [("2025-11-23", []), ("2025-11-22", ["calibration-old"])])
def test_the_age_of_a_calibration(day: str, codes: list[str]) -> None:
    outcome = Visit().to(Step.PRE_USE).submit(Step.PRE_USE, calibrated_on=day)
    assert [reason.code for reason in outcome.reasons] == codes
    assert all("proposed figure" in reason.message for reason in outcome.reasons)


@pytest.mark.parametrize(("lot", "codes"), [(None, []), ("l7", []), ("L8", ["cartridge-lot-differs"])])
def test_the_lot_on_the_pack(lot: str | None, codes: list[str]) -> None:
    outcome = Visit().to(Step.PRE_USE).submit(Step.PRE_USE, lot_on_pack=lot)
    assert [reason.code for reason in outcome.reasons] == codes


def test_tokens_are_written_as_the_record_writes_them() -> None:
    measured = Visit().to(Step.PRE_USE).submit(Step.PRE_USE).body["measured"]
    assert measured["treatment"] == "0000000000001234"
    assert measured["cartridge"]["treatment"] == "0000000000000000"


# -- numbing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"lidocaine_pct": 4.1}, "products above 4 % are not to be used (FDA, March 2024)"),
        ({"lidocaine_pct": 30, "over_the_counter": False}, None),
        ({"dwell_min": 19}, "outside the 20 to 60 min of practice"),
        ({"dwell_min": 20}, None),
        ({"dwell_min": 60}, None),
        ({"dwell_min": 60.5}, "outside the 20 to 60 min of practice"),
    ],
)
def test_what_is_said_of_a_numbing_product(changes: dict[str, Any], words: str | None) -> None:
    outcome = Visit().to(Step.NUMBING).submit(Step.NUMBING, **changes)
    assert outcome.state is State.BEGUN
    assert len(outcome.warnings) == (words is not None)
    assert words is None or words in outcome.warnings[0]
    assert list(outcome.warnings) == outcome.body["warnings"]


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({"dwell_min": 240}, True),
        ({"dwell_min": 240.5}, False),
        ({"dwell_min": 0}, False),
        ({"lidocaine_pct": 100}, True),
        ({"lidocaine_pct": 100.5}, False),
        ({"lidocaine_pct": 0}, False),
    ],
)
def test_a_slip_of_the_keyboard_is_no_dwell_and_no_concentration(
    changes: dict[str, Any], taken: bool
) -> None:
    visit = Visit().to(Step.NUMBING)
    if taken:
        assert visit.submit(Step.NUMBING, **changes).state is State.BEGUN
    else:
        with pytest.raises(AnswerError, match=next(iter(changes))):
            visit.submit(Step.NUMBING, **changes)


def test_no_largest_amount_of_a_product_is_made_up() -> None:
    assert Visit().to(Step.NUMBING).submit(Step.NUMBING, grams=900).warnings == ()


# -- the endpoint ------------------------------------------------------------------------------------------

FINE = PenLimits(50, 2500, 50, 50, 250, 1500, 10)


@pytest.mark.parametrize(
    ("zone", "depth_um", "lower_um"),
    [
        ("cheek", 900, 500),  # what a new session would preset
        ("cheek", 500, 450),  # at the preset already: the next step below
        ("cheek", 100, 50),
        ("cheek", 50, None),  # nothing below
        ("forehead", 400, 300),
    ],
)
def test_continuous_bleeding_lowers_the_depth(zone: str, depth_um: int, lower_um: int | None) -> None:
    named = data.zone_named(zone)
    assert named is not None
    assert lower_depth_um(depth_um, named, FINE) == lower_um


@given(
    st.sampled_from([zone for zone in data.zone_table() if not zone.forbidden]),
    st.integers(1, 2500),
    st.sampled_from([10, 25, 50, 100, 200, 250]),
    st.sampled_from([0, 50, 200, 300]),
)
def test_what_is_proposed_is_always_shallower_and_on_the_step(
    zone: Any, depth_um: int, step_um: int, least_um: int
) -> None:
    pen = PenLimits(least_um, 2500, step_um, 50, 250, 1500, 10)
    lower = lower_depth_um(depth_um, zone, pen)
    assert lower is None or (max(least_um, 1) <= lower < depth_um and lower % step_um == 0)


# -- solutions ---------------------------------------------------------------------------------------------


def solutions(*changes: dict[str, Any]) -> dict[str, Any]:
    made = [{**SOLUTION, **change} for change in changes]
    return {"solutions": [{key: value for key, value in one.items() if value is not None} for one in made]}


OVERRIDE = {"override_by": ADA, "override_reason": "tolerated before"}


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({}, []),
        ({"zones": ["cheek left", "forehead"]}, []),
        ({"zones": ["cheek"]}, []),
        ({"zones": "none"}, ["zone-not-needled"]),
        ({"zones": ["cheek right"]}, ["zone-not-needled"]),
        ({"expiry": "2026-11-22"}, ["solution-expired"]),
        ({"expiry": "2026-11-23"}, []),
        ({"expiry": "2026-11-22", "sterile": False, **OVERRIDE}, ["solution-expired"]),
        ({"sterile": False}, ["solution-not-sterile"]),
        ({"sterile": False, **OVERRIDE}, []),
        ({"ingredients": ["vitamin C"]}, ["solution-vitamin-c"]),
        ({"ingredients": ["vitamin C"], **OVERRIDE}, []),
        ({"ingredients": ["vitamin C"], "sterile": False}, ["solution-not-sterile", "solution-vitamin-c"]),
    ],
)
def test_a_solution(change: dict[str, Any], codes: list[str]) -> None:
    visit = Visit().to(Step.MESOTHERAPY)
    outcome = visit.submit(Step.MESOTHERAPY, solutions(change))
    assert [reason.code for reason in outcome.reasons] == codes
    assert outcome.state is (State.BLOCKED if codes else State.DONE)
    assert visit.session.solution_on == (not codes)


def test_an_override_is_a_record_of_its_own() -> None:
    visit = Visit().to(Step.MESOTHERAPY)
    outcome = visit.submit(Step.MESOTHERAPY, solutions({"ingredients": ["vitamin C"], **OVERRIDE}))
    kind, body = outcome.entries[0]
    assert kind == "override"
    assert body == {
        "what": "solution-vitamin-c",
        "product": "hyaluronic acid serum",
        "by": ADA,
        "reason": "tolerated before",
    }
    assert "10.1097/DSS.0000000000004450" in outcome.warnings[0]
    # Nothing is overridden where something else keeps the step from being done.
    blocked = Visit().to(Step.MESOTHERAPY)
    both = solutions({"sterile": False, **OVERRIDE}, {"expiry": "2020-01-01"})
    assert [kind for kind, _ in blocked.submit(Step.MESOTHERAPY, both).entries] == ["step"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sterile": False, "override_by": ADA}, "override_reason is not answered"),
        ({"sterile": False, "override_reason": "x"}, "override_reason is answered, and"),
        (OVERRIDE, "override_by is answered, and the answers before it leave nothing to ask"),
    ],
)
def test_an_override_is_whole_and_overrides_something(change: dict[str, Any], words: str) -> None:
    with pytest.raises(AnswerError, match=words):
        Visit().to(Step.MESOTHERAPY).submit(Step.MESOTHERAPY, solutions(change))


def test_an_operator_overrides_nothing() -> None:
    visit = Visit().to(Step.MESOTHERAPY)
    with pytest.raises(AnswerError, match="override_by"):
        visit.submit(Step.MESOTHERAPY, solutions({"sterile": False, **OVERRIDE, "override_by": BEN}))


@pytest.mark.parametrize(("ml", "said"), [((0.5,), False), ((1.5, 1.5), False), ((1.5, 1.6), True)])
def test_more_than_is_usual_is_said(ml: tuple[float, float], said: bool) -> None:
    visit = Visit().to(Step.MESOTHERAPY)
    outcome = visit.submit(Step.MESOTHERAPY, solutions(*[{"volume_ml": one} for one in ml]))
    assert outcome.warnings == (("3.1 mL in all; about 3 mL is usual for a full face",) if said else ())


def test_only_zones_that_were_needled_can_be_named() -> None:
    visit = Visit().to(Step.MESOTHERAPY)
    with pytest.raises(AnswerError, match="chin"):
        visit.submit(Step.MESOTHERAPY, solutions({"zones": ["chin"]}))


def test_solutions_are_applied_and_never_delivered() -> None:
    """The class of such pens excludes bringing anything through the skin: no word may claim it."""
    visit = Visit().to(Step.MESOTHERAPY)
    (question,) = visit.session.questions_of(Step.MESOTHERAPY, visit.now)
    words = " ".join([question.text, question.help, *(one.text + one.help for one in question.each)]).lower()
    assert "applied" in words
    assert not any(word in words for word in ("deliver", "inject", "infus", "penetrat"))


# -- figures -----------------------------------------------------------------------------------------------


def test_every_figure_of_the_procedure_has_its_standing() -> None:
    listed = {figure.name: figure for figure in procedure_figures().listed}
    assert set(listed) == set(UNITS)
    assert {name for name, figure in listed.items() if figure.status == "sourced"} == {
        "dwell_from_min",
        "dwell_to_min",
        "lidocaine_otc_pct",
        "full_face_ml",
    }


FIGURES = data.packaged_text("procedure.toml")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[air_run_s]", "[air_runs]"),
        ("value = 3", "value = 3.5"),
        ("value = 3", "value = 0"),
        ("value = 3", "value = true"),
        ('unit = "s"', 'unit = "min"'),
        ('status = "proposed"', 'status = "sure"'),
        ("[air_run_s]", "[air_run_s"),
        ("[air_run_s]", '[air_run_s]\ncolour = "red"'),
    ],
)
def test_figures_that_are_wrong(old: str, new: str) -> None:
    with pytest.raises(LimitsError):
        parse_procedure_figures(FIGURES.replace(old, new, 1))
