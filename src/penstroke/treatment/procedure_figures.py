"""The figures of the steps around needling: `data/procedure.toml`, each with unit, standing and reason."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache

from penstroke import data
from penstroke.errors import LimitsError
from penstroke.safety import Figure

UNITS: dict[str, str] = {
    "air_run_s": "s",
    "battery_needling_s": "s",
    "battery_reserve_pct": "%",
    "calibration_days": "d",
    "dwell_from_min": "min",
    "dwell_to_min": "min",
    "lidocaine_otc_pct": "%",
    "full_face_ml": "mL",
    "resume_within_h": "h",
}
"""Each figure by name, and the unit it must be written in."""


@dataclass(frozen=True, slots=True)
class ProcedureFigures:
    """All figures by name; `listed` has them with unit, standing and reason, in the file's order."""

    air_run_s: int
    battery_needling_s: int
    battery_reserve_pct: int
    calibration_days: int
    dwell_from_min: int
    dwell_to_min: int
    lidocaine_otc_pct: int
    full_face_ml: int
    resume_within_h: int
    listed: tuple[Figure, ...]


@cache
def procedure_figures() -> ProcedureFigures:
    """The packaged figures. Raises `LimitsError` where the file is damaged."""
    return parse_procedure_figures(data.packaged_text("procedure.toml"))


def parse_procedure_figures(text: str) -> ProcedureFigures:
    """The figures of a TOML text. Raises `LimitsError` (`limits-invalid`) naming the figure that is wrong."""
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as problem:
        raise _wrong(f"it is not TOML: {problem}") from problem
    if set(tables) != set(UNITS):
        raise _wrong(f"missing or not used: {', '.join(sorted(set(tables) ^ set(UNITS)))}")
    listed = tuple(_figure(name, table) for name, table in tables.items())
    return ProcedureFigures(**{figure.name: figure.value for figure in listed}, listed=listed)


def _figure(name: str, table: object) -> Figure:
    if not isinstance(table, dict) or set(table) != {"value", "unit", "status", "why"}:
        raise _wrong(f"{name} needs exactly value, unit, status and why")
    value, unit, status, why = table["value"], table["unit"], table["status"], table["why"]
    if type(value) is not int or value <= 0:
        raise _wrong(f"{name} must be a whole number above zero, not {value!r}")
    if (
        unit != UNITS[name]
        or status not in ("proposed", "sourced")
        or type(why) is not str
        or not why.strip()
    ):
        raise _wrong(f"{name} must be in {UNITS[name]}, proposed or sourced, with a reason")
    return Figure(name, value, unit, status, why)


def _wrong(problem: str) -> LimitsError:
    return LimitsError(
        f"the file of the procedure's figures is wrong: {problem}",
        hint="restore it; nothing is done without it",
    )
