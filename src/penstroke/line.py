"""A port and the host's link engine, joined: the pump that everything goes through.

Strategy. There is no thread: whoever calls `turn` moves bytes, and nothing moves when nobody calls. A stop
may come from any thread; it is one write and a flag, and the next turn of the pump repeats it until the pen
has answered. A request that ends without an answer leaves what the pen holds unknown: `unknown` stays set
until its owner has asked.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from penstroke.device_refusals import refused_by_device
from penstroke.errors import LIFT as LIFT
from penstroke.errors import DeviceFault, LinkLost, LinkTimeout, PenError, ProtocolError, Stopped
from penstroke.ports import Port
from penstroke.status import LinkStats
from penstroke_protocol import HostLink, frames
from penstroke_protocol.explain import kebab
from penstroke_protocol.host_link import (
    Answered,
    DeviceEvent,
    RequestRefused,
    RequestTimedOut,
    SessionEnded,
    SessionOpened,
    StopAnswered,
    StopTimedOut,
    TelemetryReceived,
)
from penstroke_protocol.messages import Condition, EventCode, Flag, HelloAnswer, Kind, State

if TYPE_CHECKING:
    from penstroke.ports.control import ControlRequest, ControlSocket

_READ_BYTES = 4096
_REQUEST = int(Kind.REQUEST)
_STALE_READS = 16
_STOPPED = "a stop was asked for; the pen was told to stop, and nothing goes on by itself"

Gate = Callable[[Any], None]
"""Judges a request once more, decoded from the very bytes about to leave; raises to hold it back."""


class Line:
    """One session's conversation with one pen. Not shared between threads, but for `demand_stop`."""

    def __init__(
        self,
        port: Port,
        link: HostLink,
        *,
        gate: Gate,
        told: Callable[[DeviceEvent], None] | None = None,
    ) -> None:
        self.port = port
        self.link = link
        self.unknown = False
        """A request ended without an answer: what the pen holds is not known."""
        self.stop_demanded = False
        """A stop was asked for, from any thread or program, and its owner has not been told yet."""
        self.stop_key = False
        """The pen's own stop key was pressed, and the owner has not been told yet."""
        self.owner = threading.get_ident()
        """The thread that turns the line; only it may wait for answers."""
        self.cartridge_changed = False
        """The pen told that its cartridge was taken out or put in since this was last cleared."""
        self.telemetry: TelemetryReceived | None = None
        self.fresh: deque[TelemetryReceived] = deque(maxlen=256)
        """Telemetry not yet looked at. Bounded: a loop that sleeps must not pile up readings."""
        self.events: deque[DeviceEvent] = deque(maxlen=64)
        self.telemetry_missed = 0
        self.in_turn = False
        self.stop_repeated = False
        """The last confirmed STOP was sent more than once."""
        self.stop_answer: StopAnswered | StopTimedOut | None = None
        self._gate = gate
        self._on_event = told
        self._outcome: Answered | RequestRefused | RequestTimedOut | SessionOpened | None = None
        self._session_ended: SessionEnded | None = None
        self._stop_taken_up = True
        self._askers: list[ControlRequest] = []

    # -- asking ----------------------------------------------------------------------------------------

    def open(self) -> HelloAnswer:
        """Say HELLO and wait for the answer. Raises `LinkTimeout`, `ProtocolError` or `VersionMismatch`."""
        for _ in range(_STALE_READS):
            # What waits in the port was meant for somebody else; bounded, for a line that never rests.
            if not self.port.read(_READ_BYTES, 0):
                break
        self.link.hello(self.port.now_ns())
        outcome = self._await_outcome()
        if isinstance(outcome, SessionOpened):
            return outcome.answer
        if isinstance(outcome, RequestRefused):
            raise refused_by_device(outcome)
        if self.link.frames_received or not self.link.damage:
            raise self._told(
                LinkTimeout(
                    f"nothing answers at {self.port.name}: no pen said hello within 3 s",
                    hint="check that the pen is switched on and that this is its port",
                )
            )
        raise self._told(
            ProtocolError(
                f"what is at {self.port.name} speaks, but not this protocol",
                code="not-a-pen",
                hint="name the pen's own port with --port; `penstroke devices` lists pens",
            )
        )

    def ask(self, message: Any) -> Any:
        """Send a request and wait for its answer.

        Raises `Refused` or `DeviceFault` when the pen refuses, `LinkTimeout` when it does not answer (and
        then what it holds is unknown), `LinkLost` when it is gone or was reset, `Stopped` when a stop came.
        """
        if not self.link.session:
            self._raise_session_ended()
        if type(message).spec.motion:
            self.heed_stops()
        self._send_checked(message)
        outcome = self._await_outcome()
        if isinstance(outcome, Answered):
            return outcome.answer
        if isinstance(outcome, RequestRefused):
            raise refused_by_device(outcome)
        if self._session_ended is not None:
            self._raise_session_ended()
        self.unknown = True
        if outcome is None:
            self.heed_stops()
            raise Stopped(_STOPPED)
        raise self._told(
            LinkTimeout(
                f"{self.port.name} did not answer {type(message).__name__} within 0.7 s; what the pen holds "
                "is unknown until it is asked again",
                hint="check the cable, then ask for its status",
            )
        )

    def _send_checked(self, message: Any) -> None:
        """Queue a request, decode the very bytes that would leave, and let the gate judge those."""
        self._flush()
        try:
            self.link.request(message, self.port.now_ns())
            data = self.link.data_to_send()
            # One whole frame and nothing else: whatever is not that, decodes to no frame.
            frame = frames.decode(data[1:-1])
            cls = frames.message_class(frame)
            sent = None if cls is None else frames.decode_message(cls, frame.payload)
            if frame.kind != _REQUEST or sent != message:
                raise RuntimeError(f"the frame made for {message} says {sent}")
            self._gate(sent)
            if cls is not None and cls.spec.motion:
                # A record may have taken its time, and a stop from another thread has left meanwhile.
                self.heed_stops()
        except BaseException:
            self.link.abandon()
            raise
        self._write(data)

    def _waiting(self) -> bool:
        return self.link.busy and self._outcome is None and self._session_ended is None

    def _await_outcome(self) -> Any:
        self._outcome = None
        while self._waiting():
            self.turn(None)
        outcome, self._outcome = self._outcome, None
        return outcome

    # -- stopping --------------------------------------------------------------------------------------

    def heed_stops(self) -> None:
        """Raise `Stopped`, or `DeviceFault` for the pen's own key, if a stop has come that was not told yet.

        `DeviceFault` as well (`retraction-unconfirmed`) when the pen does not answer it. Every stop is told
        to the owner once: nothing that was asked for before it was told may move a needle.
        """
        if self.stop_key:
            self.stop_key = False
            self.stop_demanded = False
            raise DeviceFault(
                "the pen was stopped by its own stop key",
                code="stopped-by-key",
                hint="start again when it is safe to",
            )
        if self.stop_demanded:
            self.stop_demanded = False
            if not self._stop_taken_up:
                # Before it is told: else the next request would be given up for it, and tell it again.
                self.confirm_stop()
            raise Stopped(_STOPPED)

    def demand_stop(self) -> None:
        """From any thread: one write, and a flag that ends the beats. Raises what the write raises."""
        self.stop_demanded = True
        self._stop_taken_up = False
        self.port.write_now(self.link.stop_frame())

    def begin_stop(self) -> None:
        """From the pump's thread: send STOP, repeated by the turns that follow until it is answered."""
        self.stop_answer = None
        self.link.stop(self.port.now_ns())
        try:
            self.port.write_now(self.link.data_to_send())
        except LinkLost as lost:
            raise self._told(lost) from lost.__cause__
        self._stop_taken_up = True

    def confirm_stop(self) -> Condition:
        """Turn until STOP is answered. Raises `DeviceFault` (`retraction-unconfirmed`) when it is not."""
        repeats = self.link.retries
        self.begin_stop()
        while self.stop_answer is None:
            self.turn(None)
        self.stop_repeated = self.link.retries > repeats
        if isinstance(self.stop_answer, StopTimedOut):
            raise self._told(
                DeviceFault(
                    f"the pen did not answer STOP: {LIFT}",
                    code="retraction-unconfirmed",
                    hint="its own lease stops it within 0.35 s when it works; switch it off",
                )
            )
        return self.stop_answer.condition

    # -- the pump --------------------------------------------------------------------------------------

    def turn(self, until_ns: int | None) -> None:
        """Move bytes once: wait for some until `until_ns` or the link's own next timer, then deal with them.

        With `until_ns` None there must be a timer running, else the port refuses to wait for ever.
        Raises `LinkLost` when the port is gone.
        """
        port, link = self.port, self.link
        self.in_turn = True
        self.owner = threading.get_ident()
        try:
            if not self._stop_taken_up:
                self._take_up_stop()
            self._flush()
            due_ns = link.next_timer()
            if due_ns is not None and (until_ns is None or due_ns < until_ns):
                until_ns = due_ns
            wait_ns = None if until_ns is None else max(0, until_ns - port.now_ns())
            data = port.read(_READ_BYTES, wait_ns)
            now_ns = port.now_ns()
            if data:
                link.receive_data(data, now_ns)
                self._take_events()
            if due_ns is not None and now_ns >= due_ns:
                link.handle_timer(now_ns)
                self._take_events()
            self._flush()
            if port.control is not None:
                self._hear_askers(port.control)
        except LinkLost as lost:
            raise self._told(lost) from lost.__cause__
        finally:
            self.in_turn = False

    def _take_up_stop(self) -> None:
        """Repeat a stop that another thread wrote. One that is being repeated already is not begun afresh."""
        if self.link.stopping:
            self.link.abandon()
            self._stop_taken_up = True
        else:
            self.begin_stop()

    def _hear_askers(self, control: ControlSocket) -> None:
        """Other programs ask this one, which holds the port, to stop the pen."""
        for request in control.poll():
            if request.ask != "stop":
                request.answer(stopped=False, state="unknown", message=f"cannot {request.ask}")
                continue
            self._askers.append(request)
            self.stop_demanded = True
            self._stop_taken_up = False
        if self._askers and isinstance(self.stop_answer, StopAnswered) and self._stop_taken_up:
            flags, state = self.stop_answer.condition.flags, self.stop_answer.condition.state
            if self.telemetry is not None:
                flags, state = self.telemetry.telemetry.flags, self.telemetry.telemetry.state
            if not flags & (Flag.MOTOR_ON | Flag.NEEDLES_OUT):
                self.answer_askers(stopped=True, state=state)

    def answer_askers(self, *, stopped: bool, state: int | None) -> None:
        """Tell whoever asked for a stop how it ended: by the pen's own word, or not at all."""
        for request in self._askers:
            request.answer(stopped=stopped, state="unknown" if state is None else kebab(State(state).name))
        self._askers.clear()

    def _flush(self) -> None:
        data = self.link.data_to_send()
        if data:
            self._write(data)

    def _write(self, data: bytes) -> None:
        try:
            self.port.write(data)
        except LinkLost as lost:
            raise self._told(lost) from lost.__cause__

    def _take_events(self) -> None:
        while (event := self.link.next_event()) is not None:
            if isinstance(event, TelemetryReceived):
                self.telemetry = event
                self.telemetry_missed += event.missed
                self.fresh.append(event)
            elif isinstance(event, DeviceEvent):
                self.events.append(event)
                if self._on_event is not None:
                    self._on_event(event)
                if event.code == EventCode.STOP_KEY:
                    self.stop_key = True
                if event.code in (EventCode.CARTRIDGE_IN, EventCode.CARTRIDGE_OUT):
                    self.cartridge_changed = True
            elif isinstance(event, StopAnswered | StopTimedOut):
                self.stop_answer = event
                # Only what is measured from here on tells whether the needles came in.
                self.telemetry = None
            elif isinstance(event, SessionEnded):
                self._session_ended = event
            else:
                self._outcome = event

    def _raise_session_ended(self) -> NoReturn:
        raise self._told(
            LinkLost(
                "this session with the pen has ended: it was closed, or the pen was reset or switched off",
                hint="connect again; zone, depth and rate have to be set afresh",
            )
        )

    # -- for people ------------------------------------------------------------------------------------

    def stats(self) -> LinkStats:
        """Counts since the connection was made."""
        return LinkStats(
            frames_received=self.link.frames_received,
            damaged=dict(self.link.damage),
            dropped=dict(self.link.dropped),
            retries=self.link.retries,
            telemetry_missed=self.telemetry_missed,
        )

    def silent(self, message: str) -> PenError:
        """The error for a pen that has fallen silent."""
        return self._told(LinkTimeout(message, hint="check the cable and the pen"))

    def _told(self, error: PenError) -> PenError:
        """The error with the last frames on the line attached, decoded."""
        error.black_box = self.port.black_box()
        return error
