"""Frames under damage: nothing changed is ever taken for whole, and the next good frame always is (S-07)."""

from __future__ import annotations

import itertools
import random
import tracemalloc
from collections import Counter
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstroke_protocol import messages as m
from penstroke_protocol.errors import BadFrame
from penstroke_protocol.explain import explain
from penstroke_protocol.frames import (
    HEADER,
    MAX_FRAME_BYTES,
    MAX_MOTION_BYTES,
    Frame,
    Receiver,
    decode,
    encode,
    encode_message,
)

GOOD = encode_message(m.SetDepth(900), session=3, seq=4, epoch=5)
FRAMES = st.builds(
    Frame,
    st.sampled_from([int(kind) for kind in m.Kind]),
    st.integers(0, 255),
    st.integers(0, 65535),
    st.integers(0, 65535),
    st.integers(0, 65535),
    st.binary(max_size=113),
)


def motion_frames() -> list[tuple[str, bytes]]:
    """Every short message at values with and without zero bytes in them."""
    made = []
    for cls in m.ALL:
        size = cls.layout.packer.size
        if cls.spec.motion and HEADER.size + size <= MAX_MOTION_BYTES and not cls.layout.texts:
            for low in (True, False):
                message = cls(*(wire.range[0 if low else 1] for wire in cls.layout.wires))
                code = cls.spec.code or 0x12
                raw = encode_message(message, session=0x0100, seq=7, epoch=0xFF00, code=code)
                made.append((f"{cls.__name__}-{'lowest' if low else 'highest'}", raw))
    return made


MOTION = [pytest.param(raw, id=name) for name, raw in motion_frames()]


@pytest.mark.req("R-2.3")
def test_the_check_value_of_the_crc() -> None:
    assert crc32(b"123456789") == 0xCBF43926


@pytest.mark.req("R-2.1", "R-2.2")
def test_the_example_of_the_specification() -> None:
    raw = encode_message(m.Stop(), session=0, seq=1, epoch=0)
    assert raw.hex(" ") == "00 03 01 1f 01 02 01 01 01 05 b5 54 a2 80 00"


@pytest.mark.req("S-06", "R-2.1", "R-2.5")
@given(FRAMES)
def test_a_frame_comes_back_as_it_was(frame: Frame) -> None:
    raw = encode(*frame)
    assert raw[0] == raw[-1] == 0
    assert 0 not in raw[1:-1]
    assert len(raw) <= MAX_FRAME_BYTES
    assert decode(raw[1:-1]) == frame


@pytest.mark.req("R-2.4")
def test_a_frame_that_would_be_too_long_is_never_made() -> None:
    assert len(encode(1, 1, 1, 1, 1, bytes(range(1, 114)))) == MAX_FRAME_BYTES
    with pytest.raises(BadFrame, match="long"):
        encode(1, 1, 1, 1, 1, bytes(range(1, 115)))


@pytest.mark.req("R-2.4")
@pytest.mark.parametrize("cls", m.ALL, ids=lambda cls: cls.__name__)
def test_every_message_fits(cls: type[Any]) -> None:
    """COBS adds one byte, the CRC four, the delimiters two."""
    body = HEADER.size + cls.layout.packer.size
    assert body + 7 <= MAX_FRAME_BYTES
    if cls.spec.motion:
        assert body <= MAX_MOTION_BYTES


@pytest.mark.req("S-07", "R-2.3")
@pytest.mark.parametrize("raw", MOTION)
def test_no_one_or_two_flipped_bits_make_another_frame(raw: bytes) -> None:
    """Exhaustive, over the bytes as they are on the line, delimiters included."""
    original = decode(raw[1:-1])
    bits = [(index, 1 << bit) for index in range(len(raw)) for bit in range(8)]
    assert accepted(raw, ([one] for one in bits), original) == []
    assert accepted(raw, itertools.combinations(bits, 2), original) == []


@pytest.mark.req("S-07", "R-2.3")
@pytest.mark.parametrize("raw", MOTION)
def test_no_three_flipped_bits_make_another_frame(raw: bytes) -> None:
    """Sampled with a seed; the whole of it belongs to the campaign."""
    rng = random.Random(2024)
    original = decode(raw[1:-1])
    bits = [(index, 1 << bit) for index in range(len(raw)) for bit in range(8)]
    assert accepted(raw, (rng.sample(bits, 3) for _ in range(20_000)), original) == []


def accepted(raw: bytes, damages: Any, original: Frame) -> list[Frame]:
    """The frames a receiver takes from damaged bytes that are not the one sent."""
    found = []
    for damage in damages:
        turned = bytearray(raw)
        for index, bit in damage:
            turned[index] ^= bit
        for piece in bytes(turned).split(b"\0"):
            if len(piece) > 12:
                try:
                    frame = decode(piece)
                except BadFrame:
                    continue
                if frame != original:
                    found.append(frame)
    return found


@pytest.mark.req("S-07", "R-1.4", "R-2.6")
@given(st.lists(st.binary(max_size=300), max_size=8))
def test_after_any_bytes_the_next_good_frame_is_taken(chunks: list[bytes]) -> None:
    receiver = Receiver()
    before = [frame for chunk in chunks for frame in receiver.receive(chunk)]
    after = receiver.receive(GOOD)
    assert after[-1] == decode(GOOD[1:-1])
    assert receiver.frames == len(before) + len(after)


@pytest.mark.req("S-07")
@given(st.binary(max_size=200))
def test_only_a_right_crc_is_taken(data: bytes) -> None:
    for frame in Receiver().receive(b"\0" + data + b"\0"):
        assert encode(*frame).strip(b"\0") in data.split(b"\0")


@pytest.mark.req("S-07", "R-2.7")
@given(st.binary(max_size=600), st.lists(st.integers(0, 600), max_size=12))
def test_how_the_bytes_are_cut_makes_no_difference(noise: bytes, cuts: list[int]) -> None:
    data = noise[: len(noise) // 2] + GOOD + noise[len(noise) // 2 :]
    whole, pieces = Receiver(), Receiver()
    frames = whole.receive(data)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert [f for a, b in itertools.pairwise(edges) for f in pieces.receive(data[a:b])] == frames
    assert pieces.damage == whole.damage


@pytest.mark.req("S-07", "R-1.4", "R-2.7")
def test_memory_is_bounded_whatever_arrives() -> None:
    receiver = Receiver()
    flood = b"\x55" * 4096
    receiver.receive(flood)
    tracemalloc.start()
    try:
        for _ in range(256):
            receiver.receive(flood)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2048
    assert receiver.damage == Counter(long=1)
    assert receiver.receive(GOOD) == [decode(GOOD[1:-1])]


@pytest.mark.req("R-2.7")
def test_the_126th_byte_may_come_the_127th_may_not() -> None:
    receiver = Receiver()
    receiver.receive(b"\0" + b"\x01" * 126)
    assert receiver.damage == Counter()
    receiver.receive(b"\x01")
    assert receiver.damage == Counter(long=1)
    receiver.receive(b"\x01" * 500 + b"\0")
    assert receiver.damage == Counter(long=1)


@pytest.mark.req("R-2.6")
@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        (b"\x01" * 127, "long"),
        (b"\x05", "cobs"),
        (b"\x01", "short"),
        (GOOD[1:-2] + bytes([GOOD[-2] ^ 1]), "crc"),
        (encode(9, 0, 0, 0, 0)[1:-1], "kind"),
    ],
)
def test_damage_has_one_name(encoded: bytes, reason: str) -> None:
    with pytest.raises(BadFrame, match=reason) as caught:
        decode(encoded)
    assert caught.value.reason == reason


@given(st.binary(max_size=130))
def test_any_bytes_can_be_put_into_words(encoded: bytes) -> None:
    assert explain(encoded.replace(b"\0", b"")).isprintable()


@given(FRAMES)
def test_any_frame_can_be_put_into_words(frame: Frame) -> None:
    assert f"seq={frame.seq}" in explain(encode(*frame)[1:-1])
