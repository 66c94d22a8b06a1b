"""`penstroke records`: the journals that treatments left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from penstroke.cli.app import PenGroup, current
from penstroke.cli.errors import UsageProblem
from penstroke.cli.output import emit, say, show, table
from penstroke.errors import RecordError
from penstroke.treatment.journal import read_journal


@click.group("records", cls=PenGroup)
def command() -> None:
    """List and show the journals of treatments."""


@command.command("list")
@click.pass_context
def list_records(ctx: click.Context) -> None:
    """List the journals in the data folder, the oldest first."""
    app = current(ctx)
    folder = app.config.journals
    records = [_overview(path) for path in sorted(folder.glob("*.jsonl"))]
    if app.json:
        emit({"records": records, "folder": str(folder)})
    elif not records:
        say(f"no journals in {folder}")
    else:
        rows = [
            (
                record["id"],
                record["started"] or "-",
                record["plan"] or "-",
                {True: "simulated", False: "real", None: "-"}[record["simulated"]],
                f"{record['zones_done']}/{record['zones']}",
                record["ended"],
            )
            for record in records
        ]
        show(table(("id", "started", "plan", "pen", "zones", "ended"), rows))


@command.command("show")
@click.argument("record_id", metavar="ID")
@click.pass_context
def show_record(ctx: click.Context, record_id: str) -> None:
    """Show the journal ID, as `records list` names it, without its single readings.

    With --json everything in it, as it stands.
    """
    app = current(ctx)
    path = app.config.journals / f"{record_id}.jsonl"
    if Path(record_id).name != record_id or not path.is_file():
        message = f"there is no journal {record_id} in {app.config.journals}"
        raise UsageProblem(message, code="record-unknown", hint="`penstroke records list` lists them")
    entries = list(read_journal(path, readings=app.json))
    if app.json:
        emit({"id": record_id, "file": str(path), "entries": entries})
        return
    show(f"{path}\n")
    for entry in entries:
        show(_line(entry))


def _overview(path: Path) -> dict[str, Any]:
    try:
        entries = list(read_journal(path, readings=False))
    except RecordError:
        entries = []
    first = entries[0] if entries else {}
    plan = first.get("plan", {})
    summary: dict[str, Any] = next((entry for entry in reversed(entries) if entry["event"] == "summary"), {})
    closed = entries[-1] if entries and entries[-1]["event"] == "closed" else {}
    return {
        "id": path.stem,
        "file": str(path),
        "started": first.get("utc"),
        "operator": first.get("operator"),
        "plan": plan.get("title", first.get("act")),
        "simulated": next((one["simulated"] for one in entries if one["simulated"] is not None), None),
        "zones": len(plan.get("zones", [])),
        "zones_done": sum(zone["state"] == "done" for zone in summary.get("zones", [])),
        # No last word: the program was killed, or still runs.
        "ended": closed.get("ended", "open" if entries else "unreadable"),
    }


def _line(entry: dict[str, Any]) -> str:
    place = "       -" if entry["t_s"] is None else f"{entry['t_s']:8.2f}"
    kept = {
        key: value
        for key, value in entry.items()
        if key not in ("n", "utc", "t_s", "operator", "simulated", "event", "plan")
        and value not in (None, [], "")
    }
    words = "  ".join(f"{key}={value}" for key, value in kept.items())
    return f"{entry['utc']} {place} s  {entry['event']}  {words}".rstrip()
