"""Every injectable fault shown to have its effect; and what cannot be injected is refused in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from simbench import MS, TREATMENT, Bench

from penstroke_protocol.messages import (
    Arm,
    Fault,
    Feature,
    GetCartridge,
    GetStatus,
    Hello,
    Reason,
    Refusal,
    Role,
    SelectZone,
    SetDepth,
    Side,
    Start,
    State,
    Stop,
)
from penstroke_sim.errors import ScenarioError
from penstroke_sim.faults import CATALOGUE, check_injection
from penstroke_sim.profiles import FINE, PROFILES, profile_named
from penstroke_sim.world import World

SHOWN: dict[str, Callable[[Bench], None]] = {}


def shows(name: str) -> Callable[[Callable[[Bench], None]], Callable[[Bench], None]]:
    def keep(test: Callable[[Bench], None]) -> Callable[[Bench], None]:
        SHOWN[name] = test
        return test

    return keep


def unanswered(bench: Bench, message: Any = None) -> bool:
    try:
        bench.ask(message or GetStatus())
    except AssertionError:
        return True
    return False


# -- the line -----------------------------------------------------------------------------------------------


@shows("drop")
def _drop(bench: Bench) -> None:
    bench.idle().inject("drop", direction="to-device", next=5)
    assert unanswered(bench)
    assert not unanswered(bench)
    assert bench.journal("frame-rejected")


@shows("flip")
def _flip(bench: Bench) -> None:
    bench.idle().inject("flip", direction="to-device", probability=0.1)
    for _ in range(10):
        bench.send(GetStatus())
    bench.run(60)
    assert bench.journal("frame-rejected")
    bench.inject("flip", direction="to-device", off=True)
    assert not unanswered(bench)


@shows("duplicate")
def _duplicate(bench: Bench) -> None:
    bench.idle().inject("duplicate", direction="to-device", probability=1)
    before = len(bench.frames)
    bench.ask(GetCartridge())
    bench.run(10)
    code = GetCartridge.spec.code
    assert len([frame for frame in bench.frames[before:] if frame.code == code]) == 2


@shows("delay")
def _delay(bench: Bench) -> None:
    bench.idle().inject("delay", direction="to-device", next=1, ms=40)
    begun_ns = bench.now_ns
    bench.ask(GetStatus())
    assert bench.now_ns - begun_ns > 40 * MS


@shows("junk")
def _junk(bench: Bench) -> None:
    bench.idle().inject("junk", direction="to-device", bytes=500)
    bench.run(100)
    assert bench.journal("frame-rejected")
    bench.world.host_sends(b"\0")
    assert not unanswered(bench)
    bench.inject("junk", direction="to-host", bytes=500)
    bench.run(100)
    assert bench.receiver.damage.total()


@shows("cut")
def _cut(bench: Bench) -> None:
    bench.start().inject("cut")
    assert not bench.world.line_up
    heard = len(bench.telemetry)
    bench.run(400)
    assert (len(bench.telemetry), bench.state) == (heard, State.FAULT)
    bench.inject("cut", off=True)
    assert bench.world.line_up
    assert not unanswered(bench)


@shows("half-open")
def _half_open(bench: Bench) -> None:
    bench.idle().inject("half-open", direction="to-device")
    heard = len(bench.telemetry)
    assert unanswered(bench)
    assert len(bench.telemetry) > heard
    bench.inject("half-open", direction="to-device", off=True)
    bench.inject("half-open", direction="to-host")
    bench.run(20)
    heard = len(bench.telemetry)
    assert unanswered(bench)
    assert len(bench.telemetry) == heard
    assert bench.world.line_up


# -- the body -----------------------------------------------------------------------------------------------


@shows("motor-stall")
def _motor_stall(bench: Bench) -> None:
    bench.start().inject("motor-stall")
    bench.run(15, beating=True)
    status = bench.status()
    assert (status.measured_rate_dhz, status.current_ma) == (0, 450)
    bench.run(60)
    assert bench.firmware.faults == Fault.STALL


@shows("actuator-jam")
def _actuator_jam(bench: Bench) -> None:
    bench.start().inject("actuator-jam")
    bench.stop()
    bench.run(200)
    assert bench.firmware.faults & Fault.RETRACTION
    assert bench.journal("needles")[-1]["extended"]
    bench.inject("actuator-jam", off=True)
    bench.run(50)
    assert not bench.journal("needles")[-1]["extended"]


@shows("actuator-drift")
def _actuator_drift(bench: Bench) -> None:
    bench.start().inject("actuator-drift", um_per_s=100)
    bench.run(500, beating=True)
    assert 935 <= bench.status().measured_depth_um <= 965
    bench.inject("actuator-drift", off=True)
    bench.run(500, beating=True)
    assert 890 <= bench.status().measured_depth_um <= 910


@shows("sensor-stuck")
def _sensor_stuck(bench: Bench) -> None:
    bench.start().inject("sensor-stuck")
    readings = {bench.status().measured_depth_um for _ in range(5)}
    assert len(readings) == 1
    bench.run(600, beating=True)
    # The reading does not show the needles coming in, so that is latched too.
    assert bench.firmware.faults & Fault.SENSOR
    assert bench.firmware.faults & Fault.RETRACTION
    bench.inject("sensor-stuck", off=True)
    assert bench.status().measured_depth_um == 0


@shows("over-temperature")
def _over_temperature(bench: Bench) -> None:
    bench.idle().inject("over-temperature", celsius=42.5)
    assert bench.status().temperature_dc == 425
    bench.inject("over-temperature", off=True)
    assert bench.status().temperature_dc == 240


@shows("over-current")
def _over_current(bench: Bench) -> None:
    bench.set_up().inject("over-current", ma=900)
    assert bench.status().current_ma == 0
    bench.start(settle=False)
    assert bench.status().current_ma == 900
    bench.run(20)
    assert bench.firmware.faults == Fault.OVER_CURRENT


@shows("battery-low")
def _battery_low(bench: Bench) -> None:
    bench.idle().inject("battery-low", pct=42)
    assert bench.status().battery_pct == 42


@shows("brown-out")
def _brown_out(bench: Bench) -> None:
    bench.start().inject("brown-out", deep=False)
    assert bench.firmware.faults == Fault.BATTERY
    bench.inject("brown-out")
    assert bench.state is State.BOOT
    assert bench.journal("reset")[-1]["cause"] == "brown-out"


# -- cartridges and people ----------------------------------------------------------------------------------


@shows("cartridge-removed")
def _cartridge_removed(bench: Bench) -> None:
    bench.set_up().inject("cartridge-removed")
    assert bench.refused(Arm(TREATMENT, 0)) == (Reason.CARTRIDGE_MISSING, 0)


@shows("cartridge-inserted")
def _cartridge_inserted(bench: Bench) -> None:
    bench.idle().inject("cartridge-inserted", id=99, lot="LOT7", expiry=20300101, needles=36, length_um=1250)
    info = bench.done(GetCartridge())
    assert (info.cartridge_id, info.lot, info.expiry) == (99, "LOT7", 20300101)
    assert (info.needle_count, info.needle_length_um) == (36, 1250)


@shows("cartridge-used")
def _cartridge_used(bench: Bench) -> None:
    bench.set_up().inject("cartridge-used", treatment=TREATMENT + 1)
    info = bench.done(GetCartridge())
    assert info.treatment == TREATMENT + 1
    assert info.strokes
    bench.done(SetDepth(900))
    assert bench.refused(Arm(TREATMENT, 0)) == (Reason.CARTRIDGE_OTHER, 0)


@shows("cartridge-expired")
def _cartridge_expired(bench: Bench) -> None:
    bench.idle().inject("cartridge-expired")
    assert bench.done(GetCartridge()).expiry == 20200101


@shows("cartridge-unreadable")
def _cartridge_unreadable(bench: Bench) -> None:
    bench.set_up().inject("cartridge-unreadable")
    info = bench.done(GetCartridge())
    assert (info.present, info.cartridge_id) == (1, 0)
    bench.done(SetDepth(900))
    assert bench.refused(Arm(TREATMENT, 0)) == (Reason.CARTRIDGE_UNREADABLE, 0)


@shows("stop-key")
def _stop_key(bench: Bench) -> None:
    bench.start().inject("stop-key")
    assert (bench.state, bench.body.driven) == (State.IDLE, False)


@shows("trigger-press")
def _trigger_press(bench: Bench) -> None:
    bench.arm(trigger_longest_s=5).inject("trigger-press")
    assert bench.state is State.RUNNING


@shows("trigger-release")
def _trigger_release(bench: Bench) -> None:
    _trigger_press(bench)
    bench.inject("trigger-release")
    assert bench.state is State.ARMED


# -- the firmware -------------------------------------------------------------------------------------------


@shows("reset")
def _reset(bench: Bench) -> None:
    bench.start().inject("reset")
    assert (bench.state, bench.body.driven) == (State.BOOT, False)
    bench.run(250)
    assert bench.state is State.IDLE


@shows("hang")
def _hang(bench: Bench) -> None:
    bench.start().inject("hang", watchdog=False)
    assert unanswered(bench, Stop())
    bench.run(1_000)
    assert bench.body.driven  # nothing in a hung pen without a watchdog ends a run ...
    bench.inject("stop-key")
    assert not bench.body.driven  # ... but its own key
    bench.run(100)
    bench.inject("hang", off=True)
    assert bench.firmware.faults == 0 or bench.state is State.FAULT


@shows("hang-link-alive")
def _hang_link_alive(bench: Bench) -> None:
    bench.start().inject("hang-link-alive")
    bench.run(60)
    heard = len(bench.telemetry)
    assert unanswered(bench, Stop())
    bench.run(500, beating=True)
    late = bench.telemetry[heard:]
    assert len(late) >= 10
    assert len({(frame.time_ms, frame.nonce, frame.strokes) for frame in late}) == 1
    assert bench.body.driven
    bench.inject("hang-link-alive", off=True)
    assert bench.firmware.faults & Fault.LEASE  # it had long lapsed
    assert not bench.body.driven


@shows("slow-answers")
def _slow_answers(bench: Bench) -> None:
    bench.start().inject("slow-answers", ms=50)
    begun_ns, heard = bench.now_ns, len(bench.telemetry)
    bench.send(Stop())
    bench.run(20)
    assert not bench.body.driven  # it acts at once, and says so late
    bench.send(GetStatus())
    bench.run(100)
    codes = [frame.code for frame in bench.frames if frame.kind == 2]
    assert codes[-2:] == [Stop.spec.code, GetStatus.spec.code]
    assert len(bench.telemetry) > heard
    assert bench.now_ns - begun_ns >= 50 * MS


@shows("silent")
def _silent(bench: Bench) -> None:
    bench.idle().inject("silent")
    heard = len(bench.telemetry)
    bench.run(500)
    assert len(bench.telemetry) == heard
    assert not unanswered(bench)


@shows("lies-depth")
def _lies_depth(bench: Bench) -> None:
    bench.start().inject("lies-depth")
    bench.inject("actuator-drift", um_per_s=2_000)
    bench.run(500, beating=True)
    assert bench.state is State.RUNNING
    assert bench.status().measured_depth_um == 900
    assert bench.body.depth_um(bench.now_ns) > 1_800


@shows("ignores-limits")
def _ignores_limits(bench: Bench) -> None:
    bench.set_up().inject("ignores-limits")
    bench.done(SelectZone(5, Side.LEFT, 1000))  # eyelid, forbidden
    bench.done(SetDepth(2_431))
    bench.done(Arm(TREATMENT, 0))
    bench.done(Start(5, Side.LEFT, 2_431, 1100, 5_000))
    bench.run(200, beating=True)
    assert abs(bench.status().measured_depth_um - 2_431) < 10
    bench.stop()
    bench.run(60)
    bench.inject("ignores-limits", off=True)
    assert bench.refused(SelectZone(5, Side.LEFT, 1000)) == (Reason.ZONE_FORBIDDEN, 5)


@shows("wrong-depth")
def _wrong_depth(bench: Bench) -> None:
    bench.set_up().inject("wrong-depth", offset_um=300)
    bench.start()
    status = bench.status()
    assert (bench.state, status.depth_um) == (State.RUNNING, 900)
    assert abs(status.measured_depth_um - 1_200) < 10


@shows("wrong-rate")
def _wrong_rate(bench: Bench) -> None:
    bench.set_up().inject("wrong-rate", factor=0.5)
    bench.start()
    status = bench.status()
    assert (bench.state, status.rate_dhz) == (State.RUNNING, 1100)
    assert abs(status.measured_rate_dhz - 550) < 30


@shows("wrong-read-back")
def _wrong_read_back(bench: Bench) -> None:
    bench.set_up().inject("wrong-read-back", offset_um=-100)
    assert bench.done(SetDepth(800)).depth_um == 700


@shows("self-test-fails")
def _self_test_fails(bench: Bench) -> None:
    bench.idle().inject("self-test-fails")
    bench.inject("reset")
    bench.run(250)
    assert bench.firmware.faults == Fault.SELF_TEST


@shows("wrong-version")
def _wrong_version(bench: Bench) -> None:
    bench.run(250)
    bench.inject("wrong-version", major=3)
    answer = bench.ask(Hello(1, 0, 0, 1, 0, Role.CONTROLLER), session=0)
    assert answer == Refusal(Reason.VERSION, 0x300)


@shows("other-motion-hash")
def _other_motion_hash(bench: Bench) -> None:
    bench.run(250)
    bench.inject("other-motion-hash")
    answer = bench.hello()
    assert answer.role == Role.OBSERVER
    bench.inject("other-motion-hash", off=True)
    again = bench.hello(nonce=2)
    assert again.role == Role.CONTROLLER
    assert again.motion_hash != answer.motion_hash


@shows("other-zone-table")
def _other_zone_table(bench: Bench) -> None:
    bench.run(250)
    bench.inject("other-zone-table")
    assert bench.hello().role == Role.OBSERVER


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_every_fault_has_its_effect(bench: Bench, name: str) -> None:
    SHOWN[name](bench)


@pytest.mark.parametrize("name", list(CATALOGUE))
@pytest.mark.parametrize("state", ["boot", "idle", "running"])
def test_every_fault_can_be_injected_with_its_defaults_at_any_time_and_taken_back(
    bench: Bench, name: str, state: str
) -> None:
    if state == "idle":
        bench.idle()
    elif state == "running":
        bench.start()
    bench.inject(name)
    bench.run(300)
    if "off" in CATALOGUE[name].params:
        bench.inject(name, off=True)
    bench.run(300)
    assert bench.journal("inject")[0] == {
        "t": bench.journal("inject")[0]["t"],
        "event": "inject",
        "name": name,
        "params": {},
    }


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("motor-stal", {}, "cannot be injected: choose one of"),
        ("motor-stall", {"hard": True}, "no parameter 'hard': its parameters are off"),
        ("trigger-press", {"off": True}, "its parameters are none"),
        ("drop", {"probability": 2}, "drop: probability is from 0 to 1, not 2"),
        ("drop", {"probability": "x"}, "drop: probability is a number, not 'x'"),
        ("drop", {"direction": "up"}, "one of both, to-device, to-host, not 'up'"),
        ("drop", {"next": 1.5}, "drop: next is a whole number, not 1.5"),
        ("drop", {"next": True}, "drop: next is a whole number, not True"),
        ("cut", {"off": 1}, "cut: off is true or false, not 1"),
        ("cartridge-inserted", {"lot": "x" * 17}, "at most 16 printable ASCII characters"),
        ("cartridge-inserted", {"lot": 5}, "lot is text, not 5"),
        ("actuator-drift", {"um_per_s": float("nan")}, "from -50000 to 50000, not nan"),
    ],
)
def test_what_cannot_be_injected_is_refused_in_words(name: str, params: dict[str, Any], words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        check_injection(name, params)


def test_what_a_pen_has_not_cannot_fail() -> None:
    coarse, fixed = World(profile=PROFILES["coarse-tolerance"]), World(profile=PROFILES["fixed-rate"])
    with pytest.raises(ScenarioError, match="coarse-tolerance runs on mains"):
        coarse.inject("battery-low")
    with pytest.raises(ScenarioError, match="fixed-rate has no trigger"):
        fixed.inject("trigger-press")


def test_every_entry_of_the_catalogue_says_what_it_does() -> None:
    for name, entry in CATALOGUE.items():
        assert entry.name == name
        assert entry.doc
        for param in entry.params.values():
            assert param.doc


def test_profiles_are_pens_that_can_exist() -> None:
    for name, profile in PROFILES.items():
        assert profile.name == name
        assert profile.depth_min_um % profile.depth_step_um == 0
        assert profile.depth_max_um % profile.depth_step_um == 0
        assert (profile.rate_max_dhz - profile.rate_min_dhz) % profile.rate_step_dhz == 0
        assert profile.features & Feature.STOP_KEY
    assert FINE.byte_ns == 86_806
    with pytest.raises(ScenarioError, match="no profile 'rough': choose one of fine, fixed-rate, coarse"):
        profile_named("rough")


@pytest.mark.req("S-10")
@pytest.mark.parametrize("um_per_s", [3_000, -3_000])
def test_needles_that_creep_while_they_come_in_are_not_in_before_they_are(
    bench: Bench, um_per_s: int
) -> None:
    bench.start().send(Stop())
    bench.run(5)
    bench.inject("actuator-drift", um_per_s=um_per_s)
    bench.run(50)
    assert bench.body.depth_um(bench.now_ns) > 0
    assert bench.journal("needles")[-1]["extended"]
    bench.inject("actuator-drift", off=True)
    bench.run(50)
    assert bench.body.depth_um(bench.now_ns) == 0
    assert not bench.journal("needles")[-1]["extended"]
