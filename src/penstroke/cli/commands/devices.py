"""`penstroke devices`: the pens that are plugged in."""

from __future__ import annotations

import click

from penstroke.cli.app import PenCommand, current
from penstroke.cli.output import emit, say, show, table


@click.command("devices", cls=PenCommand)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List the pens plugged in, by their USB identity. Nothing is opened."""
    from penstroke.ports.discovery import find_pens

    app = current(ctx)
    usb_ids = app.usb_ids()
    found = find_pens(usb_ids)
    if app.json:
        emit(
            {
                "devices": [
                    {
                        "port": pen.device,
                        "serial": pen.serial_number or None,
                        "product": pen.product or None,
                        "usb": str(pen.usb),
                    }
                    for pen in found
                ]
            }
        )
    elif found:
        rows = [(pen.device, pen.serial_number or "-", pen.product or "-", str(pen.usb)) for pen in found]
        show(table(("port", "serial", "product", "usb"), rows))
    else:
        say(f"no pen found (looked for USB {', '.join(map(str, usb_ids))})")
        say("  the simulated pen is only used when named: --port sim://")
