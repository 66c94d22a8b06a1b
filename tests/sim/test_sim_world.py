"""Time, determinism, physics, and the port on virtual time."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simbench import MS, Bench

import penstroke_sim
from penstroke_protocol.messages import (
    Event,
    EventCode,
    Fault,
    GetStatus,
    LowerCeiling,
    Release,
    SetDepth,
    SetRate,
    SetTelemetry,
    State,
)
from penstroke_sim.inprocess import VirtualPort, open_virtual
from penstroke_sim.journal import Journal, line
from penstroke_sim.profiles import FINE, PROFILES
from penstroke_sim.skin import SKINS, skin_of
from penstroke_sim.wire import Channel
from penstroke_sim.world import World

NewBench = Callable[..., Bench]


def _story(bench: Bench) -> None:
    """A bit of everything that is random."""
    bench.inject("flip", probability=0.002)
    bench.inject("drop", probability=0.002)
    bench.inject("junk", bytes=40)
    try:
        bench.start(longest_ms=3_000)
        bench.run(2_000, beating=True)
        bench.inject("flip", off=True)
        bench.inject("drop", off=True)
        bench.done(SetDepth(400))
        bench.run(1_000, beating=True)
    except AssertionError:
        pass  # a lost frame: part of the story
    bench.inject("cartridge-inserted")
    bench.run(1_500)


@pytest.mark.parametrize("profile", list(PROFILES))
def test_same_seed_and_same_input_make_the_same_journal_byte_for_byte(
    new_bench: NewBench, profile: str
) -> None:
    first, again, other = (new_bench(profile=profile, seed=seed) for seed in (5, 5, 6))
    for bench in (first, again, other):
        _story(bench)
    assert first.world.journal.text() == again.world.journal.text()
    assert first.frames == again.frames
    assert first.world.journal.text() != other.world.journal.text()


@given(steps=st.lists(st.integers(1, 200 * MS), min_size=1, max_size=30))
@settings(max_examples=30)
def test_however_time_is_cut_up_the_same_happens(steps: list[int]) -> None:
    whole, pieces = Bench(), Bench()
    for bench in (whole, pieces):
        bench.start(settle=False)
        bench.inject("actuator-drift", um_per_s=300)
    end_ns = whole.now_ns + sum(steps)
    whole.world.advance(end_ns)
    for step in steps:
        pieces.world.advance(pieces.now_ns + step)
    assert whole.world.journal.text() == pieces.world.journal.text()
    assert whole.world.take_output() == pieces.world.take_output()


@pytest.mark.req("S-21")
def test_steps_of_the_wall_clock_change_nothing() -> None:
    ten_years_s = 10 * 365 * 86_400.0
    times = iter(range(10**6))

    def jumping() -> float:
        return (-1) ** next(times) * ten_years_s

    still, jumped = Bench(), Bench()
    jumped.world.journal.wall = jumping
    for bench in (still, jumped):
        bench.start()
        bench.run(1_000, beating=True)
        bench.run(500)
    stripped = [
        {key: value for key, value in entry.items() if key != "wall"}
        for entry in jumped.world.journal.entries
    ]
    assert stripped == still.world.journal.entries
    assert "wall" in jumped.world.journal.entries[-1]


MODEL = (
    *("body", "cartridge", "core", "faults", "firmware", "injection", "journal", "misbehaviour"),
    *("profiles", "report", "requests", "skin", "states", "trips", "wire", "world"),
)
FORBIDDEN = {
    "time",
    "datetime",
    "os",
    "socket",
    "serial",
    "threading",
    "asyncio",
    "select",
    "secrets",
    "uuid",
}


@pytest.mark.req("S-21", "S-18")
@pytest.mark.parametrize("module", MODEL)
def test_the_model_reads_no_clock_does_no_io_and_draws_no_unseeded_numbers(module: str) -> None:
    path = Path(penstroke_sim.__file__).with_name(f"{module}.py")
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Assert), f"{module}:{node.lineno}: an assertion is gone under -O"
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {(node.module or "").split(".")[0]}
            if node.module == "random":
                assert [alias.name for alias in node.names] == ["Random"]
        else:
            continue
        assert not names & FORBIDDEN, f"{module} imports {names & FORBIDDEN}"
        assert "random" not in names or isinstance(node, ast.ImportFrom)


def test_journal_lines_are_canonical_and_reach_the_sink_at_once() -> None:
    told: list[dict[str, object]] = []
    journal = Journal(sink=told.append)
    world = World(profile=FINE, journal=journal)
    world.advance(300 * MS)
    assert told == journal.entries
    assert [json.loads(text) for text in journal.text().splitlines()] == journal.entries
    assert line(journal.entries[0]).startswith('{"t":0.0,"event":"boot"')
    times = [entry["t"] for entry in journal.entries]
    assert times == sorted(times)


# -- physics ------------------------------------------------------------------------------------------------


def test_strokes_are_the_integral_of_the_rate(bench: Bench) -> None:
    bench.start(settle=False)
    body, begun_ns = bench.body, bench.now_ns
    strokes, total, step = body.strokes(begun_ns), 0.0, MS // 2
    for n in range(2_000):
        total += body.rate_hz(begun_ns + n * step) * step / 1e9
    assert abs(body.strokes(begun_ns + 2_000 * step) - strokes - total) < 0.2


def test_punctures_are_strokes_times_needles_while_out(bench: Bench) -> None:
    bench.start()
    bench.run(2_000, beating=True)
    bench.stop()
    bench.run(200)
    ended = bench.journal("run-ended")[-1]
    strokes = bench.body.strokes(bench.now_ns)
    assert 0 <= 16 * strokes - bench.body.punctures(bench.now_ns) < 16 * 3
    assert 16 * ended["strokes"] <= ended["punctures"] < 16 * (ended["strokes"] + 1)
    before = bench.body.punctures(bench.now_ns)
    bench.run(1_000)
    assert bench.body.punctures(bench.now_ns) == before


@pytest.mark.req("S-10")
@pytest.mark.parametrize("depth_um", [50, 500, 1_450])
def test_the_actuator_moves_at_60_mm_a_second_or_more(bench: Bench, depth_um: int) -> None:
    bench.start(depth_um=depth_um, ceiling_um=1_500, settle=False)
    bench.run(40, beating=True)
    assert abs(bench.status().measured_depth_um - depth_um) <= 6
    bench.stop()
    bench.run(100)
    off, home = bench.journal("motor")[-1], bench.journal("needles")[-1]
    assert depth_um / 1000 / (home["t"] - off["t"]) >= 60


def test_noise_is_far_inside_the_tolerance_and_never_stands_still(bench: Bench) -> None:
    bench.start()
    bench.done(SetTelemetry(100))
    bench.run(20_000, beating=True)
    depths = [t.measured_depth_um for t in bench.telemetry[-1_500:]]
    assert max(abs(depth - 900) for depth in depths) <= 10
    assert all(a != b for a, b in pairwise(depths))


def test_the_handpiece_warms_the_battery_drains_and_skin_slows_the_motor(bench: Bench) -> None:
    bench.start()
    shallow = bench.done(SetDepth(100))
    assert shallow.depth_um == 100
    early = bench.status()
    bench.run(300_000, beating=True)
    late = bench.status()
    assert early.temperature_dc < late.temperature_dc < 350
    assert late.battery_pct < early.battery_pct
    assert skin_of(8).force_n(900) > skin_of(8).force_n(161) > skin_of(8).force_n(50) > 0
    assert skin_of(8).force_n(5_000) == pytest.approx(0.167)
    assert all(600 <= skin.thickness_um <= 2_000 for skin in SKINS.values())


# -- telemetry and events -----------------------------------------------------------------------------------


@pytest.mark.req("R-14.1", "R-14.3")
@pytest.mark.parametrize("rate_hz", [5, 20, 100])
def test_telemetry_comes_in_its_period(bench: Bench, rate_hz: int) -> None:
    bench.run(250)
    bench.hello()
    opened_s = bench.journal("session")[-1]["t"]
    if rate_hz != 20:
        bench.done(SetTelemetry(rate_hz))
    heard = len(bench.telemetry)
    bench.run(1_000)
    new = bench.telemetry[heard:]
    assert abs(len(new) - rate_hz) <= 1
    assert {b.time_ms - a.time_ms for a, b in pairwise(new)} == {1000 // rate_hz}
    if rate_hz == 20:
        assert bench.telemetry[0].time_ms == int(1000 * (opened_s + 0.05))
    assert all(t.measured_depth_um == 0 and not t.flags & 0x03 for t in new)


@pytest.mark.req("R-14.1")
def test_there_is_no_telemetry_without_a_session(bench: Bench) -> None:
    bench.run(1_000)
    assert not bench.frames
    assert bench.world.next_event_ns() is None


@pytest.mark.req("R-14.4")
def test_an_event_is_repeated_until_acknowledged_and_eight_may_wait(bench: Bench) -> None:
    bench.idle()
    bench.acknowledging = False
    bench.inject("cartridge-removed")
    bench.run(350)
    assert {(f.seq, f.code) for f in bench.event_frames} == {(1, EventCode.CARTRIDGE_OUT)}
    assert len(bench.event_frames) == 4
    for _ in range(5):
        bench.inject("cartridge-inserted")
        bench.inject("cartridge-removed")
    assert bench.status().events_lost == 3
    assert Event.spec.code == 0


@pytest.mark.req("R-14.7", "R-10.8")
def test_the_stop_key_tells_why_first_and_then_itself(bench: Bench) -> None:
    bench.arm()
    bench.inject("stop-key")
    bench.run(100)
    assert bench.events == [(EventCode.DISARMED, 6), (EventCode.STOP_KEY, 0)]


@pytest.mark.req("R-3.4", "R-7.3")
def test_answers_carry_the_epoch_after_they_acted(bench: Bench) -> None:
    bench.start()
    before = bench.epoch
    bench.done(Release())
    assert bench.epoch == (before + 1) & 0xFFFF
    bench.done(LowerCeiling(500))
    assert bench.epoch == (before + 2) & 0xFFFF
    bench.done(SetRate(1000))
    assert bench.epoch == (before + 2) & 0xFFFF


@pytest.mark.req("R-3.5")
def test_a_request_is_answered_within_10_ms_of_its_last_byte(bench: Bench) -> None:
    bench.idle()
    for _ in range(20):
        begun_ns = bench.now_ns
        bench.ask(GetStatus())
        # 17 and 63 bytes of 87 µs, two milliseconds of the bridge, and a telemetry frame that may be ahead
        assert bench.now_ns - begun_ns <= 20 * MS
        bench.run(7)


# -- the line -----------------------------------------------------------------------------------------------


def test_bytes_take_their_time_and_keep_their_order() -> None:
    from random import Random

    channel = Channel(FINE.byte_ns, Random(0))
    channel.send(b"\0abc\0", 0)
    channel.send(b"\0de\0", 0)
    assert channel.next_arrival_ns() == 5 * FINE.byte_ns + MS
    assert channel.take(channel.next_arrival_ns() - 1) == b""
    assert channel.take(channel.next_arrival_ns(), 2) == b"\0a"
    assert channel.take(20 * MS) == b"bc\0\0de\0"


def test_a_host_that_does_not_read_loses_what_its_driver_cannot_hold(bench: Bench) -> None:
    bench.idle()
    bench.world.advance(bench.now_ns + 120_000 * MS)
    assert 60_000 < len(bench.world.take_output()) <= 65_536
    bench.run(100)
    assert not bench.status().faults


def test_a_new_opening_of_the_port_hears_nothing_old(bench: Bench) -> None:
    bench.idle()
    bench.world.advance(bench.now_ns + 500 * MS)
    bench.world.plug()
    assert not bench.world.output_ready()


# -- the port -----------------------------------------------------------------------------------------------


def test_a_read_moves_time_to_the_next_bytes_or_to_the_end_of_its_patience() -> None:
    port = VirtualPort(World(profile=FINE, seed=3))
    assert port.simulated
    assert port.read(100, 50 * MS) == b""
    assert port.now_ns() == 50 * MS
    bench = Bench()
    bench.world = port.world
    bench.idle()
    before = port.now_ns()
    data = port.read(1_000, 1_000 * MS)
    assert len(data) > 30
    assert port.now_ns() - before <= 60 * MS
    assert port.read(5, None)
    port.advance(1.5)
    assert port.now_ns() - before > 1_500 * MS
    with pytest.raises(ValueError, match="backwards"):
        port.advance(-1)


def test_a_read_for_which_nothing_will_ever_come_is_an_error_and_not_a_spin() -> None:
    port = open_virtual("sim://pen?clock=virtual&seed=9")
    with pytest.raises(RuntimeError, match="nothing will ever come"):
        port.read(1, None)
    port.inject("actuator-drift")  # now the pen looks at itself every 5 ms, and still has nothing to say
    with pytest.raises(RuntimeError, match="nothing will ever come"):
        port.read(1, None)


def test_an_unplugged_or_closed_port_raises_and_the_pen_lives_on() -> None:
    port = open_virtual("sim://pen?clock=virtual")
    port.inject("cut")
    for act in (lambda: port.read(1, 0), lambda: port.write(b"x")):
        with pytest.raises(OSError, match="unplugged"):
            act()
    again = VirtualPort(port.world)
    assert again.read(1, 300 * MS) == b""
    assert port.world.firmware.state is State.IDLE
    again.close()
    with pytest.raises(OSError, match="closed"):
        again.read(1, 0)
    assert port.journal.entries[0]["event"] == "boot"


def test_a_cut_while_reading_ends_the_read() -> None:
    from penstroke_sim.scenario import Injection, Scenario

    scenario = Scenario(timeline=(Injection(500 * MS, "cut"),))
    port = VirtualPort(World(profile=FINE, scenario=scenario))
    with pytest.raises(OSError, match="unplugged"):
        port.read(1, 2_000 * MS)


def test_a_scenario_happens_at_its_instants() -> None:
    from penstroke_sim.scenario import Injection, Scenario

    scenario = Scenario(
        timeline=(
            Injection(300 * MS, "over-temperature"),
            Injection(300 * MS, "cartridge-removed"),
            Injection(700 * MS, "over-temperature", {"off": True}),
        )
    )
    world = World(profile=FINE, scenario=scenario)
    assert world.next_event_ns() == 50 * MS
    world.advance(1_000 * MS)
    entries = world.journal.of("inject")
    assert [(entry["t"], entry["name"]) for entry in entries] == [
        (0.3, "over-temperature"),
        (0.3, "cartridge-removed"),
        (0.7, "over-temperature"),
    ]
    assert world.firmware.faults == Fault.OVER_TEMPERATURE
