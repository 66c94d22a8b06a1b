"""What was not as planned, a line each: faults, overrides, refusals, bleeding, warnings, interruptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from penstroke.records.plain import count, number, texts
from penstroke.records.told import Run, Step, Told, TreatmentSummary
from penstroke.reports.parts import NONE
from penstroke.reports.plain import key_words, plain
from penstroke.reports.words import Words, zone_words

EVERYDAY_EVENTS = frozenset({"run-started", "run-ended", "retracted", "disarmed"})
"""What a pen tells of every run: on record, and no news in a report."""

_STOPPED = frozenset({"stopped", "interrupted"})
"""Codes of errors that are somebody's wish: Ctrl-C, or a stop from elsewhere."""

_COUNTERS = frozenset({"event", "arg", "faults", "at_device_ms", "missed", "zone", "side", "pass"})
"""Of an event, what is told in other words or is for programs."""


def incidents(
    summary: TreatmentSummary,
    say: Words,
    time: Callable[[str | None], str],
    cartridge: Callable[[dict[str, Any]], str],
) -> list[str]:
    """The lines in the order of their entries. `time` tells a label, `cartridge` the body of a cartridge."""
    found: list[tuple[int, str, str]] = []
    told = [
        *summary.faults,
        *summary.overrides,
        *summary.refusals,
        *(one for one in summary.cartridges if one.body.get("change")),
        *(one for one in summary.endpoints if one.body.get("endpoint") == "continuous-bleeding"),
        *(one for one in summary.events if one.kind in ("interrupted", "resumed")),
        *(
            one
            for one in summary.events
            if one.kind == "event" and one.body.get("event") not in EVERYDAY_EVENTS
        ),
    ]
    found += [(one.entry, one.utc, _told(one, say, cartridge)) for one in told]
    found += [(run.entry, run.utc, _lost(run, say)) for run in summary.runs if run.lost]
    for step in summary.steps:
        if step.state in ("skipped", "blocked"):
            found.append((step.entry, step.utc, _step(step, say)))
        warned = f"{say('WARNING')} {say(step.step)}"
        found += [(step.entry, step.utc, f"{warned}: {text}") for text in step.warnings]
    return [f"{time(utc)}  {text}" for _, utc, text in sorted(found, key=lambda one: one[0])]


def _told(one: Told, say: Words, cartridge: Callable[[dict[str, Any]], str]) -> str:
    body = one.body
    by = f"{say('by')} {plain(body.get('by'), say)}: {plain(body.get('reason'), say)}"
    match one.kind:
        case "override":
            parts = (say(str(body.get("what"))), _where(body, say), body.get("product"))
            return f"{say('OVERRIDE')} {', '.join(str(part) for part in parts if part)}, {by}"
        case "fault":
            return f"{say('FAULT')} {_names(body.get('faults'), say)}"
        case "error" if body.get("code") in _STOPPED:
            return f"{say('INTERRUPTED')} {plain(body.get('message'), say)}"
        case "error":
            return f"{say('ERROR')} {plain(body.get('message'), say)}"
        case "refused":
            return f"{say('REFUSED')} {plain(body.get('message'), say)}"
        case "cartridge":
            return f"{say('CARTRIDGE CHANGED')} {cartridge(body)}: {plain(body.get('reason'), say)}"
        case "endpoint":
            where = ", ".join(part for part in (_where(body, say), _pass(body, say)) if part)
            return f"{say('BLEEDING')} {say('continuous-bleeding')}" + (f" ({where})" if where else "")
        case "interrupted":
            return f"{say('INTERRUPTED')} {plain(body.get('why'), say)}"
        case "resumed":
            return f"{say('RESUMED')} {say('at')} {say(str(body.get('at_step')))}"
    return _event(body, say)


def _event(body: dict[str, Any], say: Words) -> str:
    """An event of the pen, or what somebody wanted of it, in words."""
    name = str(body.get("event"))
    if name in ("fault", "faults-cleared"):
        facts = [_names(body.get("faults"), say)]
    else:
        facts = [part for part in (_where(body, say), _pass(body, say)) if part]
    facts += [
        f"{key_words(key, say)} {plain(value, say)}"
        for key, value in body.items()
        if key not in _COUNTERS and value not in (None, "", [], {})
    ]
    if lost := count(body.get("missed")):
        facts.append(f"{lost} {say('events lost before it')}")
    return f"{say('EVENT')} {say(name)}" + (f" ({', '.join(facts)})" if facts else "")


def _lost(run: Run, say: Words) -> str:
    where = zone_words(run.zone, run.side, say) if run.zone else say("no zone")
    return (
        f"{say('PROGRAM LOST')} {where}: "
        f"{say('the program died while needles moved; the pen stopped itself at the end of its lease')}"
    )


def _step(step: Step, say: Words) -> str:
    told = f"{say('STEP SKIPPED') if step.state == 'skipped' else say('STEP BLOCKED')} {say(step.step)}"
    by = f", {say('by')} {step.by}" if step.by else ""
    return told + by + (f": {step.reason}" if step.reason else "")


def _where(body: dict[str, Any], say: Words) -> str:
    side = body.get("side")
    zone = body.get("zone")
    return zone_words(str(zone), side if isinstance(side, str) else None, say) if zone else ""


def _pass(body: dict[str, Any], say: Words) -> str:
    place = number(body.get("pass"))
    return "" if place is None else f"{say('pass')} {place:g}"


def _names(faults: object, say: Words) -> str:
    return ", ".join(say(name) for name in texts(faults)) or NONE
