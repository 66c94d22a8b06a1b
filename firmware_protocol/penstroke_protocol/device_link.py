"""The device's end of the line: frames, session, at-most-once and repeats; nothing of what a pen does.

Strategy: every frame is judged in one order (kind, session, seq, code, payload, role, epoch), and what passes
is handed up as an event that the firmware answers with `answer` or `refuse`, at once or later. The last four
answers are kept, so that a repeated request gets the same bytes again and is carried out once. STOP skips all
of that: it is handed up every time it comes. Judged here is only what needs no knowledge of the pen.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, replace
from typing import Any, Final

from penstroke_protocol.errors import BadPayload
from penstroke_protocol.frames import Frame, decode_message, encode_message, message_class
from penstroke_protocol.link import MS, Link
from penstroke_protocol.messages import (
    Beat,
    Bye,
    Condition,
    Event,
    Hello,
    HelloAnswer,
    Kind,
    Reason,
    Refusal,
    Role,
    Stop,
    Telemetry,
)

MEMORY: Final = 4
"""Answers remembered. One would do for stop-and-wait; four cover repeats that a slow bridge delivers late."""
EVENT_REPEAT_NS: Final = 100 * MS
EVENT_QUEUE: Final = 8
"""Events waiting for acknowledgement; beyond that the oldest is dropped and counted: faults are latched and
told by telemetry anyway."""


@dataclass(frozen=True, slots=True)
class HelloReceived:
    """Another host, or the same one afresh. End all motion, then `open_session`."""

    hello: Hello
    token: int


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """A request to carry out once; answer it with its `token`."""

    request: Any
    token: int


@dataclass(frozen=True, slots=True)
class StopReceived:
    """STOP: act, then `answer_stop`."""

    session: int
    seq: int


@dataclass(frozen=True, slots=True)
class BeatReceived:
    """A beat of the open session. Whether it renews the lease is for the firmware to judge."""

    beat: Beat
    epoch: int


DeviceLinkEvent = HelloReceived | RequestReceived | StopReceived | BeatReceived


@dataclass(slots=True)
class _Remembered:
    """A request of this session and, once given, its answer."""

    content: Frame
    answer: bytes | None = None


class DeviceLink(Link[DeviceLinkEvent]):
    """The device's engine.

    `identity` is the answer to HELLO; `nonce`, `role`, `motion_hash` and versions are filled in here unless
    the identity is of another version on purpose. `first_session` seeds the session numbers, so that a frame
    from before a reset does not fit.
    """

    def __init__(self, *, identity: HelloAnswer, first_session: int, first_epoch: int = 0) -> None:
        super().__init__()
        self.identity = identity
        self.session = 0
        self.role = Role.OBSERVER
        self.epoch = first_epoch
        """Raised by the firmware at every end of motion; stamped into every frame that leaves."""
        self.events_lost = 0
        self._last_session = first_session
        self._last_seq = 0
        self._nonce: int | None = None
        self._hello_answer = b""
        self._memory: OrderedDict[int, _Remembered] = OrderedDict()
        self._telemetry_number = 0
        self._event_number = 0
        self._unacknowledged: deque[tuple[int, int, Event]] = deque()
        self._event_due_ns: int | None = None

    # -- what the firmware calls -----------------------------------------------------------------------

    def raise_epoch(self) -> None:
        """To be called at every end of motion, before anything is answered."""
        self.epoch = (self.epoch + 1) & 0xFFFF

    def open_session(self, hello: Hello, token: int) -> None:
        """Answer HELLO. A host with another motion hash or zone digest is an observer, whatever it asked."""
        if self.session and hello.nonce == self._nonce:
            # A repeat that came before a slow firmware had opened the session: one nonce is one session.
            self._out.append(self._hello_answer)
            return
        agrees = (
            hello.motion_hash == self.identity.motion_hash and hello.zone_digest == self.identity.zone_digest
        )
        self.role = Role(hello.role) if agrees else Role.OBSERVER
        self._last_session = self._last_session % 0xFFFF + 1
        self.session = self._last_session
        self._last_seq = token
        self._nonce = hello.nonce
        self._memory.clear()
        self._forget_events()
        self._telemetry_number = 0
        answer = replace(self.identity, nonce=hello.nonce, role=self.role)
        self._hello_answer = encode_message(
            answer, session=self.session, seq=token, epoch=self.epoch, code=Hello.spec.code
        )
        self._out.append(self._hello_answer)

    def answer(self, token: int, message: Any) -> None:
        """Answer the request with this token; ignored when it is no longer remembered."""
        session, seq = divmod(token, 0x1_0000)
        remembered = self._memory.get(seq)
        # A late answer must not go to the request that has the same seq in a newer session.
        if remembered is None or remembered.content.session != session:
            return
        frame = encode_message(
            message,
            session=session,
            seq=seq,
            epoch=self.epoch,
            code=remembered.content.code,
        )
        remembered.answer = frame
        self._out.append(frame)
        if remembered.content.code == Bye.spec.code and not isinstance(message, Refusal):
            self._close()

    def refuse(self, token: int, reason: Reason, detail: int = 0) -> None:
        """Refuse the request with this token."""
        self.answer(token, Refusal(reason, detail))

    def answer_stop(self, stop: StopReceived, condition: Condition) -> None:
        """Answer STOP with the session and seq it came with."""
        self._out.append(
            encode_message(
                condition, session=stop.session, seq=stop.seq, epoch=self.epoch, code=Stop.spec.code
            )
        )

    def send_telemetry(self, telemetry: Telemetry) -> None:
        """Send telemetry once; nothing without a session."""
        if not self.session:
            return
        self._telemetry_number = (self._telemetry_number + 1) & 0xFFFF
        self._out.append(
            encode_message(telemetry, session=self.session, seq=self._telemetry_number, epoch=self.epoch)
        )

    def send_event(self, code: int, event: Event, now_ns: int) -> None:
        """Queue an event, repeated until acknowledged; nothing without a session."""
        if not self.session:
            return
        self._event_number = (self._event_number + 1) & 0xFFFF
        self._unacknowledged.append((self._event_number, code, event))
        if len(self._unacknowledged) > EVENT_QUEUE:
            self._unacknowledged.popleft()
            self.events_lost = min(self.events_lost + 1, 0xFFFF)
        if self._event_due_ns is None:
            self._send_oldest_event(now_ns)

    # -- the engine ------------------------------------------------------------------------------------

    def next_timer(self) -> int | None:
        """When an event is to be repeated."""
        return self._event_due_ns

    def handle_timer(self, now_ns: int) -> None:
        """Repeat the oldest unacknowledged event when it is due."""
        if self._event_due_ns is not None and now_ns >= self._event_due_ns:
            self._send_oldest_event(now_ns)

    def _send_oldest_event(self, now_ns: int) -> None:
        number, code, event = self._unacknowledged[0]
        self._out.append(encode_message(event, session=self.session, seq=number, epoch=self.epoch, code=code))
        self._event_due_ns = now_ns + EVENT_REPEAT_NS

    def _forget_events(self) -> None:
        self._unacknowledged.clear()
        self._event_due_ns = None
        self._event_number = 0

    def _close(self) -> None:
        self.session = 0
        self.role = Role.OBSERVER
        self._nonce = None
        self._forget_events()

    def _frame(self, frame: Frame, now_ns: int) -> None:
        if frame.kind == Kind.REQUEST:
            if frame.code == Stop.spec.code:
                # Whatever its payload, session, seq or epoch: nothing about a STOP may keep it from acting.
                self._events.append(StopReceived(frame.session, frame.seq))
            elif frame.code == Hello.spec.code:
                self._hello(frame)
            else:
                self._request(frame)
        elif frame.kind == Kind.BEAT:
            self._beat(frame)
        elif frame.kind == Kind.EVENT_ACK:
            self._event_ack(frame, now_ns)
        else:
            self.dropped["echo"] += 1

    def _hello(self, frame: Frame) -> None:
        if len(frame.payload) >= 2 and frame.payload[0] != self.identity.major:
            detail = self.identity.major << 8 | self.identity.minor
            self._refuse_unremembered(frame, Reason.VERSION, detail)
            return
        try:
            hello = decode_message(Hello, frame.payload)
        except BadPayload:
            self._refuse_unremembered(frame, Reason.BAD_PAYLOAD)
            return
        if self.session and hello.nonce == self._nonce:
            self._out.append(self._hello_answer)
            return
        self._events.append(HelloReceived(hello, frame.seq))

    def _request(self, frame: Frame) -> None:
        remembered = self._memory.get(frame.seq)
        if remembered is not None and remembered.content == frame:
            # Also without a session: a BYE is repeated when its answer was lost. A request that is still
            # being carried out has no answer yet, and gets it when it is done.
            if remembered.answer is not None:
                self._out.append(remembered.answer)
            return
        if not self.session or frame.session != self.session:
            self._refuse_unremembered(frame, Reason.NO_SESSION, self.identity.boot_counter)
            return
        if remembered is not None:
            self._refuse_unremembered(frame, Reason.SEQ_REUSED, frame.seq)
            return
        if not 1 <= (frame.seq - self._last_seq) & 0xFFFF <= 0x7FFF:
            self._refuse_unremembered(frame, Reason.OLD_SEQ, self._last_seq)
            return
        self._last_seq = frame.seq
        self._memory[frame.seq] = _Remembered(frame)
        token = frame.session << 16 | frame.seq
        if len(self._memory) > MEMORY:
            self._memory.popitem(last=False)
        cls = message_class(frame)
        if cls is None:
            self.refuse(token, Reason.UNKNOWN_CODE, frame.code)
            return
        try:
            request = decode_message(cls, frame.payload)
        except BadPayload:
            self.refuse(token, Reason.BAD_PAYLOAD)
            return
        if self.role is not Role.CONTROLLER and not cls.spec.observer:
            self.refuse(token, Reason.NOT_CONTROLLER)
        elif cls.spec.epoch and frame.epoch != self.epoch:
            self.refuse(token, Reason.STALE_EPOCH, self.epoch)
        else:
            self._events.append(RequestReceived(request, token))

    def _refuse_unremembered(self, frame: Frame, reason: Reason, detail: int = 0) -> None:
        self._out.append(
            encode_message(
                Refusal(reason, detail),
                session=frame.session,
                seq=frame.seq,
                epoch=self.epoch,
                code=frame.code,
            )
        )

    def _beat(self, frame: Frame) -> None:
        if not self.session or frame.session != self.session or self.role is not Role.CONTROLLER:
            self.dropped["other session"] += 1
            return
        try:
            beat = decode_message(Beat, frame.payload)
        except BadPayload:
            self.dropped["bad payload"] += 1
            return
        self._events.append(BeatReceived(beat, frame.epoch))

    def _event_ack(self, frame: Frame, now_ns: int) -> None:
        if frame.payload:
            self.dropped["bad payload"] += 1
            return
        if not self.session or frame.session != self.session or not self._unacknowledged:
            self.dropped["stale acknowledgement"] += 1
            return
        if frame.seq != self._unacknowledged[0][0]:
            self.dropped["stale acknowledgement"] += 1
            return
        self._unacknowledged.popleft()
        if self._unacknowledged:
            self._send_oldest_event(now_ns)
        else:
            self._event_due_ns = None
