"""Exact edges of the pen's own methods: opening, closing, looking on."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import islice
from typing import Any

import pytest
from pytest_mock import MockerFixture

from penstroke.connecting import connect
from penstroke.errors import DeviceFault, LinkTimeout, Refused, Stopped
from penstroke.pen import Pen
from penstroke.ports.opening import adopt
from penstroke.safety import DepthLimit, LimitSource, Override, Screening
from penstroke.strokes import sample_of
from penstroke_protocol import Receiver
from penstroke_protocol.host_link import TelemetryReceived
from penstroke_protocol.messages import (
    Arm,
    Bye,
    Flag,
    GetStatus,
    Kind,
    SetRate,
    Settings,
    State,
    Status,
    Telemetry,
)
from penstroke_sim.inprocess import VirtualPort, open_virtual

S = 1_000_000_000


class Codes(VirtualPort):
    """A port that knows which requests left, and how often it was closed."""

    def __init__(self) -> None:
        super().__init__(open_virtual("sim://pen?seed=1&clock=virtual").world)
        self.left: list[int] = []
        self.closed = 0
        self._receiver = Receiver()

    def write(self, data: bytes) -> None:
        frames = self._receiver.receive(data)
        self.left += [frame.code for frame in frames if frame.kind == Kind.REQUEST]
        super().write(data)

    def close(self) -> None:
        self.closed += 1
        super().close()


def test_closing_ends_the_session_in_peace_and_once() -> None:
    port = Codes()
    pen = connect(adopt(port), treatment=7)
    pen.close()
    pen.close()
    assert port.left.count(Bye.spec.code) == 1
    assert port.left[-1] == Bye.spec.code
    assert port.closed == 1


def test_a_pen_just_connected_is_believed_to_hold_nothing_of_ours(pen: Pen) -> None:
    assert pen._held.settings.flags == 0
    assert isinstance(pen._held.settings, Settings)


@pytest.mark.parametrize(("by_pen", "by_port"), [(True, False), (False, True), (False, False), (True, True)])
def test_a_pen_is_simulated_when_either_says_so(pen: Pen, by_pen: bool, by_port: bool) -> None:
    pen.identity = replace(pen.identity, simulated=by_pen)
    port: Any = pen._line.port
    port.simulated = by_port
    assert pen.simulated is (by_pen or by_port)


@pytest.mark.parametrize("asleep_s", [0.0, 0.17])
def test_looking_on_ends_when_it_should_however_slow_the_loop_is(
    pen: Pen, pen_sim: Any, asleep_s: float
) -> None:
    begun_ns = pen.now_ns()
    seen = []
    for sample in islice(pen.monitor(for_s=1.0), 500):
        seen.append(sample)
        pen_sim.advance(asleep_s)
    assert 5 < len(seen) < 25
    looked_ns = pen.now_ns() - begun_ns
    assert looked_ns > S if asleep_s else looked_ns == S
    assert 0.6 < seen[-1].elapsed_s < 1.25
    assert {sample.strokes for sample in seen} == {0}


@pytest.mark.parametrize("asleep_s", [0.0, 1.5])
def test_looking_on_at_a_pen_that_falls_silent_says_so(pen: Pen, pen_sim: Any, asleep_s: float) -> None:
    samples = pen.monitor()
    next(samples)
    pen_sim.inject("silent")
    pen_sim.advance(asleep_s)
    with pytest.raises(LinkTimeout, match="no telemetry for 1 s"):
        list(islice(samples, 100))


@pytest.mark.parametrize(
    "flags", [Flag(0), Flag.NEEDLES_OUT, Flag.MOTOR_ON, Flag.NEEDLES_OUT | Flag.MOTOR_ON]
)
def test_a_reading_says_where_needles_and_motor_are(flags: Flag) -> None:
    told = Telemetry(7, 1, State.RUNNING, int(flags), 0, 0, 0, 0, 0, 0, 90)
    sample = sample_of(TelemetryReceived(told, 3, S, 0), 0, 0)
    assert (sample.needles_out, sample.motor_on) == (Flag.NEEDLES_OUT in flags, Flag.MOTOR_ON in flags)


def test_looking_on_needs_no_answer_of_a_request(pen: Pen, mocker: MockerFixture) -> None:
    ask = mocker.spy(pen._line, "ask")
    assert len(list(pen.monitor(for_s=0.5))) >= 9
    assert ask.call_count == 0


@pytest.mark.parametrize("rate_hz", [10, 20, 100])
def test_telemetry_may_come_ten_to_a_hundred_times_a_second(pen: Pen, rate_hz: int) -> None:
    pen.set_telemetry(rate_hz=rate_hz)
    assert len(list(pen.monitor(for_s=2.0))) == pytest.approx(2 * rate_hz, abs=2)


@pytest.mark.parametrize("rate_hz", [9, 101])
def test_telemetry_too_seldom_or_too_often_is_refused(pen: Pen, rate_hz: int) -> None:
    with pytest.raises(Refused, match="outside 10 to 100 Hz"):
        pen.set_telemetry(rate_hz=rate_hz)


def test_waiting_takes_the_time_it_was_told(pen: Pen) -> None:
    begun_ns = pen.now_ns()
    pen.pump(0.25)
    assert pen.now_ns() - begun_ns == S // 4
    assert not pen._line.fresh


def test_waiting_ends_though_the_moment_is_not_met_to_the_nanosecond(
    pen: Pen, pen_sim: Any, mocker: MockerFixture
) -> None:
    turn = pen._line.turn

    def slow(until_ns: int | None) -> None:
        turn(until_ns)
        pen_sim.advance(0.007)

    mocker.patch.object(pen._line, "turn", slow)
    begun_ns = pen.now_ns()
    pen.pump(0.25)
    assert 0.25 * S < pen.now_ns() - begun_ns < 0.35 * S


@pytest.mark.req("S-04")
def test_a_pen_that_tells_a_figure_but_not_that_it_is_set_disagrees(pen: Pen, mocker: MockerFixture) -> None:
    pen.select_zone("cheek", side="left")
    told = Settings(8, 1, 1000, 900, 1100, int(Flag.ZONE_SET | Flag.CARTRIDGE_IN))
    mocker.patch.object(pen._line, "ask", return_value=told)
    with pytest.raises(DeviceFault, match="another depth than it was told: None instead of 900"):
        pen.set_depth(mm=0.9)
    with pytest.raises(DeviceFault, match="another rate than it was told: None instead of 1100"):
        pen.set_rate(hz=110)
    mocker.stopall()


@pytest.mark.req("S-02")
def test_a_lowered_ceiling_is_lowered_to_the_micrometre(pen: Pen) -> None:
    pen.select_zone("cheek", side="left")
    pen.lower_ceiling(mm=0.7)
    limit = pen.depth_limit()
    assert isinstance(limit, DepthLimit)
    assert (limit.limit_um, limit.deepest_um, limit.bound_by) == (750, 700, LimitSource.HELD)
    assert pen._ask_status().held_ceiling_um == 750


@pytest.mark.parametrize("longest_s", [0.0004, 1.0, 2.5])
def test_the_pen_is_told_how_long_to_the_millisecond(pen: Pen, pen_sim: Any, longest_s: float) -> None:
    pen.select_zone("chin")
    pen.set_rate(hz=110)
    pen.set_depth(mm=0.5)
    with pen.needling(longest_s=longest_s) as strokes:
        list(strokes)
    (start,) = [entry for entry in pen_sim.journal.entries if entry["event"] == "start"]
    off = [entry for entry in pen_sim.journal.entries if entry["event"] == "motor"][-1]
    assert off["t"] - start["t"] == pytest.approx(max(0.001, longest_s), abs=0.0005)


def test_without_a_longest_a_run_takes_what_is_left(pen: Pen) -> None:
    pen.select_zone("chin")
    pen.set_rate(hz=110)
    pen.set_depth(mm=0.5)
    assert pen.needling().longest_s == 600.0
    pen.duty.ran(100 * S, pen.now_ns())
    assert pen.needling().longest_s == 500.0
    pen.duty.ran(500 * S, pen.now_ns())
    assert pen.needling().longest_s == 1.0
    with pytest.raises(Refused, match="without a rest"), pen.needling():
        pass


@pytest.mark.req("S-01", "S-22")
def test_a_depth_of_the_zone_before_makes_no_deep_and_slow_one_shallower(pen: Pen) -> None:
    def zone(side: str) -> None:
        over = Override("cheek", side, by="Dr. Example", reason="a test")
        pen.select_zone("cheek", side=side, override=over)

    zone("left")
    pen.set_rate(hz=110)
    pen.set_depth(mm=1.2)
    with pytest.raises(Refused, match="too slow"):
        pen.set_rate(hz=70)
    zone("right")
    pen.set_rate(hz=70)
    with pytest.raises(Refused, match="too slow"):
        pen.set_depth(mm=1.1)
    with pytest.raises(Refused, match="too slow"):
        pen.set_depth(mm=1.2)
    pen.set_depth(mm=0.9)


def test_while_needles_move_the_depth_in_force_may_be_set_again(pen: Pen) -> None:
    pen.select_zone("chin")
    pen.set_rate(hz=110)
    pen.set_depth(mm=0.5)
    with pen.needling(longest_s=5) as strokes:
        next(strokes)
        pen.set_depth(mm=0.5)
        with pytest.raises(Refused, match="while needles move depth may only become shallower"):
            pen.set_depth(mm=0.55)
        next(strokes)
    assert strokes.ended == "left"


@pytest.mark.req("S-04")
def test_lowering_a_ceiling_makes_nothing_else_believed(pen: Pen, mocker: MockerFixture) -> None:
    pen.select_zone("cheek", side="left")
    told = Settings(8, 1, 750, 900, 1100, int(Flag.ZONE_SET | Flag.DEPTH_SET | Flag.RATE_SET))
    mocker.patch.object(pen._line, "ask", return_value=told)
    pen.lower_ceiling(mm=0.7)
    mocker.stopall()
    assert pen._held.settings.flags == Flag.ZONE_SET


@pytest.mark.req("S-12")
@pytest.mark.parametrize("off", [-1, 1])
def test_a_stop_of_another_thread_writes_and_waits_for_nothing(pen: Pen, off: int) -> None:
    pen._line.owner += off
    begun_ns = pen.now_ns()
    pen.stop()
    assert pen.stop_demanded is True
    assert pen._line.stop_answer is None
    assert pen.now_ns() == begun_ns
    with pytest.raises(Stopped):
        pen.heed_stops()
    pen.stop()
    assert pen.stop_demanded is False
    assert pen._line.stop_answer is not None


@pytest.mark.parametrize(("late_s", "waited_s"), [(0.0, 5.0), (0.03, 5.07)])
def test_a_self_test_may_take_five_seconds(
    pen: Pen, pen_sim: Any, mocker: MockerFixture, late_s: float, waited_s: float
) -> None:
    told = replace(pen._ask_status(), state=State.SELF_TEST)
    pump = pen.pump

    def late(for_s: float) -> None:
        pump(for_s)
        pen_sim.advance(late_s)

    mocker.patch.object(pen, "_ask_status", return_value=told)
    mocker.patch.object(pen, "pump", late)
    begun_ns = pen.now_ns()
    with pytest.raises(DeviceFault, match="still in its self-test after 5 s"):
        pen._settle()
    mocker.stopall()
    assert (pen.now_ns() - begun_ns) / S == pytest.approx(waited_s, abs=0.001)


@pytest.mark.req("S-12")
def test_a_stop_that_comes_while_needles_are_awaited_is_told_afterwards(
    pen: Pen, mocker: MockerFixture
) -> None:
    pen.select_zone("chin")
    pen.set_rate(hz=110)
    pen.set_depth(mm=0.5)
    ask, asked = pen._ask_status, []

    def once_more() -> Status:
        asked.append(1)
        if len(asked) == 1:
            raise Stopped("a stop was asked for")
        return ask()

    with pen.needling(longest_s=5) as strokes:
        next(strokes)
        mocker.patch.object(pen, "_ask_status", once_more)
    mocker.stopall()
    assert asked
    with pytest.raises(Stopped):
        pen.heed_stops()
    assert pen.status().state == "idle"


@pytest.mark.parametrize(("trigger", "longest_s", "seconds"), [(False, 5, 0), (True, 5, 5), (True, 0.5, 1)])
def test_only_for_the_trigger_the_pen_is_told_how_long_a_press_may_be(
    pen: Pen, mocker: MockerFixture, trigger: bool, longest_s: float, seconds: int
) -> None:
    pen.select_zone("chin")
    pen.set_rate(hz=110)
    pen.set_depth(mm=0.5)
    ask = mocker.spy(pen._line, "ask")
    with pen.needling(longest_s=longest_s, trigger=trigger):
        pass
    arms = [call.args[0] for call in ask.call_args_list if isinstance(call.args[0], Arm)]
    assert arms == [Arm(pen.treatment, seconds)]


@pytest.mark.req("S-11")
@pytest.mark.parametrize(("pressed", "now"), [(65535, 0), (3, 4), (4, 3)])
def test_a_press_of_another_epoch_is_over_also_when_epochs_go_round(pen: Pen, pressed: int, now: int) -> None:
    pen._line.link.epoch = now
    with pytest.raises(Stopped, match="while it was made ready"):
        pen._ask_in(pressed, GetStatus())


@pytest.mark.parametrize("rate_hz", [25, 150])
def test_the_pens_slowest_and_fastest_rate_may_be_run(pen: Pen, rate_hz: int) -> None:
    pen.select_zone("chin")
    pen.set_rate(hz=rate_hz)
    pen.set_depth(mm=0.5)
    with pen.needling(longest_s=5) as strokes:
        next(strokes)
    assert strokes.ended == "left"


@pytest.mark.req("S-02", "S-04")
def test_what_tightened_since_the_setting_counts_at_the_start(pen: Pen, pen_sim: Any) -> None:
    pen.select_zone("cheek", side="left")
    pen.set_rate(hz=110)
    pen.set_depth(mm=0.9)
    pen.screened(Screening(Fraction(1, 2)))
    with pytest.raises(Refused, match="ceiling"), pen.needling(longest_s=5):
        pass
    assert not [entry for entry in pen_sim.journal.entries if entry["event"] == "start"]


class Asker:
    """Another program that asked for a stop."""

    def __init__(self) -> None:
        self.told: list[bool] = []

    def answer(self, *, stopped: bool, state: str, message: str = "") -> None:
        self.told.append(stopped)


@pytest.mark.req("S-12")
@pytest.mark.parametrize(
    ("flags", "stopped"),
    [
        (Flag(0), True),
        (Flag.ZONE_SET | Flag.DEPTH_SET | Flag.RATE_SET, True),
        (Flag.MOTOR_ON, False),
        (Flag.NEEDLES_OUT, False),
        (Flag.MOTOR_ON | Flag.NEEDLES_OUT, False),
    ],
)
def test_an_asker_is_told_that_the_pen_stopped_only_when_it_did(pen: Pen, flags: Flag, stopped: bool) -> None:
    told = replace(pen._ask_status(), flags=int(flags))
    for known, says in ((told, stopped), (None, False)):
        asker: Any = Asker()
        pen._line._askers.append(asker)
        pen._ended(known)
        assert asker.told == [says]


def test_once_asked_what_the_pen_holds_is_known_again(pen: Pen, mocker: MockerFixture) -> None:
    pen.select_zone("chin")
    pen._line.unknown = True
    ask = mocker.spy(pen._line, "ask")
    pen.set_rate(hz=110)
    assert pen._line.unknown is False
    assert [type(call.args[0]) for call in ask.call_args_list] == [GetStatus, SetRate]
