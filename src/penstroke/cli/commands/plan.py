"""`penstroke plan`: check, estimate, show and describe plans. No pen needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstroke.cli.app import App, PenGroup, current, open_pen
from penstroke.cli.output import emit, minutes, show, table
from penstroke.errors import Refused
from penstroke.safety import PenLimits, Reason, Refusal

if TYPE_CHECKING:
    from penstroke.safety import Screening
    from penstroke.treatment.check import Violation
    from penstroke.treatment.estimate import Estimate
    from penstroke.treatment.plan import TreatmentPlan

_PLAN = click.argument("plan", type=click.Path(path_type=Path))


@click.group("plan", cls=PenGroup)
def command() -> None:
    """Check, estimate and show treatment plans."""


@command.command("check")
@_PLAN
@click.pass_context
def check_plan(ctx: click.Context, plan: Path) -> None:
    """List every violation in PLAN.

    With --port given on the command line the plan is checked against that pen, else against the pen it was
    written for.
    """
    app = current(ctx)
    loaded = _load(plan)
    violations = check_against(app, loaded, _limits_of_pen(app))
    if app.json:
        emit(
            {
                "plan": str(plan),
                "title": loaded.title,
                "ok": not violations,
                "violations": [violation_object(one) for one in violations],
            }
        )
    elif not violations:
        show(f"{plan}: in order ({loaded.title}, {len(loaded.zones)} zones)")
    else:
        for one in violations:
            show(f"{one.message}" + (f"\n  {one.reason.hint}" if one.reason.hint else ""))
    if violations:
        raise refusal(violations, listed=not app.json)


@command.command("estimate")
@_PLAN
@click.pass_context
def estimate_plan(ctx: click.Context, plan: Path) -> None:
    """Estimate how long PLAN takes, step by step, and how densely it punctures."""
    from penstroke.treatment.estimate import estimate

    app = current(ctx)
    result = estimate(_load(plan))
    if app.json:
        from dataclasses import asdict

        emit(asdict(result))
    else:
        show(_estimate_text(result))


@command.command("show")
@_PLAN
@click.pass_context
def show_plan(ctx: click.Context, plan: Path) -> None:
    """Show PLAN as a table."""
    app = current(ctx)
    loaded = _load(plan)
    if app.json:
        emit(loaded.model_dump(mode="json"))
        return
    show(f"{loaded.title}" + (f"\n{loaded.notes.strip()}" if loaded.notes.strip() else "") + "\n")
    show(plan_table(loaded))


@command.command("schema")
def schema() -> None:
    """Print the JSON Schema of a plan."""
    from penstroke.treatment.plan import plan_schema_text

    show(plan_schema_text())


def check_against(
    app: App, plan: TreatmentPlan, pen: PenLimits | None, screening: Screening | None = None
) -> tuple[Violation, ...]:
    """Every violation of a plan under the clinic's profile in force, and what screening found, if it was."""
    from penstroke.safety import NOT_SCREENED
    from penstroke.treatment.check import check

    return check(plan, pen=pen, clinic=app.clinic(), screening=screening or NOT_SCREENED)


def violation_object(one: Violation) -> dict[str, Any]:
    """A violation for a machine."""
    return {
        "index": one.index,
        "zone": one.zone,
        "side": one.side,
        "passes": list(one.passes),
        "code": one.code,
        "message": one.message,
        "hint": one.reason.hint,
        **{key: value for key, value in one.reason.facts().items() if key not in ("zone", "side")},
    }


def refusal(violations: tuple[Violation, ...], *, listed: bool = False) -> Refused:
    """The error for a plan with violations: all of them, or their number where they are `listed` already."""
    if not listed:
        return Refused.of(Refusal(tuple(_placed(one) for one in violations)))
    count = len(violations)
    return Refused(
        f"the plan has {count} violation{'s' if count > 1 else ''}, listed above",
        code=violations[0].code,
        hint="correct the plan; nothing is bent to fit",
    )


def _placed(one: Violation) -> Reason:
    from dataclasses import replace

    return replace(one.reason, message=one.message, zone=one.zone, side=one.side)


def plan_table(plan: TreatmentPlan) -> str:
    """The plan as a table, a line a pass where passes differ."""
    rows = []
    for index, zone in enumerate(plan.zones, start=1):
        passes = zone.planned_passes()
        first = (str(index), zone.label(), f"{zone.area_cm2:g}")
        if len({(one.depth_mm, one.rate_hz) for one in passes}) == 1:
            spans = [(f"1-{len(passes)}" if len(passes) > 1 else "1", passes[0])]
        else:
            spans = [(str(one.number), one) for one in passes]
        for line, (span, one) in enumerate(spans):
            head = first if line == 0 else ("", "", "")
            rows.append((*head, span, f"{one.depth_mm:.2f}", f"{one.rate_hz:g}", f"{one.rate_hz * 60:.0f}"))
    return table(("", "zone", "area cm²", "passes", "depth mm", "rate Hz", "rpm"), rows)


def _estimate_text(result: Estimate) -> str:
    rows = [
        (
            str(zone.index),
            f"{zone.zone} {zone.side}" if zone.side else zone.zone,
            f"{zone.area_cm2:g}",
            str(len(zone.passes)),
            minutes(zone.seconds),
            "-" if zone.density_per_cm2 is None else f"{zone.density_per_cm2:.0f}",
            f"{zone.target_min_per_cm2}-{zone.target_max_per_cm2}",
        )
        for zone in result.zones
    ]
    zones = table(("", "zone", "area cm²", "passes", "min", "punctures/cm²", "target"), rows)
    steps = [
        (step.name, minutes(step.seconds), "proposed figure" if step.proposed else "from the plan")
        for step in result.steps
    ]
    steps += [
        ("needling", minutes(result.needling_s), "area / (glide speed x head width) x passes"),
        ("between zones", minutes(result.zone_changes_s), "proposed figure"),
        ("rests of the pen", minutes(result.rests_s), "proposed figure"),
        ("in all", minutes(result.total_s), "numbing dwell apart"),
        ("numbing dwell", minutes(result.numbing_dwell_s), "waiting; the product's label decides"),
    ]
    note = "Densities are estimates (strokes in the air count too) and stop nothing."
    return f"{zones}\n\n{table(('step', 'min', ''), steps)}\n\n{note}"


def _load(path: Path) -> TreatmentPlan:
    from penstroke.treatment.plan import load_plan

    return load_plan(path)


def _limits_of_pen(app: App) -> PenLimits | None:
    # Only when asked for in so many words: connecting ends whatever the pen is doing.
    if "port" not in app.flags:
        return None
    with open_pen(app, observe=True) as pen:
        return pen.limits
