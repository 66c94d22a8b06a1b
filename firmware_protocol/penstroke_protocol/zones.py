"""The table of zones as a device holds it: number, sides, whether forbidden, hard ceiling.

`ZONES` is generated from the clinical zone table into `zone_table.py`; the names are for people and never
cross the wire. The digest covers what a device decides with: number, forbidden, hard ceiling.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple


class DeviceZone(NamedTuple):
    """One zone as built into a device."""

    number: int
    name: str
    sided: bool
    hard_ceiling_um: int
    """Deepest protrusion with tolerance, µm; 0 where needling is forbidden."""

    @property
    def forbidden(self) -> bool:
        """No needling here, by anyone."""
        return self.hard_ceiling_um == 0


def digest_text(zones: Iterable[DeviceZone]) -> str:
    """One line `number:forbidden:hard_ceiling_um` for each zone, no newline at the end."""
    return "\n".join(f"{zone.number}:{int(zone.forbidden)}:{zone.hard_ceiling_um}" for zone in zones)


def digest_of(zones: Iterable[DeviceZone]) -> int:
    """First eight bytes, little-endian, of the SHA-256 of `digest_text`."""
    return int.from_bytes(hashlib.sha256(digest_text(zones).encode()).digest()[:8], "little")
