"""Trips: what the firmware ends everything for, by itself, as one table.

Each rule names its fault, the states in which it is watched, for how long without a break its condition must
be seen, and the condition. Times count from the first look that sees it; the firmware looks every 5 ms while
anything moves or is disturbed. Beside these, the lapsed lease, needles that do not come in and the failed
self-test trip at their own instants (`firmware.py`).

Windows of depth and rate, the currents and the temperatures are *proposed* figures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from penstroke_protocol.link import MS
from penstroke_protocol.messages import POWER_CYCLE, Fault, State

if TYPE_CHECKING:
    from penstroke_sim.firmware import Firmware

RAMP_NS: Final = 300 * MS
"""The rate is not judged this long after a start or a change."""
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
HOTTEST_DC: Final = 800
"""Outside -20 to 80 °C the temperature sensor is open or shorted."""
BATTERY_EMPTY_PCT: Final = 3


class Readings(NamedTuple):
    """All sensors at one instant, in the units of the wire."""

    depth_um: int
    rate_dhz: int
    current_ma: int
    temperature_dc: int
    battery_pct: int


Condition = Callable[["Firmware", Readings, int], bool]


class Rule(NamedTuple):
    """One trip."""

    fault: Fault
    states: frozenset[State]
    hold_ns: int
    present: Condition


def _stall(fw: Firmware, readings: Readings, now_ns: int) -> bool:
    if now_ns < fw.rate_judged_from_ns or fw.mis.rate_factor != 1.0:
        return False
    return abs(readings.rate_dhz - fw.rate_dhz) * 100 > RATE_WINDOW_PCT * fw.rate_dhz


def _depth(fw: Firmware, readings: Readings, now_ns: int) -> bool:
    commands = fw.commands
    while len(commands) > 1 and commands[1][0] <= now_ns - COMMAND_MEMORY_NS:
        commands.popleft()
    if fw.mis.depth_offset_um:
        return False
    window = fw.profile.tolerance_um + DEPTH_MARGIN_UM
    depth = readings.depth_um
    if len(commands) == 1:
        return not commands[0][1] - window <= depth <= commands[0][1] + window
    depths = [command for _, command in commands]
    return not min(depths) - window <= depth <= max(depths) + window


def _over_current(fw: Firmware, readings: Readings, now_ns: int) -> bool:
    return readings.current_ma > OVER_CURRENT_MA


def _hot(fw: Firmware, readings: Readings, now_ns: int) -> bool:
    return HOT_DC <= readings.temperature_dc <= HOTTEST_DC


def _cartridge_off(fw: Firmware, readings: Readings, now_ns: int) -> bool:
    return fw.body.cartridge is None


def _sensor(fw: Firmware, readings: Readings, now_ns: int) -> bool:
    if _out_of_range(fw, readings):
        return True
    if readings.depth_um != fw.last_depth_um or fw.state is not State.RUNNING or fw.mis.lies_depth:
        fw.last_depth_um = readings.depth_um
        fw.moved_ns = now_ns
    return now_ns - fw.moved_ns >= STUCK_NS


def _out_of_range(fw: Firmware, readings: Readings) -> bool:
    return (
        readings.depth_um > fw.profile.depth_max_um + BEYOND_UM
        or not COLDEST_DC <= readings.temperature_dc <= HOTTEST_DC
    )


def _battery(fw: Firmware, readings: Readings, now_ns: int) -> bool:
    return readings.battery_pct < BATTERY_EMPTY_PCT


_RUNNING: Final = frozenset({State.RUNNING})
_READY: Final = frozenset({State.ARMED, State.RUNNING})
_AWAKE: Final = frozenset({State.IDLE, State.ARMED, State.RUNNING})

RULES: Final = (
    Rule(Fault.STALL, _RUNNING, 20 * MS, _stall),
    Rule(Fault.DEPTH, _AWAKE, 20 * MS, _depth),
    Rule(Fault.OVER_CURRENT, _AWAKE, 10 * MS, _over_current),
    Rule(Fault.OVER_TEMPERATURE, _AWAKE, 0, _hot),
    Rule(Fault.CARTRIDGE_OFF, _READY, 0, _cartridge_off),
    Rule(Fault.SENSOR, _AWAKE, 0, _sensor),
    Rule(Fault.BATTERY, _READY, 0, _battery),
)


def judge(fw: Firmware, readings: Readings, now_ns: int) -> int:
    """The faults that are due now; keeps `fw.since`."""
    due, state, since = 0, fw.state, fw.since
    for fault, states, hold_ns, present in RULES:
        if state in states and present(fw, readings, now_ns):
            if now_ns - since.setdefault(fault, now_ns) >= hold_ns:
                due |= fault
        elif since:
            since.pop(fault, None)
    return due


def not_clearable(fw: Firmware, faults: int, now_ns: int) -> int:
    """Those of the latched `faults` that stand: their cause does, or only a power cycle ends them."""
    readings = fw.readings(now_ns)
    window = fw.profile.tolerance_um + DEPTH_MARGIN_UM
    standing = {
        Fault.DEPTH: readings.depth_um > window,
        Fault.OVER_CURRENT: readings.current_ma > OVER_CURRENT_MA,
        Fault.OVER_TEMPERATURE: readings.temperature_dc >= COOL_DC,
        Fault.CARTRIDGE_OFF: fw.body.cartridge is None,
        # At rest a dead depth sensor shows only by not reading zero.
        Fault.SENSOR: readings.depth_um > 0 or _out_of_range(fw, readings),
        Fault.BATTERY: readings.battery_pct < BATTERY_EMPTY_PCT,
    }
    bits = int(POWER_CYCLE)
    for fault, stands in standing.items():
        if stands:
            bits |= fault
    return bits & faults & fw.faults


def self_test_fails(readings: Readings) -> bool:
    """Needles that are not in, a current without drive, or a temperature that cannot be."""
    return (
        readings.depth_um > 0
        or readings.current_ma > 0
        or not COLDEST_DC <= readings.temperature_dc <= HOTTEST_DC
    )
