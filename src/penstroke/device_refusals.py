"""The device's refusals in the words and codes of the host.

The device decides again, from its own limits, after the host has; a refusal here means that the host was
wrong, old, or overtaken by a stop.
"""

from __future__ import annotations

from collections.abc import Callable

from penstroke.errors import DeviceFault, LinkLost, PenError, ProtocolError, Refused, Stopped, VersionMismatch
from penstroke.safety.limits import LimitSource
from penstroke.safety.units import hz, mm
from penstroke.safety.verdict import Reason as Why
from penstroke.safety.verdict import Refusal
from penstroke.status import fault_list
from penstroke_protocol.explain import kebab
from penstroke_protocol.host_link import RequestRefused
from penstroke_protocol.messages import MAJOR, MINOR, Reason, State


def refused_by_device(told: RequestRefused) -> PenError:
    """The exception for a device's refusal."""
    what = type(told.request).__name__
    if told.reason == Reason.NO_SESSION:
        return LinkLost("the pen no longer knows this session: it was reset", hint="connect again")
    if told.reason == Reason.VERSION:
        theirs = f"{told.detail >> 8}.{told.detail & 0xFF}"
        age = "older" if told.detail >> 8 < MAJOR else "newer"
        return VersionMismatch(
            f"the pen's firmware speaks protocol {theirs}, {age} than the {MAJOR}.{MINOR} spoken here",
            hint="bring firmware and penstroke to the same major version",
        )
    if told.reason == Reason.STALE_EPOCH:
        return Stopped("the pen was stopped while this was under way; nothing was done")
    if told.reason == Reason.FAULT_LATCHED:
        names = ", ".join(fault.name for fault in fault_list(told.detail)) or "unknown"
        return DeviceFault(
            f"the pen holds a latched fault ({names})",
            hint="`penstroke faults` says what it means; `penstroke faults --clear` clears it once mended",
            faults=[fault.name for fault in fault_list(told.detail)],
        )
    if told.reason in _REFUSALS:
        reason = _REFUSALS[Reason(told.reason)](told.detail)
        return Refused.of(Refusal((reason,)))
    name = kebab(Reason(told.reason).name) if told.reason in list(Reason) else str(told.reason)
    return ProtocolError(
        f"the pen refused {what} ({name}, detail {told.detail})",
        code="protocol-refused",
        hint="`penstroke diagnose` shows both versions; please report this",
    )


def _why(code: str, message: str, hint: str, **facts: object) -> Why:
    return Why(code, f"the pen refused: {message}", hint, **facts)  # type: ignore[arg-type]


_REFUSALS: dict[Reason, Callable[[int], Why]] = {
    Reason.NOT_CONTROLLER: lambda _: _why(
        "read-only", "this session may only look", "connect as the controller, with a matching firmware"
    ),
    Reason.WRONG_STATE: lambda state: _why(
        "wrong-state",
        f"it is {_state_name(state)}",
        "wait until it is idle; `penstroke status` shows its state",
    ),
    Reason.ZONE_UNKNOWN: lambda zone: _why(
        "zone-unknown", "its table has no such zone", "update its firmware"
    ),
    Reason.ZONE_FORBIDDEN: lambda _: _why(
        "zone-forbidden", "this zone is forbidden", "choose another zone", bound_by=LimitSource.HELD
    ),
    Reason.SIDE: lambda need: _why(
        "side-required",
        "this zone needs a side" if need else "this zone has no sides",
        "name it as in `zones`",
    ),
    Reason.NO_ZONE: lambda _: _why("zone-unknown", "no zone is chosen", "select a zone first"),
    Reason.ABOVE_CEILING: lambda held: _why(
        "depth-above-limit",
        f"with its tolerance this depth is above the {mm(held)} mm it holds (set by: held)",
        "ask for less",
        bound_by=LimitSource.HELD,
        limit_mm=held / 1000,
    ),
    Reason.DEPTH_OFF_STEP: lambda below: _why(
        "depth-off-step", "this depth is not on its step", f"ask for {mm(below)} mm", max_mm=below / 1000
    ),
    Reason.DEPTH_RANGE: lambda low: _why(
        "depth-below-range", f"its shallowest depth is {mm(low)} mm", f"ask for {mm(low)} mm or more"
    ),
    Reason.DEEPER_WHILE_RUNNING: lambda now: _why(
        "deeper-while-running",
        f"while running depth may only become shallower than the {mm(now)} mm in force",
        "stop, set the depth, and start again",
        max_mm=now / 1000,
    ),
    Reason.RATE_RANGE: lambda both: _why(
        "rate-out-of-range",
        f"its rates are {hz(both >> 16)} to {hz(both & 0xFFFF)} Hz",
        "ask for a rate in that range",
        min_hz=(both >> 16) / 10,
        max_hz=(both & 0xFFFF) / 10,
    ),
    Reason.RATE_OFF_STEP: lambda below: _why(
        "rate-out-of-range", "this rate is not on its step", f"ask for {hz(below)} Hz"
    ),
    Reason.DEEP_AND_SLOW: lambda least: _why(
        "rate-too-slow",
        f"needles this deep need at least {hz(least)} Hz (proposed figure)",
        "raise the rate or lower the depth",
        min_hz=least / 10,
    ),
    Reason.NO_DEPTH: lambda _: _why("depth-not-set", "no depth is set for this zone", "set the depth first"),
    Reason.NO_RATE: lambda _: _why("rate-not-set", "no rate is set", "set the rate first"),
    Reason.CARTRIDGE_MISSING: lambda _: _why(
        "cartridge-missing", "no cartridge is locked in", "fit a new sterile cartridge"
    ),
    Reason.CARTRIDGE_OTHER: lambda _: _why(
        "cartridge-other-treatment",
        "its cartridge was used in another treatment",
        "discard it and fit a new sterile cartridge",
    ),
    Reason.CARTRIDGE_UNREADABLE: lambda _: _why(
        "cartridge-unreadable", "its cartridge cannot be read", "fit another sterile cartridge"
    ),
    Reason.NOT_CLEARABLE: lambda bits: _why(
        "fault-not-clearable",
        "the cause still stands, or only a power cycle clears it: "
        + ", ".join(fault.name for fault in fault_list(bits)),
        "remove the cause, or switch the pen off and on",
    ),
    Reason.BATTERY_LOW: lambda pct: _why("battery-low", f"its battery is at {pct} %", "charge the pen"),
    Reason.NEEDLES_OUT: lambda _: _why(
        "needles-out", "its needles are not retracted yet", "wait a moment, then try again"
    ),
    Reason.DISAGREES: lambda _: _why(
        "state-changed", "it holds other settings than were believed", "select and set afresh"
    ),
    Reason.NO_TRIGGER: lambda _: _why("no-trigger", "it has no trigger", "start it from here"),
    Reason.WITNESS_OLDER: lambda number: _why(
        "witness-older",
        f"it remembers entry {number} of this record, which is not below the one told now",
        "`penstroke records verify` says what is wrong with the record",
    ),
}


def _state_name(state: int) -> str:
    return kebab(State(state).name) if state in list(State) else f"in state {state}"
