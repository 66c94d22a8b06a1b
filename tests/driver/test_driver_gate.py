"""The gate: what was not permitted does not leave, whatever the rest of the driver believes."""

from __future__ import annotations

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
    SelectZone,
    SetDepth,
    SetRate,
    Settings,
    Start,
    Stop,
)

TOLERANCE_UM = 50


def cheek() -> Zone:
    zone = zone_named("cheek")
    if zone is None:
        raise LookupError("cheek")
    return zone


def opened(depth_um: int = 900, rate_dhz: int = 1100) -> Gate:
    gate = Gate()
    gate.permit_zone(cheek(), "left", ceiling_um=1000)
    gate.permit_depth(depth_um, 1000, TOLERANCE_UM)
    gate.permit_rate(rate_dhz)
    gate.permit_motion(Settings(8, 1, 1000, depth_um, rate_dhz, 0), treatment=7)
    return gate


MOVING = [
    SelectZone(8, 1, 1000),
    LowerCeiling(1000),
    SetDepth(900),
    SetRate(1100),
    Arm(7, 0),
    Start(8, 1, 900, 1100, 1000),
]


@pytest.mark.req("S-01")
@pytest.mark.parametrize("request_", MOVING, ids=lambda message: type(message).__name__)
def test_a_fresh_gate_holds_back_everything_that_can_move(request_: object) -> None:
    with pytest.raises(GateClosed, match="nothing was sent"):
        Gate().judge(request_)


@pytest.mark.parametrize("request_", [GetStatus(), Stop()], ids=lambda message: type(message).__name__)
def test_looking_and_stopping_always_pass(request_: object) -> None:
    Gate().judge(request_)


@pytest.mark.parametrize("request_", MOVING, ids=lambda message: type(message).__name__)
def test_what_was_permitted_passes(request_: object) -> None:
    opened().judge(request_)


@pytest.mark.req("S-01", "S-03")
@pytest.mark.parametrize(
    "request_",
    [
        SelectZone(8, 2, 1000),
        SelectZone(9, 1, 1000),
        SelectZone(8, 1, 1001),
        LowerCeiling(1001),
        SetDepth(901),
        SetDepth(899),
        SetRate(1101),
        Arm(8, 0),
        Start(8, 1, 950, 1100, 1000),
        Start(8, 2, 900, 1100, 1000),
        Start(9, 1, 900, 1100, 1000),
        Start(8, 1, 900, 1000, 1000),
    ],
    ids=repr,
)
def test_anything_else_is_held_back(request_: object) -> None:
    with pytest.raises(GateClosed):
        opened().judge(request_)


@pytest.mark.req("S-01")
@given(st.integers(-5, 70000), st.integers(0, 70000))
def test_no_permission_passes_the_ceiling_with_its_tolerance(depth_um: int, limit_um: int) -> None:
    gate = Gate()
    gate.permit_zone(cheek(), "left", ceiling_um=1000)
    gate.permit_depth(depth_um, limit_um, TOLERANCE_UM)
    permitted = depth_um > 0 and depth_um + TOLERANCE_UM <= min(limit_um, 1000)
    if permitted:
        gate.judge(SetDepth(depth_um))
    else:
        with pytest.raises(GateClosed):
            gate.judge(SetDepth(depth_um))


@pytest.mark.req("S-01")
def test_no_session_ceiling_above_the_hard_ceiling_can_be_permitted() -> None:
    gate = Gate()
    gate.permit_zone(cheek(), "left", ceiling_um=9999)
    with pytest.raises(GateClosed):
        gate.judge(SelectZone(8, 1, 9999))
    gate.judge(SelectZone(8, 1, 1500))


@pytest.mark.req("S-11")
def test_after_a_run_arming_needs_a_fresh_permission() -> None:
    gate = opened()
    gate.forbid_motion()
    with pytest.raises(GateClosed):
        gate.judge(Arm(7, 0))


def test_leaving_a_zone_forgets_its_depth() -> None:
    gate = opened()
    gate.forbid_zone()
    for request in (SetDepth(900), Arm(7, 0), SelectZone(8, 1, 1000)):
        with pytest.raises(GateClosed):
            gate.judge(request)
