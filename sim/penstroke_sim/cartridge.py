"""Cartridges, and what the pen keeps of them through resets."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Final

from penstroke_protocol.messages import Witness
from penstroke_sim.profiles import Profile

EXPIRY: Final = 20_991_231
"""Last day of use of a good simulated cartridge: far off, so that a test does not fail one day by itself."""


@dataclass(frozen=True, slots=True)
class Cartridge:
    """A cartridge as its chip tells; `id` 0 when the chip cannot be read."""

    id: int
    lot: str
    expiry: int
    """yyyymmdd."""
    needle_count: int
    needle_length_um: int


@dataclass(slots=True)
class Memory:
    """The pen's non-volatile memory: survives every reset."""

    boot_counter: int = 0
    bindings: dict[int, int] = field(default_factory=dict)
    """Treatment's token by cartridge id, written with the cartridge's first stroke and never again."""
    strokes: dict[int, int] = field(default_factory=dict)
    """Strokes made, by cartridge id."""
    witness: Witness | None = None
    """What a host gave it to remember of its record."""


def new_cartridge(profile: Profile, random: Random) -> Cartridge:
    """A fresh, sterile cartridge made for this pen."""
    return Cartridge(
        id=random.getrandbits(63) + 1,
        lot=f"L{random.randrange(100_000):05d}",
        expiry=EXPIRY,
        needle_count=profile.needles,
        needle_length_um=profile.needle_length_um,
    )
