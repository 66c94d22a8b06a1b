"""What must be written down before it may leave for the pen.

The gate hands over each request that sets or moves, decoded from the very bytes about to leave, and lets it
go only when the ledger has returned. So what is on record is what the pen was told, and what could not be
recorded was not sent. A stop is never asked about.
"""

from __future__ import annotations

from typing import Any, Protocol

from penstroke.status import SIDE_NAMES, as_hz, as_mm, fault_list
from penstroke_protocol.explain import kebab
from penstroke_protocol.host_link import DeviceEvent
from penstroke_protocol.messages import (
    Arm,
    End,
    EventCode,
    LowerCeiling,
    SelectZone,
    SetDepth,
    SetRate,
    Start,
)
from penstroke_protocol.zone_table import ZONES

__all__ = ["RECORDED", "Ledger", "command_facts", "event_facts"]

RECORDED = (SelectZone, LowerCeiling, SetDepth, SetRate, Arm, Start)
"""The requests that may not leave before they are on record."""


class Ledger(Protocol):
    """Writes commands down. What is asked about a command may raise `RecordError`: then nothing leaves."""

    def command(self, request: Any) -> None:
        """Return when `request` is on record for good: at once where it was announced and is written."""

    def prepare(self, *requests: Any) -> None:
        """Write these down together, in this order, and return when they are on record for good.

        For what must leave without waiting later: from ARM on the pen's lease runs.
        """

    def announce(self, request: Any) -> None:
        """Write `request` down and come back at once: `written` tells when it is on record for good."""

    def told(self, event: DeviceEvent) -> None:
        """The pen told that something happened. Never waits and never raises: a stop may be under way."""

    def written(self, request: Any) -> bool:
        """Whether what was announced is on record for good. Never waits."""


_ZONE_NAMES = {row.number: row.name for row in ZONES}


def command_facts(request: Any) -> dict[str, object]:
    """A request of `RECORDED` in the words and units of people: its `command`, and what it says."""
    match request:
        case SelectZone(zone, side, ceiling_um):
            place = {"zone": _ZONE_NAMES.get(zone, str(zone)), "side": SIDE_NAMES.get(side)}
            return {"command": "select-zone", **place, "ceiling_mm": as_mm(ceiling_um)}
        case LowerCeiling(ceiling_um):
            return {"command": "lower-ceiling", "ceiling_mm": as_mm(ceiling_um)}
        case SetDepth(depth_um):
            return {"command": "set-depth", "depth_mm": as_mm(depth_um)}
        case SetRate(rate_dhz):
            return {"command": "set-rate", "rate_hz": as_hz(rate_dhz)}
        case Arm(treatment, trigger_longest_s):
            longest = {"trigger_longest_s": trigger_longest_s} if trigger_longest_s else {}
            return {"command": "arm", "treatment": f"{treatment:016x}", **longest}
        case Start(zone, side, depth_um, rate_dhz, longest_ms):
            return {
                "command": "run",
                "zone": _ZONE_NAMES.get(zone, str(zone)),
                "side": SIDE_NAMES.get(side),
                "depth_mm": as_mm(depth_um),
                "rate_hz": as_hz(rate_dhz),
                "for_s": longest_ms / 1000,
            }
    raise ValueError(f"{type(request).__name__} is no command that is recorded")


def event_facts(event: DeviceEvent) -> dict[str, object]:
    """An event of the pen in words: which, its argument, and how many were lost before it."""
    name = kebab(EventCode(event.code).name) if event.code in list(EventCode) else f"unknown-{event.code}"
    ended = event.code in (EventCode.RUN_ENDED, EventCode.DISARMED) and event.arg in list(End)
    why: dict[str, object] = {"why": kebab(End(event.arg).name)} if ended else {}
    if event.code == EventCode.FAULT:
        why["faults"] = [fault.name for fault in fault_list(event.arg)]
    return {"event": name, "arg": event.arg, "at_device_ms": event.time_ms, "missed": event.missed, **why}
