"""`penstroke zones`: the zone table with its sources."""

from __future__ import annotations

from typing import Any

import click

from penstroke.cli.app import App, PenCommand, complete_zones, current, open_pen
from penstroke.cli.output import emit, show, table
from penstroke.data import zone_table
from penstroke.errors import Refused
from penstroke.safety import (
    Constraints,
    PenLimits,
    Refusal,
    Scope,
    Zone,
    depth_limit,
    find_zone,
    mm,
)
from penstroke.safety.zones import SIDES


@click.command("zones", cls=PenCommand)
@click.argument("zone", required=False, shell_complete=complete_zones)
@click.pass_context
def command(ctx: click.Context, zone: str | None) -> None:
    """Show the zone table, or one ZONE of it, with its sources.

    Needs no pen. With --port given on the command line it also says how deep that pen can go in each zone,
    and which zones are out of its reach.
    """
    app = current(ctx)
    zones = zone_table() if zone is None else (_one(zone),)
    pen = _limits_of_pen(app)
    entries = [_entry(app, one, pen) for one in zones]
    if app.json:
        emit({"zones": entries})
    elif zone is None:
        show(_overview(entries, reach=pen is not None))
    else:
        show(_details(entries[0]))


def _one(name: str) -> Zone:
    found = find_zone(name, None, zone_table())
    if isinstance(found, Zone):
        return found
    named = next((zone for zone in zone_table() if zone.name == name), None)
    if named is None:
        raise Refused.of(found)
    return named


def _limits_of_pen(app: App) -> PenLimits | None:
    # Only when asked for in so many words: connecting ends whatever the pen is doing.
    if "port" not in app.flags:
        return None
    with open_pen(app, observe=True) as pen:
        return pen.limits


def _entry(app: App, zone: Zone, pen: PenLimits | None) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": zone.id,
        "zone": zone.name,
        "sides": zone.sided,
        "start_mm": None if zone.start_um is None else zone.start_um / 1000,
        "ceiling_mm": zone.ceiling_um / 1000,
        "hard_ceiling_mm": zone.hard_ceiling_um / 1000,
        "forbidden": zone.forbidden,
        "body_site_code": zone.body_site_code or None,
        "body_site_display": zone.body_site_display or None,
        "basis": zone.basis,
    }
    if pen is not None:
        limit = depth_limit(
            Constraints(
                zone=zone,
                side=SIDES[0] if zone.sided else None,
                pen=pen,
                clinic=app.clinic(),
                scope=Scope.SELECT,
            )
        )
        deepest_um = 0 if isinstance(limit, Refusal) else limit.deepest_um
        entry["depth_max_mm"] = deepest_um / 1000 if deepest_um else None
        entry["out_of_reach"] = not isinstance(limit, Refusal) and limit.out_of_reach
    return entry


def _overview(entries: list[dict[str, Any]], *, reach: bool) -> str:
    headers = ["zone", "sides", "start", "ceiling", "hard ceiling", *(["with this pen"] if reach else [])]
    rows = []
    for entry in entries:
        row = [entry["zone"], "left, right" if entry["sides"] else "-"]
        row += (
            ["forbidden", "", ""]
            if entry["forbidden"]
            else [_mm(entry["start_mm"]), _mm(entry["ceiling_mm"]), _mm(entry["hard_ceiling_mm"])]
        )
        if reach:
            row.append(_reach(entry))
        rows.append(row)
    text = table(headers, rows)
    return (
        f"{text}\n\nDepths in mm. Left and right are the patient's. `penstroke zones ZONE` shows the sources."
    )


def _details(entry: dict[str, Any]) -> str:
    sides = "left and right, one of them must be named" if entry["sides"] else "none"
    lines = [f"{entry['zone']} (number {entry['id']})", f"sides         {sides}"]
    if entry["forbidden"]:
        lines.append("forbidden     nothing may be needled here; no override lifts this")
    else:
        lines += [
            f"start         {_mm(entry['start_mm'])} mm",
            f"ceiling       {_mm(entry['ceiling_mm'])} mm",
            f"hard ceiling  {_mm(entry['hard_ceiling_mm'])} mm, by a named clinician's override only",
        ]
    if "out_of_reach" in entry:
        lines.append(f"with this pen {_reach(entry)}")
    if entry["body_site_code"]:
        lines.append(f"body site     SNOMED CT {entry['body_site_code']} ({entry['body_site_display']})")
    lines.append(f"basis         {entry['basis']}")
    return "\n".join(lines)


def _reach(entry: dict[str, Any]) -> str:
    if entry["out_of_reach"]:
        return "out of reach"
    deepest = entry["depth_max_mm"]
    return "forbidden" if deepest is None else f"up to {_mm(deepest)} mm"


def _mm(depth_mm: float) -> str:
    return mm(round(depth_mm * 1000))
