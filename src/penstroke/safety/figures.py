"""The figures that are no limit of a zone: envelope, times, windows, and what estimates are made from.

They live in one data file (`data/figures.toml`), each with its unit, its standing (`proposed` or `sourced`)
and why; this module reads that text and refuses any that is missing, extra, or of the wrong kind.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass

from penstroke.errors import LimitsError

UNITS: dict[str, str] = {
    "deep_from_um": "um",
    "deep_rate_min_dhz": "dHz",
    "run_max_s": "s",
    "rest_s": "s",
    "zone_time_factor": "1",
    "depth_window_extra_um": "um",
    "depth_window_ms": "ms",
    "rate_window_percent": "%",
    "rate_ramp_ms": "ms",
    "glide_mm_per_s": "mm/s",
    "head_width_mm": "mm",
    "density_min_per_cm2": "1/cm2",
    "density_max_per_cm2": "1/cm2",
    "review_s": "s",
    "cleaning_s": "s",
    "numbing_apply_s": "s",
    "numbing_dwell_s": "s",
    "numbing_remove_s": "s",
    "pen_ready_s": "s",
    "zone_change_s": "s",
    "mesotherapy_s": "s",
    "aftercare_s": "s",
}
"""Each figure by name, and the unit it must be written in."""

_STATUSES = ("proposed", "sourced")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with its standing. All values are whole numbers above zero."""

    name: str
    value: int
    unit: str
    status: str
    """`proposed`: an engineering choice a clinician must sign off before hardware is driven with it."""
    why: str


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures by name; `listed` has them with unit, standing and reason, in the file's order."""

    deep_from_um: int
    """From this depth down the rate must be at least `deep_rate_min_dhz`: deep and slow tears."""
    deep_rate_min_dhz: int
    run_max_s: int
    """Longest needling without a rest."""
    rest_s: int
    zone_time_factor: int
    """Time in a zone stays within this many times its plan."""
    depth_window_extra_um: int
    """Measured depth may differ from the command by the tolerance and this much ..."""
    depth_window_ms: int
    """... for this long."""
    rate_window_percent: int
    """Measured rate may differ from the command by this much ..."""
    rate_ramp_ms: int
    """... once this long has passed since the start."""
    glide_mm_per_s: int
    head_width_mm: int
    density_min_per_cm2: int
    density_max_per_cm2: int
    review_s: int
    cleaning_s: int
    numbing_apply_s: int
    numbing_dwell_s: int
    numbing_remove_s: int
    pen_ready_s: int
    zone_change_s: int
    mesotherapy_s: int
    aftercare_s: int
    listed: tuple[Figure, ...]


def parse_figures(text: str) -> Figures:
    """The figures of a TOML text. Raises `LimitsError` (`limits-invalid`) naming the figure that is wrong."""
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as problem:
        raise _wrong(f"it is not TOML: {problem}") from problem
    for name in UNITS:
        if name not in tables:
            raise _wrong(f"{name} is missing")
    listed = tuple(_figure(name, table) for name, table in tables.items())
    values = {figure.name: figure.value for figure in listed}
    if values["density_min_per_cm2"] > values["density_max_per_cm2"]:
        raise _wrong("density_min_per_cm2 is above density_max_per_cm2")
    return Figures(**values, listed=listed)


def _figure(name: str, table: object) -> Figure:
    if name not in UNITS:
        raise _wrong(f"{name} is not a figure that is used")
    if not isinstance(table, dict) or set(table) != {"value", "unit", "status", "why"}:
        raise _wrong(f"{name} needs exactly value, unit, status and why")
    value, unit, status, why = table["value"], table["unit"], table["status"], table["why"]
    if type(value) is not int or value <= 0:
        raise _wrong(f"{name} must be a whole number above zero, not {value!r}")
    if unit != UNITS[name]:
        raise _wrong(f"{name} must be in {UNITS[name]}, not {unit!r}")
    if status not in _STATUSES:
        raise _wrong(f"{name} must be proposed or sourced, not {status!r}")
    if type(why) is not str or not why.strip():
        raise _wrong(f"{name} says no reason")
    return Figure(name, value, unit, status, why)


def _wrong(problem: str) -> LimitsError:
    return LimitsError(
        f"the file of figures is wrong: {problem}", hint="restore it; nothing moves without it"
    )
