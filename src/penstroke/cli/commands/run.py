"""`penstroke run`: needles in motion for a while, with a live line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from penstroke.cli.app import App, PenCommand, current
from penstroke.cli.errors import BY_OUR_OWN_STOP, UsageProblem
from penstroke.cli.live import run_line, sample_object
from penstroke.cli.output import LiveLine, say, show
from penstroke.cli.records_of import pen_in_treatment, pen_on_record
from penstroke.cli.store import store_option
from penstroke.cli.values import seconds
from penstroke.cli.wish import Wish, held_object, wish_of, wish_options
from penstroke.errors import DeviceFault, PenError, RecordError, Stopped
from penstroke.interrupts import Interrupted

if TYPE_CHECKING:
    from penstroke.pen import Pen
    from penstroke.records.recorder import Recorder
    from penstroke.status import PenStatus


@click.command("run", cls=PenCommand)
@wish_options(required=True)
@click.option("--for", "for_s", metavar="SECONDS", required=True, help="How long the needles move.")
@click.option(
    "--start",
    type=click.Choice(["now", "trigger"]),
    default="now",
    show_default=True,
    help="Start at once, or leave the start to the pen's own trigger, held.",
)
@click.option(
    "--bench", metavar="REASON", help="Why this pen, which is not simulated, runs without a patient."
)
@click.option("--treatment", metavar="ID", help="The open treatment that this run belongs to.")
@click.option("--operator", metavar="NAME", help="Who runs it; in a treatment, by the name in the roster.")
@click.option("--roster", metavar="FILE", help="Who works here; else roster.toml beside the configuration.")
@store_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    for_s: str,
    start: str,
    bench: str | None,
    treatment: str | None,
    operator: str | None,
    roster: str | None,
    **given: Any,
) -> None:
    """Needle for so many seconds, on the bench or in an open treatment. Ctrl-C stops and retracts.

    Every cartridge used on the bench is a bench cartridge from then on: no treatment takes it. In a treatment
    that stands at needling the run counts as a pass of its zone.
    """
    from penstroke.pen import BENCH_TREATMENT

    app = current(ctx)
    app.flags |= {"operator": operator, "roster": roster}
    wish, length_s = wish_of(given), seconds(for_s)
    if treatment is None:
        opened = pen_on_record(app, wish, "run", treatment=BENCH_TREATMENT, bench=bench)
    elif bench is not None:
        raise UsageProblem(
            "--bench says that there is no patient, and --treatment names one: give one of them"
        )
    else:
        opened = pen_in_treatment(app, wish, treatment, length_s)
    with opened as (pen, recorder):
        wish.apply(pen)
        before = pen.status()
        _announce(app, before, wish, length_s, bench, on_trigger=start == "trigger")
        run = _Run(before)
        with _end_told(app, run):
            _needle(app, pen, recorder, run, length_s, on_trigger=start == "trigger")
            run.strokes = pen.status().strokes - before.strokes
    if not app.json:
        pen_word = " (simulated pen)" if app.simulated else ""
        show(
            f"ended ({_WORDS[run.ended]}): {run.moved_s:.1f} s, {run.strokes} strokes; "
            f"motor off, needles retracted{pen_word}"
        )
    if run.ended == "arm-expired" and not run.moved_s:
        raise DeviceFault(
            "no needle has moved: the trigger was not pressed for 10 s, and the pen disarmed itself",
            code="arm-expired",
            hint="run it again, and hold the pen's trigger once it is armed",
        )


@dataclass(slots=True)
class _Run:
    """One run, as far as it has come."""

    held: PenStatus
    """What the pen held before it."""
    moved_s: float = 0.0
    strokes: int = 0
    ended: str = ""
    """As `Strokes.ended`; `interrupted`, `stopped` or `failed` where an error ended it."""


@contextmanager
def _end_told(app: App, run: _Run) -> Iterator[None]:
    """With --json the last line tells how the run ended, whatever ended it."""
    try:
        yield
    except (PenError, Interrupted) as error:
        by_us = isinstance(error, Interrupted) or (app.interrupts.why and isinstance(error, BY_OUR_OWN_STOP))
        run.ended = "interrupted" if by_us else "stopped" if isinstance(error, Stopped) else "failed"
        # Where the output itself has failed, what ended the run is still what must be told.
        with suppress(Interrupted):
            _tell_end(app, run)
        raise
    _tell_end(app, run)


def _tell_end(app: App, run: _Run) -> None:
    if app.json:
        moved_s = round(run.moved_s, 3)
        app.emit({"event": "end", "ended": run.ended, "elapsed_s": moved_s, "strokes": run.strokes})


_WORDS = {
    "duration": "its time was up",
    "arm-expired": "the trigger was not pressed for 10 s",
    "left": "its time was up",
}


def _announce(
    app: App, held: PenStatus, wish: Wish, length_s: float, bench: str | None, *, on_trigger: bool
) -> None:
    if app.json:
        begin = held_object(held.to_json(), wish)
        app.emit(
            {
                "event": "begin",
                **begin,
                "for_s": length_s,
                "bench": bench,
                "start": "trigger" if on_trigger else "now",
            }
        )
        return
    key = "; the pen's own stop key does too" if held.identity.stop_key else ""
    say(f"Ctrl-C stops and retracts{key}")
    if on_trigger:
        say("armed next: hold the pen's trigger to needle")


def _needle(app: App, pen: Pen, recorder: Recorder, run: _Run, length_s: float, *, on_trigger: bool) -> None:
    """Move the needles, and keep account in `run` and on record."""
    from penstroke.treatment.run import measured

    depth_mm, rate_hz = (run.held.depth_um or 0) / 1000, (run.held.rate_dhz or 0) / 10
    live = LiveLine(app.mark)
    last_s = 0.0
    app.interrupts.check()
    strokes = pen.needling(longest_s=length_s, trigger=on_trigger)
    try:
        with strokes:
            for sample in strokes:
                app.interrupts.check()
                recorder.device_time(sample.device_ms)
                recorder.write("sample", **measured(sample))
                if sample.state == "running":
                    run.moved_s += sample.elapsed_s - last_s
                run.strokes = sample.strokes
                last_s = sample.elapsed_s
                if app.json:
                    app.emit(sample_object(sample, depth_mm=depth_mm, rate_hz=rate_hz))
                else:
                    left_s = length_s - run.moved_s
                    live.update(
                        run_line(sample, depth_mm=depth_mm, rate_hz=rate_hz, left_s=left_s), sample.elapsed_s
                    )
                # The pen ends one press of its trigger by itself; that all presses together last no longer
                # is for this loop.
                if on_trigger and run.moved_s >= length_s:
                    break
    finally:
        live.end()
        # A record that has failed says so when it is closed, and must not hide what ended the run.
        with suppress(RecordError):
            moved_s, why = round(strokes.moving_ns() / 1e9, 3), strokes.ended
            recorder.write("run-ended", ended=why, elapsed_s=moved_s, zone_strokes=run.strokes)
    app.interrupts.check()
    if strokes.ended == "stopped":
        raise Stopped("another program asked for a stop; the needles are stopped and retracted")
    if strokes.ended == "duration":
        run.moved_s = length_s
    run.ended = strokes.ended or "left"
