"""The gate: what was not permitted does not leave, whatever the rest of the driver believes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstroke.data import zone_named
from penstroke.gate import Gate, GateClosed
from penstroke.safety import Zone
from penstroke_protocol.messages import (
    Arm,
    GetStatus,
    LowerCeiling,
    Release,
    SelectZone,
    SetDepth,
    SetRate,
    Settings,
    Start,
    Stop,
)

TOLERANCE_UM = 50
HELD = Settings(8, 1, 1000, 900, 1100, 0)
SETTINGS = [SelectZone(8, 1, 1000), LowerCeiling(1000), SetDepth(900), SetRate(1100)]
MOTION = [Arm(7, 0), Start(8, 1, 900, 1100, 1000)]


def cheek() -> Zone:
    zone = zone_named("cheek")
    if zone is None:
        raise LookupError("cheek")
    return zone


def in_cheek() -> Gate:
    gate = Gate()
    gate.permit_zone(cheek(), "left", ceiling_um=1000)
    return gate


def ready_to_move() -> Gate:
    gate = in_cheek()
    gate.verified(HELD)
    gate.permit_motion(HELD, treatment=7)
    return gate


def named(message: object) -> str:
    return type(message).__name__


@pytest.mark.req("S-01", "S-24")
@pytest.mark.parametrize("request_", SETTINGS + MOTION, ids=named)
def test_a_fresh_gate_holds_back_everything_that_can_move(request_: object) -> None:
    with pytest.raises(GateClosed, match="nothing was sent"):
        Gate().judge(request_)


@pytest.mark.parametrize("request_", [GetStatus(), Stop(), Release()], ids=named)
def test_looking_and_stopping_always_pass(request_: object) -> None:
    Gate().judge(request_)


@pytest.mark.req("S-01")
@pytest.mark.parametrize(
    ("permit", "request_"),
    [
        (lambda gate: gate.permit_zone(cheek(), "left", ceiling_um=1000), SETTINGS[0]),
        (lambda gate: gate.permit_ceiling(1000), SETTINGS[1]),
        (lambda gate: gate.permit_depth(900, limit_um=1000, tolerance_um=TOLERANCE_UM), SETTINGS[2]),
        (lambda gate: gate.permit_rate(1100), SETTINGS[3]),
    ],
)
def test_a_permitted_setting_passes_once(permit: Callable[[Gate], object], request_: object) -> None:
    gate = in_cheek()
    assert permit(gate) == request_
    gate.judge(request_)
    with pytest.raises(GateClosed):
        gate.judge(request_)


@pytest.mark.req("S-01", "S-04", "R-17.1")
@pytest.mark.parametrize(
    "request_",
    [SetDepth(901), SetDepth(899), SetRate(900), SelectZone(8, 1, 900), LowerCeiling(900)],
    ids=repr,
)
def test_another_setting_than_the_permitted_one_is_held_back(request_: object) -> None:
    gate = in_cheek()
    gate.permit_depth(900, limit_um=1000, tolerance_um=TOLERANCE_UM)
    with pytest.raises(GateClosed):
        gate.judge(request_)


@pytest.mark.parametrize("request_", MOTION, ids=named)
def test_verified_settings_may_be_armed_and_started(request_: object) -> None:
    ready_to_move().judge(request_)


@pytest.mark.req("S-01", "S-04")
@pytest.mark.parametrize(
    "request_",
    [
        Arm(8, 0),
        Start(8, 1, 950, 1100, 1000),
        Start(8, 2, 900, 1100, 1000),
        Start(9, 1, 900, 1100, 1000),
        Start(8, 1, 900, 1000, 1000),
    ],
    ids=repr,
)
def test_motion_with_other_settings_is_held_back(request_: object) -> None:
    with pytest.raises(GateClosed):
        ready_to_move().judge(request_)


@pytest.mark.req("S-04", "S-11")
@pytest.mark.parametrize("request_", MOTION, ids=named)
def test_settings_that_were_not_read_back_move_nothing(request_: object) -> None:
    gate = in_cheek()
    gate.verified(HELD)
    gate.permit_motion(replace(HELD, depth_um=950), treatment=7)
    with pytest.raises(GateClosed):
        gate.judge(request_)


@pytest.mark.req("S-01")
@given(st.integers(-5, 70000), st.integers(0, 70000))
def test_no_permission_passes_the_ceiling_with_its_tolerance(depth_um: int, limit_um: int) -> None:
    gate = in_cheek()
    request = gate.permit_depth(depth_um, limit_um=limit_um, tolerance_um=TOLERANCE_UM)
    if depth_um > 0 and depth_um + TOLERANCE_UM <= min(limit_um, 1000):
        gate.judge(request)
    else:
        with pytest.raises(GateClosed):
            gate.judge(request)


@pytest.mark.req("S-01")
def test_no_session_ceiling_above_the_hard_ceiling_can_be_permitted() -> None:
    gate = Gate()
    with pytest.raises(GateClosed):
        gate.judge(gate.permit_zone(cheek(), "left", ceiling_um=1501))
    gate.judge(gate.permit_zone(cheek(), "left", ceiling_um=1500))
    with pytest.raises(GateClosed):
        gate.judge(gate.permit_ceiling(1501))


@pytest.mark.req("S-11")
def test_after_a_run_arming_needs_a_fresh_permission() -> None:
    gate = ready_to_move()
    gate.forbid_motion()
    with pytest.raises(GateClosed):
        gate.judge(Arm(7, 0))


@pytest.mark.req("S-22")
def test_leaving_a_zone_forgets_everything() -> None:
    gate = ready_to_move()
    gate.forbid_zone()
    gate.permit_motion(HELD, treatment=7)
    for request in (SetDepth(900), Arm(7, 0), SelectZone(8, 1, 1000)):
        with pytest.raises(GateClosed):
            gate.judge(request)
