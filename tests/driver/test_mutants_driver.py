"""Exact edges of what the driver judges by itself: duty, readiness, and the words of a disagreement."""

from __future__ import annotations

import datetime
from dataclasses import replace
from fractions import Fraction

import pytest

from penstroke.data import figures, zone_named
from penstroke.duty import Duty
from penstroke.errors import DeviceFault, VersionMismatch
from penstroke.gate import Gate, GateClosed
from penstroke.held import Held, agree, still_verified
from penstroke.readiness import cartridge_reasons, deeper_while_running, why_read_only
from penstroke.safety import NO_CLINIC, AllowedRun, ClinicProfile, PenLimits, Refusal, Screening, Zone
from penstroke.status import Cartridge
from penstroke.watch import Watch
from penstroke_protocol import messages as m
from penstroke_protocol.messages import Flag, HelloAnswer, Role, Settings, State, Status, Telemetry
from penstroke_protocol.zone_table import ZONE_DIGEST

S = 1_000_000_000
MS = 1_000_000


# -- duty ---------------------------------------------------------------------------------------------------


def test_needling_is_summed_to_the_nanosecond_until_the_pen_has_rested() -> None:
    duty = Duty(figures())
    assert (duty.left_s(5 * S), duty.rest_left_s(5 * S)) == (600.0, 0.0)
    duty.ran(10 * S, 20 * S)
    assert duty.left_s(150 * S) == 600.0
    duty.ran(100 * S, 250 * S)
    duty.ran(50 * S, 350 * S)
    assert duty.left_s(350 * S) == 450.0
    duty.ran(450 * S, 810 * S)
    assert duty.left_s(810 * S) == 0.0
    assert isinstance(duty.check(0.1, 811 * S), Refusal)


@pytest.mark.parametrize(
    ("idle_s", "left_s", "rest_left_s"), [(119.5, 0.0, 0.5), (120, 600.0, 0.0), (500, 600.0, 0.0)]
)
def test_a_rest_is_full_after_two_minutes(idle_s: float, left_s: float, rest_left_s: float) -> None:
    duty = Duty(figures())
    duty.ran(600 * S, 700 * S)
    now_ns = 700 * S + round(idle_s * S)
    assert (duty.left_s(now_ns), duty.rest_left_s(now_ns)) == (left_s, rest_left_s)
    verdict = duty.check(600, now_ns)
    assert verdict == AllowedRun(600.0) if left_s else isinstance(verdict, Refusal)
    duty.ran(1 * S, now_ns + 1 * S)
    assert duty.left_s(now_ns + 1 * S) == (599.0 if left_s else -1.0)


def test_work_and_rest_before_this_connection_count_to_the_nanosecond() -> None:
    duty = Duty(figures())
    duty.carry_over(100.5, 20.25, 1000 * S)
    assert (duty.left_s(1000 * S), duty.rest_left_s(1000 * S)) == (499.5, 99.75)
    duty.carry_over(0.5, 0.5, 1000 * S)
    assert (duty.left_s(1000 * S), duty.rest_left_s(1000 * S)) == (599.5, 119.5)
    duty.carry_over(0, 0, 1000 * S)
    assert (duty.left_s(1000 * S), duty.rest_left_s(1000 * S)) == (600.0, 120.0)


@pytest.mark.parametrize(("busy_s", "idle_s"), [(-0.5, 1), (1, -0.5), (float("nan"), 1), (1, float("nan"))])
def test_no_time_can_be_carried_over_that_is_none(busy_s: float, idle_s: float) -> None:
    with pytest.raises(ValueError, match="no time"):
        Duty(figures()).carry_over(busy_s, idle_s, 1000 * S)


# -- readiness ----------------------------------------------------------------------------------------------


def answer(**changes: int) -> HelloAnswer:
    session = (m.MAJOR, m.MINOR, m.MOTION_HASH, 1, ZONE_DIGEST, 7, Role.CONTROLLER, 300)
    firmware, limits = (0, 1, 0, 0), (0, 2500, 50, 50, 250, 1500, 10, 16)
    return replace(HelloAnswer(*session, "test", "T-1", *firmware, *limits), **changes)


def test_a_pen_that_agrees_may_move() -> None:
    assert why_read_only(answer(), Role.CONTROLLER) == ""
    assert why_read_only(answer(), Role.OBSERVER) == "it was opened as an observer"


@pytest.mark.req("S-25")
@pytest.mark.parametrize("off", [-1, 1])
def test_a_pen_that_differs_either_way_may_not(off: int) -> None:
    with pytest.raises(VersionMismatch, match=f"the pen speaks protocol {m.MAJOR + off}.{m.MINOR}, not "):
        why_read_only(answer(major=m.MAJOR + off), Role.CONTROLLER)
    said = [
        why_read_only(answer(motion_hash=m.MOTION_HASH + off), Role.CONTROLLER),
        why_read_only(answer(zone_digest=ZONE_DIGEST + off), Role.CONTROLLER),
        why_read_only(answer(role=Role.CONTROLLER + off), Role.CONTROLLER),
    ]
    assert said == [
        "its firmware declares other motion messages",
        "its firmware holds another zone table",
        "it granted only the role of observer",
    ]


def test_depths_are_told_exactly_while_needles_move() -> None:
    reason = deeper_while_running(60_005)
    assert "shallower than the 60.005 mm in force" in reason.message
    assert reason.max_mm == 60.005
    assert "the 0.90 mm in force" in deeper_while_running(900).message


# -- words --------------------------------------------------------------------------------------------------


def test_a_disagreement_is_told_in_exact_figures() -> None:
    """Large ones, in which a figure that is off by a thousandth shows."""
    watch = Watch(figures(), tolerance_um=29_950)
    watch.commanded(30_000, 30_000, 0)

    def reading(depth_um: int, rate_dhz: int) -> Telemetry:
        return Telemetry(0, 1, State.RUNNING, 0, 0, depth_um, rate_dhz, 0, 100, 250, 90)

    said = watch.judge(reading(62_000, 30_000), 400 * MS)
    assert said == "measured depth 62.00 mm is more than 30.00 mm from the 30.00 mm commanded"
    assert watch.judge(reading(0, 30_000), 400 * MS) == ""
    watch.judge(reading(30_000, 60_000), 500 * MS)
    said = watch.judge(reading(30_000, 60_000), 520 * MS)
    assert said == "measured rate 6000.0 Hz is more than 10 % from the 3000.0 Hz commanded"


@pytest.mark.parametrize(("depth_um", "found"), [(400, False), (399, True)])
def test_the_window_of_depth_ends_where_it_says(depth_um: int, found: bool) -> None:
    watch = Watch(figures(), tolerance_um=50)
    watch.commanded(500, 1000, 0)
    for now_ns in (400 * MS, 420 * MS):
        said = watch.judge(Telemetry(0, 1, State.RUNNING, 0, 0, depth_um, 1000, 0, 100, 250, 90), now_ns)
    assert bool(said) is found


def test_a_cartridge_without_a_date_has_expired() -> None:
    cartridge = Cartridge(True, 7, "L1", "2026-01-02", 16, 2500, 5, 0)
    today = datetime.date(2026, 1, 2)
    assert cartridge_reasons(cartridge, 5, today) == []
    (reason,) = cartridge_reasons(replace(cartridge, expiry="some day"), 5, today)
    assert reason.message == "the cartridge tells no date of expiry"


# -- gate ---------------------------------------------------------------------------------------------------


def passes(gate: Gate, request: object) -> bool:
    try:
        gate.judge(request)
    except GateClosed:
        return False
    return True


@pytest.mark.req("S-01", "S-24")
@pytest.mark.parametrize("left", [False, True])
def test_without_a_zone_the_ceiling_is_zero(left: bool) -> None:
    gate = Gate()
    if left:
        gate.permit_zone(cheek(), "left", ceiling_um=1000)
        gate.forbid_zone()
    assert not passes(gate, gate.permit_depth(1, limit_um=10, tolerance_um=0))
    assert not passes(gate, gate.permit_ceiling(1))
    assert passes(gate, gate.permit_ceiling(0))


@pytest.mark.req("S-01")
@pytest.mark.parametrize("number", [0, 99])
def test_a_zone_that_the_wire_does_not_know_has_no_depth(number: int) -> None:
    gate = Gate()
    assert not passes(gate, gate.permit_zone(replace(cheek(), id=number), "left", ceiling_um=1))
    assert passes(gate, gate.permit_zone(replace(cheek(), id=number), "left", ceiling_um=0))


def test_a_ceiling_may_be_lowered_to_less() -> None:
    gate = Gate()
    gate.permit_zone(cheek(), "left", ceiling_um=1000)
    assert passes(gate, gate.permit_ceiling(999))


@pytest.mark.req("S-01")
def test_the_tighter_of_both_tables_counts() -> None:
    gate = Gate()
    assert passes(gate, gate.permit_zone(replace(cheek(), hard_ceiling_um=400), "left", ceiling_um=400))
    assert not passes(gate, gate.permit_zone(replace(cheek(), hard_ceiling_um=400), "left", ceiling_um=401))
    assert passes(gate, gate.permit_zone(replace(cheek(), hard_ceiling_um=2000), "left", ceiling_um=1500))
    assert not passes(gate, gate.permit_zone(replace(cheek(), hard_ceiling_um=2000), "left", ceiling_um=1501))


@pytest.mark.req("S-01")
@pytest.mark.parametrize(("depth_um", "limit_um"), [(950, 1000), (450, 500), (1, 51)])
def test_a_depth_with_its_tolerance_may_touch_the_tightest_limit(depth_um: int, limit_um: int) -> None:
    gate = Gate()
    gate.permit_zone(cheek(), "left", ceiling_um=1000)
    assert passes(gate, gate.permit_depth(depth_um, limit_um=limit_um, tolerance_um=50))
    assert not passes(gate, gate.permit_depth(depth_um + 1, limit_um=limit_um, tolerance_um=50))
    for nothing_um in (0, -1):
        assert not passes(gate, gate.permit_depth(nothing_um, limit_um=limit_um, tolerance_um=50))


@pytest.mark.req("S-11")
@pytest.mark.parametrize("treatment", [6, 8])
def test_a_pen_is_armed_for_the_treatment_that_was_permitted(treatment: int) -> None:
    gate = Gate()
    gate.permit_zone(cheek(), "left", ceiling_um=1000)
    gate.verified(BELIEVED)
    gate.permit_motion(BELIEVED, treatment=7)
    assert passes(gate, m.Arm(7, 0))
    assert not passes(gate, m.Arm(treatment, 0))


def cheek() -> Zone:
    zone = zone_named("cheek")
    assert zone is not None
    return zone


# -- what is held -------------------------------------------------------------------------------------------

FLAGS = int(Flag.ZONE_SET | Flag.DEPTH_SET | Flag.RATE_SET)
BELIEVED = Settings(8, 1, 1000, 900, 1100, FLAGS)


def status(**changes: int) -> Status:
    told = Status(0, 7, State.IDLE, FLAGS, 0, 8, 1, 1000, 1000, 900, 1100, 0, 0, 0, 0, 0, 100, 0)
    return replace(told, **changes)


@pytest.mark.req("S-04")
@pytest.mark.parametrize("off", [-1, 1])
def test_after_a_lost_answer_only_what_the_pen_still_holds_is_believed(off: int) -> None:
    def believed(**changes: int) -> int:
        return still_verified(status(**changes), BELIEVED).flags

    assert believed() == FLAGS
    assert believed(depth_um=900 + off) == FLAGS & ~Flag.DEPTH_SET
    assert believed(rate_dhz=1100 + off) == FLAGS & ~Flag.RATE_SET
    assert believed(zone=8 + off) == believed(side=1 + off) == 0
    assert believed(flags=FLAGS & ~Flag.RATE_SET) == FLAGS & ~Flag.RATE_SET


def nothing_held(clinic: ClinicProfile | None = NO_CLINIC, screening: Screening | None = None) -> Held:
    return Held(PenLimits(0, 2500, 50, 50, 250, 1500, 10), clinic=clinic, screening=screening, gate=Gate())


def test_at_first_nothing_is_believed() -> None:
    held = nothing_held()
    assert (held.settings, held.ceiling_um) == (Settings(0, 0, 0, 0, 0, 0), 0)
    assert nothing_held(clinic=None).constraints.clinic is None


@pytest.mark.req("S-02")
def test_a_profile_that_changes_under_our_hands_changes_nothing() -> None:
    ceilings = {"cheek": 500}
    held = nothing_held(ClinicProfile("x", ceilings_um=ceilings))
    ceilings["cheek"] = 1500
    assert held.constraints.clinic is not None
    assert held.constraints.clinic.ceiling_um("cheek") == 500


@pytest.mark.req("S-02")
@pytest.mark.parametrize(
    ("screening", "looser"),
    [
        (Screening(Fraction(1, 2), frozenset({("lip", None)}), ("fever",)), False),
        (Screening(Fraction(1, 4), frozenset({("lip", None), ("chin", None)}), ("fever", "acne")), False),
        (Screening(Fraction(3, 4), frozenset({("lip", None)}), ("fever",)), True),
        (Screening(Fraction(1, 2), frozenset(), ("fever",)), True),
        (Screening(Fraction(1, 2), frozenset({("chin", None)}), ("fever",)), True),
        (Screening(Fraction(1, 2), frozenset({("lip", None)}), ()), True),
        (Screening(Fraction(1, 4), frozenset({("lip", None)}), ("acne",)), True),
    ],
)
def test_screening_only_ever_tightens(screening: Screening, looser: bool) -> None:
    before = Screening(Fraction(1, 2), frozenset({("lip", None)}), ("fever",))
    held = nothing_held(screening=before)
    if looser:
        with pytest.raises(ValueError, match="only ever tightens"):
            held.screened(screening)
    else:
        held.screened(screening)
    assert held.constraints.screening == (before if looser else screening)
    unknown = nothing_held(screening=None)
    unknown.screened(screening)
    assert unknown.constraints.screening == screening


@pytest.mark.req("S-01")
@pytest.mark.parametrize(
    ("present", "number", "length_um"), [(True, 7, 2500), (True, 0, None), (False, 7, None)]
)
def test_only_a_cartridge_that_is_there_and_read_has_a_length(
    present: bool, number: int, length_um: int | None
) -> None:
    held = nothing_held()
    held.cartridge(Cartridge(present, number, "L1", "", 16, 2500, 0, 0))
    assert held.constraints.cartridge_length_um == length_um


def in_a_zone() -> Held:
    """All set and verified."""
    held = nothing_held()
    held.ceiling_um = 1000
    held.zone_given(held.if_chosen(cheek(), "left"), 1000, BELIEVED)
    held.settings = BELIEVED
    return held


@pytest.mark.req("S-04")
def test_in_another_zone_the_depth_has_to_be_set_again_and_the_rate_has_not() -> None:
    held = in_a_zone()
    held.zone_given(held.if_chosen(cheek(), "left"), 1000, BELIEVED)
    assert held.settings.flags == Flag.ZONE_SET | Flag.RATE_SET
    assert held.constraints.zone == cheek()
    assert held.constraints.held_um == 1000


@pytest.mark.req("S-04")
@pytest.mark.parametrize(
    ("changes", "zone_known"),
    [({}, True), ({"depth_um": 5}, True), ({"zone": 9}, False), ({"flags": 0}, False)],
)
def test_asked_afresh_a_pen_with_another_zone_has_none(changes: dict[str, int], zone_known: bool) -> None:
    held = in_a_zone()
    held.asked_afresh(status(**changes))
    assert (held.constraints.zone is not None) is zone_known
    held = in_a_zone()
    held.asked_afresh(status(flags=int(Flag.RATE_SET)))
    assert held.constraints.zone is None


@pytest.mark.req("S-04")
def test_a_pen_may_hold_the_ceiling_it_was_given_and_no_more() -> None:
    held = nothing_held()
    held.hold_told(0)
    for held_um in (1, 500):
        with pytest.raises(DeviceFault, match=f"{held_um} instead of 0"):
            held.hold_told(held_um)
    held.ceiling_um = 500
    held.hold_told(500)
    assert held.constraints.held_um == 500


@pytest.mark.parametrize("off", [-1, 1])
def test_another_reading_back_is_a_disagreement_either_way(off: int) -> None:
    agree("depth", 900, 900)
    with pytest.raises(DeviceFault, match="another depth"):
        agree("depth", 900 + off, 900)
