"""`penstroke config`: every setting, its value, and where it came from."""

from __future__ import annotations

import click

from penstroke.cli.app import PenCommand, current
from penstroke.cli.output import emit, show, table
from penstroke.config import KEYS


@click.command("config", cls=PenCommand)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Show each setting and where it came from."""
    app = current(ctx)
    config = app.config
    app.usb_ids()  # what no other command would take is not shown as if it were in order
    clinic = app.clinic()
    clinic_there = config.clinic_file.exists()
    if app.json:
        emit(
            {
                "config": [
                    {"name": one.name, "value": one.value, "source": one.source} for one in config.settings
                ],
                "file": str(config.file),
                "file_exists": config.file.exists(),
                "clinic_file": str(config.clinic_file),
                "clinic_profile": clinic.name if clinic_there else None,
            }
        )
        return
    meanings = {key.name: key.meaning for key in KEYS}
    rows = [(one.name, _shown(one.value), one.source, meanings[one.name]) for one in config.settings]
    show(table(("setting", "value", "from", "meaning"), rows))
    show(f"\nconfiguration   {config.file}{'' if config.file.exists() else ' (not there: defaults)'}")
    profile = (
        f"{config.clinic_file} ({clinic.name})" if clinic_there else f"{config.clinic_file} (not there: none)"
    )
    show(f"clinic profile  {profile}")


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "-"
    return str(value) or "-"
