"""`penstroke faults`: latched faults, and how to clear them."""

from __future__ import annotations

import click

from penstroke.cli.app import PenCommand, current, open_pen
from penstroke.cli.output import show


@click.command("faults", cls=PenCommand)
@click.option("--clear", is_flag=True, help="Clear the latched faults whose causes are gone.")
@click.pass_context
def command(ctx: click.Context, clear: bool) -> None:
    """Show latched faults, what they mean and how to clear them."""
    app = current(ctx)
    with open_pen(app, sets=False) as pen:
        before = pen.faults()
        if clear:
            pen.clear_faults()
        now = pen.faults() if clear else before
    cleared = [fault.name for fault in before if fault not in now]
    if app.json:
        listed = [
            {"name": one.name, "meaning": one.meaning, "remedy": one.remedy, "clearable": one.clearable}
            for one in now
        ]
        app.emit({"faults": listed, "cleared": cleared})
        return
    if cleared:
        show(f"cleared: {', '.join(cleared)}")
    if not now:
        show("no latched faults")
    for fault in now:
        how = "" if fault.clearable else " (only switching the pen off and on clears it)"
        show(f"{fault.name}: {fault.meaning}\n  {fault.remedy}{how}")
