"""Golden bytes: frames with their meaning, damage with the reason it is dropped, and streams of both.

The expectations are written down here from the rules, not taken from the receiver: a test feeds the receiver
with the files and compares.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from typing import Any
from zlib import crc32

from cobs import cobs

from generator.samples import ORDINARY, code_of, extreme, samples
from penstroke_protocol import messages as m
from penstroke_protocol.fields import pack
from penstroke_protocol.frames import HEADER, MAX_FRAME_BYTES, encode, encode_message

SESSION, SEQ, EPOCH = 1, 2, 5
"""What a receiver that judges payloads has open: session 1, HELLO's seq 1, epoch 5."""
_NUMBERS = ((0, 0, 0), (1, 1, 0), (0xFFFF, 0xFFFF, 0xFFFF), (0x0100, 0x0001, 0x8000))
_FROM_HOST = (m.Kind.REQUEST, m.Kind.BEAT, m.Kind.EVENT_ACK)


def valid_json() -> str:
    """`valid.json`: every message at ordinary and extreme values."""
    rows = []
    for cls in m.ALL:
        for index, (name, message) in enumerate(samples(cls)):
            session, seq, epoch = _NUMBERS[index % len(_NUMBERS)]
            code = code_of(cls)
            rows.append(
                {
                    "name": f"{cls.__name__}: {name}",
                    "from": "host" if cls.spec.kind in _FROM_HOST else "device",
                    "message": cls.__name__,
                    "kind": int(cls.spec.kind),
                    "code": code,
                    "session": session,
                    "seq": seq,
                    "epoch": epoch,
                    "fields": _fields(message),
                    "bytes": encode_message(message, session=session, seq=seq, epoch=epoch, code=code).hex(),
                }
            )
    return _file(
        "Whole frames with both delimiters, and what they say. Fields of 64 bits are hexadecimal text.", rows
    )


def bad_json() -> str:
    """`bad.json`: bytes that are no message, each with the reason."""
    return _file(
        "Bytes that must not act. 'damage': frames that a receiver of either side drops, counted by this "
        "reason (R-2.6, R-2.7). 'refusal': what a device answers, 'dropped': what is dropped without an "
        f"answer, both with session {SESSION} open as controller, HELLO's seq {SEQ - 1} and epoch {EPOCH} "
        "(R-4.1, R-6.6, R-6.7).",
        [*_damaged(), *_misshapen()],
    )


def streams_json() -> str:
    """`streams.json`: bytes as they may arrive, with the frames that must be found in them."""
    return _file(
        "Bytes on the line, the whole frames that must come out of them (header and payload), and the damage "
        "counted. However the bytes are cut into reads, the result is the same (R-2.7).",
        _streams(),
    )


def _file(about: str, rows: Iterable[dict[str, Any]]) -> str:
    lines = ",\n".join("    " + json.dumps(row) for row in rows)
    return (
        f'{{\n  "about": {json.dumps(about)},\n  "protocol": "{m.MAJOR}.{m.MINOR}",\n'
        f'  "vectors": [\n{lines}\n  ]\n}}\n'
    )


def _fields(message: Any) -> dict[str, int | str]:
    layout = type(message).layout
    return {
        name: f"0x{getattr(message, name):016x}" if wire.kind == "u64" else getattr(message, name)
        for name, wire in zip(layout.names, layout.wires, strict=True)
    }


# -- damage that the receiver finds --------------------------------------------------------------------


def _body(message: Any = ORDINARY[m.SetDepth], seq: int = SEQ) -> bytes:
    spec = type(message).spec
    return HEADER.pack(spec.kind, spec.code, SESSION, seq, EPOCH) + pack(type(message).layout, message)


def _raw(body: bytes, crc: bytes | None = None) -> bytes:
    """Any body, well COBS-encoded between delimiters, with a right CRC unless one is given."""
    encoded: bytes = cobs.encode(body + (struct.pack("<I", crc32(body)) if crc is None else crc))
    return b"\0" + encoded + b"\0"


def _damaged() -> Iterator[dict[str, Any]]:
    good = encode_message(ORDINARY[m.SetDepth], session=SESSION, seq=SEQ, epoch=EPOCH)
    other = encode_message(ORDINARY[m.Arm], session=SESSION, seq=SEQ + 1, epoch=EPOCH)
    body, inner = _body(), good[1:-1]

    def row(name: str, data: bytes, **damage: int) -> dict[str, Any]:
        return {"name": name, "bytes": data.hex(), "damage": damage}

    yield row("long: 127 encoded bytes", b"\0" + b"\x01" * (MAX_FRAME_BYTES - 1) + b"\0", long=1)
    yield row("long: 1000 bytes without a delimiter", b"\0" + b"\x55" * 1000 + b"\0", long=1)
    yield row(
        "long: a right CRC does not help", _raw(HEADER.pack(1, 3, 1, 2, 5) + bytes(range(1, 121))), long=1
    )
    yield row("cobs: a piece reaches past the end", b"\0" + inner[:-1] + b"\0", cobs=1)
    yield row("cobs: only a length byte", b"\0\x05\0", cobs=1)
    yield row("short: empty body", b"\0\x01\0", short=1)
    yield row("short: 11 bytes with a right CRC", _raw(body[:7]), short=1)
    yield row("short: a CRC alone", _raw(b""), short=1)
    yield row("crc: zero", _raw(body, bytes(4)), crc=1)
    yield row("crc: big-endian", _raw(body, struct.pack(">I", crc32(body))), crc=1)
    yield row("crc: of the payload alone", _raw(body, struct.pack("<I", crc32(body[HEADER.size :]))), crc=1)
    yield row("crc: of header, payload and a zero", _raw(body, struct.pack("<I", crc32(body + b"\0"))), crc=1)
    yield row("crc: not inverted at the end", _raw(body, struct.pack("<I", crc32(body) ^ 0xFFFF_FFFF)), crc=1)
    for kind in (0, 8, 0xFF):
        yield row(f"kind: {kind}", _raw(bytes([kind]) + body[1:]), kind=1)
    for index in range(len(body)):
        flipped = bytearray(body)
        flipped[index] ^= 1 << index % 8
        crc = struct.pack("<I", crc32(body))
        yield row(f"crc: bit {index % 8} of body byte {index} flipped", _raw(bytes(flipped), crc), crc=1)
    grown = body + b"\x01"
    yield row("crc: a byte added to the payload", _raw(grown, struct.pack("<I", crc32(body))), crc=1)
    swapped = body[:8] + body[9:10] + body[8:9]
    yield row("crc: two bytes of the payload swapped", _raw(swapped, struct.pack("<I", crc32(body))), crc=1)
    # Where a cut frame ends inside a piece its length byte points past the end, else its tail is no CRC.
    for kept in range(1, len(inner)):
        whole = _whole_pieces(inner[:kept])
        reason = "cobs" if not whole else "short" if _decoded_size(inner[:kept]) < 12 else "crc"
        yield row(f"truncated after {kept} bytes", b"\0" + inner[:kept] + b"\0", **{reason: 1})
    # The pieces of the two halves fit together, so that COBS finds nothing.
    spliced = cobs.encode(cobs.decode(inner)[:9] + cobs.decode(other[1:-1])[9:])
    yield row("spliced: begin of a SET_DEPTH, end of an ARM", b"\0" + spliced + b"\0", crc=1)
    joined = cobs.decode(inner) + cobs.decode(other[1:-1])
    yield row(
        "spliced: two frames without the delimiters between", b"\0" + cobs.encode(joined) + b"\0", crc=1
    )
    half = len(inner) // 2
    yield row(
        "a byte became a delimiter", b"\0" + inner[:half] + b"\0" + inner[half + 1 :] + b"\0", cobs=1, short=1
    )


def _whole_pieces(encoded: bytes) -> bool:
    """Whether every length byte points inside or exactly to the end."""
    at = 0
    while at < len(encoded):
        at += encoded[at]
    return at == len(encoded)


def _decoded_size(encoded: bytes) -> int:
    return len(encoded) - 1


# -- whole frames that are no message ------------------------------------------------------------------


def _misshapen() -> Iterator[dict[str, Any]]:
    def row(name: str, kind: int, code: int, payload: bytes, **expected: str) -> dict[str, Any]:
        return {"name": name, "bytes": encode(kind, code, SESSION, SEQ, EPOCH, payload).hex(), **expected}

    for code in (0x00, 0x08, 0x18, 0x1E, 0x20, 0xFF):
        yield row(f"unknown code: REQUEST 0x{code:02x}", 1, code, b"", to="device", refusal="UNKNOWN_CODE")
        yield row(f"unknown code: ANSWER 0x{code:02x}", 2, code, b"", to="host", dropped="unknown code")
    for cls in m.ALL:
        if cls is m.Stop:
            continue  # nothing in the payload keeps a STOP from acting
        kind, code = cls.spec.kind, code_of(cls)
        to_host = kind not in _FROM_HOST
        expected = (
            {"to": "device", "refusal": "BAD_PAYLOAD"}
            if kind is m.Kind.REQUEST
            else {"to": "host" if to_host else "device", "dropped": "bad payload"}
        )
        payload = pack(cls.layout, ORDINARY[cls])
        yield row(f"length: {cls.__name__} one byte longer", kind, code, payload + b"\0", **expected)
        if payload:
            # A HELLO of fewer than two bytes says no version, so it is its payload that is wrong.
            yield row(f"length: {cls.__name__} one byte shorter", kind, code, payload[:-1], **expected)
            yield row(f"length: {cls.__name__} empty", kind, code, b"", **expected)
        for name, bad in _outside(cls, payload):
            yield row(f"range: {cls.__name__} {name}", kind, code, bad, **expected)


def _outside(cls: type[Any], payload: bytes) -> Iterator[tuple[str, bytes]]:
    """The payload with one field just outside its range, or with text that is none."""
    offset = 0
    for name, wire in zip(cls.layout.names, cls.layout.wires, strict=True):
        before, after = payload[:offset], payload[offset + wire.width :]
        if wire.kind == "text":
            for what, text in (("control", b"a\nb"), ("not ASCII", b"\xc3\xa9"), ("zero inside", b"a\0b")):
                yield f"{name}: {what}", before + text.ljust(wire.width, b"\0") + after
        else:
            lowest = int(extreme(wire, high=False)) - 1
            highest = int(extreme(wire, high=True)) + 1
            signed = wire.kind == "i16"
            for value in (lowest, highest):
                try:
                    raw = value.to_bytes(wire.width, "little", signed=signed)
                except OverflowError:
                    continue
                yield f"{name} = {value}", before + raw + after
        offset += wire.width


# -- streams -------------------------------------------------------------------------------------------


def _streams() -> Iterator[dict[str, Any]]:
    first = encode_message(ORDINARY[m.SetDepth], session=SESSION, seq=SEQ, epoch=EPOCH)
    second = encode_message(ORDINARY[m.SetRate], session=SESSION, seq=SEQ + 1, epoch=EPOCH)
    stop = encode_message(m.Stop(), session=SESSION, seq=9, epoch=EPOCH)
    telemetry = encode_message(ORDINARY[m.Telemetry], session=SESSION, seq=77, epoch=EPOCH)
    flipped = first[:4] + bytes([first[4] ^ 0x40]) + first[5:]
    one, two, halt, told = (
        _expected(ORDINARY[m.SetDepth], SEQ),
        _expected(ORDINARY[m.SetRate], SEQ + 1),
        _expected(m.Stop(), 9),
        _expected(ORDINARY[m.Telemetry], 77),
    )

    def row(name: str, data: bytes, *frames: dict[str, Any], **damage: int) -> dict[str, Any]:
        return {"name": name, "bytes": data.hex(), "frames": list(frames), "damage": damage}

    yield row("two frames", first + second, one, two)
    yield row("one delimiter between two frames", first[:-1] + second, one, two)
    yield row("many delimiters", b"\0\0\0" + first + b"\0\0" + second + b"\0\0\0\0", one, two)
    yield row("no delimiter before the first", first[1:] + second, one, two)
    yield row("a frame not yet ended", first + second[:-1], one)
    yield row("damaged, then good", flipped + second, two, crc=1)
    yield row("good, damaged, good", stop + flipped + second, halt, two, crc=1)
    yield row("end of a frame, then good", first[6:] + second, two, cobs=1)
    yield row("begin of a frame, then good", first[:6] + second, two, cobs=1)
    yield row("text of another device, then good", b"# ready\r\nok\r\n" + stop, halt, cobs=1)
    yield row("1000 bytes of line noise without a delimiter, then good", b"\xa5" * 1000 + stop, halt, long=1)
    yield row("126 bytes without a delimiter are not yet too long", b"\xff" * 126 + stop, halt, cobs=1)
    yield row("127 bytes without a delimiter are", b"\xff" * 127 + stop, halt, long=1)
    yield row("STOP inside the wreck of another frame", first[:7] + stop + first[7:], halt, short=2)
    yield row("telemetry with zero bytes in it", telemetry + telemetry, told, told)
    yield row("a repeated frame is two frames", first + first, one, one)


def _expected(message: Any, seq: int) -> dict[str, Any]:
    spec = type(message).spec
    return {
        "kind": int(spec.kind),
        "code": spec.code,
        "session": SESSION,
        "seq": seq,
        "epoch": EPOCH,
        "payload": pack(type(message).layout, message).hex(),
    }
