"""`penstroke status`: who the pen is, what it holds, and what limits it."""

from __future__ import annotations

from typing import Any

import click

from penstroke.cli.app import PenCommand, current, open_pen
from penstroke.cli.output import emit, show


@click.command("status", cls=PenCommand)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Show identity, state, cartridge, zone, depth, rate, the limits in force and what sets each."""
    app = current(ctx)
    with open_pen(app, sets=False) as pen:
        status = pen.status().to_json()
    if app.json:
        emit(status)
    else:
        show(status_text(status))


def status_text(status: dict[str, Any]) -> str:
    """The status as lines for a person."""
    identity, cartridge, limits = status["identity"], status["cartridge"], status["limits"]
    simulated = ", simulated" if identity["simulated"] else ""
    lines = [
        f"pen          {identity['model']} {identity['serial']}, firmware {identity['firmware']}, "
        f"protocol {identity['protocol']}{simulated}",
        f"state        {status['state']}, motor {status['motor']}, needles {status['needles']}",
        f"zone         {_zone(status)}",
        f"depth        {_value(status['depth_mm'], 'mm', 2)} set, "
        f"{_value(status['depth_measured_mm'], 'mm', 2)} measured",
        f"rate         {_rate(status['rate_hz'])} set, {_rate(status['rate_measured_hz'])} measured",
        f"depth limit  {_depth_limit(limits)}",
        f"rate range   {_value(limits['rate_min_hz'], 'Hz', 1)} to {_value(limits['rate_max_hz'], 'Hz', 1)}",
        f"cartridge    {_cartridge(cartridge)}",
        f"battery      {status['battery_pct']} %",
        f"temperature  {status['temperature_c']:.1f} °C",
        f"strokes      {status['strokes']} since power-up",
        f"faults       {', '.join(status['faults']) or 'none'}",
    ]
    if status["read_only"]:
        lines.append(f"read-only    {status['read_only']}")
    return "\n".join(lines)


def _zone(status: dict[str, Any]) -> str:
    if status["zone"] is None:
        return "none chosen"
    return f"{status['zone']} {status['side']}" if status["side"] else str(status["zone"])


def _depth_limit(limits: dict[str, Any]) -> str:
    if limits["depth_mm"] is None:
        return "none while no zone is chosen: no depth is allowed"
    deepest = limits["depth_max_mm"]
    most = f"up to {deepest:.2f} mm may be asked" if deepest else "out of this pen's reach"
    return f"{limits['depth_mm']:.2f} mm (set by: {limits['depth_bound_by']}), {most}"


def _cartridge(cartridge: dict[str, Any]) -> str:
    if not cartridge["present"]:
        return "none"
    length = _value(cartridge["needle_length_mm"], "mm", 2)
    used = "used" if cartridge["used"] else "unused"
    lot, expiry = cartridge["lot"] or "unknown", cartridge["expiry"] or "unknown"
    return f"lot {lot}, expires {expiry}, {cartridge['needle_count'] or '?'} needles of {length}, {used}"


def _rate(rate_hz: float | None) -> str:
    return "none" if rate_hz is None else f"{rate_hz:.1f} Hz ({rate_hz * 60:.0f} rpm)"


def _value(value: float | None, unit: str, places: int) -> str:
    return "none" if value is None else f"{value:.{places}f} {unit}"
