"""The packaged tables, read once. The only input and output of limits; all judging is in `penstroke.safety`.

Whatever is missing, unreadable or malformed raises `LimitsError` (`limits-invalid`): nothing moves without
limits.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from penstroke.errors import LimitsError
from penstroke.safety.clinic import parse_clinic
from penstroke.safety.figures import Figures, parse_figures
from penstroke.safety.limits import ClinicProfile
from penstroke.safety.zones import Zone, parse_zones

_HERE = Path(__file__).parent

_LARGEST_PROFILE_BYTES = 64 * 1024
"""Far above any real profile; it keeps a wrong file name (a device, a disk image) from being read whole."""


@cache
def zone_table() -> tuple[Zone, ...]:
    """The packaged zone table, in its order."""
    return parse_zones(_text(_HERE / "zones.csv"))


def zone_named(name: str) -> Zone | None:
    """The zone of this name; None, which every check refuses, where the table has none."""
    return next((zone for zone in zone_table() if zone.name == name), None)


@cache
def figures() -> Figures:
    """The packaged figures."""
    return parse_figures(_text(_HERE / "figures.toml"))


def digests() -> dict[str, str]:
    """SHA-256 of each packaged table that a limit or a rule is taken from, by name: as they are now."""
    names = ("zones.csv", "figures.toml", "screening.toml", "procedure.toml")
    return {name: hashlib.sha256(_text(_HERE / name).encode("utf-8")).hexdigest() for name in names}


def packaged_text(name: str) -> str:
    """The text of a packaged file of this folder."""
    return _text(_HERE / name)


def clinic_profile(path: Path) -> ClinicProfile:
    """The clinic's profile in this file, against the packaged zone table. Not cached: a file may change."""
    return parse_clinic(_text(path), zone_table())


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_PROFILE_BYTES + 1)
        if len(data) > _LARGEST_PROFILE_BYTES:
            raise LimitsError(f"{path} is too large for a file of limits", hint="check the name of the file")
        return data.decode("utf-8")
    except OSError as problem:
        why = problem.strerror or "it cannot be read"
        raise LimitsError(
            f"cannot read {path}: {why}", hint="restore the file or its permissions"
        ) from problem
    except UnicodeDecodeError as problem:
        raise LimitsError(f"{path} is not text in UTF-8", hint="save it as UTF-8") from problem
