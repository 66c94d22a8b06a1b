"""Runs: how they begin, every way in which they end, and how fast."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from simbench import CHEEK, MS, TREATMENT, Bench

from penstroke_protocol.messages import (
    Arm,
    Bye,
    End,
    EventCode,
    Flag,
    GetCartridge,
    LowerCeiling,
    Reason,
    Release,
    SelectZone,
    SetDepth,
    SetRate,
    Side,
    Start,
    State,
    Stop,
)

NewBench = Callable[..., Bench]


@pytest.mark.req("R-10.2", "R-10.4", "S-09", "S-11")
def test_a_run_begins_with_arm_and_start_and_nothing_moves_before(bench: Bench) -> None:
    bench.set_up()
    epoch = bench.epoch
    assert bench.done(Arm(TREATMENT, 0)).flags & (Flag.MOTOR_ON | Flag.NEEDLES_OUT) == 0
    assert not bench.journal("motor")
    assert not bench.journal("needles")

    condition = bench.done(Start(CHEEK, Side.LEFT, 900, 1100, 60_000))
    assert condition.state == State.RUNNING
    assert condition.flags & Flag.MOTOR_ON
    bench.run(400, beating=True)

    status = bench.status()
    assert abs(status.measured_depth_um - 900) <= 10
    assert abs(status.measured_rate_dhz - 1100) <= 110
    assert bench.epoch == epoch
    assert (EventCode.RUN_STARTED, 0) in bench.events
    assert bench.journal("motor")[0] == bench.journal("motor")[-1]
    assert bench.journal("needles")[0]["depth_mm"] == 0.9


def _lower(bench: Bench) -> None:
    bench.send(LowerCeiling(500))


ENDINGS: dict[str, tuple[Callable[[Bench], object], State, End, str]] = {
    "stop": (lambda b: b.send(Stop()), State.IDLE, End.STOP, "stop"),
    "release": (lambda b: b.send(Release()), State.ARMED, End.RELEASE, "command"),
    "stop-key": (lambda b: b.inject("stop-key"), State.IDLE, End.STOP_KEY, "stop-key"),
    "limit": (_lower, State.IDLE, End.LIMIT, "limit"),
    "zone": (lambda b: b.send(SelectZone(CHEEK, Side.RIGHT, 1000)), State.IDLE, End.ZONE, "zone"),
    "cartridge": (lambda b: b.inject("cartridge-removed"), State.FAULT, End.FAULT, "fault"),
    "supply": (lambda b: b.inject("brown-out", deep=False), State.FAULT, End.FAULT, "fault"),
}


@pytest.mark.req("R-10.9", "R-10.6", "R-10.8", "R-7.2", "R-7.3", "R-8.2", "R-8.5", "R-14.7", "S-10", "S-12")
@pytest.mark.parametrize("name", ENDINGS)
def test_every_ending_cuts_the_drive_and_brings_the_needles_in(bench: Bench, name: str) -> None:
    act, state, end, reason = ENDINGS[name]
    bench.start()
    epoch, begun = bench.epoch, bench.now_ns
    act(bench)
    bench.run(150)

    assert bench.state is state
    assert bench.ends() == [(EventCode.RUN_ENDED, end)]
    assert bench.firmware.link.epoch == (epoch + 1) & 0xFFFF
    off = bench.journal("motor")[-1]
    assert (off["on"], off["reason"]) == (False, reason)
    cut_ns = round(off["t"] * 1e9)
    # The frame is some 20 bytes of 87 µs, and the bridge adds a millisecond; then 10 ms.
    assert cut_ns - begun <= 14 * MS
    home = bench.journal("needles")[-1]
    assert home["extended"] is False
    assert (home["t"] - off["t"]) <= 0.050
    assert bench.events[-1] == (EventCode.RETRACTED, 11)  # 0.9 mm at 80 mm/s


@pytest.mark.req("R-10.9", "S-10")
@pytest.mark.parametrize("profile", ["fine", "fixed-rate", "coarse-tolerance"])
def test_the_deepest_setting_of_every_pen_is_in_within_50_ms(new_bench: NewBench, profile: str) -> None:
    bench = new_bench(profile=profile)
    depth_um = {"fine": 1450, "fixed-rate": 1250, "coarse-tolerance": 1300}[profile]
    rate_dhz = 1167 if profile == "fixed-rate" else 1100
    bench.start(depth_um=depth_um, rate_dhz=rate_dhz, ceiling_um=1500)
    bench.stop()
    bench.run(150)
    off, home = bench.journal("motor")[-1], bench.journal("needles")[-1]
    assert not home["extended"]
    assert home["t"] - off["t"] <= 0.050


@pytest.mark.req("R-10.6")
def test_release_when_nothing_runs_changes_nothing(bench: Bench) -> None:
    bench.arm()
    epoch = bench.epoch
    assert bench.done(Release()).state == State.ARMED
    bench.stop()
    epoch = (epoch + 1) & 0xFFFF
    assert bench.done(Release()).state == State.IDLE
    assert bench.epoch == epoch


@pytest.mark.req("R-10.6", "R-7.5", "S-11")
def test_after_release_a_fresh_start_is_needed_with_the_new_epoch(bench: Bench) -> None:
    bench.start()
    old = bench.epoch
    bench.done(Release())
    start = Start(CHEEK, Side.LEFT, 900, 1100, 5000)
    bench.run(60, beating=True)
    reason, detail = bench.refused(start, epoch=old)
    assert (reason, detail) == (Reason.STALE_EPOCH, (old + 1) & 0xFFFF)
    assert bench.state is State.ARMED
    assert bench.done(start).state == State.RUNNING


@pytest.mark.req("R-7.3", "R-7.5", "S-12")
@pytest.mark.parametrize("at_rest", [True, False])
def test_what_was_sent_before_a_stop_and_comes_after_it_does_nothing(bench: Bench, at_rest: bool) -> None:
    bench.set_up() if at_rest else bench.arm()
    old = bench.epoch
    bench.stop()
    late = [
        SelectZone(CHEEK, Side.LEFT, 1500),
        SetDepth(100),
        SetRate(900),
        Arm(TREATMENT, 0),
        Start(CHEEK, Side.LEFT, 900, 1100, 5000),
    ]
    for message in late:
        assert bench.refused(message, epoch=old)[0] is Reason.STALE_EPOCH
    assert bench.state is State.IDLE
    assert bench.firmware.depth_um == 900


@pytest.mark.req("R-3.2", "S-12")
def test_a_start_in_the_same_read_as_a_stop_does_nothing(bench: Bench) -> None:
    bench.arm()
    bench.send(Stop(), seq=0)
    bench.send(Start(CHEEK, Side.LEFT, 900, 1100, 5000))
    bench.run(60)
    assert bench.state is State.IDLE
    assert not bench.journal("motor")


@pytest.mark.req("R-7.1", "R-7.2", "S-12")
@pytest.mark.parametrize("how", [{}, {"session": 0}, {"session": 0xBEEF}, {"epoch": 0x7777}, {"seq": 0}])
def test_stop_acts_whatever_it_carries(bench: Bench, how: dict[str, int]) -> None:
    bench.start()
    before = bench.firmware.link.epoch
    bench.send(Stop(), **how)
    bench.run(20)
    assert bench.state is State.IDLE
    assert bench.firmware.link.epoch == (before + 1) & 0xFFFF
    bench.send(Stop(), **how)
    bench.run(20)
    assert bench.firmware.link.epoch == (before + 2) & 0xFFFF


@pytest.mark.req("R-7.1", "S-12")
def test_stop_acts_before_any_hello(bench: Bench) -> None:
    bench.run(10)
    bench.send(Stop(), session=0, seq=5)
    bench.run(20)
    assert bench.journal("stop")
    assert bench.frames[-1].seq == 5


@pytest.mark.req("R-10.5", "S-10")
def test_a_run_ends_by_itself_when_it_has_lasted_its_longest(bench: Bench) -> None:
    bench.start(longest_ms=1234, settle=False)
    epoch = bench.epoch
    bench.run(1500, beating=True)
    on, off = bench.journal("motor")
    assert round((off["t"] - on["t"]) * 1000, 3) == 1234
    assert off["reason"] == "duration"
    assert bench.state is State.ARMED
    assert bench.epoch == (epoch + 1) & 0xFFFF
    assert bench.ends() == [(EventCode.RUN_ENDED, End.DURATION)]


@pytest.mark.req("R-10.2")
def test_readiness_expires_in_ten_seconds(bench: Bench) -> None:
    bench.arm()
    armed_s = bench.journal("lease")[0]["t"]
    epoch = bench.epoch
    bench.run(10_100, beating=True)
    change = bench.journal("state")[-1]
    assert (change["to"], change["trigger"]) == ("idle", "arm-expired")
    assert round(change["t"] - armed_s, 6) == 10
    assert bench.ends() == [(EventCode.DISARMED, End.ARM_EXPIRED)]
    assert bench.epoch == (epoch + 1) & 0xFFFF


@pytest.mark.req("R-10.2", "R-10.6")
def test_readiness_starts_again_at_the_end_of_a_run(bench: Bench) -> None:
    bench.start()
    bench.run(12_000, beating=True)
    bench.done(Release())
    released_s = bench.journal("motor")[-1]["t"]
    bench.run(10_200, beating=True)
    change = bench.journal("state")[-1]
    assert (change["to"], round(change["t"] - released_s, 6)) == ("idle", 10)


# -- the trigger --------------------------------------------------------------------------------------------


@pytest.mark.req("R-10.7", "S-11")
def test_the_trigger_starts_and_ends_a_run_when_armed_for_it(bench: Bench) -> None:
    bench.arm(trigger_longest_s=60)
    epoch = bench.epoch
    bench.inject("trigger-press")
    assert bench.state is State.RUNNING
    bench.run(500, beating=True)
    assert bench.status().flags & Flag.TRIGGER_HELD
    bench.inject("trigger-release")
    bench.run(60, beating=True)
    assert bench.state is State.ARMED
    assert (EventCode.RUN_STARTED, 1) in bench.events
    assert bench.ends() == [(EventCode.RUN_ENDED, End.TRIGGER)]
    assert bench.epoch == (epoch + 1) & 0xFFFF
    assert [m["reason"] for m in bench.journal("motor")] == ["trigger", "trigger"]


@pytest.mark.req("R-10.7", "S-10", "S-11")
def test_the_trigger_does_nothing_before_a_beat_has_followed_the_arm(bench: Bench) -> None:
    """An ARM that lay in a buffer arms a pen whose host may be gone."""
    bench.set_up()
    bench.done(Arm(TREATMENT, 60))
    bench.inject("trigger-press")
    bench.run(100)
    assert bench.state is State.ARMED
    assert not bench.journal("motor")
    bench.inject("trigger-release")
    bench.run(60, beating=True)
    bench.inject("trigger-press")
    assert bench.state is State.RUNNING


@pytest.mark.req("R-10.7", "S-11")
def test_a_trigger_held_while_arming_does_nothing_until_pressed_again(bench: Bench) -> None:
    bench.set_up()
    bench.inject("trigger-press")
    bench.arm(trigger_longest_s=60)
    bench.run(500, beating=True)
    assert bench.state is State.ARMED
    bench.inject("trigger-press")  # still held: no edge
    assert bench.state is State.ARMED
    bench.inject("trigger-release")
    assert bench.state is State.ARMED
    bench.inject("trigger-press")
    assert bench.state is State.RUNNING


@pytest.mark.req("R-10.7")
def test_the_trigger_does_nothing_when_not_armed_for_it_or_when_a_check_fails(bench: Bench) -> None:
    bench.arm(trigger_longest_s=0)
    bench.inject("trigger-press")
    bench.run(20, beating=True)
    bench.inject("trigger-release")
    assert bench.state is State.ARMED
    assert not bench.journal("motor")
    bench.stop()
    bench.arm(trigger_longest_s=60)
    bench.inject("battery-low", pct=8)
    bench.inject("trigger-press")
    assert bench.state is State.ARMED
    assert bench.journal("refused")[-1]["reason"] == "battery-low"


@pytest.mark.req("R-10.5", "R-10.7")
def test_a_run_by_trigger_ends_after_the_longest_of_the_arm_and_needs_a_fresh_press(bench: Bench) -> None:
    bench.arm(trigger_longest_s=2)
    bench.inject("trigger-press")
    bench.run(3000, beating=True)
    on, off = bench.journal("motor")
    assert round(off["t"] - on["t"], 6) == 2
    assert bench.ends() == [(EventCode.RUN_ENDED, End.DURATION)]
    assert bench.state is State.ARMED
    assert bench.body.trigger_held


@pytest.mark.req("R-10.7")
def test_letting_the_trigger_go_does_not_end_a_run_of_the_host(bench: Bench) -> None:
    bench.set_up()
    bench.inject("trigger-press")
    bench.arm(trigger_longest_s=60)
    bench.start()
    bench.inject("trigger-release")
    assert bench.state is State.RUNNING


# -- ceilings, cartridge, session ---------------------------------------------------------------------------


@pytest.mark.req("R-8.5", "S-09", "S-19")
def test_a_ceiling_that_still_fits_lets_the_run_go_on(bench: Bench) -> None:
    bench.start()
    assert bench.done(LowerCeiling(950)).flags & Flag.DEPTH_SET
    assert bench.state is State.RUNNING
    settings = bench.done(LowerCeiling(949))
    assert not settings.flags & (Flag.DEPTH_SET | Flag.MOTOR_ON)
    assert bench.state is State.IDLE


@pytest.mark.req("R-15.1", "S-09", "S-11")
def test_a_cartridge_is_bound_with_its_first_stroke_for_ever(bench: Bench) -> None:
    bench.arm(treatment=5)
    assert bench.done(GetCartridge()).treatment == 0  # arming binds nothing
    bench.start()
    bench.done(Release())
    bench.run(50, beating=True)
    bench.start()
    bench.stop()
    assert [entry["what"] for entry in bench.journal("cartridge")] == ["bound"]
    info = bench.done(GetCartridge())
    assert info.treatment == 5
    assert info.strokes > 20
    bench.inject("reset")
    bench.idle()
    bench.set_up()
    assert bench.done(GetCartridge()).treatment == 5
    assert bench.done(GetCartridge()).strokes >= info.strokes
    assert bench.refused(Arm(6, 0)) == (Reason.CARTRIDGE_OTHER, 0)
    bench.done(Arm(5, 0))


@pytest.mark.req("R-15.2", "R-14.7")
def test_a_cartridge_that_comes_in_clears_the_depth(bench: Bench) -> None:
    bench.set_up()
    bench.inject("cartridge-removed")
    assert bench.status().flags & (Flag.DEPTH_SET | Flag.CARTRIDGE_IN) == Flag.DEPTH_SET
    assert bench.done(GetCartridge()).present == 0
    bench.inject("cartridge-inserted", length_um=500)
    status = bench.status()
    assert status.flags & (Flag.DEPTH_SET | Flag.CARTRIDGE_IN) == Flag.CARTRIDGE_IN
    assert status.held_ceiling_um == 500
    bench.run(250)
    assert bench.events == [(EventCode.CARTRIDGE_OUT, 0), (EventCode.CARTRIDGE_IN, 0)]


@pytest.mark.req("R-5.4", "S-11", "S-24")
def test_another_hello_finds_a_pen_at_rest_that_has_been_promised_nothing(bench: Bench) -> None:
    bench.start()
    session, epoch = bench.session, bench.epoch
    bench.hello(nonce=0x4321)
    assert bench.session == session % 0xFFFF + 1
    assert bench.epoch == (epoch + 1) & 0xFFFF
    status = bench.status()
    assert (status.state, status.zone, status.session_ceiling_um, status.held_ceiling_um) == (2, 0, 0, 0)
    assert status.flags & (Flag.DEPTH_SET | Flag.RATE_SET | Flag.ZONE_SET | Flag.MOTOR_ON) == 0
    assert (status.depth_um, status.rate_dhz) == (900, 1100)
    assert bench.journal("motor")[-1]["reason"] == "hello"


@pytest.mark.req("R-5.3")
def test_the_same_hello_again_changes_nothing(bench: Bench) -> None:
    bench.start()
    epoch, session = bench.epoch, bench.session
    bench.hello()
    assert (bench.state, bench.session, bench.firmware.link.epoch) == (State.RUNNING, session, epoch)


@pytest.mark.req("R-5.7", "S-10")
def test_bye_ends_motion_and_the_session(bench: Bench) -> None:
    bench.start()
    bench.done(Bye())
    assert bench.state is State.IDLE
    assert bench.journal("motor")[-1]["reason"] == "bye"
    heard, told = len(bench.telemetry), len(bench.events)
    bench.run(500)
    bench.inject("cartridge-removed")
    bench.run(500)
    assert (len(bench.telemetry), len(bench.events)) == (heard, told)


@pytest.mark.req("R-12.4", "R-5.6", "R-5.8", "S-11", "S-24")
@pytest.mark.parametrize("fault", ["reset", "brown-out"])
def test_a_reset_forgets_everything_but_the_binding(bench: Bench, fault: str) -> None:
    bench.start()
    bench.inject(fault)
    assert bench.journal("motor")[-1] == {
        "t": round(bench.now_ns / 1e9, 6),
        "event": "motor",
        "on": False,
        "reason": "reset",
    }
    bench.run(250)
    assert not bench.journal("needles")[-1]["extended"]
    assert bench.state is State.IDLE
    assert bench.refused(Start(CHEEK, Side.LEFT, 900, 1100, 5000)) == (Reason.NO_SESSION, 2)
    bench.hello(nonce=77)
    status = bench.status()
    assert (status.boot_counter, status.zone, status.held_ceiling_um) == (2, 0, 0)
    assert status.strokes <= 2  # the motor was still running out when it counted anew
    assert status.time_ms < 400


@pytest.mark.req("R-5.8")
def test_sessions_and_epochs_of_consecutive_starts_differ(bench: Bench) -> None:
    seen = []
    for nonce in range(3):
        bench.run(250)
        bench.hello(nonce=nonce)
        seen.append((bench.session, bench.epoch))
        bench.inject("reset")
    assert len({session for session, _ in seen}) == 3
    assert len({epoch for _, epoch in seen}) == 3
    assert seen[0] == (40504, 40504)  # 40503 for both, and each raised by HELLO
