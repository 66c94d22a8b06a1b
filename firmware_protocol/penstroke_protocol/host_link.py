"""The host's end of the line.

Strategy: one request at a time, repeated under the same seq until it is answered, so that the device carries
it out at most once. An answer counts only when session, seq and code are those of the request in flight;
anything else is counted and dropped. STOP stands outside all of that: it may be written at any time, by
`stop_frame` even from another thread, and is repeated until acknowledged. The engine never beats by itself:
`beat` is called by the turn of the loop that controls the pen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from penstroke_protocol.errors import BadPayload
from penstroke_protocol.frames import Frame, decode_message, encode_message, message_class
from penstroke_protocol.link import MS, Link
from penstroke_protocol.messages import (
    MAJOR,
    MINOR,
    MOTION_HASH,
    Beat,
    Bye,
    Condition,
    EventAck,
    Hello,
    HelloAnswer,
    Kind,
    Reason,
    Refusal,
    Role,
    State,
    Stop,
    Telemetry,
)

RETRY_MS: Final = (30, 30, 40, 60, 100, 160, 260)
"""Waits before each repeat of a request; after the last one it has timed out, 680 ms in all. The first is
above the 10 ms a device may take plus the 12 ms that the longest request and answer other than HELLO's, and a
telemetry frame in their way, take at 115200 baud."""
HELLO_RETRY_MS: Final = (100,) * 30
"""HELLO is repeated for 3 s: a board that resets when its port is opened is deaf for 1 to 2 s."""
STOP_RETRY_MS: Final = (20,) * 50
"""STOP is repeated every 20 ms for a second; the needles have stopped by their lease long before."""
NONCE_AGE_NS: Final = 300 * MS
"""A telemetry nonce older than this renews no lease."""


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """HELLO was answered."""

    answer: HelloAnswer


@dataclass(frozen=True, slots=True)
class Answered:
    """The request in flight was carried out. `epoch` is the device's after it."""

    request: Any
    answer: Any
    epoch: int


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """The device refused the request in flight; nothing has changed there."""

    request: Any
    reason: int
    detail: int
    epoch: int


@dataclass(frozen=True, slots=True)
class RequestTimedOut:
    """No answer after all repeats: whether it was carried out is unknown."""

    request: Any


@dataclass(frozen=True, slots=True)
class StopAnswered:
    """The device acted on STOP."""

    condition: Condition
    epoch: int


@dataclass(frozen=True, slots=True)
class StopTimedOut:
    """No answer to STOP after all repeats: the lease, or the pen's own key, must end motion."""


@dataclass(slots=True)
class TelemetryReceived:
    """A telemetry frame; `missed` counts those lost before it. Slotted only, as `Telemetry` is."""

    telemetry: Telemetry
    epoch: int
    at_ns: int
    missed: int


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """An event of the device, handed up once."""

    code: int
    time_ms: int
    arg: int
    epoch: int
    missed: int


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The device no longer knows this session: it was reset, or another host said HELLO."""

    boot_counter: int


HostEvent = (
    SessionOpened
    | Answered
    | RequestRefused
    | RequestTimedOut
    | StopAnswered
    | StopTimedOut
    | TelemetryReceived
    | DeviceEvent
    | SessionEnded
)


@dataclass(slots=True)
class _Flight:
    """A request waiting for its answer."""

    request: Any
    seq: int
    session: int
    frame: bytes
    waits_ms: tuple[int, ...]
    due_ns: int
    sent: int = 1


class HostLink(Link[HostEvent]):
    """The host's engine for one session: `nonce` is 32 fresh random bits, `zone_digest` that of its table."""

    def __init__(self, *, nonce: int, zone_digest: int, role: Role = Role.CONTROLLER) -> None:
        super().__init__()
        self._hello = Hello(MAJOR, MINOR, MOTION_HASH, nonce, zone_digest, role)
        self.session = 0
        self.epoch = 0
        """The device's epoch as last told. A command keeps the one it was made with."""
        self.retries = 0
        self._used = False
        """A session has been open: the nonce is spent."""
        self._seq = 0
        # Not from 1: the answer to another program's STOP may still stand in the port's buffer.
        self._stop_seq = nonce & 0xFFFF
        self._beat_seq = 0
        self._flight: _Flight | None = None
        self._stop: _Flight | None = None
        self._nonce = 0
        self._nonce_at_ns: int | None = None
        self._telemetry_number: int | None = None
        self._event_number: int | None = None

    @property
    def busy(self) -> bool:
        """A request is in flight."""
        return self._flight is not None

    def hello(self, now_ns: int) -> None:
        """Open the session; again after it timed out. Raises `RuntimeError` once a session has been open."""
        if self._used:
            raise RuntimeError("one link is one session: a new one needs a new link with a fresh nonce")
        self._seq = 0
        self._send_request(self._hello, now_ns, HELLO_RETRY_MS)

    def request(self, message: Any, now_ns: int) -> None:
        """Send a request. Raises `RuntimeError` while another is in flight or no session is open."""
        if not self.session:
            raise RuntimeError("no session: say hello first")
        self._send_request(message, now_ns, RETRY_MS)

    def bye(self, now_ns: int) -> None:
        """End the session in peace."""
        self.request(Bye(), now_ns)

    @property
    def stopping(self) -> bool:
        """A STOP is being repeated until it is answered."""
        return self._stop is not None

    def abandon(self) -> None:
        """Stop repeating the request in flight, and forget what has not been sent.

        Whether the request was carried out stays unknown.
        """
        self._flight = None
        self._out.clear()

    def beat(self, believed: State, now_ns: int) -> bool:
        """Renew the lease; False when no telemetry is fresh enough to prove that we still hear the pen."""
        if self._nonce_at_ns is None or now_ns - self._nonce_at_ns > NONCE_AGE_NS or not self.session:
            return False
        self._beat_seq = (self._beat_seq + 1) & 0xFFFF
        beat = Beat(believed, self._nonce)
        self._out.append(encode_message(beat, session=self.session, seq=self._beat_seq, epoch=self.epoch))
        return True

    def stop_frame(self) -> bytes:
        """The bytes of a STOP, for one write from any thread at any time; changes nothing here."""
        return encode_message(Stop(), session=self.session, seq=0, epoch=self.epoch)

    def stop(self, now_ns: int) -> None:
        """Send STOP, repeated until acknowledged, and give up all else: nothing may leave before it."""
        self.abandon()
        self._stop_seq = self._stop_seq % 0xFFFF + 1
        frame = encode_message(Stop(), session=self.session, seq=self._stop_seq, epoch=self.epoch)
        due_ns = now_ns + STOP_RETRY_MS[0] * MS
        self._stop = _Flight(Stop(), self._stop_seq, self.session, frame, STOP_RETRY_MS, due_ns)
        self._out.append(frame)

    def next_timer(self) -> int | None:
        """When a repeat is due."""
        if self._flight is None:
            return None if self._stop is None else self._stop.due_ns
        if self._stop is None:
            return self._flight.due_ns
        return min(self._flight.due_ns, self._stop.due_ns)

    def handle_timer(self, now_ns: int) -> None:
        """Repeat what was not answered, or give it up."""
        if self._stop is not None and self._expired(self._stop, now_ns):
            self._stop = None
            self._events.append(StopTimedOut())
        if self._flight is not None and self._expired(self._flight, now_ns):
            request, self._flight = self._flight.request, None
            self._events.append(RequestTimedOut(request))

    def _expired(self, flight: _Flight, now_ns: int) -> bool:
        if now_ns < flight.due_ns:
            return False
        if flight.sent == len(flight.waits_ms):
            return True
        # One repeat however late we are: a program that slept must not empty a magazine of repeats.
        flight.due_ns = now_ns + flight.waits_ms[flight.sent] * MS
        flight.sent += 1
        self.retries += 1
        self._out.append(flight.frame)
        return False

    def _send_request(self, message: Any, now_ns: int, waits_ms: tuple[int, ...]) -> None:
        if self._flight is not None:
            raise RuntimeError("a request is in flight: one at a time")
        self._seq = (self._seq + 1) & 0xFFFF
        frame = encode_message(message, session=self.session, seq=self._seq, epoch=self.epoch)
        due_ns = now_ns + waits_ms[0] * MS
        self._flight = _Flight(message, self._seq, self.session, frame, waits_ms, due_ns)
        self._out.append(frame)

    def _frame(self, frame: Frame, now_ns: int) -> None:
        if frame.kind in (Kind.REQUEST, Kind.BEAT, Kind.EVENT_ACK):
            self.dropped["echo"] += 1
            return
        cls = message_class(frame)
        if cls is None:
            self.dropped["unknown code"] += 1
            return
        try:
            message = decode_message(cls, frame.payload)
        except BadPayload:
            self.dropped["bad payload"] += 1
            return
        if frame.kind == Kind.TELEMETRY:
            self._telemetry(frame, message, now_ns)
        elif frame.kind == Kind.EVENT:
            self._event(frame, message.time_ms, message.arg)
        else:
            self._reply(frame, message)

    def _reply(self, frame: Frame, message: Any) -> None:
        if frame.code == Stop.spec.code:
            self._stop_reply(frame, message)
            return
        flight = self._flight
        if flight is None or frame.seq != flight.seq or frame.code != flight.request.spec.code:
            self.dropped["stale reply"] += 1
            return
        if isinstance(message, Refusal):
            if frame.session != flight.session:
                self.dropped["stale reply"] += 1
                return
            self._flight = None
            if message.reason == Reason.NO_SESSION:
                self.session = 0
                self._events.append(SessionEnded(message.detail))
                return
            if self.session:
                self.epoch = frame.epoch
            self._events.append(RequestRefused(flight.request, message.reason, message.detail, frame.epoch))
            return
        if isinstance(flight.request, Hello):
            self._opened(frame, message)
            return
        if frame.session != flight.session:
            self.dropped["stale reply"] += 1
            return
        self._flight = None
        self.epoch = frame.epoch
        self._events.append(Answered(flight.request, message, frame.epoch))
        if isinstance(flight.request, Bye):
            self.session = 0

    def _opened(self, frame: Frame, answer: HelloAnswer) -> None:
        if answer.nonce != self._hello.nonce or not frame.session:
            self.dropped["stale reply"] += 1
            return
        self._flight = None
        self._used = True
        self.session = frame.session
        self.epoch = frame.epoch
        self._events.append(SessionOpened(answer))

    def _stop_reply(self, frame: Frame, message: Any) -> None:
        stop = self._stop
        awaited = stop is not None and (frame.session, frame.seq) == (stop.session, stop.seq)
        if not isinstance(message, Condition) or not (awaited or (frame.session == self.session != 0)):
            self.dropped["stale reply"] += 1
            return
        if frame.session == self.session:
            self.epoch = frame.epoch
        if awaited:
            self._stop = None
            self._events.append(StopAnswered(message, frame.epoch))

    def _telemetry(self, frame: Frame, telemetry: Telemetry, now_ns: int) -> None:
        if frame.session != self.session or not self.session:
            self.dropped["other session"] += 1
            return
        missed = 0
        if self._telemetry_number is not None:
            step = (frame.seq - self._telemetry_number) & 0xFFFF
            if step == 0 or step > 0x7FFF:
                # A repeat or a latecomer: an old nonce or reading must not replace a new one.
                self.dropped["old telemetry"] += 1
                return
            missed = step - 1
        self._telemetry_number = frame.seq
        self._nonce = telemetry.nonce
        self._nonce_at_ns = now_ns
        self.epoch = frame.epoch
        self._events.append(TelemetryReceived(telemetry, frame.epoch, now_ns, missed))

    def _event(self, frame: Frame, time_ms: int, arg: int) -> None:
        if frame.session != self.session or not self.session:
            self.dropped["other session"] += 1
            return
        self._out.append(
            encode_message(EventAck(), session=self.session, seq=frame.seq, epoch=self.epoch, code=frame.code)
        )
        expected = 1 if self._event_number is None else (self._event_number + 1) & 0xFFFF
        step = (frame.seq - expected) & 0xFFFF
        if step > 0x7FFF:
            self.dropped["repeated event"] += 1
            return
        self._event_number = frame.seq
        self.epoch = frame.epoch
        self._events.append(DeviceEvent(frame.code, time_ms, arg, frame.epoch, step))
