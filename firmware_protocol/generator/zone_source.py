"""The clinical zone table as the device holds it: whole micrometres, without what is for people only."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

from penstroke_protocol.zones import DeviceZone


def read_zones(path: Path) -> tuple[DeviceZone, ...]:
    """The zones of the clinical table, by number. Raises `ValueError` for a table no device could hold."""
    with path.open(encoding="utf-8", newline="") as file:
        zones = tuple(_zone(row) for row in csv.DictReader(file))
    numbers = [zone.number for zone in zones]
    if numbers != list(range(1, len(zones) + 1)) or len(zones) > 255:
        raise ValueError(f"{path.name}: zones must be numbered 1, 2, 3 ... without gaps, at most 255")
    return zones


def _zone(row: dict[str, str]) -> DeviceZone:
    um = Decimal(row["hard_ceiling_mm"]) * 1000
    if um != int(um) or not 0 <= um <= 0xFFFF:
        raise ValueError(f"{row['zone']}: hard ceiling {row['hard_ceiling_mm']} mm is not whole micrometres")
    if row["sides"] not in ("yes", "no"):
        raise ValueError(f"{row['zone']}: sides must be yes or no, not {row['sides']!r}")
    return DeviceZone(int(row["id"]), row["zone"], row["sides"] == "yes", int(um))


def module_text(zones: tuple[DeviceZone, ...]) -> str:
    """The source of `penstroke_protocol/zone_table.py`."""
    rows = "\n".join(
        f'    DeviceZone({zone.number}, "{zone.name}", {zone.sided}, {zone.hard_ceiling_um}),'
        for zone in zones
    )
    return f'''"""Generated from the clinical zone table by `firmware_protocol/generate.py`; do not edit."""

from __future__ import annotations

from penstroke_protocol.zones import DeviceZone, digest_of

ZONES: tuple[DeviceZone, ...] = (
{rows}
)

ZONE_DIGEST: int = digest_of(ZONES)
'''
