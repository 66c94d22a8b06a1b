"""Whether a plan may be done: every violation, in the order of the plan, each with every reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from penstroke import data
from penstroke.safety import (
    NO_CLINIC,
    NOT_SCREENED,
    ClinicProfile,
    Constraints,
    PenLimits,
    Reason,
    Refusal,
    Scope,
    Screening,
    Zone,
    check_depth,
    check_rate,
    check_run,
    find_zone,
)
from penstroke.treatment.estimate import pass_seconds
from penstroke.treatment.plan import ExpectedPen, PlannedPass, PlanZone, TreatmentPlan

_DEEPEST_JUDGED_MM = 10.0


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing in a plan that may not be done."""

    index: int
    """Which of the plan's zones, counted from 1."""
    zone: str
    side: str | None
    passes: tuple[int, ...]
    """The passes it concerns, counted from 1; empty where it concerns the zone as a whole."""
    reason: Reason

    @property
    def code(self) -> str:
        """The reason's code."""
        return self.reason.code

    @property
    def message(self) -> str:
        """One line: where in the plan, and what."""
        side = f" {self.side}" if self.side else ""
        where = f"zone {self.index} ({self.zone}{side})"
        if self.passes:
            word = "pass" if len(self.passes) == 1 else "passes"
            where += f", {word} {', '.join(map(str, self.passes))}"
        return f"{where}: {self.reason.message}"


def check(
    plan: TreatmentPlan,
    *,
    pen: PenLimits | None = None,
    clinic: ClinicProfile | None = NO_CLINIC,
    screening: Screening | None = NOT_SCREENED,
) -> tuple[Violation, ...]:
    """Every violation of the zone table, the clinic's profile, the screening and, where known, the pen.

    Without `pen` the plan's own expected pen is taken; without either no pen's tolerance or step counts, and
    a plan found in order may still be refused by the pen it meets. A clinic or screening of None is unknown,
    and refuses.
    """
    limits = pen if pen is not None else _expected(plan.pen)
    found: list[Violation] = []
    first_seen: dict[tuple[str, str | None], int] = {}
    for index, zone in enumerate(plan.zones, start=1):
        constraints = Constraints(
            zone=None, side=zone.side, pen=limits, clinic=clinic, screening=screening, scope=Scope.PLAN
        )
        found.extend(_zone_violations(index, zone, constraints))
        earlier = first_seen.setdefault((zone.zone, zone.side), index)
        if earlier != index:
            found.append(_violation(index, zone, (), _repeated(zone, earlier)))
    return tuple(found)


def _zone_violations(index: int, zone: PlanZone, without_zone: Constraints) -> Iterator[Violation]:
    known = data.zone_named(zone.zone)
    if known is None:
        unknown = find_zone(zone.zone, zone.side, data.zone_table())
        yield from (_violation(index, zone, (), reason) for reason in _reasons(unknown))
        return
    constraints = _with_zone(without_zone, known)
    by_reason: dict[Reason, list[int]] = {}
    for one in zone.planned_passes():
        for reason in _pass_reasons(zone, one, constraints):
            by_reason.setdefault(reason, []).append(one.number)
    total = len(zone.planned_passes())
    for reason, passes in by_reason.items():
        # What holds for all passes alike is said of the zone.
        yield _violation(index, zone, () if len(passes) == total else tuple(passes), reason)


def _with_zone(c: Constraints, zone: Zone) -> Constraints:
    return Constraints(
        zone=zone, side=c.side, pen=c.pen, clinic=c.clinic, screening=c.screening, scope=c.scope
    )


def _pass_reasons(zone: PlanZone, one: PlannedPass, constraints: Constraints) -> list[Reason]:
    figures = data.figures()
    depth = check_depth(one.depth_mm, constraints)
    # A rate is judged at the depth that was wished, allowed or not: one slip must not hide another.
    depth_um = round(min(one.depth_mm, _DEEPEST_JUDGED_MM) * 1000)
    rate = check_rate(one.rate_hz, constraints, depth_um, figures)
    run = check_run(pass_seconds(zone.area_cm2, figures), figures)
    return _once(reason for verdict in (depth, rate, run) for reason in _reasons(verdict))


def _reasons(verdict: object) -> tuple[Reason, ...]:
    return verdict.reasons if isinstance(verdict, Refusal) else ()


def _once(reasons: Iterable[Reason]) -> list[Reason]:
    return list(dict.fromkeys(reasons))


def _violation(index: int, zone: PlanZone, passes: tuple[int, ...], reason: Reason) -> Violation:
    return Violation(index, zone.zone, zone.side, passes, reason)


def _repeated(zone: PlanZone, earlier: int) -> Reason:
    return Reason(
        "zone-repeated",
        f"{zone.label()} is zone {earlier} of this plan already",
        "give all its passes in one place, or correct the side",
        zone=zone.zone,
        side=zone.side,
    )


def _expected(pen: ExpectedPen | None) -> PenLimits | None:
    if pen is None:
        return None
    return PenLimits(
        depth_min_um=round(pen.depth_min_mm * 1000),
        depth_max_um=round(pen.depth_max_mm * 1000),
        depth_step_um=round(pen.step_mm * 1000),
        tolerance_um=round(pen.tolerance_mm * 1000),
        rate_min_dhz=round(pen.rate_min_hz * 10),
        rate_max_dhz=round(pen.rate_max_hz * 10),
        rate_step_dhz=1,
    )
