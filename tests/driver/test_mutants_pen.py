"""Exact edges of the pen's own methods: opening, closing, looking on."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
from pytest_mock import MockerFixture

from penstroke.connecting import connect
from penstroke.errors import LinkTimeout
from penstroke.pen import Pen
from penstroke.ports.opening import adopt
from penstroke.strokes import sample_of
from penstroke_protocol import Receiver
from penstroke_protocol.host_link import TelemetryReceived
from penstroke_protocol.messages import Bye, Flag, Kind, Settings, State, Telemetry
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
    assert pen.now_ns() - begun_ns >= S
    assert seen[-1].elapsed_s == pytest.approx(1.0, abs=0.2)


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
