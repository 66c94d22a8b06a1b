"""What a scenario can inject, do and expect: what `penstroke-sim scenarios` says."""

from __future__ import annotations

from typing import Any

from penstroke_sim.acts import ACTS, FAULTS
from penstroke_sim.faults import CATALOGUE
from penstroke_sim.injection import Param
from penstroke_sim.profiles import PROFILES
from penstroke_sim.scenario import WANTED


def catalogue() -> dict[str, Any]:
    """Everything, as JSON gives it."""
    return {
        "inject": [
            {
                "name": fault.name,
                "doc": fault.doc,
                "params": [_param(name, param) for name, param in fault.params.items()],
            }
            for fault in CATALOGUE.values()
        ],
        "do": [
            {
                "name": name,
                "doc": act.doc,
                "params": [
                    {
                        "name": key,
                        "doc": param.doc,
                        "default": param.default,
                        "required": param.default is None,
                    }
                    for key, param in act.params.items()
                ],
                "refusable": act.request is not None,
            }
            for name, act in ACTS.items()
        ],
        "expect": {
            **{subject: list(values) for subject, values in WANTED.items()},
            "fault": [*FAULTS, "none"],
        },
        "profiles": {profile.name: profile.summary for profile in PROFILES.values()},
    }


def as_text() -> str:
    """Everything, for a terminal."""
    known = catalogue()
    lines = ["timeline: what can be injected"]
    for fault in known["inject"]:
        lines.append(f"  {fault['name']}: {fault['doc']}")
        lines += [f"      {p['name']} = {_written(p['default'])}: {p['doc']}" for p in fault["params"]]
    lines += ["", "drive: what the built-in host can do"]
    for act in known["do"]:
        lines.append(f"  {act['name']}: {act['doc']}")
        for p in act["params"]:
            default = " (required)" if p["required"] else f" = {_written(p['default'])}"
            lines.append(f"      {p['name']}{default}: {p['doc']}")
    lines += ["", "expect: how the pen must be"]
    lines += [f"  {subject}: {', '.join(values)}" for subject, values in known["expect"].items()]
    lines += ["", "profile: the pens"]
    lines += [f"  {name}: {summary}" for name, summary in known["profiles"].items()]
    return "\n".join(lines)


def _param(name: str, param: Param) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": name, "doc": param.doc, "default": param.default}
    if param.choices:
        entry["choices"] = list(param.choices)
    elif isinstance(param.default, int | float) and not isinstance(param.default, bool):
        entry |= {"low": param.low, "high": param.high}
    return entry


def _written(default: object) -> str:
    if isinstance(default, bool):
        return "true" if default else "false"
    return '""' if default == "" else str(default)
