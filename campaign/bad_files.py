"""F18: mutated configuration, profile, plan and table files. None loosens a limit; a bad one is refused.

What cannot be told from a file alone is judged by other means: a profile may not allow more than no profile
would, a plan found in order may hold nothing deeper than the packaged table says, and whatever is wrong ends
in the program's own error and in no other.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

from campaign.hosts import ROOT
from campaign.orders import Order, Section
from penstroke.config import KEYS, load_config
from penstroke.data import figures as packaged_figures
from penstroke.data import zone_table
from penstroke.errors import LimitsError, PlanError
from penstroke.gate import Gate
from penstroke.safety import ClinicProfile, Constraints, DepthLimit, Scope, depth_limit
from penstroke.safety.clinic import parse_clinic
from penstroke.safety.figures import parse_figures
from penstroke.safety.limits import PenLimits
from penstroke.safety.zones import parse_zones
from penstroke.treatment.check import check
from penstroke.treatment.plan import load_plan
from penstroke_protocol.zone_table import ZONES

TEXT = """Files that are right, mutated: characters lost, doubled, exchanged, replaced; digits changed; lines
lost, doubled or exchanged; cut short; bytes that are no text; values of other types and sizes. *Refused*:
with the program's own error. *Loosened*: more was allowed than without the file (a profile), than the
packaged table allows (a plan), or than the pen's own table of hard ceilings (a zone table, at the gate); or
another error than the program's own. *Looser than packaged*: a packaged table changed so that it still reads
as one and allows more than before. It is counted, not judged: the text alone cannot tell, and the hard
ceilings in the pen hold whatever it says."""
LOOSER: Final = "looser than packaged"
PEN: Final = PenLimits(50, 2500, 50, 50, 250, 1500, 10)
CLINIC: Final = """name = "Skin clinic, room 2"
depth_max_mm = 1.0
rate_min_hz = 90
rate_max_hz = 120
forbidden_zones = ["neck_front"]

[ceilings_mm]
cheek = 0.8
forehead = 0.3
"""
CONFIG: Final = """port = "/dev/ttyACM0"
operator = "A. Berg"
data_dir = "somewhere"
usb_ids = ["1209:0001"]
"""
ODD: Final = (
    "nan",
    "inf",
    "-1",
    "1e9",
    "true",
    '""',
    "[]",
    "{}",
    "0x10",
    "99999999999999999999",
    "1_0",
    "0,8",
)


def run(order: Order) -> list[Section]:
    """Every kind of file in turn."""
    section = Section(
        "F18: mutated files",
        TEXT,
        ("file", "mutants", "refused", "taken", "looser than packaged", "loosened"),
    )
    each = order.count(full=2_000, check=1_000, small=60)
    with tempfile.TemporaryDirectory(prefix="pen-") as folder:
        kinds: list[tuple[str, str, Callable[[bytes, Path], str]]] = [
            ("clinic profile", CLINIC, _planted_profile if order.planted else _profile),
            ("configuration", CONFIG, _config),
            ("plan", (ROOT / "examples/full_face_rejuvenation.yaml").read_text(encoding="utf-8"), _plan),
            ("zone table", (ROOT / "src/penstroke/data/zones.csv").read_text(encoding="utf-8"), _zones),
            ("figures", (ROOT / "src/penstroke/data/figures.toml").read_text(encoding="utf-8"), _figures),
        ]
        for name, text, judge in kinds:
            refused = looser = loosened = 0
            for number in range(each):
                data = _mutant(text, order.rng("bad_files", name, number))
                try:
                    problem = judge(data, Path(folder))
                except (LimitsError, PlanError):
                    refused += 1
                    continue
                except Exception as error:
                    problem = f"{type(error).__name__}: {error}"
                if problem == LOOSER:
                    looser += 1
                elif problem:
                    loosened += 1
                    section.fail(f"{name}, mutant {number}: {problem}")
            section.ran += each
            taken = each - refused - loosened
            section.rows.append((name, f"{each:,}", f"{refused:,}", f"{taken:,}", str(looser), str(loosened)))
    return [section]


def _mutant(text: str, rng: Random) -> bytes:
    data = text.encode()
    before = data
    while data == before:
        for _ in range(rng.randint(1, 3)):
            data = _mutated(data, rng) or before
    return data


def _mutated(data: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(data))
    lines = data.splitlines(keepends=True)
    one, two = rng.randrange(len(lines)), rng.randrange(len(lines))
    digits = [index for index, byte in enumerate(data) if chr(byte).isdigit()]
    way = rng.randrange(9)
    if way == 0:
        return data[:at] + data[at + 1 :]
    if way == 1:
        return data[:at] + rng.randbytes(1) + data[at:]
    if way == 2:
        return data[:at] + data[at + 1 : at + 2] + data[at : at + 1] + data[at + 2 :]
    if way == 3 and digits:
        digit = rng.choice(digits)
        return data[:digit] + str(rng.randrange(10)).encode() + data[digit + 1 :]
    if way == 4:
        return b"".join(lines[:one] + lines[one + 1 :])
    if way == 5:
        lines[one], lines[two] = lines[two], lines[one]
        return b"".join(lines)
    if way == 6:
        return data + lines[one]
    if way == 7 and digits:
        digit = rng.choice(digits)
        return data[:digit] + rng.choice(ODD).encode() + data[digit + 1 :]
    return data[:at]


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise LimitsError("not text", hint="") from problem


def _profile(data: bytes, folder: Path) -> str:
    return _tightens(parse_clinic(_text(data), zone_table()))


def _planted_profile(data: bytes, folder: Path) -> str:
    """Planted: a profile that cannot be read is taken for one that allows everything, in every zone."""
    deep = dict.fromkeys((zone.name for zone in zone_table()), 9_000)
    try:
        return _profile(data, folder)
    except LimitsError:
        return _beyond_table(deep)


def _tightens(profile: ClinicProfile) -> str:
    if profile.problem():
        return profile.problem()
    for zone in zone_table():
        for side in ("left", "right") if zone.sided else (None,):
            limits = [
                depth_limit(Constraints(zone=zone, side=side, pen=PEN, clinic=clinic, scope=Scope.SELECT))
                for clinic in (profile, ClinicProfile(name="none"))
            ]
            with_file, without = limits
            if not isinstance(with_file, DepthLimit):
                continue
            if not isinstance(without, DepthLimit) or with_file.limit_um > without.limit_um:
                return f"{zone.name} may be deeper with the profile than without"
    return ""


def _beyond_table(depths_um: dict[str, int]) -> str:
    for zone in zone_table():
        depth_um = depths_um.get(zone.name)
        if depth_um is not None and (zone.forbidden or depth_um > zone.ceiling_um):
            return f"{depth_um} µm on {zone.name}"
    return ""


def _config(data: bytes, folder: Path) -> str:
    file = folder / "config.toml"
    file.write_bytes(data)
    config = load_config({"PENSTROKE_CONFIG": str(file)}, {})
    known = {key.name: key.kind for key in KEYS}
    for setting in config.settings:
        if not isinstance(setting.value, known[setting.name]):
            return f"{setting.name} is {setting.value!r}"
    return ""


def _plan(data: bytes, folder: Path) -> str:
    file = folder / "plan.yaml"
    file.write_bytes(data)
    plan = load_plan(file)
    if check(plan, pen=PEN):
        raise PlanError("refused by its limits", hint="")
    for zone in plan.zones:
        table = next(each for each in zone_table() if each.name == zone.zone)
        for one in zone.planned_passes():
            depth_um = one.depth_mm * 1000
            if table.forbidden or depth_um + PEN.tolerance_um > table.ceiling_um + 1e-6:
                return f"{depth_um:g} µm on {zone.zone} was found in order"
    return ""


def _zones(data: bytes, folder: Path) -> str:
    """A table that still reads as one may say anything up to the pen's own hard ceilings, and no more."""
    hard_um = {zone.number: zone.hard_ceiling_um for zone in ZONES}
    for zone in parse_zones(_text(data)):
        for side in ("left", None):
            gate = Gate()
            request = gate.permit_zone(zone, side, ceiling_um=zone.hard_ceiling_um)
            if gate._next is not None and request.session_ceiling_um > hard_um.get(zone.id, 0):
                return f"the gate lets {request} out"
        packaged = next((each for each in zone_table() if each.name == zone.name), None)
        if packaged is None or zone.ceiling_um > packaged.ceiling_um or zone.forbidden < packaged.forbidden:
            return LOOSER
    return ""


def _figures(data: bytes, folder: Path) -> str:
    figures = parse_figures(_text(data))
    wrong = [figure.name for figure in figures.listed if figure.value <= 0]
    if wrong:
        return f"{wrong} not above zero"
    more = any(getattr(figures, name) > getattr(packaged_figures(), name) for name in _TIGHTER_BELOW)
    less = any(getattr(figures, name) < getattr(packaged_figures(), name) for name in _TIGHTER_ABOVE)
    return LOOSER if more or less else ""


_TIGHTER_BELOW: Final = ("deep_from_um", "run_max_s", "zone_time_factor", "depth_window_extra_um")
_TIGHTER_ABOVE: Final = ("deep_rate_min_dhz", "rest_s")
