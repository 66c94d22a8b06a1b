"""`penstroke set`: zone, depth and rate, set and read back."""

from __future__ import annotations

from typing import Any

import click

from penstroke.cli.app import PenCommand, current
from penstroke.cli.commands.status import status_text
from penstroke.cli.output import show
from penstroke.cli.records_of import pen_on_record
from penstroke.cli.store import store_option
from penstroke.cli.wish import held_object, wish_of, wish_options


@click.command("set", cls=PenCommand)
@wish_options(required=False)
@store_option
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Set zone, depth and rate, verify them by reading back, and show what the pen holds. Moves nothing."""
    app = current(ctx)
    wish = wish_of(given)
    with pen_on_record(app, wish, "set") as (pen, _):
        wish.apply(pen)
        status = pen.status().to_json()
    if app.json:
        app.emit(held_object(status, wish))
    else:
        wanted = ("pen ", "zone", "depth ", "rate ", "depth limit", "rate range")
        show("\n".join(line for line in status_text(status).splitlines() if line.startswith(wanted)))
