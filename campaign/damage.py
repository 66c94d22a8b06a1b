"""Nine ways to damage a frame, and messages to damage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest import mock

from penstroke_protocol import messages as m
from penstroke_protocol.frames import encode_message

Damage = Callable[[bytes, bytes, Random], bytes]
"""From a frame with its delimiters, and another one, to what arrives."""


def _flip(raw: bytes, other: bytes, rng: Random) -> bytes:
    damaged = bytearray(raw)
    for _ in range(rng.randint(1, 6)):
        damaged[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _burst(raw: bytes, other: bytes, rng: Random) -> bytes:
    at, length = rng.randrange(len(raw)), rng.randint(2, 12)
    return raw[:at] + rng.randbytes(len(raw[at : at + length])) + raw[at + length :]


def _lose(raw: bytes, other: bytes, rng: Random) -> bytes:
    damaged = bytearray(raw)
    for _ in range(rng.randint(1, 3)):
        del damaged[rng.randrange(len(damaged))]
    return bytes(damaged)


def _insert(raw: bytes, other: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(raw))
    return raw[:at] + rng.randbytes(rng.randint(1, 5)) + raw[at:]


def _replace(raw: bytes, other: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(raw))
    return raw[:at] + rng.randbytes(1) + raw[at + 1 :]


def _truncate(raw: bytes, other: bytes, rng: Random) -> bytes:
    at = rng.randrange(1, len(raw))
    return raw[:at] if rng.random() < 0.5 else raw[at:]


def _splice(raw: bytes, other: bytes, rng: Random) -> bytes:
    return raw[: rng.randrange(1, len(raw))] + other[rng.randrange(1, len(other)) :]


def _swap(raw: bytes, other: bytes, rng: Random) -> bytes:
    a, b = sorted(rng.sample(range(len(raw) + 1), 2))
    c = rng.randint(b, len(raw))
    return raw[:a] + raw[b:c] + raw[a:b] + raw[c:]


def _zero(raw: bytes, other: bytes, rng: Random) -> bytes:
    damaged = bytearray(raw)
    damaged[rng.randrange(len(raw))] = 0
    if rng.random() < 0.5:
        damaged.insert(rng.randrange(len(raw)), 0)
    return bytes(damaged)


CLASSES: dict[str, Damage] = {
    "bits turned round": _flip,
    "a burst of noise": _burst,
    "bytes lost": _lose,
    "bytes inserted": _insert,
    "a byte replaced": _replace,
    "cut short": _truncate,
    "two frames spliced": _splice,
    "parts exchanged": _swap,
    "delimiters within": _zero,
}


def any_message(cls: type[Any], rng: Random) -> Any:
    """A message of this class with values anywhere in their ranges."""
    wires = cls.layout.wires
    return cls(*("text" if wire.kind == "text" else rng.randint(*wire.range) for wire in wires))


def any_frame(cls: type[Any], rng: Random) -> bytes:
    """A whole frame of this class, as either end could send it."""
    return encode_message(
        any_message(cls, rng),
        session=rng.getrandbits(16),
        seq=rng.getrandbits(16),
        epoch=rng.getrandbits(16),
        code=cls.spec.code or rng.choice((m.SetDepth, m.Start, m.Stop)).spec.code,
    )


@contextmanager
def no_checksum(planted: bool) -> Iterator[None]:
    """With `planted`, every check is right if it is zero: a part that damages frames must notice."""
    if not planted:
        yield
        return
    with mock.patch("penstroke_protocol.frames.crc32", return_value=0):
        yield
