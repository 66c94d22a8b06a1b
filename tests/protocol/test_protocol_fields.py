"""What a field may hold, to the last value: nothing else is ever written or read (S-06)."""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstroke_protocol import messages as m
from penstroke_protocol.errors import BadPayload
from penstroke_protocol.explain import explain_frame, named_fields
from penstroke_protocol.fields import TEXT_BYTES, Wire, layout_of, pack, unpack
from penstroke_protocol.frames import Frame, decode_message

PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=TEXT_BYTES)
# One field of each width and range: fields that share both share every line of code, and where each lies is
# fixed by the golden vectors.
SMALL = list(
    {
        (wire.kind, wire.range): (cls, index)
        for cls in m.ALL
        for index, wire in enumerate(cls.layout.wires)
        if wire.kind in ("u8", "u16", "i16")
    }.values()
)
OUTSIDE_EVERY_WIDTH = [-1, -32_769, 1 << 64, 10**400, -(10**400)]
NO_NUMBERS = [None, "", "5", b"\5", 1.0, math.nan, math.inf, Decimal(5), [5], 5j]


def legal(wire: Wire) -> st.SearchStrategy[Any]:
    return PRINTABLE if wire.kind == "text" else st.integers(*wire.range)


def messages() -> st.SearchStrategy[Any]:
    return st.one_of([st.builds(cls, *(legal(wire) for wire in cls.layout.wires)) for cls in m.ALL])


def ordinary(cls: type[Any]) -> list[Any]:
    return ["" if wire.kind == "text" else wire.range[0] for wire in cls.layout.wires]


def identify(case: tuple[type[Any], int]) -> str:
    return f"{case[0].__name__}.{case[0].layout.names[case[1]]}"


@pytest.mark.req("S-06", "R-4.1", "R-2.5")
@pytest.mark.parametrize("case", SMALL, ids=identify)
def test_every_value_of_a_short_field(case: tuple[type[Any], int]) -> None:
    """All 256 or 65,536 patterns: the legal ones come back, the others are never written or read."""
    cls, index = case
    wire = cls.layout.wires[index]
    low, high = wire.range
    values = ordinary(cls)
    offset = sum(w.width for w in cls.layout.wires[:index])
    template = bytearray(pack(cls.layout, cls(*values)))
    signed = wire.kind == "i16"
    lowest = -(1 << 15) if signed else 0
    wrong = []
    for value in range(lowest, lowest + (1 << 8 * wire.width)):
        raw = value.to_bytes(wire.width, "little", signed=signed)
        template[offset : offset + wire.width] = raw
        values[index] = value
        message = cls(*values)
        try:
            written = pack(cls.layout, message)
            read = unpack(cls.layout, cls, bytes(template))
            good = low <= value <= high and written == template and read == message
        except BadPayload:
            good = not low <= value <= high and raises_when_read(cls, bytes(template))
        if not good:
            wrong.append(value)
    assert wrong == []


def raises_when_read(cls: type[Any], payload: bytes) -> bool:
    try:
        unpack(cls.layout, cls, payload)
    except BadPayload:
        return True
    return False


@pytest.mark.req("S-06")
@given(messages())
def test_what_is_written_is_read_back(message: Any) -> None:
    cls = type(message)
    assert decode_message(cls, pack(cls.layout, message)) == message


@pytest.mark.req("S-06", "S-03")
@pytest.mark.parametrize("cls", m.ALL, ids=lambda cls: cls.__name__)
def test_what_is_no_value_is_never_written(cls: type[Any]) -> None:
    for index, wire in enumerate(cls.layout.wires):
        low, high = wire.range
        wrong = (
            ["\n", "é", "\0", "x" * 17, b"bytes", None, 5]
            if wire.kind == "text"
            else [low - 1, high + 1, *(v for v in OUTSIDE_EVERY_WIDTH if not low <= v <= high), *NO_NUMBERS]
        )
        for value in wrong:
            values = ordinary(cls)
            values[index] = value
            with pytest.raises(BadPayload, match=cls.layout.names[index]):
                pack(cls.layout, cls(*values))


@pytest.mark.req("R-4.1", "S-07")
@given(st.sampled_from(m.ALL), st.binary(max_size=100))
def test_any_payload_is_read_to_the_letter_or_not_at_all(cls: type[Any], payload: bytes) -> None:
    try:
        message = decode_message(cls, payload)
    except BadPayload:
        return
    assert pack(cls.layout, message) == payload


@pytest.mark.req("R-4.2")
@pytest.mark.parametrize(
    ("raw", "text"),
    [(b"", ""), (b"L-1", "L-1"), (b"x" * 16, "x" * 16), (b" a ", " a "), (b"~", "~")],
)
def test_text_is_padded_with_zero_bytes(raw: bytes, text: str) -> None:
    info = m.CartridgeInfo(1, 2, text, 0, 0, 0, 0, 0)
    payload = pack(m.CartridgeInfo.layout, info)
    assert payload[9:25] == raw.ljust(16, b"\0")
    assert decode_message(m.CartridgeInfo, payload).lot == text


@pytest.mark.req("R-4.2")
@pytest.mark.parametrize("raw", [b"a\0b", b"\0a", b"\x1f", b"\x7f", b"\x80", b"x" * 15 + b"\n"])
def test_text_that_is_none_is_not_read(raw: bytes) -> None:
    payload = bytearray(pack(m.CartridgeInfo.layout, m.CartridgeInfo(1, 2, "", 0, 0, 0, 0, 0)))
    payload[9:25] = raw.ljust(16, b"\0")
    with pytest.raises(BadPayload, match="lot"):
        decode_message(m.CartridgeInfo, bytes(payload))


@pytest.mark.req("R-4.3", "R-16.2")
def test_bits_that_have_no_name_yet_are_read_and_shown_without_them() -> None:
    payload = struct.pack("<BBH", m.State.IDLE, 0x80 | m.Flag.DEPTH_SET, 0x8000 | m.Fault.STALL)
    condition = decode_message(m.Condition, payload)
    assert named_fields(condition) == {"state": "idle", "flags": "depth-set", "faults": "stall"}


@pytest.mark.req("R-16.2")
def test_an_unknown_reason_is_still_a_refusal() -> None:
    frame = Frame(m.Kind.REFUSAL, m.SetDepth.spec.code, 1, 2, 3, struct.pack("<BI", 200, 7))
    assert explain_frame(frame).endswith("reason=200 detail=7")


def test_a_field_without_a_wire_is_a_mistake_of_the_programmer() -> None:
    import dataclasses

    bare = dataclasses.make_dataclass("Bare", [("depth_um", int)])
    with pytest.raises(TypeError, match="depth_um"):
        layout_of(bare)
