"""Every refusal: its reason, its detail, its place in the order of checks, and that it changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from simbench import CHEEK, FOREHEAD, TREATMENT, Bench

from penstroke_protocol.messages import (
    Arm,
    Bye,
    ClearFaults,
    Fault,
    GetCartridge,
    GetStatus,
    LowerCeiling,
    Reason,
    Release,
    Role,
    SelectZone,
    SetDepth,
    SetRate,
    SetTelemetry,
    Side,
    Start,
    State,
)
from penstroke_protocol.zone_table import ZONES

NewBench = Callable[..., Bench]


def _held(bench: Bench) -> tuple[Any, ...]:
    """All that a refusal must leave alone."""
    fw = bench.firmware
    return (
        fw.state,
        fw.link.epoch,
        fw.zone,
        fw.side,
        fw.session_ceiling_um,
        fw.depth_um,
        fw.depth_set,
        fw.rate_dhz,
        fw.rate_set,
        fw.faults,
        fw.treatment,
        fw.body.driven,
    )


def expect(bench: Bench, message: Any, reason: Reason, detail: int) -> None:
    before = _held(bench)
    assert bench.refused(message) == (reason, detail)
    assert _held(bench) == before


# -- in every state -----------------------------------------------------------------------------------------

MOVERS = [
    SelectZone(CHEEK, Side.LEFT, 1000),
    LowerCeiling(500),
    SetDepth(500),
    SetRate(1100),
    Arm(TREATMENT, 0),
    Start(CHEEK, Side.LEFT, 900, 1100, 5000),
    Release(),
    ClearFaults(Fault.LEASE),
]


@pytest.mark.req("R-12.2", "R-10.6", "R-8.4", "R-13.4", "S-24")
@pytest.mark.parametrize("message", MOVERS, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("state", [State.BOOT, State.SELF_TEST])
def test_nothing_but_talk_works_before_the_self_test_is_over(
    bench: Bench, state: State, message: Any
) -> None:
    bench.run(5 if state is State.BOOT else 60)
    bench.hello()
    assert bench.state is state
    expect(bench, message, Reason.WRONG_STATE, state)


@pytest.mark.req("R-12.2")
@pytest.mark.parametrize("start_ms", [5, 60])
@pytest.mark.parametrize("message", [GetStatus(), GetCartridge(), SetTelemetry(50), Bye()])
def test_talk_works_before_the_self_test_is_over(bench: Bench, start_ms: int, message: Any) -> None:
    bench.run(start_ms)
    bench.hello()
    bench.done(message)
    assert bench.state in (State.BOOT, State.SELF_TEST)


@pytest.mark.req("R-13.5", "R-8.1", "R-9.1", "R-9.3", "R-10.1", "R-10.3", "S-11")
@pytest.mark.parametrize(
    "message", [m for m in MOVERS if not isinstance(m, LowerCeiling | Release | ClearFaults)]
)
def test_a_latched_fault_refuses_settings_arm_and_start(bench: Bench, message: Any) -> None:
    expect(bench.fault(), message, Reason.FAULT_LATCHED, Fault.LEASE)


@pytest.mark.req("R-8.4", "R-10.6")
def test_a_latched_fault_does_not_stand_in_the_way_of_what_is_safer(bench: Bench) -> None:
    bench.fault()
    assert bench.done(LowerCeiling(700)).held_ceiling_um == 700
    assert bench.done(Release()).state == State.FAULT


@pytest.mark.req("R-10.3")
def test_start_is_refused_unless_armed(bench: Bench) -> None:
    expect(bench.set_up(), Start(CHEEK, Side.LEFT, 900, 1100, 5000), Reason.WRONG_STATE, State.IDLE)
    bench.start()
    expect(bench, Start(CHEEK, Side.LEFT, 900, 1100, 5000), Reason.WRONG_STATE, State.RUNNING)


@pytest.mark.req("R-10.1")
def test_arm_is_refused_unless_idle(bench: Bench) -> None:
    expect(bench.arm(), Arm(TREATMENT, 0), Reason.WRONG_STATE, State.ARMED)
    bench.start()
    expect(bench, Arm(TREATMENT, 0), Reason.WRONG_STATE, State.RUNNING)


# -- zone and ceilings --------------------------------------------------------------------------------------


@pytest.mark.req("R-8.1", "S-09")
@pytest.mark.parametrize("zone", ZONES, ids=lambda zone: zone.name)
@pytest.mark.parametrize("side", list(Side))
def test_select_zone_for_every_zone_and_side(bench: Bench, zone: Any, side: Side) -> None:
    bench.idle()
    request = SelectZone(zone.number, side, 65_535)
    if zone.forbidden:
        expect(bench, request, Reason.ZONE_FORBIDDEN, zone.number)
    elif zone.sided != (side is not Side.NONE):
        expect(bench, request, Reason.SIDE, int(zone.sided))
    else:
        assert bench.done(request).held_ceiling_um == zone.hard_ceiling_um


@pytest.mark.req("R-8.1")
@pytest.mark.parametrize("zone", [28, 255])
def test_a_zone_that_is_not_in_the_table_does_not_exist(bench: Bench, zone: int) -> None:
    expect(bench.idle(), SelectZone(zone, Side.LEFT, 1000), Reason.ZONE_UNKNOWN, zone)


@pytest.mark.req("R-8.3", "R-15.2")
def test_the_held_ceiling_is_the_least_of_four(new_bench: NewBench) -> None:
    bench = new_bench().idle()
    assert bench.done(SelectZone(CHEEK, Side.LEFT, 1400)).held_ceiling_um == 1400
    assert bench.done(SelectZone(CHEEK, Side.LEFT, 9000)).held_ceiling_um == 1500
    bench.inject("cartridge-inserted", length_um=800)
    assert bench.status().held_ceiling_um == 800
    bench.inject("cartridge-unreadable")
    assert bench.status().held_ceiling_um == 1500
    bench.inject("cartridge-removed")
    assert bench.status().held_ceiling_um == 1500


@pytest.mark.req("R-8.4")
def test_lower_ceiling_lowers_and_never_raises(bench: Bench) -> None:
    bench.idle()
    expect(bench, LowerCeiling(500), Reason.NO_ZONE, 0)
    bench.done(SelectZone(CHEEK, Side.LEFT, 1000))
    expect(bench, LowerCeiling(1001), Reason.ABOVE_CEILING, 1000)
    assert bench.done(LowerCeiling(1000)).held_ceiling_um == 1000
    assert bench.done(LowerCeiling(600), epoch=bench.epoch ^ 0x55).held_ceiling_um == 600
    expect(bench, LowerCeiling(601), Reason.ABOVE_CEILING, 600)


@pytest.mark.req("R-8.2")
def test_select_zone_forgets_the_depth_and_raises_no_epoch_at_rest(bench: Bench) -> None:
    bench.set_up()
    epoch = bench.epoch
    settings = bench.done(SelectZone(FOREHEAD, Side.NONE, 500))
    assert (settings.zone, settings.side, settings.held_ceiling_um) == (FOREHEAD, Side.NONE, 500)
    assert settings.flags & 0x70 == 0x60  # zone and rate are set, depth is not
    assert bench.epoch == epoch


# -- depth and rate -----------------------------------------------------------------------------------------


@pytest.mark.req("R-9.1", "S-09")
@pytest.mark.parametrize(
    ("profile", "ceiling_um", "depth_um", "reason", "detail"),
    [
        ("fine", 1000, 951, Reason.ABOVE_CEILING, 1000),  # 950 + 50 is the last that fits
        ("fine", 1000, 1000, Reason.ABOVE_CEILING, 1000),
        ("fine", 1000, 65_535, Reason.ABOVE_CEILING, 1000),
        ("fine", 1000, 1, Reason.DEPTH_RANGE, 50),
        ("fine", 1000, 49, Reason.DEPTH_RANGE, 50),
        ("fine", 1000, 949, Reason.DEPTH_OFF_STEP, 900),
        ("fixed-rate", 1000, 249, Reason.DEPTH_RANGE, 250),
        ("fixed-rate", 1000, 900, Reason.DEPTH_OFF_STEP, 750),
        ("coarse-tolerance", 1000, 900, Reason.ABOVE_CEILING, 1000),
        ("coarse-tolerance", 200, 100, Reason.ABOVE_CEILING, 200),
    ],
)
def test_depth_is_refused(
    new_bench: NewBench, profile: str, ceiling_um: int, depth_um: int, reason: Reason, detail: int
) -> None:
    bench = new_bench(profile=profile).idle()
    bench.done(SelectZone(CHEEK, Side.LEFT, ceiling_um))
    expect(bench, SetDepth(depth_um), reason, detail)


@pytest.mark.req("R-9.1")
def test_depth_without_a_zone_is_refused(bench: Bench) -> None:
    expect(bench.idle(), SetDepth(50), Reason.NO_ZONE, 0)


@pytest.mark.req("R-9.1", "R-9.2", "S-19")
def test_while_running_depth_only_gets_shallower(bench: Bench) -> None:
    bench.start()
    expect(bench, SetDepth(950), Reason.DEEPER_WHILE_RUNNING, 900)
    assert bench.done(SetDepth(900)).depth_um == 900
    assert bench.done(SetDepth(300)).depth_um == 300
    bench.run(60, beating=True)
    assert abs(bench.status().measured_depth_um - 300) <= 10
    expect(bench, SetDepth(350), Reason.DEEPER_WHILE_RUNNING, 300)
    assert bench.state is State.RUNNING


@pytest.mark.req("R-9.3")
@pytest.mark.parametrize(
    ("profile", "rate_dhz", "reason", "detail"),
    [
        ("fine", 249, Reason.RATE_RANGE, 250 << 16 | 1500),
        ("fine", 1501, Reason.RATE_RANGE, 250 << 16 | 1500),
        ("fine", 1105, Reason.RATE_OFF_STEP, 1100),
        ("fixed-rate", 1160, Reason.RATE_RANGE, 1167 << 16 | 1167),
        ("coarse-tolerance", 1049, Reason.RATE_OFF_STEP, 1000),
    ],
)
def test_rate_is_refused(
    new_bench: NewBench, profile: str, rate_dhz: int, reason: Reason, detail: int
) -> None:
    expect(new_bench(profile=profile).idle(), SetRate(rate_dhz), reason, detail)


@pytest.mark.req("R-9.3", "R-10.1", "R-10.3", "S-19")
def test_deep_and_slow_is_refused_wherever_it_could_begin(bench: Bench) -> None:
    bench.set_up(depth_um=1000, rate_dhz=790, ceiling_um=1100)
    expect(bench, Arm(TREATMENT, 0), Reason.DEEP_AND_SLOW, 800)
    bench.done(SetRate(800))
    bench.arm()
    bench.done(SetRate(790))
    expect(bench, Start(CHEEK, Side.LEFT, 1000, 790, 5000), Reason.DEEP_AND_SLOW, 800)
    bench.done(SetRate(800))
    bench.start()
    expect(bench, SetRate(790), Reason.DEEP_AND_SLOW, 800)
    bench.done(SetDepth(950))
    assert bench.done(SetRate(790)).rate_dhz == 790


# -- arm and start, in the order of their checks ------------------------------------------------------------

REPAIRS: list[tuple[Reason, int, Callable[[Bench], object]]] = [
    (Reason.NO_ZONE, 0, lambda b: b.done(SelectZone(CHEEK, Side.LEFT, 1100))),
    (Reason.NO_DEPTH, 0, lambda b: b.done(SetDepth(1000))),
    (Reason.NO_RATE, 0, lambda b: b.done(SetRate(500))),
    # Depth and cartridge: a shorter needle came in, so that the depth set no longer fits.
    (Reason.ABOVE_CEILING, 900, lambda b: setattr(b.firmware, "session_ceiling_um", 1100)),
    (Reason.DEEP_AND_SLOW, 800, lambda b: b.done(SetRate(1000))),
    (Reason.CARTRIDGE_MISSING, 0, lambda b: b.body.swap(b.unreadable, b.now_ns)),
    (Reason.CARTRIDGE_UNREADABLE, 0, lambda b: b.body.swap(b.used, b.now_ns)),
    (Reason.CARTRIDGE_OTHER, 0, lambda b: b.body.swap(b.good, b.now_ns)),
    (Reason.BATTERY_LOW, 7, lambda b: b.inject("battery-low", pct=11)),
]


@pytest.mark.req("R-10.1", "R-15.1", "S-09")
def test_arm_is_checked_in_its_order(bench: Bench) -> None:
    """Everything is wrong at once; each repair lets the next check speak."""
    bench.idle()
    bench.good = bench.body.cartridge
    bench.inject("cartridge-unreadable")
    bench.unreadable = bench.body.cartridge
    bench.inject("cartridge-used")
    bench.used = bench.body.cartridge
    bench.inject("cartridge-removed")
    bench.inject("battery-low", pct=7)
    for reason, detail, repair in REPAIRS:
        if reason is Reason.ABOVE_CEILING:
            bench.firmware.session_ceiling_um = 900
        expect(bench, Arm(TREATMENT, 600), reason, detail)
        repair(bench)
    assert bench.done(Arm(TREATMENT, 600)).state == State.ARMED


@pytest.mark.req("R-10.3", "S-09", "S-11")
def test_start_is_checked_in_its_order(bench: Bench) -> None:
    bench.arm(depth_um=900)
    fw, cartridge = bench.firmware, bench.body.cartridge
    good = Start(CHEEK, Side.LEFT, 900, 1100, 5000)
    expect(bench, Start(FOREHEAD, Side.RIGHT, 850, 1090, 5000), Reason.DISAGREES, 15)
    for bit, wrong in (
        (1, Start(FOREHEAD, Side.LEFT, 900, 1100, 5000)),
        (2, Start(CHEEK, Side.RIGHT, 900, 1100, 5000)),
        (4, Start(CHEEK, Side.LEFT, 850, 1100, 5000)),
        (8, Start(CHEEK, Side.LEFT, 900, 1090, 5000)),
    ):
        expect(bench, wrong, Reason.DISAGREES, bit)
        bench.beat()

    fw.depth_set = fw.rate_set = False
    fw.session_ceiling_um = 700
    bench.inject("battery-low", pct=5)
    expect(bench, good, Reason.NO_DEPTH, 0)
    fw.depth_set = True
    expect(bench, good, Reason.NO_RATE, 0)
    fw.rate_set = True
    expect(bench, good, Reason.ABOVE_CEILING, 700)
    fw.session_ceiling_um = 1000
    bench.beat()
    bench.world.memory.bindings[cartridge.id] = TREATMENT + 1
    expect(bench, good, Reason.CARTRIDGE_OTHER, 0)
    del bench.world.memory.bindings[cartridge.id]
    expect(bench, good, Reason.BATTERY_LOW, 5)
    bench.inject("battery-low", pct=50)
    assert bench.done(good).state == State.RUNNING


@pytest.mark.req("R-10.1")
def test_arm_waits_for_the_needles_to_come_in(bench: Bench) -> None:
    bench.start()
    bench.stop()
    reason, depth_um = bench.refused(Arm(TREATMENT, 0))
    assert reason is Reason.NEEDLES_OUT
    assert 0 < depth_um < 900
    bench.run(50)
    bench.done(Arm(TREATMENT, 0))


@pytest.mark.req("R-10.1")
def test_a_pen_without_a_trigger_is_not_armed_for_one(new_bench: NewBench) -> None:
    bench = new_bench(profile="fixed-rate").set_up(depth_um=750, rate_dhz=1167)
    expect(bench, Arm(TREATMENT, 5), Reason.NO_TRIGGER, 0)
    bench.done(Arm(TREATMENT, 0))


# -- faults and roles ---------------------------------------------------------------------------------------


@pytest.mark.req("R-13.4", "S-11")
def test_clear_faults_is_all_or_nothing(bench: Bench) -> None:
    bench.fault()
    bench.inject("over-temperature", celsius=45.0)
    bench.run(60)
    both = Fault.LEASE | Fault.OVER_TEMPERATURE
    assert bench.firmware.faults == both
    expect(bench, ClearFaults(both | Fault.STALL), Reason.NOT_CLEARABLE, Fault.OVER_TEMPERATURE)
    bench.inject("over-temperature", celsius=40.0)
    expect(bench, ClearFaults(both), Reason.NOT_CLEARABLE, Fault.OVER_TEMPERATURE)
    bench.inject("over-temperature", celsius=39.9)
    epoch = bench.epoch
    assert bench.done(ClearFaults(Fault.LEASE)).state == State.FAULT
    assert bench.done(ClearFaults(both)).state == State.IDLE
    assert bench.epoch == epoch
    assert not bench.body.driven


@pytest.mark.req("R-5.5", "S-25")
@pytest.mark.parametrize("message", MOVERS, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("why", [{"role": Role.OBSERVER}, {"motion_hash": 1}, {"zone_digest": 1}])
def test_an_observer_moves_nothing(bench: Bench, why: dict[str, Any], message: Any) -> None:
    bench.run(250)
    assert bench.hello(**why).role == Role.OBSERVER
    expect(bench, message, Reason.NOT_CONTROLLER, 0)
    assert bench.stop().state == State.IDLE
