"""Seeded worlds on a line that loses 3 % of all bytes: a stop holds, nothing acts twice, nothing resumes."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

from campaign.hosts import MS, Host, motor_on, set_up
from campaign.orders import Order, Section
from penstroke.errors import PenError
from penstroke.pen import Pen
from penstroke_protocol.device_link import RequestReceived
from penstroke_protocol.host_link import StopAnswered, StopTimedOut
from penstroke_protocol.messages import State

LOSS = 0.03
TEXT = f"""{LOSS:.0%} of the bytes are lost, in both directions. Each world: a session, runs that are stopped
at random instants by their owner or by another thread, settings between them, the cable cut or the host gone
in the midst, and a new session. Counted: requests that the pen carried out, stops that were acknowledged, and
what must not be."""

PLANTED = {"a request acted twice", "motor on after a stop", "motion unasked"}


def run(order: Order) -> list[Section]:
    """All worlds."""
    section = Section("Worlds that lose bytes", TEXT, ("what", "number", "wrong"))
    worlds = order.count(full=2000, check=300, small=25)
    counts: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for number in range(worlds):
        world = _World(order, number)
        for what in world.live():
            wrong[what] += 1
            section.fail(f"world {number}: {what}")
        counts.update(world.counts)
    if order.planted and not set(wrong) >= {
        "a request acted twice",
        "motor on after a stop",
        "motion unasked",
    }:
        section.failed = 0  # one of the planted defects went unseen
    section.ran = worlds
    section.rows = [
        ("worlds", f"{worlds:,}", ""),
        ("runs begun", f"{counts['runs']:,}", ""),
        ("requests carried out; twice", f"{counts['requests']:,}", str(wrong["a request acted twice"])),
        ("STOP acknowledged; motor on after it", f"{counts['stops']:,}", str(wrong["motor on after a stop"])),
        ("STOP given up, said so to the caller", f"{counts['given up']:,}", ""),
        ("motor on 350 ms after a stop was asked for", f"{counts['asked']:,}", str(wrong["motor ran on"])),
        ("new sessions; motion without an arm", f"{counts['sessions']:,}", str(wrong["motion unasked"])),
    ]
    return [section]


class _World:
    """One pen, its hosts one after the other, and what went wrong."""

    def __init__(self, order: Order, number: int) -> None:
        self.rng = order.rng("lossy_worlds", number)
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.host = Host(self.rng, telemetry_hz=(20, 50, 100))
        self._watch_requests()
        if order.planted:
            _forget_answers(self.host)
            _motor_by_itself(self.host, "open_session")
            if number % 2:
                _motor_by_itself(self.host, "answer_stop")

    def live(self) -> list[str]:
        """All that happens in this world; gives what went wrong."""
        host, pen = self.host, self.host.pen
        host.world.inject("drop", probability=LOSS)
        for _ in range(3):
            self._needle(pen)
            self._set_something(pen)
        if self.rng.random() < 0.5:
            host.world.inject("cut")
        host.port.close()
        self._reconnect()
        return self.wrong

    def _needle(self, pen: Pen) -> None:
        host, rng = self.host, self.rng
        turns, way = rng.randrange(1, 30), rng.randrange(3)
        if rng.random() < 0.6:
            # Else few presses come through; the loss begins between the press and the first strokes.
            host.world.inject("drop", off=True)
            at_ns = host.world.now_ns + rng.randrange(20 * MS, 120 * MS)
            host.port.ring_at(at_ns, lambda: host.world.inject("drop", probability=LOSS))
        with suppress(PenError):
            pen.clear_faults()
        acked: list[int] = []
        self._note_acknowledged(pen, acked)
        try:
            with pen.needling(longest_s=30) as strokes:
                self.counts["runs"] += 1
                for turn, _ in enumerate(strokes):
                    if turn < turns:
                        continue
                    if way == 0:
                        pen.stop()
                    elif way == 1:
                        pen.demand_stop()
                        way = -1
                    elif way == 2:
                        break
        except PenError:
            pass
        self.counts["asked"] += 1
        self.counts["stops"] += len(acked)
        host.advance_ms(350)
        if motor_on(host.entries):
            self.wrong.append("motor ran on")
        if acked:
            ons = [e for e in host.entries[acked[0] :] if e["event"] == "motor" and e["on"]]
            if ons:
                self.wrong.append("motor on after a stop")

    def _note_acknowledged(self, pen: Pen, acked: list[int]) -> None:
        """Where the journal stood when the host first heard a STOP answered; nothing may start after it."""
        link, entries = pen._line.link, self.host.entries
        take = type(link).next_event

        def next_event() -> Any:
            event = take(link)
            if isinstance(event, StopTimedOut):
                self.counts["given up"] += 1
            if isinstance(event, StopAnswered):
                acked.append(len(entries))
                if motor_on(entries):
                    self.wrong.append("motor on after a stop")
            return event

        link.next_event = next_event  # type: ignore[method-assign]  # to hear what the host hears

    def _set_something(self, pen: Pen) -> None:
        for _ in range(3):
            with suppress(PenError):
                pen.set_depth(mm=self.rng.randrange(2, 19) / 20)
            with suppress(PenError):
                pen.set_rate(hz=self.rng.randrange(80, 150))

    def _reconnect(self) -> None:
        """A new session, with everything in it but an arm; whatever the old one left on the way may come."""
        host, rng = self.host, self.rng
        host.world.plug()
        ons = sum(e["event"] == "motor" and e["on"] for e in host.entries)
        host.world.inject("drop", off=True)
        host.port = type(host.port)(host.world)
        pen = host.connect()
        self._watch_requests()
        self.counts["sessions"] += 1
        host.world.inject("drop", probability=LOSS)
        with suppress(PenError):
            pen.clear_faults()
            set_up(pen)
        with suppress(PenError):
            pen.pump(rng.uniform(0.2, 2))
        if host.world.firmware.state in (State.ARMED, State.RUNNING):
            self.wrong.append("motion unasked")
        if sum(e["event"] == "motor" and e["on"] for e in host.entries) != ons or motor_on(host.entries):
            self.wrong.append("motion unasked")

    def _watch_requests(self) -> None:
        """Every request that the link hands to the firmware, by its token: session and seq."""
        link = self.host.world.firmware.link
        take, seen = type(link).next_event, set[int]()

        def next_event() -> Any:
            event = take(link)
            if isinstance(event, RequestReceived):
                self.counts["requests"] += 1
                if event.token in seen:
                    self.wrong.append("a request acted twice")
                seen.add(event.token)
            return event

        link.next_event = next_event  # type: ignore[method-assign]  # to hear what the firmware hears


def _forget_answers(host: Host) -> None:
    """Planted: the pen remembers no answer, and takes any seq."""
    link = host.world.firmware.link
    judge = link._request

    def request(frame: Any) -> None:
        link._memory.clear()
        link._last_seq = (frame.seq - 1) & 0xFFFF
        judge(frame)

    link._request = request  # type: ignore[method-assign]  # a defect on purpose


def _motor_by_itself(host: Host, after: str) -> None:
    """Planted: a new session, or an answered STOP, drives the motor."""
    firmware = host.world.firmware
    act = getattr(firmware.link, after)

    def acted(*how: Any) -> None:
        act(*how)
        firmware.body.drive(110.0, 900.0, "planted", host.world.now_ns)

    setattr(firmware.link, after, acted)
