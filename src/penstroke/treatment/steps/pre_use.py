"""The pre-use check: the pen's self-test, a short run in the air, battery, calibration and cartridge.

Pure over what was measured: whoever holds the pen makes the run in the air and hands its readings in. The
depth may be off by the pen's tolerance and the margin that also stops a run; the rate by its own margin.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any

from penstroke import data
from penstroke.readiness import cartridge_reasons
from penstroke.safety.verdict import Reason
from penstroke.status import Cartridge
from penstroke.treatment.estimate import estimate
from penstroke.treatment.procedure_figures import procedure_figures
from penstroke.treatment.questions import Day, Kind, Question
from penstroke.treatment.steps.judgement import Judgement, refusals

if TYPE_CHECKING:
    from penstroke.treatment.plan import PlanZone
    from penstroke.treatment.session import Session

QUESTIONS = (
    Question(
        "calibrated_on",
        "When was the pen's depth last measured against a gauge?",
        Kind.DATE,
        day=Day.PAST,
        help="The day is on the pen's label or in its log.",
    ),
    Question(
        "pen_clean",
        "Is the handpiece disinfected, or freshly covered?",
        Kind.YES_NO,
        otherwise="the handpiece is neither disinfected nor covered",
    ),
    Question(
        "sterile_pack",
        "Was the cartridge new, from an undamaged sterile pack?",
        Kind.YES_NO,
        otherwise="the cartridge did not come new from an undamaged sterile pack",
    ),
    Question(
        "lot_on_pack",
        "Which lot does the pack name? Blank to go by what the cartridge tells.",
        Kind.TEXT,
        required=False,
    ),
)


@dataclass(frozen=True, slots=True)
class AirRun:
    """A run in the air: what was set, and the extremes measured after the motor's ramp."""

    depth_set_mm: float
    rate_set_hz: float
    seconds: float
    depth_min_mm: float
    """The least and the greatest depth reached in a stroke."""
    depth_max_mm: float
    rate_min_hz: float
    rate_max_hz: float


@dataclass(frozen=True, slots=True)
class PreUse:
    """What the pen told before use. `air` is None where no run was made."""

    state: str
    """One of the pen's states; `fault` and `self-test` are not ready."""
    faults: tuple[str, ...]
    battery_pct: int
    tolerance_mm: float
    cartridge: Cartridge
    treatment: int
    """The token of this treatment, to which the cartridge may be bound already."""
    air: AirRun | None


def air_run_zones(session: Session) -> Sequence[PlanZone]:
    """The zones of the plan that screening leaves; where it leaves none all, which the pen refuses."""
    zones = session.plan.zones
    return [zone for index, zone in enumerate(zones, start=1) if index not in session.left_out] or zones


def air_run_wish(session: Session) -> tuple[float, float, int]:
    """Depth in mm, rate in Hz and seconds of the run in the air: the deepest pass in these zones."""
    zones = air_run_zones(session)
    deepest = max((one for zone in zones for one in zone.planned_passes()), key=lambda one: one.depth_mm)
    return deepest.depth_mm, deepest.rate_hz, procedure_figures().air_run_s


def judge(session: Session, answers: Mapping[str, Any], found: PreUse, today: datetime.date) -> Judgement:
    """Done when everything fits; every reason where not."""
    reasons = [
        *refusals(QUESTIONS, answers),
        *_self_test(found),
        *_air(found),
        *_battery(found, estimate(session.plan).needling_s),
        *_calibration(datetime.date.fromisoformat(answers["calibrated_on"]), today),
        *cartridge_reasons(found.cartridge, found.treatment, today),
        *_lot(answers.get("lot_on_pack"), found.cartridge.lot),
    ]
    measured = asdict(found)
    # A 64-bit number is no number for every reader of JSON; as in the record's `opened`.
    measured["treatment"] = f"{found.treatment:016x}"
    measured["cartridge"]["treatment"] = f"{found.cartridge.treatment:016x}"
    measured["cartridge"]["id"] = f"{found.cartridge.id:016x}"
    measured["faults"] = list(found.faults)
    if found.air is not None:
        # What is no number has no place in a record, and is told in the reasons.
        measured["air"] = {key: value if isfinite(value) else None for key, value in measured["air"].items()}
    return Judgement(reasons=tuple(reasons), facts={"measured": measured})


def _self_test(found: PreUse) -> list[Reason]:
    if found.faults:
        message = f"the pen holds a fault: {', '.join(found.faults)}"
        return [Reason("self-test-failed", message, "`penstroke faults` says what to do")]
    if found.state in ("boot", "self-test", "fault"):
        message = f"the pen has not passed its self-test: it is in {found.state}"
        return [Reason("self-test-failed", message, "switch it off and on, and wait")]
    return []


def _air(found: PreUse) -> list[Reason]:
    air = found.air
    if air is None:
        return [Reason("air-run-missing", "no run in the air was made", "run the pen in the air first")]
    figures = data.figures()
    window = Decimal(repr(found.tolerance_mm)) + Decimal(figures.depth_window_extra_um) / 1000
    reasons = []
    for depth_mm in (air.depth_min_mm, air.depth_max_mm):
        if not _within(depth_mm, air.depth_set_mm, window):
            message = f"in the air it reached {depth_mm:.2f} mm with {air.depth_set_mm:.2f} mm set"
            message += f" (allowed: {window:.2f} mm off)"
            reasons.append(Reason("air-run-off", message, "have the pen measured; use another"))
    percent = Decimal(figures.rate_window_percent)
    for rate_hz in (air.rate_min_hz, air.rate_max_hz):
        if not _within(rate_hz, air.rate_set_hz, Decimal(repr(air.rate_set_hz)) * percent / 100):
            message = f"in the air it made {rate_hz:.1f} Hz with {air.rate_set_hz:.1f} Hz set"
            message += f" (allowed: {percent} % off)"
            reasons.append(Reason("air-run-off", message, "have the pen looked at; use another"))
    return list(dict.fromkeys(reasons))


def _within(measured: float, wanted: float, window: Decimal) -> bool:
    return isfinite(measured) and abs(Decimal(repr(measured)) - Decimal(repr(wanted))) <= window


def _battery(found: PreUse, needling_s: float) -> list[Reason]:
    figures = procedure_figures()
    needed = figures.battery_reserve_pct + 100 * needling_s / figures.battery_needling_s
    if found.battery_pct >= needed:
        return []
    message = f"the battery is at {found.battery_pct} %, and the plan takes {needed:.0f} % (proposed figure)"
    return [Reason("battery-short", message, "charge the pen first")]


def _calibration(day: datetime.date, today: datetime.date) -> list[Reason]:
    longest = procedure_figures().calibration_days
    if (today - day).days <= longest:
        return []
    message = f"the pen's depth was last measured on {day}, more than {longest} days ago (proposed figure)"
    return [Reason("calibration-old", message, "have it measured, or use another pen")]


def _lot(on_pack: str | None, told: str) -> list[Reason]:
    if on_pack is None or on_pack.casefold() == told.strip().casefold():
        return []
    message = f"the pack names lot {on_pack}, and the cartridge tells {told}"
    return [Reason("cartridge-lot-differs", message, "discard it and fit a new sterile cartridge")]
