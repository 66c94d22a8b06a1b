"""Each trip: its condition, how long it takes, what it leaves behind, and when it may be cleared."""

from __future__ import annotations

import pytest
from simbench import MS, TREATMENT, Bench

from penstroke_protocol.messages import (
    POWER_CYCLE,
    Arm,
    ClearFaults,
    End,
    EventCode,
    Fault,
    Flag,
    Reason,
    SetDepth,
    SetRate,
    State,
)


def tripped(bench: Bench, fault: Fault, within_ms: float, *, beating: bool = True) -> float:
    """Run until `fault` must have tripped; how long it took, ms."""
    begun_ns, epoch = bench.now_ns, bench.epoch
    # Some trip at the very injection: the state before is then the one that was left.
    last = bench.journal("state")[-1]
    was = last["from"] if bench.state is State.FAULT else last["to"]
    bench.run(within_ms, beating=beating)
    assert bench.state is State.FAULT, f"no trip within {within_ms} ms"
    assert bench.firmware.faults & fault
    first = bench.journal("fault")[0]
    assert bench.firmware.link.epoch != epoch
    bench.run(300)
    code = {"running": EventCode.RUN_ENDED, "armed": EventCode.DISARMED}.get(was)
    if code is not None:
        assert bench.ends() == [(code, End.FAULT)]
    told = [arg for event, arg in bench.events if event is EventCode.FAULT]
    assert told[-1] == bench.firmware.faults
    if was == "running":
        off = bench.journal("motor")[-1]
        assert (off["on"], off["t"]) == (False, first["t"])
    assert not bench.body.driven
    return float(first["t"] * 1000 - begun_ns / MS)


@pytest.mark.req("R-13.1", "R-13.2", "R-10.9", "S-10", "S-19")
@pytest.mark.parametrize(
    ("fault", "inject", "params", "at_least_ms", "at_most_ms"),
    [
        (Fault.STALL, "motor-stall", {}, 20, 35),  # out of its window after 1 ms, for 20 ms
        (Fault.DEPTH, "actuator-drift", {"um_per_s": 50_000}, 20, 32),  # 100 µm after 2 ms, for 20 ms
        (Fault.DEPTH, "actuator-drift", {"um_per_s": -50_000}, 20, 32),
        (Fault.OVER_CURRENT, "over-current", {"ma": 601}, 10, 20),
        (Fault.OVER_TEMPERATURE, "over-temperature", {"celsius": 43.0}, 0, 5),
        (Fault.CARTRIDGE_OFF, "cartridge-removed", {}, 0, 0),
        (Fault.SENSOR, "sensor-stuck", {}, 440, 510),  # counted from the last reading that moved
        (Fault.SENSOR, "over-temperature", {"celsius": -21.0}, 0, 5),
        (Fault.BATTERY, "battery-low", {"pct": 2}, 0, 5),
        (Fault.BATTERY, "brown-out", {"deep": False}, 0, 0),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else None,
)
def test_trips_while_running(  # a table
    bench: Bench, fault: Fault, inject: str, params: dict[str, object], at_least_ms: float, at_most_ms: float
) -> None:
    bench.start()
    bench.inject(inject, **params)
    took_ms = tripped(bench, fault, at_most_ms + 1)
    assert at_least_ms - 0.001 <= took_ms <= at_most_ms + 0.001
    home = bench.journal("needles")[-1]
    assert not home["extended"]
    assert home["t"] - bench.journal("motor")[-1]["t"] <= 0.050


@pytest.mark.req("R-13.2")
@pytest.mark.parametrize(
    ("inject", "params"),
    [
        ("over-current", {"ma": 600}),
        ("over-temperature", {"celsius": 42.9}),
        ("over-temperature", {"celsius": -20.0}),
        ("battery-low", {"pct": 3}),
        ("actuator-drift", {"um_per_s": 40}),  # 80 µm in two seconds
        ("cartridge-expired", {}),  # expiry is the host's to check
    ],
    ids=str,
)
def test_what_is_just_within_its_limit_does_not_trip(
    bench: Bench, inject: str, params: dict[str, object]
) -> None:
    bench.set_up()
    if inject == "cartridge-expired":
        bench.inject(inject)
        bench.done(SetDepth(900))
    bench.start()
    if inject != "cartridge-expired":
        bench.inject(inject, **params)
    bench.run(2_000, beating=True)
    assert bench.state is State.RUNNING


@pytest.mark.req("R-13.2", "R-13.3")
@pytest.mark.parametrize("state", [State.IDLE, State.ARMED])
def test_needles_that_creep_out_at_rest_trip(bench: Bench, state: State) -> None:
    bench.set_up() if state is State.IDLE else bench.arm()
    bench.inject("actuator-drift", um_per_s=2_000)
    took_ms = tripped(bench, Fault.DEPTH, 100)
    assert 65 <= took_ms <= 80  # 100 µm after 50 ms, for 20 ms
    assert not bench.journal("needles")[-1]["extended"]


@pytest.mark.req("R-13.2", "S-10")
def test_a_cartridge_that_goes_off_while_armed_trips(bench: Bench) -> None:
    bench.arm()
    bench.inject("cartridge-removed")
    assert tripped(bench, Fault.CARTRIDGE_OFF, 1) == pytest.approx(0, abs=0.001)
    assert (EventCode.CARTRIDGE_OUT, 0) not in bench.events


@pytest.mark.req("R-13.2")
def test_heat_trips_at_rest_too_and_adds_to_a_latched_fault(bench: Bench) -> None:
    bench.fault()
    bench.inject("over-temperature")
    bench.run(300)
    assert bench.firmware.faults == Fault.LEASE | Fault.OVER_TEMPERATURE
    assert bench.events[-1] == (EventCode.FAULT, Fault.LEASE | Fault.OVER_TEMPERATURE)


@pytest.mark.req("R-13.2", "S-19")
def test_a_motor_that_never_gets_to_its_rate_trips_after_the_ramp(bench: Bench) -> None:
    bench.arm()
    bench.inject("motor-stall")
    bench.start(settle=False)
    started_s = bench.journal("motor")[0]["t"]
    bench.run(400, beating=True)
    fault = bench.journal("fault")[0]
    assert fault["new"] == ["stall"]
    assert 0.320 <= fault["t"] - started_s <= 0.330


@pytest.mark.req("R-13.2")
def test_a_change_of_rate_gives_the_motor_its_ramp_again(bench: Bench) -> None:
    bench.start(rate_dhz=800)
    for rate_dhz in (1500, 250, 1500):
        bench.done(SetRate(rate_dhz))
        bench.run(500, beating=True)
    assert bench.state is State.RUNNING


@pytest.mark.req("R-13.3", "S-19")
def test_an_actuator_that_does_not_follow_trips_when_the_old_command_is_100_ms_old(bench: Bench) -> None:
    bench.start()
    bench.inject("actuator-jam")
    bench.done(SetDepth(500))
    set_s = bench.now_ns / 1e9
    bench.run(300, beating=True)
    fault = bench.journal("fault")[0]
    assert fault["new"] == ["depth"]
    assert 0.110 <= fault["t"] - set_s <= 0.130


@pytest.mark.req("R-13.3", "S-19")
def test_needles_that_do_not_come_out_trip(bench: Bench) -> None:
    bench.arm()
    bench.inject("actuator-jam")
    bench.start(settle=False)
    bench.run(300, beating=True)
    fault = bench.journal("fault")[0]
    assert fault["new"] == ["depth"]
    assert 0.115 <= fault["t"] - bench.journal("motor")[0]["t"] <= 0.130


@pytest.mark.req("R-13.2", "R-13.4", "S-11")
def test_needles_that_do_not_come_in_latch_a_fault_that_only_a_power_cycle_ends(bench: Bench) -> None:
    bench.start()
    bench.inject("actuator-jam")
    bench.stop()
    stopped_s = bench.journal("motor")[-1]["t"]
    bench.run(300)
    fault = bench.journal("fault")[0]
    assert fault["new"] == ["retraction"]
    assert round(fault["t"] - stopped_s, 6) == 0.1
    assert bench.status().flags & Flag.NEEDLES_OUT

    latched = bench.firmware.faults
    assert bench.refused(ClearFaults(latched)) == (Reason.NOT_CLEARABLE, latched)
    bench.inject("reset")
    bench.run(250)
    assert bench.firmware.faults & Fault.SELF_TEST  # still out
    bench.inject("actuator-jam", off=True)
    bench.inject("reset")
    bench.run(250)
    assert bench.state is State.IDLE


@pytest.mark.req("R-13.2", "R-13.4", "R-12.2")
def test_a_watchdog_reset_leaves_the_internal_fault(bench: Bench) -> None:
    bench.start()
    bench.inject("hang")
    hung_ns = bench.now_ns
    bench.run(600)
    assert bench.journal("reset")[0]["cause"] == "watchdog"
    assert round(bench.journal("reset")[0]["t"] * 1000 - hung_ns / MS, 3) == 200
    assert (bench.state, bench.firmware.faults) == (State.FAULT, Fault.INTERNAL)
    bench.hello(nonce=9)
    assert bench.refused(ClearFaults(Fault.INTERNAL)) == (Reason.NOT_CLEARABLE, Fault.INTERNAL)
    bench.inject("reset")
    bench.run(250)
    assert bench.state is State.IDLE


@pytest.mark.req("R-13.2", "R-12.2", "S-24")
@pytest.mark.parametrize("way", ["injected", "sensor"])
def test_a_failed_self_test_ends_in_fault(bench: Bench, way: str) -> None:
    if way == "injected":
        bench.inject("self-test-fails")
    else:
        bench.inject("over-temperature", celsius=-30.0)
    bench.run(250)
    assert (bench.state, bench.firmware.faults) == (State.FAULT, Fault.SELF_TEST)
    bench.hello()
    assert bench.refused(ClearFaults(Fault.SELF_TEST)) == (Reason.NOT_CLEARABLE, Fault.SELF_TEST)


CLEARABLE = [
    (Fault.STALL, "motor-stall", {}, None),
    (Fault.DEPTH, "actuator-drift", {"um_per_s": 50_000}, None),
    (Fault.OVER_CURRENT, "over-current", {}, None),
    (Fault.OVER_TEMPERATURE, "over-temperature", {}, ("over-temperature", {"off": True})),
    (Fault.CARTRIDGE_OFF, "cartridge-removed", {}, ("cartridge-inserted", {})),
    (Fault.BATTERY, "battery-low", {"pct": 2}, ("battery-low", {"pct": 3})),
    (Fault.SENSOR, "over-temperature", {"celsius": -30.0}, ("over-temperature", {"off": True})),
]


@pytest.mark.req("R-13.4", "S-11")
@pytest.mark.parametrize(("fault", "inject", "params", "repair"), CLEARABLE, ids=lambda v: str(v)[:20])
def test_a_trip_is_cleared_only_when_its_cause_is_gone(
    bench: Bench,
    fault: Fault,
    inject: str,
    params: dict[str, object],
    repair: tuple[str, dict[str, object]] | None,
) -> None:
    bench.start()
    bench.inject(inject, **params)
    bench.run(700, beating=True)
    assert bench.firmware.faults == fault
    if repair is not None:
        assert bench.refused(ClearFaults(fault)) == (Reason.NOT_CLEARABLE, fault)
        bench.inject(repair[0], **repair[1])
    epoch = bench.epoch
    assert bench.done(ClearFaults(fault)).state == State.IDLE
    assert bench.epoch == epoch
    bench.run(500, beating=True)
    assert len(bench.journal("motor")) == 2  # on, off: clearing started nothing


@pytest.mark.req("R-13.4")
def test_every_fault_is_either_clearable_or_needs_a_power_cycle() -> None:
    assert {fault for fault, *_ in CLEARABLE} | {Fault.LEASE} | set(POWER_CYCLE) == set(Fault)


@pytest.mark.req("R-14.7", "R-10.1")
def test_the_battery_tells_once_that_it_gets_low(bench: Bench) -> None:
    bench.set_up()
    bench.inject("battery-low", pct=10)
    bench.run(300)
    assert not bench.events
    bench.inject("battery-low", pct=9)
    bench.run(500)
    assert bench.events == [(EventCode.BATTERY_LOW, 9)]
    assert bench.refused(Arm(TREATMENT, 0)) == (Reason.BATTERY_LOW, 9)


@pytest.mark.req("R-13.2", "S-10")
def test_an_undisturbed_treatment_never_trips(bench: Bench) -> None:
    bench.start(depth_um=950)
    bench.run(120_000, beating=True)
    assert bench.state is State.RUNNING


@pytest.mark.req("R-13.4")
def test_faults_that_are_not_latched_are_ignored_when_clearing(bench: Bench) -> None:
    bench.fault()
    assert bench.done(ClearFaults(Fault.LEASE | Fault.INTERNAL | Fault.STALL)).state == State.IDLE


@pytest.mark.req("R-13.2", "S-10")
@pytest.mark.parametrize("running", [False, True])
def test_a_cartridge_whose_going_was_missed_is_missed_at_the_next_look(bench: Bench, running: bool) -> None:
    bench.start() if running else bench.arm()
    bench.run(60, beating=True)
    bench.inject("hang", watchdog=False)
    bench.inject("cartridge-removed")
    bench.inject("hang", off=True)
    bench.run(20)
    assert bench.firmware.faults == Fault.CARTRIDGE_OFF
