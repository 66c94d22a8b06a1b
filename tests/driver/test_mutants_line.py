"""Exact edges of the line between port and link: what it is at first, and what it takes note of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from penstroke.errors import DeviceFault, LinkTimeout, Stopped
from penstroke.line import Line
from penstroke.pen import Pen
from penstroke_protocol import HostLink
from penstroke_protocol.host_link import StopAnswered, TelemetryReceived
from penstroke_protocol.messages import Condition, Flag, GetStatus, SetDepth, State, Telemetry


class NoPort:
    """A line is made before anything is read or written."""

    name = "nowhere"


def fresh_line() -> Line:
    port: Any = NoPort()
    return Line(port, HostLink(nonce=1, zone_digest=2), gate=lambda request: None)


def test_at_first_nothing_is_unknown_and_nobody_asked_for_a_stop() -> None:
    line = fresh_line()
    assert (line.unknown, line.stop_demanded, line.stop_key) == (False, False, False)
    assert (line.cartridge_changed, line.in_turn, line.stop_repeated) == (False, False, False)
    assert (line.telemetry, line.telemetry_missed, line.stop_answer) == (None, 0, None)
    line.heed_stops()


def test_what_a_sleeping_loop_leaves_is_bounded() -> None:
    line = fresh_line()
    assert (line.fresh.maxlen, line.events.maxlen) == (256, 64)


def test_a_connection_without_trouble_counts_none(pen: Pen) -> None:
    pen.select_zone("chin")
    stats = pen.stats
    assert (stats.telemetry_missed, stats.retries, stats.damaged, stats.dropped) == (0, 0, {}, {})
    assert stats.frames_received > 0


# -- on a port of its own -----------------------------------------------------------------------------------


class Script:
    """A port at which nothing happens but what was put into it; time passes while it is read."""

    name = "script"
    control = None

    def __init__(self, *chunks: bytes, rests: bool = True) -> None:
        self.now, self.chunks, self.rests = 0, list(chunks), rests
        self.reads: list[tuple[int, int | None]] = []
        self.written: list[tuple[int, bytes]] = []
        self.while_reading: Callable[[], None] = lambda: None

    def now_ns(self) -> int:
        return self.now

    def read(self, size: int, wait_ns: int | None) -> bytes:
        self.reads.append((size, wait_ns))
        self.while_reading()
        if self.chunks:
            return self.chunks[0] if not self.rests else self.chunks.pop(0)
        self.now += wait_ns or 0
        return b""

    def write(self, data: bytes) -> None:
        self.written.append((len(self.reads), data))

    write_now = write

    def black_box(self) -> list[str]:
        return []


def line_on(port: Any, link: HostLink | None = None) -> Line:
    return Line(port, link or HostLink(nonce=1, zone_digest=2), gate=lambda request: None)


@pytest.mark.parametrize(("chunks", "reads"), [((), 1), ((b"\0junk\0",), 2), ((b"\0junk\0",) * 15, 16)])
def test_what_waits_in_the_port_is_read_away_before_hello(chunks: tuple[bytes, ...], reads: int) -> None:
    port = Script(*chunks)
    with pytest.raises(LinkTimeout, match="no pen said hello"):
        line_on(port).open()
    assert port.written[0][0] == reads
    assert port.reads[:reads] == [(4096, 0)] * reads


def test_a_port_that_never_rests_is_read_sixteen_times() -> None:
    port = Script(b"junk", rests=False)
    line = line_on(port)
    port.while_reading = lambda: port.chunks.clear() if port.written else None
    with pytest.raises(LinkTimeout):
        line.open()
    assert port.written[0][0] == 16


def test_a_turn_waits_until_it_is_told_or_until_the_link_is_due() -> None:
    port = Script()
    line = line_on(port)
    line.begin_stop()
    for until_ms, waited_ms in ((5, 5), (50, 15), (20, 0), (10, 0), (None, 20)):
        line.turn(None if until_ms is None else until_ms * 1_000_000)
        assert port.reads[-1] == (4096, waited_ms * 1_000_000)


def test_a_turn_says_that_it_is_one() -> None:
    port = Script()
    line = line_on(port)
    seen: list[bool] = []
    port.while_reading = lambda: seen.append(line.in_turn)
    line.turn(0)
    assert (seen, line.in_turn) == ([True], False)


def test_a_stop_that_was_begun_is_not_taken_up_again() -> None:
    link = HostLink(nonce=1, zone_digest=2)
    link.session = 5
    line = line_on(Script(), link)
    line.begin_stop()
    link.request(GetStatus(), 0)
    line.turn(0)
    assert link.busy


@pytest.mark.req("S-12")
@pytest.mark.parametrize("key", [True, False])
def test_a_stop_is_told_once(key: bool) -> None:
    line = line_on(Script())
    line.stop_key, line.stop_demanded = key, True
    with pytest.raises(DeviceFault if key else Stopped):
        line.heed_stops()
    line.heed_stops()


@pytest.mark.req("S-24")
@pytest.mark.parametrize("made", [SetDepth(901), SetDepth(899)])
def test_a_frame_that_says_something_else_than_was_asked_does_not_leave(made: SetDepth) -> None:
    class Wrong(HostLink):
        def request(self, message: Any, now_ns: int) -> None:
            super().request(made, now_ns)

    link = Wrong(nonce=1, zone_digest=2)
    link.session = 5
    port = Script()
    with pytest.raises(RuntimeError, match="the frame made for"):
        line_on(port, link).ask(SetDepth(900))
    assert port.written == []


def test_a_stop_answered_at_once_was_not_repeated(pen: Pen) -> None:
    pen.stop()
    assert pen._line.stop_repeated is False


@pytest.mark.req("S-12")
def test_a_stop_of_another_thread_is_taken_up_once() -> None:
    link = HostLink(nonce=1, zone_digest=2)
    link.session = 5
    port = Script()
    line = line_on(port, link)
    line.demand_stop()
    assert not link.stopping
    line.turn(0)
    assert link.stopping
    written = len(port.written)
    line.demand_stop()
    link.request(GetStatus(), 0)
    line.turn(0)
    assert not link.busy, "what was asked before the stop does not leave after it"
    assert len(port.written) == written + 1, "one STOP of the other thread, none begun afresh"
    link.request(GetStatus(), 0)
    line.turn(0)
    assert link.busy


class Asker:
    """Another program's question, and what it was told."""

    def __init__(self, ask: str) -> None:
        self.ask = ask
        self.told: list[tuple[bool, str, str]] = []

    def answer(self, *, stopped: bool, state: str, message: str = "") -> None:
        self.told.append((stopped, state, message))


class Askers:
    def __init__(self, *askers: Asker) -> None:
        self.askers = list(askers)

    def poll(self) -> list[Asker]:
        polled, self.askers = self.askers, []
        return polled


@pytest.mark.req("S-12")
def test_other_programs_may_ask_for_a_stop_and_nothing_else() -> None:
    port: Any = Script()
    askers = [Asker(ask) for ask in ("arm", "zone", "stop")]
    port.control = Askers(*askers[:2])
    line = line_on(port)
    line.turn(0)
    assert line.stop_demanded is False
    port.control = Askers(*askers)
    line.turn(0)
    assert line.stop_demanded is True
    assert askers[0].told == [(False, "unknown", "cannot arm")] * 2
    assert askers[1].told == [(False, "unknown", "cannot zone")] * 2
    assert askers[2].told == [], "told when the pen has stopped"
    assert not line.link.stopping
    line.turn(0)
    assert line.link.stopping
    line.answer_askers(stopped=True, state=State.IDLE)
    line.answer_askers(stopped=False, state=None)
    assert askers[2].told == [(True, "idle", "")]


@pytest.mark.req("S-12")
@pytest.mark.parametrize("flags", [0, int(Flag.ZONE_SET), int(Flag.MOTOR_ON), int(Flag.NEEDLES_OUT)])
@pytest.mark.parametrize("measured", [True, False])
def test_an_asker_is_told_when_needles_are_in(flags: int, measured: bool) -> None:
    asker = Asker("stop")
    port: Any = Script()
    port.control = Askers(asker)
    line = line_on(port)
    line.turn(0)
    line.begin_stop()
    line.turn(0)
    assert asker.told == []
    line.stop_answer = StopAnswered(Condition(State.IDLE, 0 if measured else flags, 0), 1)
    if measured:
        told = Telemetry(0, 1, State.FAULT, flags, 0, 0, 0, 0, 0, 0, 100)
        line.telemetry = TelemetryReceived(told, 1, 0, 0)
    line.turn(0)
    moving = flags & (Flag.MOTOR_ON | Flag.NEEDLES_OUT)
    assert asker.told == ([] if moving else [(True, "fault" if measured else "idle", "")])
