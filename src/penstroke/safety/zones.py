"""The zone table as values, and its reader.

A zone that is not in the table is forbidden, and so is one whose hard ceiling is zero. A row that cannot be
right makes the whole table unusable: nothing moves on half a table.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import Literal, TypeGuard

from penstroke.errors import LimitsError
from penstroke.safety.units import mm, um_from_plain_mm

Side = Literal["left", "right"]
"""Always the patient's."""

SIDES: tuple[Side, Side] = ("left", "right")

HIGHEST_HARD_CEILING_UM = 1500
"""No hard ceiling passes 1.5 mm: there the range evaluated on the face ends (SkinPen labelling)."""

COLUMNS = (
    "id",
    "zone",
    "sides",
    "start_mm",
    "ceiling_mm",
    "hard_ceiling_mm",
    "body_site_code",
    "body_site_display",
    "basis",
)

_NAME = re.compile(r"[a-z]+(_[a-z]+)*", re.ASCII)
_HIGHEST_ID = 255


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone of the body. Depths are needle protrusion in whole micrometres."""

    id: int
    """1 to 255: its number on the wire."""
    name: str
    sided: bool
    """True where a side, left or right, must be named."""
    start_um: int | None
    """What a new session presets; None where the zone is forbidden."""
    ceiling_um: int
    """The default limit."""
    hard_ceiling_um: int
    """What a named clinician's override may reach; 0 where the zone is forbidden."""
    body_site_code: str
    """SNOMED CT, or empty where no code was verified."""
    body_site_display: str
    basis: str
    """Where the figures come from."""

    @property
    def forbidden(self) -> bool:
        """True where nothing may be needled, by anyone, with any override."""
        return self.hard_ceiling_um == 0 or self.ceiling_um == 0

    def label(self, side: str | None) -> str:
        """The zone as people say it: `cheek left`, `forehead`."""
        return f"{self.name} {side}" if self.sided and side else self.name


def is_side(value: object) -> TypeGuard[Side]:
    """Whether this is exactly `left` or `right`."""
    return type(value) is str and value in SIDES


def parse_zones(text: str) -> tuple[Zone, ...]:
    """The zones of a table in CSV, in its order.

    Raises `LimitsError` (`limits-invalid`), naming the line and the column, where anything in it is missing,
    doubled, not a number or contradicts itself.
    """
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    zones: list[Zone] = []
    try:
        header = next(reader, None)
        if header is None or tuple(header) != COLUMNS:
            raise _wrong(1, f"the columns must be {', '.join(COLUMNS)}")
        for row in reader:
            zones.append(_zone(row, reader.line_num, zones))
    except csv.Error as problem:
        raise _wrong(reader.line_num, str(problem)) from problem
    if not zones:
        raise _wrong(1, "it has no zones")
    return tuple(zones)


def _zone(row: list[str], line: int, before: list[Zone]) -> Zone:
    if len(row) != len(COLUMNS):
        raise _wrong(line, f"it has {len(row)} fields, not {len(COLUMNS)}")
    cell = dict(zip(COLUMNS, row, strict=True))
    number, name = cell["id"], cell["zone"]
    if not re.fullmatch("[1-9][0-9]{0,2}", number, re.ASCII) or int(number) > _HIGHEST_ID:
        raise _wrong(line, f"id must be 1 to {_HIGHEST_ID}, not {number!r}")
    if not _NAME.fullmatch(name):
        raise _wrong(line, f"zone must be lower-case words joined by '_', not {name!r}")
    if any(zone.id == int(number) or zone.name == name for zone in before):
        raise _wrong(line, f"id {number} or zone {name} is there twice")
    if cell["sides"] not in ("yes", "no"):
        raise _wrong(line, f"sides must be yes or no, not {cell['sides']!r}")
    if not cell["basis"].strip():
        raise _wrong(line, "basis, the source of the figures, is blank")
    ceiling_um = _length(cell, "ceiling_mm", line)
    hard_um = _length(cell, "hard_ceiling_mm", line)
    start_um = _length(cell, "start_mm", line) if cell["start_mm"] else None
    _check_order(line, start_um, ceiling_um, hard_um)
    return Zone(
        id=int(number),
        name=name,
        sided=cell["sides"] == "yes",
        start_um=start_um,
        ceiling_um=ceiling_um,
        hard_ceiling_um=hard_um,
        body_site_code=cell["body_site_code"],
        body_site_display=cell["body_site_display"],
        basis=cell["basis"],
    )


def _length(cell: dict[str, str], column: str, line: int) -> int:
    depth_um = um_from_plain_mm(cell[column])
    if depth_um is None:
        raise _wrong(line, f"{column} must be millimetres like 0.30, not {cell[column]!r}")
    return depth_um


def _check_order(line: int, start_um: int | None, ceiling_um: int, hard_um: int) -> None:
    if hard_um > HIGHEST_HARD_CEILING_UM:
        raise _wrong(line, f"hard_ceiling_mm {mm(hard_um)} is above {mm(HIGHEST_HARD_CEILING_UM)}")
    if hard_um == 0:
        if ceiling_um != 0 or start_um is not None:
            raise _wrong(line, "a forbidden zone has ceiling_mm 0 and no start_mm")
    elif start_um is None or not 0 < start_um <= ceiling_um <= hard_um:
        raise _wrong(line, "start_mm, ceiling_mm and hard_ceiling_mm must be above zero and not fall")


def _wrong(line: int, problem: str) -> LimitsError:
    return LimitsError(
        f"the zone table is wrong in line {line}: {problem}",
        hint="restore the table; nothing moves without one",
        line=line,
    )
