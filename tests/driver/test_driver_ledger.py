"""What is on record before it leaves: the gate asks the ledger, with the very request on its way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from penstroke.connecting import connect
from penstroke.errors import DeviceFault, RecordError, Refused, Stopped
from penstroke.ledger import RECORDED, command_facts, event_facts
from penstroke.pen import Pen
from penstroke.ports.opening import adopt
from penstroke_protocol import Receiver
from penstroke_protocol.frames import decode_message, message_class
from penstroke_protocol.host_link import DeviceEvent
from penstroke_protocol.messages import (
    Arm,
    EventCode,
    Fault,
    Kind,
    LowerCeiling,
    SelectZone,
    SetDepth,
    SetRate,
    Start,
)
from penstroke_sim.inprocess import VirtualPort, open_virtual


class Book:
    """A ledger in memory that may be slow, or fail, and knows what it was asked for."""

    def __init__(self) -> None:
        self.entries: list[Any] = []
        self.events: list[dict[str, object]] = []
        self.written_entries = 0
        self.fails_at: int | None = None
        self.while_writing: Callable[[], None] = lambda: None

    def command(self, request: Any) -> None:
        if request not in self.entries[-2:]:
            self.prepare(request)

    def prepare(self, *requests: Any) -> None:
        for request in requests:
            self.announce(request)
        self.while_writing()
        self.written_entries = len(self.entries)

    def announce(self, request: Any) -> None:
        if self.fails_at is not None and len(self.entries) >= self.fails_at:
            raise RecordError("the disk is full", code="record-unwritable")
        self.entries.append(request)

    def told(self, event: DeviceEvent) -> None:
        self.events.append(event_facts(event))

    def written(self, request: Any) -> bool:
        return request in self.entries[: self.written_entries]


class Watched(VirtualPort):
    """A port that holds every request that leaves against the book."""

    def __init__(self, book: Book) -> None:
        super().__init__(open_virtual("sim://pen?seed=1&clock=virtual").world)
        self.book = book
        self.left: list[Any] = []
        self._receiver = Receiver()

    def write(self, data: bytes) -> None:
        for frame in self._receiver.receive(data):
            cls = message_class(frame)
            if frame.kind == Kind.REQUEST and cls in RECORDED:
                request = decode_message(cls, frame.payload)
                assert self.book.written(request), f"{request} leaves before it is on record"
                self.left.append(request)
        super().write(data)

    def motors_started(self) -> int:
        return sum(entry["event"] == "motor" and entry["on"] for entry in self.journal.entries)


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def port(book: Book) -> Watched:
    return Watched(book)


def needle(pen: Pen, seconds: float = 1.0) -> None:
    pen.select_zone("cheek", side="left")
    pen.set_rate(hz=100)
    pen.set_depth(mm=0.5)
    pen.lower_ceiling(mm=0.5)
    with pen.needling(longest_s=seconds) as strokes:
        for _ in strokes:
            pass


@pytest.mark.req("S-14")
def test_whatever_sets_or_moves_is_on_record_before_it_leaves(book: Book, port: Watched) -> None:
    with connect(adopt(port), ledger=book) as pen:
        needle(pen)
    assert [type(request) for request in port.left] == [
        SelectZone,
        SetRate,
        SetDepth,
        LowerCeiling,
        Arm,
        Start,
    ]
    assert book.entries == port.left


@pytest.mark.req("S-14")
@pytest.mark.parametrize("fails_at", range(6))
def test_what_cannot_be_recorded_does_not_leave(book: Book, port: Watched, fails_at: int) -> None:
    book.fails_at = fails_at
    with connect(adopt(port), ledger=book) as pen:
        with pytest.raises(RecordError, match="the disk is full"):
            needle(pen)
        # ARM and START stand together: where START cannot be recorded the pen is not even armed.
        assert len(port.left) == min(fails_at, 4)
        assert pen.status().state == "idle"
    assert not port.motors_started()


@pytest.mark.req("S-14", "S-12")
def test_a_stop_that_comes_while_the_record_is_written_is_heeded(book: Book, port: Watched) -> None:
    with connect(adopt(port), ledger=book) as pen:
        pen.select_zone("cheek", side="left")
        pen.set_rate(hz=100)
        pen.set_depth(mm=0.5)
        book.while_writing = pen.demand_stop
        with pytest.raises(Stopped), pen.needling(longest_s=1):
            pass
        assert not any(isinstance(request, Arm) for request in port.left)
        with pytest.raises(Stopped):
            pen.set_depth(mm=0.4)
        assert SetDepth(400) not in port.left
        book.while_writing = lambda: None
        needle(pen)
    assert port.motors_started() == 1


@pytest.mark.req("S-14")
def test_a_slow_record_before_the_press_costs_no_lease(book: Book, port: Watched) -> None:
    book.while_writing = lambda: port.advance(0.4)
    with connect(adopt(port), ledger=book) as pen:
        needle(pen)
        assert not pen.faults()
    assert port.motors_started() == 1


@pytest.mark.req("S-14", "S-19")
def test_a_shallower_depth_leaves_once_it_is_on_record_and_the_needles_go_on_meanwhile(
    book: Book, port: Watched
) -> None:
    with connect(adopt(port), ledger=book) as pen:
        pen.select_zone("cheek", side="left")
        pen.set_rate(hz=100)
        pen.set_depth(mm=0.5)
        asked_at_s = set_at_s = None
        with pen.needling(longest_s=3) as strokes:
            for sample in strokes:
                if asked_at_s is None and sample.elapsed_s >= 1:
                    strokes.shallower(mm=0.3)
                    asked_at_s = sample.elapsed_s
                elif asked_at_s is not None and sample.elapsed_s >= asked_at_s + 0.6:
                    book.written_entries = len(book.entries)
                if set_at_s is None and SetDepth(300) in port.left:
                    set_at_s = sample.elapsed_s
        assert asked_at_s is not None
        assert set_at_s is not None
        assert asked_at_s + 0.6 <= set_at_s <= asked_at_s + 0.8
        assert strokes.ended == "duration"
        assert pen.status().depth_mm == 0.3


def test_shallower_is_judged_at_once(book: Book, port: Watched) -> None:
    with connect(adopt(port), ledger=book) as pen:
        pen.select_zone("cheek", side="left")
        pen.set_rate(hz=100)
        pen.set_depth(mm=0.5)
        with pen.needling(longest_s=1) as strokes:
            with pytest.raises(Refused) as refused:
                strokes.shallower(mm=0.6)
            assert refused.value.code == "deeper-while-running"
            for _ in strokes:
                pass
        assert strokes.ended == "duration"
    assert [request.depth_um for request in port.left if isinstance(request, SetDepth)] == [500]


def test_without_a_ledger_shallower_leaves_with_the_next_turn() -> None:
    with connect("sim://pen?seed=1&clock=virtual") as pen:
        pen.select_zone("cheek", side="left")
        pen.set_rate(hz=100)
        pen.set_depth(mm=0.5)
        with pen.needling(longest_s=1) as strokes:
            strokes.shallower(mm=0.3)
            for _ in strokes:
                pass
        assert pen.status().depth_mm == 0.3


@pytest.mark.parametrize(
    ("request_", "facts"),
    [
        (
            SelectZone(8, 1, 1300),
            {"command": "select-zone", "zone": "cheek", "side": "left", "ceiling_mm": 1.3},
        ),
        (LowerCeiling(650), {"command": "lower-ceiling", "ceiling_mm": 0.65}),
        (SetDepth(300), {"command": "set-depth", "depth_mm": 0.3}),
        (SetRate(1105), {"command": "set-rate", "rate_hz": 110.5}),
        (Arm(255, 0), {"command": "arm", "treatment": "00000000000000ff"}),
        (Arm(255, 60), {"command": "arm", "treatment": "00000000000000ff", "trigger_longest_s": 60}),
        (
            Start(8, 2, 500, 1000, 1500),
            {
                "command": "run",
                "zone": "cheek",
                "side": "right",
                "depth_mm": 0.5,
                "rate_hz": 100.0,
                "for_s": 1.5,
            },
        ),
    ],
)
def test_a_command_reads_in_the_words_and_units_of_people(request_: Any, facts: dict[str, object]) -> None:
    assert command_facts(request_) == facts


def test_what_the_pen_tells_goes_to_the_ledger_as_well(book: Book, port: Watched) -> None:
    with connect(adopt(port), ledger=book) as pen:
        needle(pen)
        port.inject("stop-key")
        with pytest.raises(DeviceFault):
            needle(pen)
    told = [(event["event"], event.get("why")) for event in book.events]
    assert told[:3] == [("run-started", None), ("run-ended", "duration"), ("retracted", None)]
    assert ("stop-key", None) in told


def test_an_event_that_this_version_does_not_know_is_told_by_its_number() -> None:
    told = event_facts(DeviceEvent(code=200, time_ms=5, arg=7, epoch=1, missed=2))
    assert told == {"event": "unknown-200", "arg": 7, "at_device_ms": 5, "missed": 2}


def test_a_fault_is_told_by_its_names() -> None:
    event = DeviceEvent(EventCode.FAULT, 5, int(Fault.LEASE | Fault.CARTRIDGE_OFF), 1, 0)
    assert event_facts(event)["faults"] == ["lease", "cartridge-off"]


def test_a_request_that_moves_nothing_is_no_recorded_command() -> None:
    with pytest.raises(ValueError, match="no command that is recorded"):
        command_facts(object())
