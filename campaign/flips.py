"""F2: every 1-, 2- and 3-bit flip of a frame of every type. None may be accepted.

Strategy. CRC-32 is linear: a set of flipped bits goes unseen exactly when their syndromes (what each changes
in the check, alone) add to zero, so pairs and triples are looked up in a table of all single syndromes
instead of decoded, n²/2 look-ups for n³/6 flips. That is only true of bits that leave the COBS blocks as they
are. A flip that touches a block's length byte or a delimiter, or makes a byte zero, changes the frame's
structure: every combination with such a bit in it is decoded for real. A sample of the others is decoded as
well, so that the shortcut is itself checked.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from math import comb
from random import Random
from typing import Any

from cobs import cobs

from campaign.damage import any_frame, no_checksum
from campaign.orders import Order, Section
from penstroke_protocol import Receiver, frames
from penstroke_protocol import messages as m

TEXT = """One frame of each type with random content, delimiters included. *Decoded*: combinations that touch
the frame's structure, and a sample of the rest, went through the receiver; the rest was judged by the
linearity of the CRC, which is exact. An acceptance is a frame whose content is not the one sent."""
_MOVES = (m.SetDepth, m.Start, m.Stop, m.Beat)


def run(order: Order) -> list[Section]:
    """Up to three bits at full size, two otherwise, in the smallest only of what moves needles."""
    section = Section(
        "F2: every bit flip of every frame type",
        TEXT,
        ("frame", "bits", "1 bit", "2 bits", "3 bits", "decoded", "accepted"),
    )
    with no_checksum(order.planted):
        for cls in m.ALL:
            most = order.count(full=3, check=2, small=2 if cls in _MOVES else 1)
            _one(section, cls.__name__, any_frame(cls, order.rng("flips", cls.__name__)), most, order)
    return [section]


def _one(section: Section, name: str, raw: bytes, most: int, order: Order) -> None:
    count = 8 * len(raw)
    structural, linear = _kinds(raw)
    decoded = accepted = 0
    syndromes = {bit: _syndrome(raw, bit) for bit in linear}
    for flips in _unseen(syndromes, most):
        accepted += 1
        section.fail(f"{name} {raw.hex()}, bits {flips}: by its syndromes")
    sample = order.rng("flips", name, "sample")
    for flips in itertools.chain(
        _structural(raw, structural, linear, most), _sample(linear, most, sample, 500)
    ):
        decoded += 1
        if _accepts(raw, flips):
            accepted += 1
            section.fail(f"{name} {raw.hex()}, bits {flips}")
    numbers = [comb(count, bits) if bits <= most else 0 for bits in (1, 2, 3)]
    section.ran += sum(numbers)
    cells = [f"{number:,}" if number else "–" for number in numbers]
    section.rows.append((name, str(count), *cells, f"{decoded:,}", str(accepted)))


def _kinds(raw: bytes) -> tuple[list[int], list[int]]:
    """The bits whose flip alone changes the structure, and all others, as indices from the first bit on."""
    lengths = {0, len(raw) - 1}
    at = 1
    while at < len(raw) - 1:
        lengths.add(at)
        at += raw[at]
    structural, linear = [], []
    for bit in range(8 * len(raw)):
        byte = bit // 8
        if byte in lengths or raw[byte] ^ 1 << bit % 8 == 0:
            structural.append(bit)
        else:
            linear.append(bit)
    return structural, linear


def _makes_zero(raw: bytes, flips: tuple[int, ...]) -> bool:
    """Whether bits that are harmless alone make a byte zero together."""
    changed: dict[int, int] = {}
    for bit in flips:
        changed[bit // 8] = changed.get(bit // 8, raw[bit // 8]) ^ 1 << bit % 8
    return 0 in changed.values()


def _structural(raw: bytes, structural: list[int], linear: list[int], most: int) -> Iterator[tuple[int, ...]]:
    """Every combination of up to `most` bits that is not wholly linear."""
    for bits in range(1, most + 1):
        for special in range(1, bits + 1):
            for some in itertools.combinations(structural, special):
                for rest in itertools.combinations(linear, bits - special):
                    yield some + rest
    by_byte: dict[int, list[int]] = {}
    for bit in linear:
        by_byte.setdefault(bit // 8, []).append(bit)
    zeroing = [
        flips
        for same in by_byte.values()
        for bits in range(2, most + 1)
        for flips in itertools.combinations(same, bits)
        if _makes_zero(raw, flips)
    ]
    for flips in zeroing:
        yield flips
        if len(flips) < most:
            yield from ((*flips, other) for other in linear if other not in flips)


def _sample(linear: list[int], most: int, rng: Random, each: int) -> Iterator[tuple[int, ...]]:
    for bits in range(1, most + 1):
        for _ in range(each):
            yield tuple(rng.sample(linear, bits))


def _syndrome(raw: bytes, bit: int) -> int:
    """What a flip of this bit, alone, changes between the check sent and the check worked out."""
    body, check = _body(raw, ())
    changed, changed_check = _body(raw, (bit,))
    return _checksum(body) ^ _checksum(changed) ^ check ^ changed_check


def _checksum(body: bytes) -> int:
    """The one that the receiver uses, whatever that is."""
    value: int = vars(frames)["crc32"](body)
    return value


def _body(raw: bytes, flips: tuple[int, ...]) -> tuple[bytes, int]:
    whole: bytes = cobs.decode(_flipped(raw, flips)[1:-1])
    return whole[:-4], int.from_bytes(whole[-4:], "little")


def _unseen(syndromes: dict[int, int], most: int) -> Iterator[tuple[int, ...]]:
    """Every set of linear bits, up to `most`, whose syndromes add to zero."""
    by_syndrome: dict[int, int] = {}
    for bit, syndrome in syndromes.items():
        if syndrome == 0:
            yield (bit,)
        if syndrome in by_syndrome:
            yield (by_syndrome[syndrome], bit)
        by_syndrome[syndrome] = bit
    if most < 3:
        return
    for (first, one), (second, two) in itertools.combinations(syndromes.items(), 2):
        third = by_syndrome.get(one ^ two)
        if third is not None and third > second:
            yield (first, second, third)


def _flipped(raw: bytes, flips: tuple[int, ...]) -> bytes:
    damaged = bytearray(raw)
    for bit in flips:
        damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def _accepts(raw: bytes, flips: tuple[int, ...]) -> bool:
    """Whether the receiver takes anything that was not sent. What stands open is closed by a delimiter."""
    damaged = _flipped(raw, flips)
    taken: list[Any] = Receiver().receive(damaged + b"\0")
    return any(frame != frames.decode(raw[1:-1]) for frame in taken)
