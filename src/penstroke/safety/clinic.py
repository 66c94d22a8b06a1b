"""The clinic's profile, read from TOML. It can only tighten what the zone table allows.

name = "Skin clinic, room 2"
depth_max_mm = 1.0              # for every zone
rate_min_hz = 90
rate_max_hz = 120
forbidden_zones = ["neck_front"]

[ceilings_mm]
cheek = 0.8
"""

from __future__ import annotations

import tomllib
from decimal import Decimal
from types import MappingProxyType

from penstroke.errors import LimitsError
from penstroke.safety.limits import FASTEST_DHZ, ClinicProfile
from penstroke.safety.units import exact, mm
from penstroke.safety.zones import Zone

_KEYS = ("name", "depth_max_mm", "rate_min_hz", "rate_max_hz", "forbidden_zones", "ceilings_mm")


def parse_clinic(text: str, zones: tuple[Zone, ...]) -> ClinicProfile:
    """The profile in this text, against this zone table.

    Raises `LimitsError` (`limits-invalid`) naming the key and what to do: an unknown key or zone, a value of
    the wrong type or finer than a micrometre (a tenth of a hertz), a depth not above zero or above the zone's
    hard ceiling, a forbidden zone given a ceiling.
    """
    try:
        table = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as problem:
        raise LimitsError(
            f"the clinic's profile is not TOML: {problem}", hint="correct the file"
        ) from problem
    for key in table:
        if key not in _KEYS:
            raise _wrong(key, "is not a key of a profile", f"use only {', '.join(_KEYS)}")
    name = table.get("name")
    if type(name) is not str or not name.strip():
        raise _wrong("name", "must be the name of the profile, as text", 'write name = "..."')
    by_name = {zone.name: zone for zone in zones}
    rate_min_dhz, rate_max_dhz = (_rate(table, key) for key in ("rate_min_hz", "rate_max_hz"))
    if rate_min_dhz is not None and rate_max_dhz is not None and rate_min_dhz > rate_max_dhz:
        raise _wrong("rate_min_hz", "is above rate_max_hz", "exchange them")
    highest_um = max((zone.hard_ceiling_um for zone in zones), default=0)
    depth_max_um = None
    if "depth_max_mm" in table:
        depth_max_um = _depth("depth_max_mm", table["depth_max_mm"], highest_um, "the highest hard ceiling")
    return ClinicProfile(
        name=name,
        ceilings_um=MappingProxyType(_ceilings(table.get("ceilings_mm", {}), by_name)),
        depth_max_um=depth_max_um,
        rate_min_dhz=rate_min_dhz,
        rate_max_dhz=rate_max_dhz,
        forbidden=_forbidden(table.get("forbidden_zones", []), by_name),
    )


def _ceilings(given: object, by_name: dict[str, Zone]) -> dict[str, int]:
    if not isinstance(given, dict):
        raise _wrong(
            "ceilings_mm",
            "must be a table of zones and depths",
            "write [ceilings_mm] and below it cheek = 0.8",
        )
    found = {}
    for name, depth in given.items():
        key = f"ceilings_mm.{name}"
        zone = by_name.get(name)
        if zone is None:
            raise _wrong(key, "names no zone of the table", "`penstroke zones` lists them")
        if zone.forbidden:
            raise _wrong(key, "is for a zone that is forbidden anyway", "take the line out")
        found[name] = _depth(key, depth, zone.hard_ceiling_um, f"the hard ceiling of {name}")
    return found


def _forbidden(given: object, by_name: dict[str, Zone]) -> frozenset[str]:
    if not isinstance(given, list) or not all(type(name) is str for name in given):
        raise _wrong(
            "forbidden_zones", "must be a list of zone names", 'write forbidden_zones = ["neck_front"]'
        )
    for name in given:
        if name not in by_name:
            raise _wrong(
                "forbidden_zones", f"names {name!r}, which is no zone", "`penstroke zones` lists them"
            )
    return frozenset(given)


def _depth(key: str, given: object, highest_um: int, whose: str) -> int:
    wish = exact(given)
    if wish is None or (wish.num * 1000) % wish.den:
        raise _wrong(
            key, "must be a depth in millimetres, to a micrometre", f"write {key.split('.')[-1]} = 0.8"
        )
    if not wish.positive:
        raise _wrong(key, "must be above zero", "to bar a zone, name it in forbidden_zones")
    if not wish.at_most(highest_um, 1000):
        problem = f"is above {mm(highest_um)} mm, {whose}; a profile can only tighten"
        raise _wrong(key, problem, f"write {mm(highest_um)} or less, or take the line out")
    return wish.num * 1000 // wish.den


def _rate(table: dict[str, object], key: str) -> int | None:
    if key not in table:
        return None
    wish = exact(table[key])
    if wish is None or (wish.num * 10) % wish.den:
        raise _wrong(key, "must be a rate in hertz, to a tenth", f"write {key} = 110")
    if not wish.positive or not wish.at_most(FASTEST_DHZ, 10):
        raise _wrong(key, "must be above zero and no more than 1000 Hz", f"write {key} = 110")
    return wish.num * 10 // wish.den


def _wrong(key: str, problem: str, hint: str) -> LimitsError:
    return LimitsError(f"the clinic's profile is wrong: {key} {problem}", hint=hint, key=key)
