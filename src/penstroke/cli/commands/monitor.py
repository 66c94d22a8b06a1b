"""`penstroke monitor`: live telemetry."""

from __future__ import annotations

import click

from penstroke.cli.app import PenCommand, current, open_pen
from penstroke.cli.live import monitor_line, sample_object
from penstroke.cli.output import LiveLine
from penstroke.cli.values import seconds


@click.command("monitor", cls=PenCommand)
@click.option("--for", "for_s", metavar="SECONDS", help="End after so long; else at Ctrl-C.")
@click.pass_context
def command(ctx: click.Context, for_s: str | None) -> None:
    """Show live telemetry until Ctrl-C. Moves nothing."""
    app = current(ctx)
    length_s = None if for_s is None else seconds(for_s)
    with open_pen(app, observe=True, sets=False) as pen:
        live = LiveLine(app.mark)
        try:
            for sample in pen.monitor(for_s=length_s):
                app.interrupts.check()
                if app.json:
                    app.emit(sample_object(sample))
                    continue
                live.update(monitor_line(sample), sample.elapsed_s)
        finally:
            live.end()
