"""What the built-in host of a scenario can do: each act, what it takes, and the request it becomes.

The table is the documentation: `penstroke-sim scenarios` prints it, the reader of scenario files checks
against it, and the exerciser sends what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from penstroke_protocol.explain import kebab
from penstroke_protocol.messages import (
    Arm,
    Bye,
    ClearFaults,
    Fault,
    GetCartridge,
    GetStatus,
    GetWitness,
    LowerCeiling,
    Reason,
    Release,
    Role,
    SelectZone,
    SetDepth,
    SetRate,
    SetTelemetry,
    Settings,
    Side,
    Start,
)
from penstroke_protocol.zone_table import ZONES

_NUMBER_OF_ZONE: Final = {zone.name: zone.number for zone in ZONES}
REASONS: Final = {kebab(reason.name): reason for reason in Reason}
FAULTS: Final = {kebab(fault.name or ""): fault for fault in Fault}
_ROLES: Final = {kebab(role.name): role for role in Role}
_SIDES: Final = {kebab(side.name): side for side in Side}


class Param(NamedTuple):
    """One parameter of an act. `read` gives the wire's value or raises `ValueError` saying what is legal."""

    read: Callable[[object], Any]
    doc: str
    default: object = None
    """As a person would write it; None: it must be given."""


class ActSpec(NamedTuple):
    """One act. `request` makes the message from the parameters and the settings the pen last told."""

    doc: str
    params: Mapping[str, Param]
    request: Callable[[Mapping[str, Any], Settings], Any] | None
    """None for the acts that are not requests: the exerciser knows them by name."""


def decimal_of(value: object) -> Decimal:
    """A number as a person wrote it, exactly. Raises `ValueError`."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"must be a number, not {value!r}")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"must be a number, not {value!r}") from None
    if not number.is_finite():
        raise ValueError(f"must be a finite number, not {value!r}")
    return number


def _scaled(factor: int, low: int, high: int, unit: str, wire_unit: str) -> Callable[[object], int]:
    def read(value: object) -> int:
        number = decimal_of(value) * factor
        if number != number.to_integral_value():
            raise ValueError(f"must be whole {wire_unit}, which {value} {unit} is not")
        if not low <= number <= high:
            lowest, highest = Decimal(low) / factor, Decimal(high) / factor
            raise ValueError(f"must be from {lowest} to {highest} {unit}, not {value}")
        return int(number)

    return read


def _one_of(names: Mapping[str, Any], what: str) -> Callable[[object], Any]:
    def read(value: object) -> Any:
        if not isinstance(value, str) or value not in names:
            raise ValueError(f"{value!r} is no {what}; known: {', '.join(names)}")
        return names[value]

    return read


def _fault_bits(value: object) -> int:
    one = _one_of(FAULTS, "fault")
    bits = 0
    for name in value if isinstance(value, list) else [value]:
        bits |= one(name)
    if not bits:
        raise ValueError("must name at least one fault")
    return bits


_ceiling_um = _scaled(1000, 0, 0xFFFF, "mm", "micrometres")
_depth_um = _scaled(1000, 1, 0xFFFF, "mm", "micrometres")
_rate_dhz = _scaled(10, 1, 0xFFFF, "Hz", "tenths of a hertz")
_longest_ms = _scaled(1000, 1, 600_000, "s", "milliseconds")
_whole_s = _scaled(1, 0, 600, "s", "seconds")
_telemetry_hz = _scaled(1, 5, 100, "Hz", "hertz")
_token = _scaled(1, 1, 2**64 - 1, "", "numbers")


def _start(params: Mapping[str, Any], held: Settings) -> Start:
    return Start(
        zone=max(held.zone, 1),
        side=held.side,
        depth_um=max(held.depth_um, 1),
        rate_dhz=max(held.rate_dhz, 1),
        longest_ms=params["longest_s"],
    )


ACTS: Final[Mapping[str, ActSpec]] = {
    "hello": ActSpec(
        "open a session",
        {"role": Param(_one_of(_ROLES, "role"), "controller or observer", "controller")},
        None,
    ),
    "bye": ActSpec("end the session", {}, lambda params, held: Bye()),
    "get-status": ActSpec("read everything the pen holds and measures", {}, lambda params, held: GetStatus()),
    "get-cartridge": ActSpec("read the cartridge", {}, lambda params, held: GetCartridge()),
    "get-witness": ActSpec("read the witness that is kept", {}, lambda params, held: GetWitness()),
    "set-telemetry": ActSpec(
        "change how often the pen reports",
        {"rate_hz": Param(_telemetry_hz, "5 to 100 Hz")},
        lambda params, held: SetTelemetry(params["rate_hz"]),
    ),
    "select-zone": ActSpec(
        "choose the zone to treat",
        {
            "zone": Param(_one_of(_NUMBER_OF_ZONE, "zone"), "zone, by its name"),
            "side": Param(_one_of(_SIDES, "side"), "the patient's side: none, left or right", "none"),
            "ceiling_mm": Param(_ceiling_um, "the host's ceiling for this zone, mm"),
        },
        lambda params, held: SelectZone(params["zone"], params["side"], params["ceiling_mm"]),
    ),
    "lower-ceiling": ActSpec(
        "lower the session ceiling",
        {"ceiling_mm": Param(_ceiling_um, "the new ceiling, mm")},
        lambda params, held: LowerCeiling(params["ceiling_mm"]),
    ),
    "set-depth": ActSpec(
        "set the depth",
        {"depth_mm": Param(_depth_um, "depth, mm")},
        lambda params, held: SetDepth(params["depth_mm"]),
    ),
    "set-rate": ActSpec(
        "set the stroke rate",
        {"rate_hz": Param(_rate_dhz, "strokes a second, Hz")},
        lambda params, held: SetRate(params["rate_hz"]),
    ),
    "arm": ActSpec(
        "make the pen ready to run; from here on the host beats",
        {
            "treatment": Param(_token, "token of the treatment", 1),
            "trigger_longest_s": Param(_whole_s, "longest run by the pen's own trigger, s; 0: none", 0),
        },
        lambda params, held: Arm(params["treatment"], params["trigger_longest_s"]),
    ),
    "start": ActSpec(
        "start a run with what the pen was told last",
        {"longest_s": Param(_longest_ms, "the pen ends the run after this, s", 600)},
        _start,
    ),
    "release": ActSpec("end the run, stay armed", {}, lambda params, held: Release()),
    "stop": ActSpec("stop, retract, disarm", {}, None),
    "clear-faults": ActSpec(
        "clear latched faults",
        {"faults": Param(_fault_bits, "one fault or a list of faults")},
        lambda params, held: ClearFaults(params["faults"]),
    ),
    "silence": ActSpec("the host says nothing more, not even beats; the line stays up", {}, None),
    "speak": ActSpec("end the silence", {}, None),
}
"""Every act of the built-in host, by name."""
