"""Stops that come at the worst moment: before the press, between ARM and START, inside a stop, at any line.

Each test here was a way in which needles once started, or ran on, after somebody had said stop.
"""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from penstroke.errors import DeviceFault, LinkTimeout, PenError, Refused, Stopped
from penstroke.pen import Pen
from penstroke.ports.opening import adopt
from penstroke.watch import Watch
from penstroke_protocol import Receiver
from penstroke_protocol.frames import decode, message_class
from penstroke_protocol.messages import Arm, GetCartridge, GetStatus, Kind, SetDepth, Start
from penstroke_sim.inprocess import VirtualPort, open_virtual


class Hooked(VirtualPort):
    """A port that lets a test act at the instant a request of some kind has left the host."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__(open_virtual(f"sim://pen?seed={seed}&clock=virtual").world)
        self.after: dict[type[Any], Callable[[], None]] = {}
        self.sent: list[str] = []
        self.before_read: Callable[[], None] | None = None
        self.deaf_to_events = False
        self._receiver = Receiver()

    def write(self, data: bytes) -> None:
        super().write(data)
        for frame in self._receiver.receive(data):
            cls = message_class(frame)
            if frame.kind == Kind.REQUEST and cls is not None:
                self.sent.append(cls.__name__)
                if cls in self.after:
                    self.after.pop(cls)()

    def read(self, max_bytes: int, timeout_ns: int | None) -> bytes:
        if self.before_read is not None:
            hook, self.before_read = self.before_read, None
            hook()
        data = super().read(max_bytes, timeout_ns)
        if self.deaf_to_events:
            parts = [part for part in data.split(b"\0") if part and decode(part).kind != Kind.EVENT]
            data = b"".join(b"\0" + part + b"\0" for part in parts)
        return data

    def entries(self, event: str) -> list[dict[str, Any]]:
        return [entry for entry in self.journal.entries if entry["event"] == event]

    @property
    def moved(self) -> bool:
        return any(entry["on"] for entry in self.entries("motor"))

    @property
    def resting(self) -> bool:
        motor, needles = self.entries("motor"), self.entries("needles")
        return not motor or (not motor[-1]["on"] and not needles[-1]["extended"])


@pytest.fixture
def port() -> Hooked:
    return Hooked()


@pytest.fixture
def ready(port: Hooked) -> Any:
    with Pen(adopt(port), nonce=1, treatment=9) as pen:
        pen.select_zone("cheek", side="left")
        pen.set_rate(hz=110)
        pen.set_depth(mm=0.9)
        yield pen


def needle(pen: Pen, seconds: float = 2.0) -> str | None:
    with pen.needling(longest_s=seconds) as strokes:
        for _ in strokes:
            pass
    return strokes.ended


# -- before and within the press ----------------------------------------------------------------------------


@pytest.mark.req("S-11", "S-12")
@pytest.mark.parametrize("after", [GetStatus, Arm, Start])
def test_a_stop_while_the_pen_is_made_ready_is_the_end_of_it(
    ready: Pen, port: Hooked, after: type[Any]
) -> None:
    press = ready.needling(longest_s=2)
    port.after[after] = ready.demand_stop
    with pytest.raises(Stopped), press as strokes:
        list(strokes)
    if after is not Start:
        assert not port.moved
    assert port.resting
    assert needle(ready) == "duration", "a fresh press, after the stop was told, starts"


@pytest.mark.req("S-11", "S-12")
@pytest.mark.parametrize("lost", [False, True])
def test_a_stop_in_the_read_that_brings_the_last_answer_is_not_forgotten(
    ready: Pen, port: Hooked, lost: bool
) -> None:
    """The thread's one frame may even be lost: the flag alone keeps START from leaving."""

    def stop() -> None:
        if lost:
            ready._line.stop_demanded = True
        else:
            ready.demand_stop()

    def at_next_read() -> None:
        port.before_read = stop

    port.after[Arm] = at_next_read
    with pytest.raises(Stopped):
        needle(ready)
    assert "Start" not in port.sent
    assert not port.moved


@pytest.mark.req("S-11", "S-12")
def test_a_stop_between_two_runs_is_told_before_the_next_one(ready: Pen, port: Hooked) -> None:
    needle(ready)
    stopper = threading.Thread(target=ready.stop)
    stopper.start()
    stopper.join()
    ready.pump(1)
    with pytest.raises(Stopped):
        needle(ready)
    assert len(port.entries("start")) == 1
    needle(ready)
    assert len(port.entries("start")) == 2


@pytest.mark.req("S-11")
def test_the_stop_key_between_two_runs_is_told_before_the_next_one(ready: Pen, port: Hooked) -> None:
    needle(ready)
    port.inject("stop-key")
    ready.pump(0.5)
    assert ready.stop_demanded
    with pytest.raises(DeviceFault, match="own stop key"):
        needle(ready)
    assert len(port.entries("start")) == 1


@pytest.mark.req("S-11", "S-12")
@pytest.mark.parametrize("after", [Arm, Start])
def test_the_stop_key_within_a_press_ends_that_press(ready: Pen, port: Hooked, after: type[Any]) -> None:
    port.after[after] = lambda: port.inject("stop-key")
    with pytest.raises((Stopped, DeviceFault, Refused)):
        needle(ready)
    port.advance(1)
    assert port.resting


@pytest.mark.req("S-11", "R-7.6")
@pytest.mark.parametrize("after", [GetStatus, GetCartridge])
def test_the_stop_key_within_a_press_is_seen_by_the_epoch_alone(
    ready: Pen, port: Hooked, after: type[Any]
) -> None:
    """Its events are lost; but the answers that follow carry another epoch than the press began with."""
    port.deaf_to_events = True
    port.after[after] = lambda: port.inject("stop-key")
    with pytest.raises((Stopped, DeviceFault)):
        needle(ready)
    assert "Arm" not in port.sent
    assert not port.moved


def test_a_press_within_a_run_is_refused_and_forgets_no_stop(ready: Pen, port: Hooked) -> None:
    with ready.needling(longest_s=5) as strokes:
        next(strokes)
        ready._line.stop_demanded = True
        with pytest.raises(Refused, match="moving already"):
            ready.needling()
        assert list(strokes) == []
    assert strokes.ended == "stopped"


# -- what a stop leaves behind ------------------------------------------------------------------------------


@pytest.mark.req("S-16", "S-04")
def test_a_set_that_a_stop_interrupted_is_not_taken_for_verified(ready: Pen, port: Hooked) -> None:
    port.after[SetDepth] = ready.demand_stop
    with pytest.raises(Stopped):
        ready.set_depth(mm=0.3)
    ready.set_rate(hz=100)
    with pytest.raises(Refused) as error:
        needle(ready)
    assert error.value.code == "depth-not-set"
    assert not port.moved


@pytest.mark.req("S-16", "S-04")
def test_a_set_that_timed_out_is_not_verified_by_the_next_setting(ready: Pen, port: Hooked) -> None:
    port.inject("half-open", direction="to-host")
    with pytest.raises(LinkTimeout):
        ready.set_depth(mm=0.3)
    port.inject("half-open", direction="to-host", off=True)
    ready.set_rate(hz=100)
    with pytest.raises(Refused) as error:
        needle(ready)
    assert error.value.code == "depth-not-set"


@pytest.mark.req("S-12")
def test_closing_after_a_stop_from_elsewhere_is_no_error(port: Hooked) -> None:
    with Pen(adopt(port), nonce=1, treatment=9) as pen:
        pen.demand_stop()
    assert port.resting


@pytest.mark.req("S-12")
def test_stop_by_the_owner_is_not_told_to_the_owner_again(ready: Pen) -> None:
    ready.stop()
    assert needle(ready) == "duration"


@pytest.mark.req("S-12")
def test_a_stop_that_had_to_be_repeated_does_not_end_the_next_press(ready: Pen, port: Hooked) -> None:
    """Each repeat raises the epoch, the last of them perhaps after the answer to the first."""
    for _ in range(3):
        port.inject("delay", direction="to-host", ms=50.0)
        ready.stop()
        port.inject("delay", direction="to-host", off=True)
        assert needle(ready, 1) == "duration"


@pytest.mark.req("S-11", "S-12")
def test_a_second_stop_while_the_first_is_confirmed_is_told_all_the_same(ready: Pen, port: Hooked) -> None:
    """The first was repeated, so the pen is asked once more; the second falls into that question."""
    port.inject("delay", direction="to-host", ms=50.0)
    port.after[GetStatus] = ready.demand_stop
    ready._line.confirm_stop()
    assert ready._line.stop_repeated
    ready._finish_stop()
    port.inject("delay", direction="to-host", off=True)
    assert GetStatus not in port.after, "the question was put"
    assert ready.stop_demanded
    with pytest.raises(Stopped):
        needle(ready)
    assert not port.moved


@pytest.mark.req("S-12")
def test_any_thread_but_the_one_that_turns_the_line_only_writes(ready: Pen, port: Hooked) -> None:
    """The connecting thread, too, once another one runs the loop."""
    ends: list[str | None] = []
    begun, may_end = threading.Event(), threading.Event()

    def loop() -> None:
        with ready.needling(longest_s=300) as strokes:
            for count, _ in enumerate(strokes):
                if count == 3:
                    begun.set()
                    may_end.wait(10)
        ends.append(strokes.ended)

    runner = threading.Thread(target=loop)
    runner.start()
    assert begun.wait(10)
    ready.stop()
    may_end.set()
    runner.join(10)
    assert ends == ["stopped"]
    assert port.resting


# -- a pen that does not do its part ------------------------------------------------------------------------


@pytest.mark.req("S-19")
def test_a_run_that_the_pen_does_not_end_is_ended_by_the_host(ready: Pen, port: Hooked) -> None:
    """As a pen whose timer fails: it was told a minute, and the host meant a second."""
    with ready.needling(longest_s=60) as strokes:
        strokes._longest_ns = 1_000_000_000
        with pytest.raises(DeviceFault, match="did not end its run"):
            list(strokes)
        assert strokes.moving_ns() < 1_100_000_000
    assert port.resting


@pytest.mark.req("S-19")
def test_the_presses_of_a_trigger_are_summed(ready: Pen, port: Hooked) -> None:
    with ready.needling(longest_s=3, trigger=True) as strokes:
        for sample in strokes:
            tenths = round(sample.elapsed_s * 10)
            if tenths % 20 == 5:
                port.inject("trigger-press")
            if tenths % 20 == 15:
                port.inject("trigger-release")
    assert strokes.ended == "duration"
    assert strokes.moving_ns() == pytest.approx(3e9, abs=0.3e9)
    assert port.resting


@pytest.mark.req("S-19", "S-01")
def test_a_deeper_depth_does_not_leave_the_host_while_needles_move(ready: Pen, port: Hooked) -> None:
    ready.set_depth(mm=0.3)
    port.inject("ignores-limits")
    with ready.needling(longest_s=5) as strokes:
        next(strokes)
        sets = port.sent.count("SetDepth")
        with pytest.raises(Refused) as error:
            ready.set_depth(mm=0.9)
        assert error.value.code == "deeper-while-running"
        assert port.sent.count("SetDepth") == sets


@pytest.mark.req("S-22")
def test_a_lowered_ceiling_holds_in_the_host_whatever_the_pen_says(ready: Pen, port: Hooked) -> None:
    port.inject("half-open")
    with pytest.raises(LinkTimeout):
        ready.lower_ceiling(mm=0.4)
    port.inject("half-open", off=True)
    with pytest.raises((Refused, DeviceFault)):
        ready.set_depth(mm=0.9)


def test_an_event_of_an_earlier_run_does_not_explain_this_one(ready: Pen, port: Hooked) -> None:
    """The first run's RUN_ENDED (duration) is heard only in the second run, which the stop key ends."""
    port.deaf_to_events = True
    with pytest.raises(DeviceFault, match="no reason told"):
        needle(ready, 1)
    with pytest.raises(DeviceFault, match="own stop key"), ready.needling(longest_s=5) as strokes:
        next(strokes)
        port.deaf_to_events = False
        port.inject("stop-key")
        list(strokes)


@pytest.mark.req("S-10")
def test_needles_out_while_only_armed_are_noticed(ready: Pen, port: Hooked) -> None:
    with pytest.raises(DeviceFault), ready.needling(longest_s=20, trigger=True) as strokes:
        next(strokes)
        port.inject("actuator-drift", um_per_s=3000.0)
        for sample in strokes:
            assert sample.elapsed_s < 5


@pytest.mark.req("S-10")
def test_a_pen_whose_clock_stands_still_counts_as_silent(
    ready: Pen, port: Hooked, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LinkTimeout, match="no valid telemetry"), ready.needling(longest_s=20) as strokes:
        next(strokes)
        monkeypatch.setattr(Watch, "advanced", lambda watch, telemetry: False)
        list(strokes)
    port.advance(1)
    assert port.resting


# -- an interrupt at any line -------------------------------------------------------------------------------


class AtLine:
    """Raises KeyboardInterrupt at the n-th line executed in the driver."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0
        self.where = ""

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        name = frame.f_code.co_filename
        if "/penstroke/" not in name and "penstroke_protocol" not in name:
            return None
        if event == "line":
            self.count += 1
            if self.count == self.at:
                self.where = f"{name}:{frame.f_lineno}"
                raise KeyboardInterrupt
        return self


def _interrupted(at: int) -> tuple[Hooked, AtLine]:
    port = Hooked()
    interrupt = AtLine(at)
    before = sys.gettrace()
    try:
        with Pen(adopt(port), nonce=1, treatment=9) as pen:
            pen.select_zone("cheek", side="left")
            pen.set_rate(hz=110)
            pen.set_depth(mm=0.9)
            sys.settrace(interrupt)
            with pen.needling(longest_s=5) as strokes:
                for _ in itertools.islice(strokes, 4):
                    pass
    except (KeyboardInterrupt, PenError):
        pass
    finally:
        sys.settrace(before)
    return port, interrupt


@pytest.mark.req("S-10", "S-11", "S-12")
def test_an_interrupt_at_any_line_leaves_the_pen_at_rest_once_it_is_closed() -> None:
    _, whole = _interrupted(10**9)
    assert whole.count > 1000
    # A prime stride, so that over the lines of every loop different ones are met.
    stride = 37
    starts_after_interrupt = []
    for at in range(1, whole.count, stride):
        port, interrupt = _interrupted(at)
        assert interrupt.where, at
        assert port.resting, f"needles were left moving by an interrupt at {interrupt.where}"
        starts_after_interrupt.append(len(port.entries("start")))
    assert max(starts_after_interrupt) <= 1


@pytest.mark.req("S-12")
def test_what_was_not_sent_when_a_stop_comes_is_never_sent(port: Hooked) -> None:
    """An interrupt between making a START and writing it must not leave it to the stop's own write."""
    with Pen(adopt(port), nonce=1, treatment=9) as pen:
        pen.select_zone("cheek", side="left")
        link = pen._line.link
        link.request(Start(8, 1, 900, 1100, 1000), port.now_ns())
        pen.stop()
        pen.pump(0.5)
    assert "Start" not in port.sent
