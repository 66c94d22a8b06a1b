"""A recorded host, put into the terms of another pen's session.

Session number, epochs and telemetry nonces are the pen's choice, and a fresh pen chooses others than the one
a trace was taken from. What the host said is the same once these are exchanged: session for session, epoch by
its distance from the epoch at HELLO, nonce by the number of the telemetry frame it came in.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from penstroke_protocol import BadPayload, Frame, Receiver
from penstroke_protocol.fields import pack
from penstroke_protocol.frames import decode_message, encode
from penstroke_protocol.messages import Beat, Hello, Kind, Telemetry


@dataclass
class _Pen:
    """What one pen chose in its present session."""

    receiver: Receiver = field(default_factory=Receiver)
    session: int = 0
    epoch: int = 0
    nonces: dict[int, int] = field(default_factory=dict)
    """By number of the telemetry frame."""
    numbers: dict[int, int] = field(default_factory=dict)
    """The other way round."""
    newest: int = 0
    """The nonce last told."""

    def hear(self, data: bytes) -> None:
        for frame in self.receiver.receive(data):
            if frame.kind == Kind.ANSWER and frame.code == Hello.spec.code:
                self.session, self.epoch = frame.session, frame.epoch
                self.nonces.clear()
                self.numbers.clear()
            elif frame.kind == Kind.TELEMETRY and frame.session == self.session:
                try:
                    nonce = decode_message(Telemetry, frame.payload).nonce
                except BadPayload:
                    continue
                self.nonces[frame.seq] = self.newest = nonce
                self.numbers[nonce] = frame.seq


class Translator:
    """Fed with what both pens say, gives the recorded host's bytes as the present pen must hear them."""

    def __init__(self) -> None:
        self._then = _Pen()
        self._now = _Pen()
        self._host = Receiver()

    def recorded(self, data: bytes) -> None:
        """Bytes that the pen of the trace said."""
        self._then.hear(data)

    def replayed(self, data: bytes) -> None:
        """Bytes that the present pen says."""
        self._now.hear(data)

    def host(self, data: bytes) -> bytes:
        """What `data`, written by the recorded host, is for the present pen. Damaged frames are left out, as
        every pen leaves them out."""
        return b"".join(self._frame(frame) for frame in self._host.receive(data))

    def _frame(self, frame: Frame) -> bytes:
        then, now = self._then, self._now
        if not then.session or frame.session != then.session:
            return encode(*frame)
        payload = frame.payload
        if frame.kind == Kind.BEAT:
            try:
                beat = decode_message(Beat, payload)
            except BadPayload:
                return encode(*frame)
            number = then.numbers.get(beat.nonce)
            payload = pack(Beat.layout, replace(beat, nonce=now.nonces.get(number or 0, now.newest)))
        epoch = (frame.epoch - then.epoch + now.epoch) & 0xFFFF
        return encode(frame.kind, frame.code, now.session, frame.seq, epoch, payload)
