"""What the firmware tells of itself: the answers and the telemetry, made from what it holds and measures.

What is shown is what is: settings are read back from where they act, and depth and rate from their sensors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from penstroke_protocol.messages import CartridgeInfo, Condition, Flag, Settings, Status, Telemetry

if TYPE_CHECKING:
    from penstroke_sim.core import Core

NO_CARTRIDGE: Final = CartridgeInfo(0, 0, "", 0, 0, 0, 0, 0)
_MOTOR_ON, _NEEDLES_OUT, _TRIGGER_HELD, _CARTRIDGE_IN, _DEPTH_SET, _RATE_SET, _ZONE_SET = map(int, Flag)


class Readings(NamedTuple):
    """All sensors at one instant, in the units of the wire."""

    depth_um: int
    rate_dhz: int
    current_ma: int
    temperature_dc: int
    battery_pct: int


def measure(core: Core, now_ns: int) -> Readings:
    """All sensors at once."""
    body = core.body
    return Readings(
        core.read_depth_um(now_ns),
        body.measured_rate_dhz(now_ns),
        body.current_ma(now_ns),
        body.temperature_dc(now_ns),
        body.battery_pct(now_ns),
    )


def strokes(core: Core, now_ns: int) -> int:
    """Whole strokes since this power-up, wrapping."""
    return int(core.body.strokes(now_ns) - core.strokes_base) & 0xFFFF_FFFF


def flags(core: Core, depth_um: int) -> int:
    """The single facts, as bits; `depth_um` is the sensor's reading."""
    body = core.body
    return (
        (_MOTOR_ON if body.driven else 0)
        | (_NEEDLES_OUT if depth_um > 0 else 0)
        | (_TRIGGER_HELD if body.trigger_held else 0)
        | (_CARTRIDGE_IN if body.cartridge is not None else 0)
        | (_DEPTH_SET if core.depth_set else 0)
        | (_RATE_SET if core.rate_set else 0)
        | (_ZONE_SET if core.zone else 0)
    )


def condition(core: Core, now_ns: int) -> Condition:
    """The answer to commands about motion."""
    return Condition(core.state, flags(core, core.read_depth_um(now_ns)), core.faults)


def settings(core: Core, now_ns: int) -> Settings:
    """The answer to settings."""
    return Settings(
        core.zone,
        core.side,
        core.held_ceiling_um(),
        core.depth_um,
        core.rate_dhz,
        flags(core, core.read_depth_um(now_ns)),
    )


def status(core: Core, now_ns: int) -> Status:
    """Everything that is held and measured."""
    measured = measure(core, now_ns)
    return Status(
        time_ms=core.time_ms(now_ns),
        boot_counter=core.memory.boot_counter,
        state=core.state,
        flags=flags(core, measured.depth_um),
        faults=core.faults,
        zone=core.zone,
        side=core.side,
        session_ceiling_um=core.session_ceiling_um,
        held_ceiling_um=core.held_ceiling_um(),
        depth_um=core.depth_um,
        rate_dhz=core.rate_dhz,
        measured_depth_um=measured.depth_um,
        measured_rate_dhz=measured.rate_dhz,
        strokes=strokes(core, now_ns),
        current_ma=measured.current_ma,
        temperature_dc=measured.temperature_dc,
        battery_pct=measured.battery_pct,
        events_lost=core.link.events_lost,
    )


def cartridge(core: Core, now_ns: int) -> CartridgeInfo:
    """What the cartridge's chip says, and what the pen's memory knows of it."""
    inserted = core.body.cartridge
    if inserted is None:
        return NO_CARTRIDGE
    core.save_strokes(now_ns)
    return CartridgeInfo(
        present=1,
        cartridge_id=inserted.id,
        lot=inserted.lot,
        expiry=inserted.expiry,
        needle_count=inserted.needle_count,
        needle_length_um=inserted.needle_length_um,
        treatment=core.memory.bindings.get(inserted.id, 0),
        strokes=core.memory.strokes.get(inserted.id, 0),
    )


def telemetry(core: Core, measured: Readings, nonce: int, now_ns: int) -> Telemetry:
    """One telemetry frame of what has just been measured."""
    return Telemetry(
        core.time_ms(now_ns),
        nonce,
        core.state,
        flags(core, measured.depth_um),
        core.faults,
        measured.depth_um,
        measured.rate_dhz,
        strokes(core, now_ns),
        measured.current_ma,
        measured.temperature_dc,
        measured.battery_pct,
    )
