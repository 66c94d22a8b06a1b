"""Frames: a header, a payload and a CRC-32, COBS-encoded between two zero bytes.

The second delimiter costs one byte and buys this: a damaged frame never takes an intact neighbour with it.
The receiver holds at most one frame of bytes, whatever arrives.
"""

from __future__ import annotations

import struct
from collections import Counter
from typing import Any, Final, NamedTuple
from zlib import crc32

from cobs import cobs

from penstroke_protocol.errors import BadFrame
from penstroke_protocol.fields import pack, unpack
from penstroke_protocol.messages import ANSWERS, REQUESTS, Beat, Event, EventAck, Kind, Refusal, Telemetry

MAX_FRAME_BYTES: Final = 128
"""Longest frame with both delimiters, so that firmware needs one fixed buffer."""
MAX_MOTION_BYTES: Final = 20
"""Longest motion request, beat or answer before its CRC: up to here CRC-32 finds any 6 flipped bits."""
HEADER: Final = struct.Struct("<BBHHH")
"""kind, code, session, seq, epoch."""
_CRC: Final = struct.Struct("<I")
_MAX_ENCODED = MAX_FRAME_BYTES - 2
_MIN_BODY = HEADER.size + _CRC.size
_KINDS = frozenset(int(kind) for kind in Kind)


class Frame(NamedTuple):
    """One frame, taken apart. `session`, `seq` and `epoch` are 0 to 65535."""

    kind: int
    code: int
    session: int
    seq: int
    epoch: int
    payload: bytes


def encode(kind: int, code: int, session: int, seq: int, epoch: int, payload: bytes = b"") -> bytes:
    """The bytes of a frame, both delimiters included."""
    body = HEADER.pack(kind, code, session, seq, epoch) + payload
    encoded: bytes = cobs.encode(body + _CRC.pack(crc32(body)))
    if len(encoded) > _MAX_ENCODED:
        raise BadFrame("long", f"{len(encoded) + 2} bytes, at most {MAX_FRAME_BYTES}")
    return b"\0" + encoded + b"\0"


def decode(encoded: bytes) -> Frame:
    """The frame between two delimiters (given without them).

    Raises `BadFrame` with one of the reasons `long`, `cobs`, `short`, `crc`, `kind`, judged in this order.
    """
    if len(encoded) > _MAX_ENCODED:
        raise BadFrame("long")
    try:
        raw: bytes = cobs.decode(encoded)
    except cobs.DecodeError:
        raise BadFrame("cobs") from None
    if len(raw) < _MIN_BODY:
        raise BadFrame("short")
    body = raw[:-4]
    if crc32(body) != _CRC.unpack_from(raw, len(body))[0]:
        raise BadFrame("crc")
    kind, code, session, seq, epoch = HEADER.unpack_from(body)
    if kind not in _KINDS:
        raise BadFrame("kind", str(kind))
    return Frame(kind, code, session, seq, epoch, body[HEADER.size :])


def encode_message(message: Any, *, session: int, seq: int, epoch: int, code: int | None = None) -> bytes:
    """The bytes of a message. Answers, refusals and events take their code from `code`."""
    spec = type(message).spec
    payload = pack(type(message).layout, message)
    return encode(spec.kind, spec.code if code is None else code, session, seq, epoch, payload)


_BY_CODE: Final[dict[int, dict[int, type[Any]]]] = {Kind.REQUEST: REQUESTS, Kind.ANSWER: ANSWERS}
_UNASKED: Final[dict[int, type[Any]]] = {
    Kind.REFUSAL: Refusal,
    Kind.BEAT: Beat,
    Kind.TELEMETRY: Telemetry,
    Kind.EVENT: Event,
    Kind.EVENT_ACK: EventAck,
}


def message_class(frame: Frame) -> type[Any] | None:
    """The class of the message in a frame; None for a code that this version does not know."""
    by_code = _BY_CODE.get(frame.kind)
    return _UNASKED.get(frame.kind) if by_code is None else by_code.get(frame.code)


def decode_message(cls: type[Any], payload: bytes) -> Any:
    """A message of class `cls` from its payload. Raises `BadPayload`."""
    return unpack(cls.layout, cls, payload)


class Receiver:
    """Cuts a stream of bytes into frames. Memory is bounded by one frame; damage is counted by reason."""

    __slots__ = ("_buffer", "_overlong", "damage", "frames")

    def __init__(self) -> None:
        self._buffer = b""
        self._overlong = False
        self.frames = 0
        self.damage: Counter[str] = Counter()

    def receive(self, data: bytes) -> list[Frame]:
        """The whole frames that `data` completes, in order."""
        *chunks, rest = (self._buffer + data).split(b"\0")
        frames: list[Frame] = []
        for chunk in chunks:
            if self._overlong:
                # The end of something longer than any frame: already counted when it passed the bound.
                self._overlong = False
            elif chunk:
                try:
                    frames.append(decode(chunk))
                except BadFrame as damaged:
                    self.damage[damaged.reason] += 1
        if self._overlong or len(rest) > _MAX_ENCODED:
            if not self._overlong:
                self.damage["long"] += 1
            self._overlong = True
            rest = b""
        self._buffer = rest
        self.frames += len(frames)
        return frames
