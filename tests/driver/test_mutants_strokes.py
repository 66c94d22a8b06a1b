"""Exact edges of a run: its figures, what it says of itself, and what it is after another."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from pytest_mock import MockerFixture

from penstroke import pen as pens
from penstroke import strokes as loop
from penstroke.connecting import connect
from penstroke.errors import DeviceFault, LinkTimeout
from penstroke.pen import Pen
from penstroke.ports.opening import adopt
from penstroke.status import fault_list
from penstroke.strokes import sample_of
from penstroke.watch import Watch
from penstroke_protocol import Receiver
from penstroke_protocol.host_link import DeviceEvent, TelemetryReceived
from penstroke_protocol.messages import End, EventCode, Fault, Flag, Kind, State, Telemetry
from penstroke_sim.inprocess import VirtualPort, open_virtual

MS = 1_000_000


@pytest.fixture
def ready(pen: Pen) -> Pen:
    pen.select_zone("cheek", side="left")
    pen.set_rate(hz=110)
    pen.set_depth(mm=0.9)
    return pen


def test_the_figures_of_the_loop() -> None:
    assert (loop.BEAT_NS, loop.OVERRUN_NS, loop.EXPLAIN_NS) == (50 * MS, 200 * MS, 150 * MS)


def test_a_reading_in_the_units_people_use() -> None:
    flags = int(Flag.NEEDLES_OUT | Flag.MOTOR_ON)
    told = Telemetry(7, 1, State.RUNNING, flags, 0, 50_000, 11_001, 1200, 345, 251, 90)
    sample = sample_of(TelemetryReceived(told, 3, 5_000_000_000, 4), 2_000_000_000, 1000)
    assert (sample.elapsed_s, sample.state, sample.depth_mm, sample.rate_hz) == (3.0, "running", 50.0, 1100.1)
    assert (sample.strokes, sample.current_ma, sample.temperature_c) == (200, 345, 25.1)
    assert (sample.needles_out, sample.motor_on, sample.battery_pct, sample.missed) == (True, True, 90, 4)


def test_a_run_says_whether_it_runs(ready: Pen) -> None:
    run = ready.needling(longest_s=10)
    assert (run.running, run.moving_ns(), run.ended) == (False, 0, None)
    with run as strokes:
        next(strokes)
        assert strokes.running is True
    assert run.running is False
    assert run.moving_ns() > 0


def test_a_run_on_the_trigger_does_not_run_before_the_press(ready: Pen) -> None:
    with ready.needling(longest_s=10, trigger=True) as strokes:
        next(strokes)
        assert (strokes.running, strokes.moving_ns()) == (False, 0)


@pytest.mark.req("S-12")
def test_a_stop_demanded_ends_one_run_and_not_the_next(ready: Pen) -> None:
    for ended in ("stopped", "left"):
        with ready.needling(longest_s=10) as strokes:
            next(strokes)
            if ended == "stopped":
                ready.demand_stop()
                assert list(strokes) == []
            else:
                assert next(strokes).state == "running"
        assert strokes.ended == ended


def test_pauses_of_the_trigger_are_no_needling(ready: Pen, pen_sim: Any) -> None:
    with ready.needling(longest_s=20, trigger=True) as strokes:
        for sample in strokes:
            if 1.0 <= sample.elapsed_s < 1.04 or 4.0 <= sample.elapsed_s < 4.04:
                pen_sim.inject("trigger-press")
            if 3.0 <= sample.elapsed_s < 3.04:
                pen_sim.inject("trigger-release")
            if sample.elapsed_s >= 6:
                break
        assert strokes.moving_ns() == pytest.approx(4_000 * MS, abs=150 * MS)
    assert strokes.moving_ns() == pytest.approx(4_000 * MS, abs=150 * MS)


def test_a_shallower_depth_is_set_to_the_micrometre(ready: Pen, pen_sim: Any) -> None:
    with ready.needling(longest_s=10) as strokes:
        next(strokes)
        strokes.shallower(mm=0.55)
        for sample in strokes:
            if sample.elapsed_s > 1:
                break
        assert ready.status().depth_um == 550
        assert sample.depth_mm == pytest.approx(0.55, abs=0.05)
    assert strokes.ended == "left"


def test_on_the_trigger_the_presses_together_may_not_pass_the_longest(ready: Pen, pen_sim: Any) -> None:
    with ready.needling(longest_s=2, trigger=True) as strokes:
        for sample in strokes:
            if 0.1 <= sample.elapsed_s < 0.14 or 2.1 <= sample.elapsed_s < 2.14:
                pen_sim.inject("trigger-press")
            if 1.6 <= sample.elapsed_s < 1.64:
                pen_sim.inject("trigger-release")
    assert strokes.ended == "duration"
    assert strokes.moving_ns() == pytest.approx(2_000 * MS, abs=150 * MS)
    assert sample.elapsed_s < 3


def test_on_the_trigger_one_press_of_the_whole_time_is_all(ready: Pen, pen_sim: Any) -> None:
    """The pen ends the press; what is left is no time, so the run is over, and does not wait armed."""
    with ready.needling(longest_s=2, trigger=True) as strokes:
        next(strokes)
        pen_sim.inject("trigger-press")
        for sample in strokes:
            assert sample.elapsed_s < 3
    assert strokes.ended == "duration"


class Beats(VirtualPort):
    """A port that knows when each beat left."""

    def __init__(self) -> None:
        super().__init__(open_virtual("sim://pen?seed=1&clock=virtual").world)
        self.left_ns: list[int] = []
        self._receiver = Receiver()

    def write(self, data: bytes) -> None:
        frames = self._receiver.receive(data)
        self.left_ns += [self.now_ns() for frame in frames if frame.kind == Kind.BEAT]
        super().write(data)


@pytest.mark.req("S-08")
def test_a_beat_leaves_every_50_ms_from_the_arm_to_the_end() -> None:
    port = Beats()
    with connect(adopt(port), treatment=7) as pen:
        pen.select_zone("chin")
        pen.set_rate(hz=110)
        pen.set_depth(mm=0.5)
        assert port.left_ns == []
        armed_ns = port.now_ns()
        with pen.needling(longest_s=10) as strokes:
            for sample in strokes:
                if sample.elapsed_s > 2:
                    break
        ended_ns = port.now_ns()
    gaps = {after - before for before, after in pairwise(port.left_ns)}
    assert gaps == {50 * MS}
    assert 40 <= len(port.left_ns) <= 43
    assert armed_ns < port.left_ns[0] < armed_ns + 40 * MS
    assert port.left_ns[-1] < ended_ns


@pytest.mark.req("S-10")
@pytest.mark.parametrize("asleep_s", [0.0, 0.27])
def test_a_pen_is_silent_however_late_the_loop_looks(ready: Pen, pen_sim: Any, asleep_s: float) -> None:
    with pytest.raises(LinkTimeout, match="no valid telemetry"), ready.needling(longest_s=10) as strokes:
        next(strokes)
        pen_sim.inject("silent")
        pen_sim.advance(asleep_s)
        list(strokes)


def test_on_a_good_line_no_reading_is_missed(ready: Pen) -> None:
    with ready.needling(longest_s=1) as strokes:
        assert {sample.missed for sample in strokes} == {0}


def test_a_reading_that_came_twice_hides_no_newer_one(ready: Pen) -> None:
    with ready.needling(longest_s=10) as strokes:
        seen = next(strokes)
        last = ready._line.telemetry
        assert last is not None
        newer = replace(last.telemetry, time_ms=last.telemetry.time_ms + 1, strokes=5000)
        ready._line.fresh.extend([last, replace(last, telemetry=newer, missed=2)])
        sample = next(strokes)
        assert sample.strokes == 5000 - (last.telemetry.strokes - seen.strokes)
        assert sample.missed == 2


def test_a_fault_before_the_trigger_was_pressed_is_no_needling(ready: Pen, pen_sim: Any) -> None:
    with pytest.raises(DeviceFault), ready.needling(longest_s=10, trigger=True) as strokes:
        next(strokes)
        pen_sim.inject("over-temperature")
        list(strokes)
    assert strokes.moving_ns() == 0
    assert ready.duty.left_s(ready.now_ns()) == 600.0


# -- how the pen's own word is understood -------------------------------------------------------------------


def tells(pen: Pen, why: End, *, state: State, faults: int = 0, code: int = EventCode.RUN_ENDED) -> None:
    """The pen says that the run ended so, and a reading says where it is now."""
    last = pen._line.telemetry
    assert last is not None
    time_ms = last.telemetry.time_ms + 1
    pen._line.events.append(DeviceEvent(code, time_ms, why, last.epoch, 0))
    told = replace(last.telemetry, time_ms=time_ms, state=state, faults=faults)
    pen._line.fresh.append(replace(last, telemetry=told))


@pytest.mark.req("S-10")
@pytest.mark.parametrize(
    ("why", "state", "says"),
    [
        (End.DURATION, State.IDLE, r"stopped by itself \(duration\)"),
        (End.DURATION, State.SELF_TEST, r"stopped by itself \(duration\)"),
        (End.STOP, State.IDLE, r"stopped by itself \(stop\)"),
        (End.TRIGGER, State.ARMED, r"stopped by itself \(trigger\)"),
    ],
)
def test_an_end_that_nobody_here_asked_for_is_an_error(ready: Pen, why: End, state: State, says: str) -> None:
    with pytest.raises(DeviceFault, match=says) as error, ready.needling(longest_s=10) as strokes:
        next(strokes)
        tells(ready, why, state=state)
        list(strokes)
    assert error.value.code == "stopped-by-pen"


@pytest.mark.req("S-10")
@pytest.mark.parametrize("trigger", [False, True])
@pytest.mark.parametrize("why", [End.DURATION, End.TRIGGER])
def test_a_fault_after_an_end_in_good_order_is_told(
    ready: Pen, pen_sim: Any, trigger: bool, why: End
) -> None:
    first, second = fault_list(Fault.STALL | Fault.OVER_CURRENT)
    with (
        pytest.raises(DeviceFault, match="stopped by itself") as error,
        ready.needling(longest_s=10, trigger=trigger) as strokes,
    ):
        next(strokes)
        if trigger:
            pen_sim.inject("trigger-press")
            while next(strokes).state != "running":
                pass
        tells(ready, why, state=State.FAULT, faults=int(Fault.STALL | Fault.OVER_CURRENT))
        list(strokes)
    assert error.value.facts["faults"] == [first.name, second.name]
    assert str(error.value).count(first.meaning) == 1
    assert error.value.hint == first.remedy != second.remedy


@pytest.mark.parametrize("state", [State.IDLE, State.SELF_TEST])
def test_a_pen_that_left_its_readiness_after_a_press_is_an_error(
    ready: Pen, pen_sim: Any, state: State
) -> None:
    with (
        pytest.raises(DeviceFault, match=r"stopped by itself \(trigger\)"),
        ready.needling(longest_s=10, trigger=True) as strokes,
    ):
        next(strokes)
        pen_sim.inject("trigger-press")
        while next(strokes).state != "running":
            pass
        tells(ready, End.TRIGGER, state=state)
        list(strokes)


@pytest.mark.req("S-12")
def test_a_stop_demanded_within_a_turn_is_told_once(ready: Pen, mocker: MockerFixture) -> None:
    with ready.needling(longest_s=10) as strokes:
        next(strokes)
        turn = ready._line.turn

        def stopped(until_ns: int | None) -> None:
            ready._line.turn = turn  # type: ignore[method-assign]
            ready._line.stop_demanded = True
            tells(ready, End.STOP, state=State.IDLE)

        mocker.patch.object(ready._line, "turn", stopped)
        assert list(strokes) == []
    assert strokes.ended == "stopped"
    assert ready.stop_demanded is False


@pytest.mark.req("S-19")
def test_between_two_presses_the_needles_belong_in(ready: Pen, pen_sim: Any, mocker: MockerFixture) -> None:
    commanded = mocker.spy(Watch, "commanded")
    with ready.needling(longest_s=10, trigger=True) as strokes:
        next(strokes)
        pen_sim.inject("trigger-press")
        while next(strokes).state != "running":
            pass
        pen_sim.inject("trigger-release")
        while next(strokes).state == "running":
            pass
        assert [call.args[1:3] for call in commanded.call_args_list] == [(900, 1100), (0, 0)]


def test_the_figures_of_the_pen() -> None:
    assert (pens.SETTLE_NS, pens.RETRACT_NS, pens.POLL_S) == (5_000 * MS, 500 * MS, 0.005)
    assert pens.BENCH_TREATMENT == 0xBE9C_0000_0000_0001


@pytest.mark.parametrize(
    ("since_ms", "taken"),
    [(0, True), (1, True), (2**31 - 1, True), (2**31, False), (-1, False), (-300_000, False)],
)
@pytest.mark.parametrize("pressed_ms", [10, 2**31, 2**32 - 10])
def test_an_event_of_an_earlier_run_does_not_explain_this_one(
    ready: Pen, since_ms: int, taken: bool, pressed_ms: int
) -> None:
    """The pen's clock goes round in seven weeks."""
    with pytest.raises(DeviceFault) as error, ready.needling(longest_s=10) as strokes:
        next(strokes)
        strokes.pressed(pressed_ms)
        tells(ready, End.LEASE, state=State.IDLE)
        event = ready._line.events.pop()
        ready._line.events.append(replace(event, time_ms=(pressed_ms + since_ms) % 2**32))
        list(strokes)
    assert ("(lease)" in str(error.value)) is taken


@pytest.mark.parametrize("slow", [False, True])
def test_the_reason_is_waited_for_as_long_as_it_may_be_repeated(
    ready: Pen, pen_sim: Any, mocker: MockerFixture, slow: bool
) -> None:
    """Also when the deadline is not met to the nanosecond."""
    with ready.needling(longest_s=10) as strokes:
        next(strokes)
        ready._line.events.clear()
        told = ready._line.telemetry
        assert told is not None
        turn, begun_ns = ready._line.turn, ready.now_ns()

        def turned(until_ns: int | None) -> None:
            turn(until_ns)
            if slow:
                pen_sim.advance(0.007)

        mocker.patch.object(ready._line, "turn", turned)
        assert strokes._reason_told(told.telemetry) is None
        waited_ns = ready.now_ns() - begun_ns
        mocker.stopall()
    assert 150 * MS <= waited_ns <= (170 if slow else 150) * MS


@pytest.mark.req("S-12")
def test_the_stop_key_is_told_once(ready: Pen, pen_sim: Any) -> None:
    with pytest.raises(DeviceFault, match="own stop key"), ready.needling(longest_s=10) as strokes:
        next(strokes)
        pen_sim.inject("stop-key")
        list(strokes)
    assert ready.stop_demanded is False
    ready.heed_stops()


@pytest.mark.req("S-19")
def test_a_pen_that_does_not_end_its_run_is_stopped(ready: Pen, mocker: MockerFixture) -> None:
    with pytest.raises(DeviceFault, match="did not end its run"), ready.needling(longest_s=5) as strokes:
        next(strokes)
        mocker.patch.object(strokes, "moving_ns", return_value=5_200 * MS + 1)
        list(strokes)
    assert strokes.ended == "failed"
