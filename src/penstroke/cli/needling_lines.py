"""What the needling of a plan looks like: at a terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from penstroke.cli.live import run_line, sample_object
from penstroke.cli.output import LiveLine, minutes, say, show, table
from penstroke.treatment.needling import Adjusted, PassBegins, Reading, Resting, Wish

if TYPE_CHECKING:
    from penstroke.cli.app import App
    from penstroke.treatment.needling import Step, ZoneResult

_WISHES = {"-": Wish.SHALLOWER, "+": Wish.DEEPER, "b": Wish.BLEEDING, "e": Wish.END_ZONE}


def wish_in(line: str) -> Wish | None:
    """The wish that a typed line means; None for any other line."""
    return _WISHES.get(line.strip().lower())


def show_step(app: App, live: LiveLine, step: Step) -> None:
    """Show one step of the needling."""
    if isinstance(step, Reading):
        if app.json:
            app.emit(_reading_object(step))
        else:
            live.update(_reading_line(step), step.sample.elapsed_s)
    elif isinstance(step, PassBegins):
        live.end()
        _show_pass(app, step)
    elif isinstance(step, Resting):
        if app.json:
            app.emit({"event": "rest", "left_s": round(step.left_s, 3)})
        else:
            live.update(f"  the pen rests: {minutes(step.left_s)} left", -step.left_s)
    elif isinstance(step, Adjusted):
        live.end()
        if app.json:
            app.emit({"event": "adjusted", **asdict(step)})
        elif step.refused:
            say(f"  not done: {step.refused}")
        else:
            say(f"  {_ADJUSTED[step.wish].format(depth=f'{step.depth_mm:.2f} mm')}")
    else:
        live.end()
        if app.json:
            app.emit({"event": "zone", **asdict(step)})
        else:
            say(f"  {step.zone}{f' {step.side}' if step.side else ''}: {step.state}, {step.strokes} strokes")


_ADJUSTED = {
    Wish.SHALLOWER: "shallower: {depth}",
    Wish.DEEPER: "deeper from the next pass on: {depth}",
    Wish.BLEEDING: "bleeding is on record; shallower: {depth}",
    Wish.END_ZONE: "this zone ends",
}


def _show_pass(app: App, step: PassBegins) -> None:
    ahead = step.ahead
    passes = ahead.passes[-1].number
    if app.json:
        app.emit(
            {
                "event": "pass",
                "index": ahead.index,
                "zone": ahead.zone.zone,
                "side": ahead.zone.side,
                "pass": step.number,
                "passes": passes,
                "direction": step.direction,
                "depth_mm": step.depth_mm,
                "rate_hz": step.rate_hz,
                "for_s": ahead.pass_s,
            }
        )
        return
    say(
        f"  pass {step.number} of {passes}, {step.direction}: "
        f"{step.depth_mm:.2f} mm at {step.rate_hz:.1f} Hz ({step.rate_hz * 60:.0f} rpm), "
        f"{minutes(ahead.pass_s)} min"
    )


def _reading_object(reading: Reading) -> dict[str, Any]:
    begins = reading.begins
    return sample_object(
        reading.sample,
        index=begins.ahead.index,
        zone=begins.ahead.zone.zone,
        side=begins.ahead.zone.side,
        **{"pass": begins.number},
        depth_mm=reading.depth_mm,
        rate_hz=begins.rate_hz,
        zone_strokes=reading.zone_strokes,
        density_per_cm2=reading.density_per_cm2,
        pass_left_s=round(reading.pass_left_s, 3),
        plan_left_s=round(reading.plan_left_s, 3),
        plan_done=round(reading.plan_done, 4),
    )


def _reading_line(reading: Reading) -> str:
    # The order is that of need: a terminal of 80 columns shows up to the strokes, the rest falls off its end.
    begins, target = reading.begins, reading.begins.ahead.zone.target_density
    line = run_line(
        reading.sample,
        depth_mm=reading.depth_mm,
        rate_hz=begins.rate_hz,
        left_s=reading.pass_left_s,
        strokes=reading.zone_strokes,
    )
    return (
        f"  {line}  {reading.density_per_cm2:.0f}/cm²  target {target.min_per_cm2}-{target.max_per_cm2}  "
        f"plan {reading.plan_done * 100:.0f} % done, {minutes(reading.plan_left_s)} left"
    )


def show_summary(app: App, results: Sequence[ZoneResult], *, finished: bool) -> None:
    """What became of the zones."""
    if app.json:
        app.emit(
            {
                "event": "summary",
                "finished": finished,
                "zones": [asdict(result) for result in results],
                "needling_s": round(sum(result.seconds for result in results), 3),
                "strokes": sum(result.strokes for result in results),
            }
        )
        return
    rows = [
        (
            str(result.index),
            f"{result.zone} {result.side}" if result.side else result.zone,
            result.state,
            f"{result.passes_done}/{result.passes}",
            f"{result.seconds:.1f}",
            str(result.strokes),
            f"{result.density_per_cm2:.0f}",
            result.endpoint or "",
        )
        for result in results
    ]
    show(table(("", "zone", "state", "passes", "s", "strokes", "punctures/cm²", "skin"), rows))
    if app.simulated:
        show("on a simulated pen: nobody was treated")
