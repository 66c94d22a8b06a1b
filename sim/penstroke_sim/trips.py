"""Trips: what the firmware ends everything for, by itself, as one table.

Each rule names its fault, the states in which it is watched, for how long without a break its condition must
be seen, and the condition. Times count from the first look that sees it; the firmware looks every 5 ms while
anything moves or is disturbed. Beside these, the lapsed lease, needles that do not come in and the failed
self-test trip at their own instants (`firmware.py`).

Windows of depth and rate, the currents and the temperatures are *proposed* figures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from penstroke_protocol.link import MS
from penstroke_protocol.messages import POWER_CYCLE, Fault, State
from penstroke_sim.core import Core
from penstroke_sim.report import Readings, measure

RATE_WINDOW_PCT: Final = 10
DEPTH_MARGIN_UM: Final = 50
"""Beyond the stated tolerance."""
COMMAND_MEMORY_NS: Final = 100 * MS
"""Commands this old still widen the depth window: an actuator needs time to follow."""
OVER_CURRENT_MA: Final = 600
HOT_DC: Final = 430
COOL_DC: Final = 400
"""Over-temperature trips at 43.0 °C, and can be cleared below 40.0 °C."""
STUCK_NS: Final = 500 * MS
"""A live depth reading trembles by some counts; one that stands still this long in a run is dead."""
BEYOND_UM: Final = 1000
"""A depth reading this far beyond the actuator's range is not a depth."""
COLDEST_DC: Final = -200
"""Below -20 °C the temperature sensor is broken; one that reads hot for being broken trips as hot."""
BATTERY_EMPTY_PCT: Final = 3


Condition = Callable[[Core, Readings, int], bool]


class Rule(NamedTuple):
    """One trip."""

    fault: Fault
    states: frozenset[State]
    hold_ns: int
    present: Condition


def _stall(core: Core, readings: Readings, now_ns: int) -> bool:
    if now_ns < core.rate_judged_from_ns or core.mis.rate_factor != 1.0:
        return False
    return abs(readings.rate_dhz - core.rate_dhz) * 100 > RATE_WINDOW_PCT * core.rate_dhz


def _depth(core: Core, readings: Readings, now_ns: int) -> bool:
    commands = core.commands
    while len(commands) > 1 and commands[1][0] <= now_ns - COMMAND_MEMORY_NS:
        commands.popleft()
    if core.mis.depth_offset_um:
        return False
    window = core.profile.tolerance_um + DEPTH_MARGIN_UM
    depth = readings.depth_um
    if len(commands) == 1:
        return not commands[0][1] - window <= depth <= commands[0][1] + window
    depths = [command for _, command in commands]
    return not min(depths) - window <= depth <= max(depths) + window


def _over_current(core: Core, readings: Readings, now_ns: int) -> bool:
    return readings.current_ma > OVER_CURRENT_MA


def _hot(core: Core, readings: Readings, now_ns: int) -> bool:
    return readings.temperature_dc >= HOT_DC


def _cartridge_off(core: Core, readings: Readings, now_ns: int) -> bool:
    return core.body.cartridge is None


def _sensor(core: Core, readings: Readings, now_ns: int) -> bool:
    if _impossible(core, readings):
        return True
    if readings.depth_um != core.last_depth_um or core.mis.lies_depth:
        core.last_depth_um = readings.depth_um
        core.depth_moved_ns = now_ns
    return now_ns - core.depth_moved_ns >= STUCK_NS


def _impossible(core: Core, readings: Readings) -> bool:
    return readings.depth_um > core.profile.depth_max_um + BEYOND_UM or readings.temperature_dc < COLDEST_DC


def _battery(core: Core, readings: Readings, now_ns: int) -> bool:
    return readings.battery_pct < BATTERY_EMPTY_PCT


_RUNNING: Final = frozenset({State.RUNNING})
_READY: Final = frozenset({State.ARMED, State.RUNNING})
_BOOTED: Final = frozenset({State.IDLE, State.ARMED, State.RUNNING, State.FAULT})

RULES: Final = (
    Rule(Fault.STALL, _RUNNING, 20 * MS, _stall),
    Rule(Fault.DEPTH, _BOOTED, 20 * MS, _depth),
    Rule(Fault.OVER_CURRENT, _RUNNING, 10 * MS, _over_current),
    Rule(Fault.OVER_TEMPERATURE, _BOOTED, 0, _hot),
    Rule(Fault.CARTRIDGE_OFF, _READY, 0, _cartridge_off),
    Rule(Fault.SENSOR, _RUNNING, 0, _sensor),
    Rule(Fault.BATTERY, _READY, 0, _battery),
)


def judge(core: Core, readings: Readings, now_ns: int) -> int:
    """The faults that are due now; keeps `core.trip_since`."""
    due, state, since = 0, core.state, core.trip_since
    for fault, states, hold_ns, present in RULES:
        if state in states and present(core, readings, now_ns):
            if now_ns - since.setdefault(fault, now_ns) >= hold_ns:
                due |= fault
        elif since:
            since.pop(fault, None)
    return due


def not_clearable(core: Core, faults: int, now_ns: int) -> int:
    """Those of the latched `faults` that stand: their cause does, or only a power cycle ends them."""
    readings = measure(core, now_ns)
    window = core.profile.tolerance_um + DEPTH_MARGIN_UM
    standing = {
        Fault.DEPTH: readings.depth_um > window,
        Fault.OVER_CURRENT: readings.current_ma > OVER_CURRENT_MA,
        Fault.OVER_TEMPERATURE: readings.temperature_dc >= COOL_DC,
        Fault.CARTRIDGE_OFF: core.body.cartridge is None,
        Fault.SENSOR: _impossible(core, readings),
        Fault.BATTERY: readings.battery_pct < BATTERY_EMPTY_PCT,
    }
    bits = int(POWER_CYCLE)
    for fault, stands in standing.items():
        if stands:
            bits |= fault
    return bits & faults & core.faults


def self_test_fails(core: Core, readings: Readings) -> bool:
    """Needles that are not in, a current without drive, or a reading that cannot be."""
    return readings.depth_um > 0 or readings.current_ma > 0 or _impossible(core, readings)
