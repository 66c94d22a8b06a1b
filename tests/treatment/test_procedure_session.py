"""One treatment from consent to follow-up: what each act leaves, what a crash leaves, what never returns."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from visits import ADA, BACKGROUND, BEN, PLAN, TODAY, Entry, Visit, answers

from penstroke.errors import AnswerError, Refused
from penstroke.treatment.session import Session
from penstroke.treatment.table import STEPS, State, Step


def test_a_whole_treatment() -> None:
    visit = Visit().to(Step.FOLLOW_UP)
    visit.submit(Step.FOLLOW_UP)
    assert visit.session.at is None
    assert set(visit.session.states.values()) == {State.DONE}
    assert visit.replayed() == visit.session
    kinds = [entry.kind for entry in visit.entries]
    assert kinds.count("step") == len(STEPS) + 1  # numbing has two
    assert kinds.index("screened") + 1 == next(
        place
        for place, entry in enumerate(visit.entries)
        if entry.kind == "step" and entry.body["step"] == "screening"
    )


def test_the_entries_of_a_step_are_whole() -> None:
    visit = Visit()
    body = visit.submit(Step.CONSENT).body
    assert body["step"] == "consent"
    assert body["state"] == "done"
    assert body["answers"]["consent_by"] == ADA
    assert body["warnings"] == []
    assert body["started_utc"] == "2026-11-23T14:00:00.000Z"
    assert body["local"] == "2026-11-23T15:00:00.000+01:00"


@pytest.mark.parametrize("patient", ["", "   ", "Jane Doe", "x" * 41, "P\n1", "É-1", "-1", "P-1-"])
def test_a_patient_reference_that_cannot_be(patient: str) -> None:
    with pytest.raises(AnswerError) as wrong:
        Session.begin(PLAN, patient=patient, operator=BEN, background=BACKGROUND)
    assert wrong.value.code == "patient-invalid"


@pytest.mark.parametrize("patient", ["P-1", "7", "2026/0113", "a_b.c#4:5"])
def test_a_patient_reference_of_a_clinic(patient: str) -> None:
    session = Session.begin(PLAN, patient=f" {patient} ", operator="ben example", background=BACKGROUND)
    assert session.patient == patient
    assert session.operator == BEN


def test_an_operator_that_nobody_knows() -> None:
    with pytest.raises(AnswerError) as wrong:
        Session.begin(PLAN, patient="P-1", operator="Eve", background=BACKGROUND)
    assert wrong.value.code == "person-unknown"
    assert ADA in wrong.value.hint


@pytest.mark.parametrize(
    ("step", "key"),
    [
        (Step.CONSENT, "informed_consent"),
        (Step.CONSENT, "patient_confirmed"),
        (Step.CONSENT, "zones_confirmed"),
        (Step.CONSENT, "allergies_confirmed"),
        (Step.PRE_USE, "pen_clean"),
        (Step.PRE_USE, "sterile_pack"),
        (Step.CLEANING, "clean"),
        (Step.CLEANING, "home_numbing_off"),
        (Step.CLEANING, "antiseptic_dry"),
        (Step.AFTERCARE, "given"),
        (Step.FOLLOW_UP, "warning_signs"),
    ],
)
def test_a_no_that_blocks_its_step(step: Step, key: str) -> None:
    visit = Visit().to(step)
    outcome = visit.submit(step, **{key: False})
    assert outcome.state is State.BLOCKED
    assert [reason.code for reason in outcome.reasons] == ["step-blocked"]
    assert outcome.body["reasons"][0]["message"] == outcome.reasons[0].message
    assert visit.replayed() == visit.session
    assert visit.session.at is step
    assert visit.submit(step).state is State.DONE


@pytest.mark.parametrize("key", ["sharps", "skin_wiped"])
def test_needling_does_not_end_before_the_sharps_are_away(key: str) -> None:
    visit = Visit().to(Step.NEEDLING)
    visit.start_zone(1)
    visit.end_zone(1)
    assert visit.submit(Step.NEEDLING, **{key: False}).state is State.BEGUN
    assert visit.session.at is Step.NEEDLING
    assert visit.replayed() == visit.session
    assert visit.submit(Step.NEEDLING).state is State.DONE


def test_an_answer_that_is_wrong_changes_nothing() -> None:
    visit = Visit()
    before = visit.session
    with pytest.raises(AnswerError):
        visit.submit(Step.CONSENT, consent_by="Eve")
    with pytest.raises(AnswerError):
        visit.submit(Step.CONSENT, coffee=True)
    assert visit.session is before
    assert len(visit.entries) == 1


def test_a_step_that_is_skipped_says_why_and_who() -> None:
    visit = Visit().to(Step.NUMBING)
    with pytest.raises(AnswerError):
        visit.session.skip(Step.NUMBING, reason="  ", by=BEN, now=visit.now)
    with pytest.raises(AnswerError):
        visit.session.skip(Step.NUMBING, reason="not wanted", by="Eve", now=visit.now)
    body = visit.settle(visit.session.skip(Step.NUMBING, reason="not wanted", by=BEN, now=visit.now)).body
    assert (body["state"], body["reason"], body["by"]) == ("skipped", "not wanted", BEN)
    assert visit.session.at is Step.NEEDLING


def test_a_step_done_again_must_be_settled_before_the_needles_move() -> None:
    visit = Visit().to(Step.NEEDLING)
    visit.settle(visit.session.redo(Step.CLEANING, reason="touched", by=BEN, now=visit.now))
    assert visit.entries[-1].body["state"] == "redone"
    assert visit.session.at is Step.CLEANING
    with pytest.raises(Refused, match="cleaning is open"):
        visit.session.may_answer_zone()
    visit.submit(Step.CLEANING)
    visit.session.may_answer_zone()
    assert visit.replayed() == visit.session


def test_no_needle_goes_through_a_solution() -> None:
    visit = Visit().to(Step.AFTERCARE)
    for step in (Step.NEEDLING, Step.CLEANING):
        with pytest.raises(Refused, match="a solution is on the skin"):
            visit.session.redo(step, reason="more", by=BEN, now=visit.now)
    # Not even by opening mesotherapy first: what is on the skin stays there.
    visit.settle(visit.session.redo(Step.MESOTHERAPY, reason="another", by=BEN, now=visit.now))
    with pytest.raises(Refused, match="a solution is on the skin"):
        visit.session.redo(Step.NEEDLING, reason="more", by=BEN, now=visit.now)
    assert visit.replayed() == visit.session


def test_needling_goes_on_where_mesotherapy_was_skipped() -> None:
    visit = Visit().to(Step.MESOTHERAPY)
    visit.settle(visit.session.skip(Step.MESOTHERAPY, reason="not wanted", by=BEN, now=visit.now))
    visit.settle(visit.session.redo(Step.NEEDLING, reason="a place missed", by=BEN, now=visit.now))
    visit.start_zone(1)
    visit.session.may_needle(1)


def test_aftercare_is_left_out_only_where_nothing_was_needled() -> None:
    visit = Visit().to(Step.NEEDLING)
    visit.start_zone(1, "skip")
    visit.start_zone(2, "quit")
    visit.submit(Step.NEEDLING)
    visit.settle(visit.session.skip(Step.MESOTHERAPY, reason="nothing needled", by=BEN, now=visit.now))
    visit.settle(visit.session.skip(Step.AFTERCARE, reason="nothing needled", by=BEN, now=visit.now))
    assert visit.session.at is Step.FOLLOW_UP
    with pytest.raises(Refused, match="never skipped after needling"):
        needled = Visit().to(Step.AFTERCARE)
        needled.session.skip(Step.AFTERCARE, reason="no time", by=BEN, now=needled.now)


# -- needles -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS[: STEPS.index(Step.NEEDLING)])
def test_no_zone_before_every_step(step: Step) -> None:
    visit = Visit().to(step)
    with pytest.raises(Refused) as refused:
        visit.session.may_answer_zone()
    assert refused.value.code == "step-out-of-order"


def test_needles_move_only_in_the_zone_that_a_person_started() -> None:
    visit = Visit().to(Step.NEEDLING)
    with pytest.raises(Refused, match="was not started"):
        visit.session.may_needle(1)
    visit.start_zone(1)
    visit.session.may_needle(1)
    with pytest.raises(Refused, match="zone 2 was not started"):
        visit.session.may_needle(2)
    visit.end_zone(1)
    with pytest.raises(Refused, match="was not started"):
        visit.session.may_needle(1)


@pytest.mark.req("S-11")
def test_needles_never_go_on_by_themselves_after_a_restart() -> None:
    visit = Visit().to(Step.NEEDLING)
    visit.start_zone(1)
    visit.needle(1, ends=False)
    visit.crash()
    visit.resume()
    assert visit.session.at is Step.NEEDLING
    with pytest.raises(Refused, match="was not started"):
        visit.session.may_needle(1)
    visit.start_zone(1)
    visit.session.may_needle(1)


@pytest.mark.req("S-20")
def test_what_is_not_known_of_a_run_counts_as_done() -> None:
    visit = Visit().to(Step.NEEDLING)
    visit.start_zone(1)
    visit.needle(1, 1)
    visit.needle(1, 2, ends=False)
    before = visit.session.dose.zone(1)
    visit.crash()
    visit.resume()
    after = visit.session.dose.zone(1)
    assert (before.passes_begun, before.total_s) == (2, pytest.approx(9.9))
    assert (after.passes_begun, after.seconds, after.running_s) == (2, pytest.approx(9.9), 0.0)


def test_a_zone_that_screening_left_out_is_refused_here_too() -> None:
    visit = Visit().to(Step.SCREENING)
    visit.submit(Step.SCREENING, active_acne="cheek")
    for step in (Step.PRE_USE, Step.CLEANING):
        visit.submit(step)
    visit.settle(visit.session.skip(Step.NUMBING, reason="not wanted", by=BEN, now=visit.now))
    visit.start_zone(2)
    with pytest.raises(Refused) as refused:
        visit.session.may_needle(2)
    assert refused.value.code == "zone-excluded"
    visit.start_zone(1)
    visit.session.may_needle(1)


@pytest.mark.parametrize(("left_out", "index"), [("forehead", 1), ("chin", 2), ("nose tip", 3), ("scalp", 4)])
def test_the_zone_that_is_left_out_is_the_zone_that_is_refused(left_out: str, index: int) -> None:
    zone = {"area_cm2": 8, "depth_mm": 0.3, "rate_hz": 110}
    names = ("forehead", "chin", "nose_tip", "scalp")
    plan = PLAN.model_validate(
        {"version": 1, "title": "Four", "zones": [{"zone": name, **zone} for name in names]}
    )
    visit = Visit(plan=plan).to(Step.SCREENING)
    visit.submit(Step.SCREENING, moles=left_out)
    for step in (Step.PRE_USE, Step.CLEANING):
        visit.submit(step)
    visit.settle(visit.session.skip(Step.NUMBING, reason="not wanted", by=BEN, now=visit.now))
    for other in range(1, 5):
        visit.start_zone(other)
        if other == index:
            with pytest.raises(Refused, match="is excluded for this patient"):
                visit.session.may_needle(other)
        else:
            visit.session.may_needle(other)
        visit.end_zone(other)


def test_a_screening_that_blocks_is_named_at_the_needles_too() -> None:
    visit = Visit().to(Step.SCREENING)
    assert visit.submit(Step.SCREENING, pregnancy_or_nursing=True).state is State.BLOCKED
    with pytest.raises(Refused) as refused:
        visit.session.may_answer_zone()
    assert refused.value.code == "screening-blocks"
    with pytest.raises(Refused, match="screening is blocked"):
        visit.submit(Step.PRE_USE)


# -- resuming ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS)
def test_a_treatment_goes_on_at_its_step(step: Step) -> None:
    visit = Visit().to(step)
    visit.crash()
    visit.resume()
    assert visit.session.at is step
    assert visit.entries[-1].kind == "resumed"
    assert visit.entries[-1].body["at_step"] == step.value
    assert visit.replayed() == visit.session


def test_a_finished_treatment_is_not_gone_on_with() -> None:
    visit = Visit().to(Step.FOLLOW_UP)
    visit.submit(Step.FOLLOW_UP)
    visit.tell("closed", ended="finished", code=None)
    assert visit.session.closed
    assert visit.session.at is None
    for act in (
        lambda: visit.session.resume(visit.now),
        lambda: visit.session.redo(Step.CONSENT, reason="again", by=BEN, now=visit.now),
        lambda: visit.session.may_answer_zone(),
    ):
        with pytest.raises(Refused, match="closed"):
            act()


@pytest.mark.parametrize("ended", ["quit", "interrupted", "error"])
def test_any_other_end_may_be_gone_on_with(ended: str) -> None:
    visit = Visit().to(Step.NEEDLING)
    visit.start_zone(1)
    visit.tell("closed", ended=ended, code=None)
    visit.crash()
    visit.resume()
    assert visit.session.at is Step.NEEDLING
    assert visit.session.dose.open_zone is None


def test_a_visit_is_not_gone_on_with_the_next_day() -> None:
    visit = Visit().to(Step.CLEANING)
    visit.crash(12 * 3600 - 20)
    visit.session.resume(visit.now)
    visit.elapsed_s += 60
    with pytest.raises(Refused, match="more than 12 h ago"):
        visit.session.resume(visit.now)


@pytest.mark.parametrize("kind", ["report", "follow-up", "correction", "witnessed"])
def test_what_is_written_about_a_visit_later_does_not_prolong_it(kind: str) -> None:
    visit = Visit().to(Step.CLEANING)
    visit.elapsed_s += 20 * 3600
    visit.tell(kind, of=0)
    visit.crash(60)
    with pytest.raises(Refused, match="more than 12 h ago"):
        visit.session.resume(visit.now)


def test_entries_that_open_nothing() -> None:
    with pytest.raises(ValueError, match="do not open"):
        Session.replay([Entry(1, "2026-11-23T14:00:00.000Z", "store", None, None, {})], BACKGROUND)


def test_a_corrected_answer_is_asked_for_again() -> None:
    visit = Visit().to(Step.CLEANING)
    number = next(entry.number for entry in visit.entries if entry.body.get("step") == "screening")
    visit.tell("correction", of=number, key="answers.keloid_history", old=False, new=True, by=ADA, reason="x")
    session = visit.replayed()
    assert session.at is Step.SCREENING
    assert session.state(Step.PRE_USE) is State.DONE
    assert session.steps[Step.SCREENING].because == f"entry {number} was corrected"


UNJUDGED = ": what it was corrected to cannot be judged"


def corrected(visit: Visit, key: str, new: Any, *, kind: str = "step") -> Visit:
    """The visit after a restart, with this corrected in the entry of its screening."""
    number = max(
        entry.number
        for entry in visit.entries
        if entry.kind == kind and (kind == "screened" or entry.body["step"] == "screening")
    )
    visit.tell("correction", of=number, key=key, old=None, new=new, by=ADA, reason="it was a slip")
    visit.crash()
    visit.resume()
    return visit


@pytest.mark.req("S-22")
@pytest.mark.parametrize(
    ("key", "new", "found"),
    [
        ("answers.pregnancy_or_nursing", True, ("pregnancy or nursing",)),
        ("answers.pregnancy_or_nursing", "yes", ("pregnancy or nursing",)),
        ("answers.isotretinoin", "now", ("isotretinoin now",)),
        ("answers.birthday", "2010-01-01", ("age under 22",)),
        ("answers.pregnancy_or_nursing", 3, (f"pregnancy or nursing{UNJUDGED}",)),
        ("answers.active_acne", ["nose"], (f"active acne{UNJUDGED}",)),
        ("answers.isotretinoin", "stopped", (f"isotretinoin{UNJUDGED}",)),
        ("answers.keloid_history", True, ("history of keloids, not signed off by a clinician",)),
        ("answers", None, ("the answers were corrected to what cannot be judged",)),
    ],
)  # fmt: skip
def test_a_yes_that_a_correction_brings_stays_a_yes(key: str, new: Any, found: tuple[str, ...]) -> None:
    visit = corrected(Visit().to(Step.NEEDLING), key, new)
    assert visit.session.limits is not None
    assert visit.session.limits.blocked_by == found
    # A file that still says no does not un-say it.
    outcome = visit.submit(Step.SCREENING)
    assert outcome.state is State.BLOCKED
    assert visit.session.limits.blocked_by == found
    assert visit.replayed() == visit.session
    with pytest.raises(Refused):
        visit.session.may_answer_zone()


@pytest.mark.req("S-22")
def test_a_birthday_that_is_corrected_to_nonsense_blocks() -> None:
    visit = corrected(Visit().to(Step.NEEDLING), "answers.birthday", "long ago")
    assert visit.session.limits is not None
    assert "the day of birth: what it was corrected to cannot be judged" in visit.session.limits.blocked_by


@pytest.mark.req("S-22")
def test_a_zone_that_a_correction_leaves_out_stays_out() -> None:
    visit = corrected(Visit().to(Step.NEEDLING), "answers.active_acne", ["forehead"])
    visit.submit(Step.SCREENING)
    visit.start_zone(1)
    with pytest.raises(Refused) as refused:
        visit.session.may_needle(1)
    assert refused.value.code == "zone-excluded"
    visit.start_zone(2)
    visit.session.may_needle(2)


@pytest.mark.req("S-22")
def test_a_factor_that_a_correction_brings_stays() -> None:
    visit = corrected(Visit().to(Step.NEEDLING), "answers.sun_plans", True)
    visit.submit(Step.SCREENING)
    assert visit.session.limits is not None
    assert visit.session.limits.factor < 1


@pytest.mark.req("S-22")
def test_a_correction_takes_back_nothing_that_screening_found() -> None:
    visit = Visit().to(Step.SCREENING)
    visit.submit(Step.SCREENING, pregnancy_or_nursing=True)
    corrected(visit, "answers.pregnancy_or_nursing", False)
    assert visit.submit(Step.SCREENING).state is State.BLOCKED
    corrected(visit, "blocked_by", [], kind="screened")
    assert visit.submit(Step.SCREENING).state is State.BLOCKED


@pytest.mark.req("S-22")
@pytest.mark.parametrize(
    ("key", "new"),
    [
        ("blocked_by", ["pregnancy"]),
        ("blocked_by", "pregnancy"),
        ("factor", "-1"),
        ("factor", 0),
        ("excluded", 7),
    ],
)
def test_what_screening_found_is_corrected_to_the_tighter_side_only(key: str, new: Any) -> None:
    visit = corrected(Visit().to(Step.NEEDLING), key, new, kind="screened")
    assert visit.session.at is Step.SCREENING
    outcome = visit.submit(Step.SCREENING)
    assert [reason.code for reason in outcome.reasons] == ["screening-blocks"]


@pytest.mark.req("S-22")
def test_a_correction_signs_nothing_off_and_may_take_a_signature_away() -> None:
    signed = {"keloid_history": True, "keloid_history_signed_by": ADA, "keloid_history_reason": "old, flat"}
    visit = Visit().to(Step.SCREENING)
    visit.submit(Step.SCREENING, keloid_history=True)
    condition = "history of keloids"
    forged = [{"condition": condition, "by": ADA, "reason": "so be it"}]
    corrected(visit, "sign_offs", forged, kind="screened")
    assert visit.submit(Step.SCREENING).reasons[0].code == "sign-off-missing"
    assert visit.submit(Step.SCREENING, **signed).state is State.DONE
    corrected(visit, "answers.keloid_history_signed_by", None)
    assert visit.submit(Step.SCREENING).reasons[0].code == "sign-off-missing"
    assert visit.submit(Step.SCREENING, **signed).state is State.DONE


def test_the_reason_of_a_step_done_anew_may_be_corrected() -> None:
    visit = Visit().to(Step.CLEANING)
    visit.settle(visit.session.redo(Step.SCREENING, reason="a slip", by=ADA, now=visit.now))
    corrected(visit, "reason", "another slip")
    assert visit.submit(Step.SCREENING).state is State.DONE


# -- numbing and its dwell ---------------------------------------------------------------------------------


def applied() -> Visit:
    visit = Visit().to(Step.NUMBING)
    assert visit.submit(Step.NUMBING).state is State.BEGUN
    return visit


def test_the_dwell_counts_down_on_the_clock_of_the_port() -> None:
    visit = applied()
    assert visit.session.dwell_left_s(visit.now) == 1800
    visit.elapsed_s += 1799
    assert visit.session.dwell_left_s(visit.now) == 1
    visit.elapsed_s += 2
    assert visit.session.dwell_left_s(visit.now) == 0


@pytest.mark.req("S-21")
@pytest.mark.parametrize("step_h", [-8760.0, 8760.0])
def test_a_clock_on_the_wall_that_jumps_changes_no_dwell(step_h: float) -> None:
    visit = applied()
    visit.elapsed_s += 600
    jumped = type(visit.now)(visit.now.local + datetime.timedelta(hours=step_h), visit.now.port_s)
    assert visit.session.dwell_left_s(jumped) == 1200


def test_a_port_whose_clock_is_behind_takes_nothing_off() -> None:
    visit = applied()
    behind = type(visit.now)(visit.now.local, (visit.now.port_s or 0.0) - 50)
    assert visit.session.dwell_left_s(behind) == 1800


def test_without_a_pen_the_dwell_is_counted_by_the_labels() -> None:
    visit = applied()
    visit.elapsed_s += 600
    assert visit.session.dwell_left_s(type(visit.now)(visit.now.local)) == pytest.approx(1200)


def test_the_dwell_goes_on_over_a_restart_and_is_never_shorter() -> None:
    visit = applied()
    visit.elapsed_s += 300
    visit.tell("event", event="battery-low")  # the last word before the crash: 300 s are on the port's clock
    visit.crash(gap_s=120)
    visit.resume()
    assert visit.session.dwell_left_s(visit.now) == pytest.approx(1800 - 420)
    visit.elapsed_s += 100
    visit.crash(gap_s=-9999)  # the wall's clock set back: the time away counts nothing
    visit.resume()
    assert visit.session.dwell_left_s(visit.now) == pytest.approx(1800 - 420, abs=0.01)
    assert visit.replayed() == visit.session


def test_numbing_is_taken_off_sooner_only_with_a_reason_and_a_name() -> None:
    visit = applied()
    visit.elapsed_s += 600
    keys = [question.key for question in visit.session.questions_of(Step.NUMBING, visit.now)]
    assert {"early_reason", "early_by"} <= set(keys)
    with pytest.raises(AnswerError, match="early_reason"):
        visit.submit(Step.NUMBING)
    outcome = visit.submit(Step.NUMBING, early_reason="it burns", early_by=ADA)
    assert outcome.state is State.DONE
    assert outcome.body["dwell_left_s"] == 1200
    assert "20 min before" in outcome.warnings[0]


def test_a_dwell_that_ends_while_the_reason_is_typed_is_no_error() -> None:
    visit = applied()
    visit.elapsed_s += 1801
    outcome = visit.submit(Step.NUMBING, early_reason="it burns", early_by=ADA)
    assert outcome.state is State.DONE
    assert outcome.body["answers"]["early_reason"] == "it burns"
    assert outcome.warnings == ()


def test_numbing_is_not_done_before_it_is_wiped_off() -> None:
    visit = applied()
    visit.elapsed_s += 1800
    assert visit.submit(Step.NUMBING, wiped_off=False).state is State.BEGUN
    with pytest.raises(Refused, match="numbing is begun"):
        visit.session.may_answer_zone()
    assert visit.submit(Step.NUMBING).state is State.DONE
    assert visit.replayed() == visit.session


def test_a_product_on_the_skin_is_not_skipped_and_comes_off_whatever_else_is_open() -> None:
    visit = applied()
    with pytest.raises(Refused, match="is begun and cannot be skipped"):
        visit.session.skip(Step.NUMBING, reason="no", by=BEN, now=visit.now)
    visit.settle(visit.session.redo(Step.CONSENT, reason="unclear", by=BEN, now=visit.now))
    visit.elapsed_s += 1800
    assert visit.submit(Step.NUMBING).state is State.DONE
    assert visit.session.at is Step.CONSENT


def test_the_next_session_is_counted_from_this_one() -> None:
    assert Visit().session.next_session(TODAY) == TODAY + datetime.timedelta(days=28)
    shallow = PLAN.model_validate(
        {
            "version": 1,
            "title": "Shallow",
            "zones": [{"zone": "forehead", "area_cm2": 8, "depth_mm": 0.3, "rate_hz": 110}],
        }
    )
    visit = Visit(plan=shallow).to(Step.NEEDLING)
    visit.start_zone(1)
    visit.tell("command", command="run", depth_mm=0.3, for_s=5.0)
    assert visit.session.next_session(TODAY) == TODAY + datetime.timedelta(days=14)
    # What was done counts, not only what was planned.
    visit.tell("command", command="run", depth_mm=0.35, for_s=5.0)
    visit.tell("command", command="run", depth_mm=0.3, for_s=5.0)
    assert visit.session.next_session(TODAY) == TODAY + datetime.timedelta(days=28)


def test_a_moment_without_its_distance_from_utc_is_none() -> None:
    from penstroke.treatment.moment import Moment

    with pytest.raises(ValueError, match="distance from UTC"):
        Moment(datetime.datetime(2026, 11, 23, 15, 0))  # noqa: DTZ001 - that is the point


def test_the_pre_use_check_needs_what_was_measured() -> None:
    visit = Visit().to(Step.PRE_USE)
    with pytest.raises(ValueError, match="measured"):
        visit.session.submit(Step.PRE_USE, answers(Step.PRE_USE), visit.now)
