"""How long a plan takes, and how densely it punctures: an estimate for people, never a limit.

A pass covers the area in stripes as wide as the head at the glide speed; a run may not go on for ever, so the
rests of the pen count too. The fixed steps of the procedure come from `data/figures.toml` (proposed figures)
unless the plan says otherwise. The dwell of the numbing cream is waiting, not work, and is counted apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from penstroke import data
from penstroke.safety import Figures
from penstroke.treatment.plan import PlanZone, TreatmentPlan

_MM2_PER_CM2 = 100


@dataclass(frozen=True, slots=True)
class PassEstimate:
    """One pass. `density_per_cm2` is None where the number of needles is not known."""

    number: int
    depth_mm: float
    rate_hz: float
    direction: str
    seconds: float
    density_per_cm2: float | None


@dataclass(frozen=True, slots=True)
class ZoneEstimate:
    """One zone of the plan; `index` counts from 1, `seconds` is needling."""

    index: int
    zone: str
    side: str | None
    area_cm2: float
    seconds: float
    density_per_cm2: float | None
    target_min_per_cm2: int
    target_max_per_cm2: int
    passes: tuple[PassEstimate, ...]


@dataclass(frozen=True, slots=True)
class StepEstimate:
    """One fixed step of the procedure."""

    name: str
    seconds: float
    proposed: bool
    """True where the figure is the project's own, False where the plan gave it."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The whole visit. `total_s` is all but the numbing dwell."""

    zones: tuple[ZoneEstimate, ...]
    steps: tuple[StepEstimate, ...]
    needling_s: float
    zone_changes_s: float
    rests_s: float
    numbing_dwell_s: float
    total_s: float


_STEPS: tuple[tuple[str, str], ...] = (
    ("consent and screening", "review"),
    ("cleaning", "cleaning"),
    ("numbing, applying", "numbing_apply"),
    ("numbing, wiping off", "numbing_remove"),
    ("pen and cartridge", "pen_ready"),
    ("mesotherapy", "mesotherapy"),
    ("aftercare directions", "aftercare"),
)
"""The fixed steps in their order: what people read, and the name of the figure."""


def pass_seconds(area_cm2: float, figures: Figures) -> float:
    """Seconds for one pass over this area at the glide speed, in stripes of the head's width."""
    return area_cm2 * _MM2_PER_CM2 / (figures.glide_mm_per_s * figures.head_width_mm)


def pass_density_per_cm2(needles: int, rate_hz: float, figures: Figures) -> float:
    """Punctures per cm² that one pass leaves, were no stroke in the air: needles x rate / (glide x width)."""
    return needles * rate_hz * _MM2_PER_CM2 / (figures.glide_mm_per_s * figures.head_width_mm)


def estimate(plan: TreatmentPlan, *, needles: int | None = None) -> Estimate:
    """Times and densities of a plan. `needles` of the cartridge; else those of the plan's expected pen."""
    figures = data.figures()
    count = needles if needles is not None else plan.pen.needles if plan.pen is not None else None
    zones = tuple(_zone(index, zone, count, figures) for index, zone in enumerate(plan.zones, start=1))
    steps = tuple(_step(label, name, plan, figures) for label, name in _STEPS)
    dwell_s = _step("numbing, dwell", "numbing_dwell", plan, figures).seconds
    needling_s = sum(zone.seconds for zone in zones)
    changes_s = float(len(zones) * figures.zone_change_s)
    rests_s = float(_rests(zones, figures) * figures.rest_s)
    return Estimate(
        zones=zones,
        steps=steps,
        needling_s=needling_s,
        zone_changes_s=changes_s,
        rests_s=rests_s,
        numbing_dwell_s=dwell_s,
        total_s=needling_s + changes_s + rests_s + sum(step.seconds for step in steps),
    )


def _zone(index: int, zone: PlanZone, needles: int | None, figures: Figures) -> ZoneEstimate:
    seconds = pass_seconds(zone.area_cm2, figures)
    passes = tuple(
        PassEstimate(
            number=one.number,
            depth_mm=one.depth_mm,
            rate_hz=one.rate_hz,
            direction=one.direction,
            seconds=seconds,
            density_per_cm2=None if needles is None else pass_density_per_cm2(needles, one.rate_hz, figures),
        )
        for one in zone.planned_passes()
    )
    densities = [one.density_per_cm2 for one in passes if one.density_per_cm2 is not None]
    return ZoneEstimate(
        index=index,
        zone=zone.zone,
        side=zone.side,
        area_cm2=zone.area_cm2,
        seconds=seconds * len(passes),
        density_per_cm2=sum(densities) if densities else None,
        target_min_per_cm2=zone.target_density.min_per_cm2,
        target_max_per_cm2=zone.target_density.max_per_cm2,
        passes=passes,
    )


def _step(label: str, name: str, plan: TreatmentPlan, figures: Figures) -> StepEstimate:
    minutes: float | None = getattr(plan.durations, f"{name}_min")
    if minutes is not None:
        return StepEstimate(label, minutes * 60, proposed=False)
    return StepEstimate(label, float(getattr(figures, f"{name}_s")), proposed=True)


def _rests(zones: tuple[ZoneEstimate, ...], figures: Figures) -> int:
    """How often the pen must rest, where passes follow each other and are not cut."""
    rests, busy_s = 0, 0.0
    for seconds in (one.seconds for zone in zones for one in zone.passes):
        if busy_s > 0 and busy_s + seconds > figures.run_max_s:
            rests, busy_s = rests + 1, 0.0
        busy_s += seconds
    return rests
