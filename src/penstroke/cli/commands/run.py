"""`penstroke run`: needles in motion for a while, with a live line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from penstroke.cli.app import App, PenCommand, current, open_pen
from penstroke.cli.live import run_line, sample_object
from penstroke.cli.output import LiveLine, say, show
from penstroke.cli.override import override_on_record
from penstroke.cli.values import seconds
from penstroke.cli.wish import Wish, held_object, wish_of, wish_options
from penstroke.errors import Refused, Stopped

if TYPE_CHECKING:
    from penstroke.pen import Pen
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
@click.pass_context
def command(ctx: click.Context, /, for_s: str, start: str, bench: str | None, **given: Any) -> None:
    """Needle for so many seconds, on the bench. Ctrl-C stops and retracts.

    Every cartridge used so is a bench cartridge from then on: no treatment takes it.
    """
    from penstroke.pen import BENCH_TREATMENT

    app = current(ctx)
    wish, length_s = wish_of(given), seconds(for_s)
    with open_pen(app, treatment=BENCH_TREATMENT) as pen:
        if not pen.simulated and not (bench or "").strip():
            raise Refused(
                "this pen is not simulated, and `run` is for the bench: say why with --bench REASON",
                code="bench-reason-needed",
                hint="never on a patient: a treatment is done with `penstroke treat PLAN`",
            )
        with override_on_record(app, pen, wish, "run"):
            wish.apply(pen)
            before = pen.status()
            _announce(app, before, wish, length_s, bench, on_trigger=start == "trigger")
            ended, moved_s = _needle(app, pen, before, length_s, on_trigger=start == "trigger")
            strokes = pen.status().strokes - before.strokes
    if app.json:
        app.emit({"event": "end", "ended": ended, "elapsed_s": round(moved_s, 3), "strokes": strokes})
    else:
        pen_word = " (simulated pen)" if app.simulated else ""
        show(
            f"ended ({_WORDS[ended]}): {moved_s:.1f} s, {strokes} strokes; "
            f"motor off, needles retracted{pen_word}"
        )


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


def _needle(app: App, pen: Pen, held: PenStatus, length_s: float, *, on_trigger: bool) -> tuple[str, float]:
    """Move the needles; why it ended, and for how long they moved."""
    depth_mm, rate_hz = (held.depth_um or 0) / 1000, (held.rate_dhz or 0) / 10
    live = LiveLine(app.mark)
    moved_s, last_s = 0.0, 0.0
    app.interrupts.check()
    try:
        with pen.needling(longest_s=length_s, trigger=on_trigger) as strokes:
            for sample in strokes:
                app.interrupts.check()
                if sample.state == "running":
                    moved_s += sample.elapsed_s - last_s
                last_s = sample.elapsed_s
                if app.json:
                    app.emit(sample_object(sample, depth_mm=depth_mm, rate_hz=rate_hz))
                else:
                    left_s = length_s - moved_s
                    live.update(
                        run_line(sample, depth_mm=depth_mm, rate_hz=rate_hz, left_s=left_s), sample.elapsed_s
                    )
                # The pen ends one press of its trigger by itself; that all presses together last no longer
                # is for this loop.
                if on_trigger and moved_s >= length_s:
                    break
    finally:
        live.end()
    app.interrupts.check()
    if strokes.ended == "stopped":
        raise Stopped("another program asked for a stop; the needles are stopped and retracted")
    if strokes.ended == "duration":
        moved_s = length_s
    return strokes.ended or "left", moved_s
