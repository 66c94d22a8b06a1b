"""`penstroke treat`: the needling of a plan, zone by zone, each at a person's word, with a journal."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstroke import __version__
from penstroke.cli.app import App, PenCommand, current, open_pen
from penstroke.cli.commands.plan import check_against, plan_table, refusal, violation_object
from penstroke.cli.errors import BY_OUR_OWN_STOP
from penstroke.cli.live import run_line, sample_object
from penstroke.cli.output import LiveLine, minutes, say, show, table
from penstroke.cli.prompt import ask
from penstroke.errors import DeviceFault, PenError, RecordError, Stopped
from penstroke.interrupts import Interrupted
from penstroke.treatment.journal import FORMAT, Journal, new_path

if TYPE_CHECKING:
    from penstroke.pen import Pen
    from penstroke.treatment.plan import TreatmentPlan
    from penstroke.treatment.run import Answer, Needling, Reading, Step, ZoneAhead

_PUMP_S = 0.03


@click.command("treat", cls=PenCommand)
@click.argument("plan", type=click.Path(path_type=Path))
@click.option(
    "--yes",
    is_flag=True,
    help="Answer the prompts that may be answered so: not the start of a zone, unless the pen is simulated.",
)
@click.option("--operator", metavar="NAME", help="Who treats; written into the journal.")
@click.option(
    "--journal",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of the journal; must not exist yet.",
)
@click.pass_context
def command(ctx: click.Context, plan: Path, yes: bool, operator: str | None, journal: Path | None) -> int:
    """Needle PLAN zone by zone. Ctrl-C stops and retracts at once.

    All that is commanded, refused and measured is written to a journal of JSON lines.
    """
    from penstroke.treatment.plan import load_plan

    app = current(ctx)
    app.flags["operator"] = operator
    loaded = load_plan(plan)
    path = journal or new_path(app.config.journals, loaded.title)
    with Journal(path, operator=str(app.config["operator"])) as written:
        written.write(
            "opened",
            format=FORMAT,
            penstroke=__version__,
            plan_file=str(plan.absolute()),
            plan=loaded.model_dump(mode="json"),
        )
        try:
            finished = _treat(app, loaded, written, yes=yes)
        except PenError as error:
            ours = bool(app.interrupts.why) and isinstance(error, BY_OUR_OWN_STOP)
            code = app.interrupts.why if ours else error.code
            _close(app, written, ended="interrupted" if ours else "error", code=code)
            raise
        except Interrupted as interrupted:
            _close(app, written, ended="interrupted", code=interrupted.why)
            raise
        written.write("closed", ended="finished" if finished else "quit", code=None)
    if not app.json:
        show(f"journal: {path}")
    if not finished:
        raise Interrupted("the treatment was ended before its last zone")
    return 0


def _close(app: App, journal: Journal, *, ended: str, code: str) -> None:
    """The last entry after a failure, which is what must be told even where record and terminal fail too."""
    with suppress(RecordError):
        journal.write("closed", ended=ended, code=code)
    if not app.json:
        with suppress(Interrupted):
            show(f"journal: {journal.path}")


def _treat(app: App, plan: TreatmentPlan, journal: Journal, *, yes: bool) -> bool:
    # Once before the pen is touched, against the pen the plan was written for; then against the one there is.
    _check(app, plan, journal, None)
    try:
        with open_pen(app) as pen:
            journal.bind(pen.now_ns, simulated=pen.simulated)
            journal.write(
                "pen",
                identity=asdict(pen.identity),
                limits=asdict(pen.limits),
                cartridge=asdict(pen.cartridge()),
                clinic=app.clinic().name,
                treatment=f"{pen.treatment:016x}",
            )
            _check(app, plan, journal, pen)
            return _needle(app, plan, journal, pen, yes=yes)
    except PenError as error:
        with suppress(RecordError):
            journal.error(error)
        raise


def _check(app: App, plan: TreatmentPlan, journal: Journal, pen: Pen | None) -> None:
    violations = check_against(app, plan, pen.limits if pen is not None else None)
    journal.write(
        "check",
        against="the pen connected" if pen is not None else "the plan's own pen",
        violations=[violation_object(one) for one in violations],
    )
    if violations:
        error = refusal(violations)
        journal.error(error)
        raise error


def _needle(app: App, plan: TreatmentPlan, journal: Journal, pen: Pen, *, yes: bool) -> bool:
    from penstroke.treatment.run import Needling

    person = _Person(app, pen, yes=yes)
    person.overview(plan)
    needling = Needling(pen, plan, journal, person.confirm)
    live = LiveLine(app.mark)
    try:
        # Closed by hand: what a generator raises while it is thrown away unclosed, nobody hears.
        with closing(needling.run()) as steps:
            for step in steps:
                app.interrupts.check()
                _tell(app, live, step)
                app.interrupts.check()
    except BaseException:
        live.end()
        # With the terminal gone too, what went wrong is still what decides the exit code.
        with suppress(Interrupted):
            _summary(app, needling, journal)
        raise
    live.end()
    _summary(app, needling, journal)
    return needling.finished


class _Person:
    """The one who answers; `--yes` answers for them where it may."""

    def __init__(self, app: App, pen: Pen, *, yes: bool) -> None:
        self._app = app
        self._pen = pen
        self._yes = yes

    def overview(self, plan: TreatmentPlan) -> None:
        """Show what will be done, and on which pen; wait for a yes."""
        pen = self._pen
        kind = "simulated pen" if pen.simulated else "pen"
        say(f"{plan.title}: {len(plan.zones)} zones on {kind} {pen.identity.model} {pen.identity.serial}")
        if not self._app.json:
            say(plan_table(plan))
        key = "the pen's own stop key does too" if pen.identity.stop_key else "this pen has no stop key"
        say(f"Ctrl-C stops and retracts at any time; {key}.")
        if self._yes:
            return
        answer = ask(
            "Is this the right patient and plan, with a new sterile cartridge in the pen? yes or no",
            ("yes", "no"),
            meanwhile=self._meanwhile,
            flag="--yes answers this; the start of a zone still needs a person, unless the pen is simulated",
        )
        if answer == "no":
            raise Interrupted("the plan was not confirmed")

    def confirm(self, ahead: ZoneAhead) -> Answer:
        """Ask before a zone. Only on a simulated pen may `--yes` answer."""
        from penstroke.treatment.run import Answer

        zone, first = ahead.zone, ahead.passes[0]
        count = len(ahead.passes)
        say(
            f"zone {ahead.index} of {ahead.of}: {zone.label()}, {count} pass{'es' if count > 1 else ''}, "
            f"{minutes(ahead.needling_s)} min, "
            f"first {first.depth_mm:.2f} mm = {first.depth_mm * 1000:.0f} µm at {first.rate_hz:g} Hz"
        )
        if zone.notes:
            say(f"  {zone.notes}")
        if self._yes and self._pen.simulated:
            return Answer.START
        answer = ask(
            "  start, skip or quit?",
            [answer.value for answer in Answer],
            meanwhile=self._meanwhile,
            flag="the start of a zone needs a person at a terminal; on a simulated pen --yes will do",
        )
        return Answer(answer)

    def _meanwhile(self) -> None:
        self._app.interrupts.check()
        self._pen.pump(_PUMP_S)
        # A stop while nothing moves is told here, so that the answer that follows is a fresh press.
        try:
            self._pen.heed_stops()
        except (Stopped, DeviceFault) as told:
            self._app.interrupts.check()
            say(f"  {told.message}")


def _tell(app: App, live: LiveLine, step: Step) -> None:
    from penstroke.treatment.run import PassBegins, Reading, Resting

    if isinstance(step, Reading):
        if app.json:
            app.emit(_reading_object(step))
        else:
            live.update(_reading_line(step), step.sample.elapsed_s)
    elif isinstance(step, PassBegins):
        live.end()
        if app.json:
            app.emit(
                {
                    "event": "pass",
                    "index": step.ahead.index,
                    "zone": step.ahead.zone.zone,
                    "side": step.ahead.zone.side,
                    "pass": step.number,
                    "passes": len(step.ahead.passes),
                    "direction": step.direction,
                    "depth_mm": step.depth_mm,
                    "rate_hz": step.rate_hz,
                    "for_s": step.ahead.pass_s,
                }
            )
        else:
            say(
                f"  pass {step.number} of {len(step.ahead.passes)}, {step.direction}: "
                f"{step.depth_mm:.2f} mm at {step.rate_hz:.1f} Hz ({step.rate_hz * 60:.0f} rpm), "
                f"{minutes(step.ahead.pass_s)} min"
            )
    elif isinstance(step, Resting):
        if app.json:
            app.emit({"event": "rest", "left_s": round(step.left_s, 3)})
        else:
            live.update(f"  the pen rests: {minutes(step.left_s)} left", -step.left_s)
    else:
        live.end()
        if app.json:
            app.emit({"event": "zone", **asdict(step)})
        else:
            say(f"  {step.zone}{f' {step.side}' if step.side else ''}: {step.state}, {step.strokes} strokes")


def _reading_object(reading: Reading) -> dict[str, Any]:
    begins = reading.begins
    return sample_object(
        reading.sample,
        index=begins.ahead.index,
        zone=begins.ahead.zone.zone,
        side=begins.ahead.zone.side,
        **{"pass": begins.number},
        depth_mm=begins.depth_mm,
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
        depth_mm=begins.depth_mm,
        rate_hz=begins.rate_hz,
        left_s=reading.pass_left_s,
        strokes=reading.zone_strokes,
    )
    return (
        f"  {line}  {reading.density_per_cm2:.0f}/cm²  target {target.min_per_cm2}-{target.max_per_cm2}  "
        f"plan {reading.plan_done * 100:.0f} % done, {minutes(reading.plan_left_s)} left"
    )


def _summary(app: App, needling: Needling, journal: Journal) -> None:
    results = needling.results
    if app.json:
        app.emit(
            {
                "event": "summary",
                "finished": needling.finished,
                "zones": [asdict(result) for result in results],
                "needling_s": round(sum(result.seconds for result in results), 3),
                "strokes": sum(result.strokes for result in results),
                "journal": str(journal.path),
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
        )
        for result in results
    ]
    show(table(("", "zone", "state", "passes", "s", "strokes", "punctures/cm²"), rows))
    if app.simulated:
        show("on a simulated pen: nobody was treated")
