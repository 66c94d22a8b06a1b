"""`penstroke diagnose`: everything a support person would ask for, in one paste. It never fails."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from typing import Any

import click

from penstroke import __version__
from penstroke.cli.app import App, PenCommand, current, open_pen
from penstroke.cli.errors import error_object
from penstroke.cli.output import emit, json_line, show
from penstroke.errors import PenError


@click.command("diagnose", cls=PenCommand)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Show versions, settings, ports, the pen and the last frames on its line. Never fails; moves nothing."""
    app = current(ctx)
    sections: dict[str, Callable[[App], Any]] = {
        "program": _program,
        "config": _config,
        "limits": _limits,
        "ports": _ports,
        "pen": _pen,
    }
    report = {name: _or_problem(look, app) for name, look in sections.items()}
    if app.json:
        emit(report)
        return
    for name, section in report.items():
        show(f"== {name}")
        for key, value in section.items():
            if isinstance(value, list):
                show(f"{key}:" + "".join(f"\n  {_text(item)}" for item in value) if value else f"{key}: none")
            else:
                show(f"{key}: {_text(value)}")


def _or_problem(look: Callable[[App], dict[str, Any]], app: App) -> dict[str, Any]:
    try:
        return look(app)
    except PenError as error:
        return error_object(error)
    except Exception as problem:
        # Whatever else is broken here is what the support person needs to read.
        return {"error": {"code": "internal", "message": f"{type(problem).__name__}: {problem}"}}


def _program(_app: App) -> dict[str, Any]:
    from importlib.metadata import version

    return {
        "penstroke": __version__,
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "system": platform.platform(),
        "packages": [
            f"{name} {version(name)}" for name in ("click", "cobs", "pydantic", "pyserial", "pyyaml")
        ],
        "environment": [
            f"{key}={os.environ[key]}" for key in sorted(os.environ) if key.startswith("PENSTROKE_")
        ],
        "terminals": [name for name in ("stdin", "stdout", "stderr") if _is_terminal(name)],
        "TERM": os.environ.get("TERM"),
    }


def _is_terminal(name: str) -> bool:
    stream = getattr(sys, name)
    return stream is not None and stream.isatty()


def _config(app: App) -> dict[str, Any]:
    config = app.config
    return {
        "file": str(config.file),
        "file_exists": config.file.exists(),
        "settings": [f"{one.name} = {one.value!r} ({one.source})" for one in config.settings],
    }


def _limits(app: App) -> dict[str, Any]:
    from penstroke.data import figures, zone_table
    from penstroke_protocol.messages import MAJOR, MINOR, MOTION_HASH
    from penstroke_protocol.zone_table import ZONE_DIGEST

    return {
        "clinic_file": str(app.config.clinic_file),
        "clinic_profile": app.clinic().name,
        "zones": len(zone_table()),
        "zone_digest": f"{ZONE_DIGEST:016x}",
        "figures": len(figures().listed),
        "protocol": f"{MAJOR}.{MINOR}",
        "motion_hash": f"{MOTION_HASH:08x}",
    }


def _ports(app: App) -> dict[str, Any]:
    import grp

    from penstroke.ports.control import lock_path, read_owner
    from penstroke.ports.opening import device_of
    from penstroke.ports.serial_port import described_ports

    groups = []
    for gid in os.getgroups():
        try:
            groups.append(grp.getgrgid(gid).gr_name)
        except KeyError:
            groups.append(str(gid))
    named = None if "://" in app.port or app.port == "auto" else device_of(app.port, usb_ids=app.usb_ids())
    return {
        "asked_for": app.port,
        "serial_ports": described_ports(),
        "pens_looked_for": [str(usb_id) for usb_id in app.usb_ids()],
        "last_owner": read_owner(lock_path(named)) if named else {},
        "groups": groups,
    }


def _pen(app: App) -> dict[str, Any]:
    port = app.open_port()
    with open_pen(app, port=port, observe=True) as pen:
        return {
            "status": pen.status().to_json(),
            "limits": [f"{name} = {getattr(pen.limits, name)}" for name in pen.limits.__slots__],
            "line": [f"{name} = {getattr(pen.stats, name)}" for name in pen.stats.__slots__],
            "last_frames": list(port.black_box()),
        }


def _text(value: object) -> str:
    return json_line(value) if isinstance(value, dict) else str(value)
