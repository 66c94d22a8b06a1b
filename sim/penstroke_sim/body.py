"""The pen as a thing: motor, depth actuator, sensors, heat and charge. It knows nothing of messages.

Strategy: every quantity is a straight line or an exponential between two instants, so its value at any time
is a formula, and nothing happens between the instants at which somebody acts on the body. Strokes are the
integral of the stroke rate. What the body does is written into the journal here, so that the journal says
what happened to the needles and not what the firmware believes.

Figures without a source are *proposed*: they are round numbers near what such parts do.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from random import Random
from typing import Final

from penstroke_protocol.messages import Feature
from penstroke_sim.cartridge import Cartridge
from penstroke_sim.journal import Journal, mm
from penstroke_sim.profiles import Profile
from penstroke_sim.skin import PROPOSED, Skin
from penstroke_sim.wire import NEVER

MS: Final = 1_000_000
SPIN_UP_NS: Final = 200 * MS
"""Firmware's ramp of the motor, proposed: within the 100 to 300 ms of the clinical figures."""
SPIN_DOWN_NS: Final = 30 * MS
"""A braked motor without current; bare motors have time constants of 6 to 11 ms."""
STALL_NS: Final = 10 * MS
SLEW_UM_PER_S: Final = 80_000
"""Out and in; the least that is asked of a device is 60 mm/s."""
DEPTH_NOISE_UM: Final = 6
"""Far below the tightest tolerance (50 µm), so that an undisturbed pen is always within its window."""
RATE_NOISE_DHZ: Final = 4
CURRENT_NOISE_MA: Final = 3
_NOISE_LENGTH: Final = 509
SAG_PER_N: Final = 0.012
"""How much the governor gives way: 2.7 N, the most that 16 needles meet, cost 3 %; the window is 10 %."""
LIMITED_MA: Final = 450
"""The driver chip holds a stalled motor at this current, below that of the trip: a stall has its own."""
AMBIENT_C: Final = 24.0
RISE_C: Final = 9.0
"""How much warmer the handpiece gets when it runs for good, at the highest rate."""
HEAT_TAU_S: Final = 400.0
RUN_CHARGE_S: Final = 4 * 3600
"""A full battery runs the motor this long, and lasts ten times that when idle."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """A quantity that goes in a straight line from one value to another, and stays there."""

    start_ns: int
    first: float
    last: float
    end_ns: int

    def at(self, now_ns: int) -> float:
        """The value at `now_ns`."""
        if now_ns >= self.end_ns:
            return self.last
        return self.first + (self.last - self.first) * (now_ns - self.start_ns) / (
            self.end_ns - self.start_ns
        )

    def integral(self, now_ns: int) -> float:
        """The integral since the start, in units times seconds."""
        if now_ns >= self.end_ns:
            ramped = (self.end_ns - self.start_ns) * (self.first + self.last) / 2
            return (ramped + (now_ns - self.end_ns) * self.last) / 1e9
        return (now_ns - self.start_ns) * (self.first + self.at(now_ns)) / 2e9


REST: Final = Ramp(0, 0.0, 0.0, 0)


class Noise:
    """Seeded noise, -`amplitude` to `amplitude`, that never gives the same value twice in a row."""

    __slots__ = ("_index", "_values")

    def __init__(self, amplitude: int, random: Random) -> None:
        values = [0]
        while len(values) < _NOISE_LENGTH or values[-1] == values[0]:
            value = random.randint(-amplitude, amplitude)
            if value != values[-1]:
                values.append(value)
        self._values = values
        self._index = 0

    def next(self) -> int:
        """The next value."""
        index = self._index + 1
        self._index = 0 if index == len(self._values) else index
        return self._values[self._index]


class Body:
    """The mechanics and electronics of one pen. All times are ns since power-up of the simulator."""

    __slots__ = (
        "_charge",
        "_current_noise",
        "_depth",
        "_depth_noise",
        "_drift_from_ns",
        "_drift_um_per_s",
        "_heat_c",
        "_journal",
        "_out_since",
        "_profile",
        "_punctures",
        "_rate",
        "_rate_noise",
        "_strokes",
        "_wanted_depth_um",
        "_wanted_rate_hz",
        "_work_since_ns",
        "cartridge",
        "driven",
        "hot_c",
        "jammed",
        "over_current_ma",
        "retracted_ns",
        "skin",
        "stalled",
        "stuck_um",
        "trigger_held",
    )

    def __init__(
        self, profile: Profile, cartridge: Cartridge | None, journal: Journal, random: Random
    ) -> None:
        self._profile = profile
        self._journal = journal
        self._depth_noise = Noise(DEPTH_NOISE_UM, random)
        self._rate_noise = Noise(RATE_NOISE_DHZ, random)
        self._current_noise = Noise(CURRENT_NOISE_MA, random)
        self.cartridge = cartridge
        self.skin: Skin = PROPOSED
        self.driven = False
        """The motor has current."""
        self.trigger_held = False
        self.retracted_ns = NEVER
        """When the needles will be in; `NEVER` when they are, or are not on their way."""
        self._wanted_rate_hz = 0.0
        self._wanted_depth_um = 0.0
        self._rate = REST
        self._depth = REST
        self._strokes = 0.0
        self._out_since: float | None = None
        self._punctures = 0.0
        self._work_since_ns = 0
        self._heat_c = AMBIENT_C
        self._charge = 0.95
        # What can be wrong with it; see `faults.py`.
        self.stalled = False
        self.jammed = False
        self.stuck_um: int | None = None
        self.over_current_ma: int | None = None
        self.hot_c: float | None = None
        self._drift_um_per_s = 0.0
        self._drift_from_ns: int | None = None

    # -- what the firmware does to it -------------------------------------------------------------------

    def drive(self, rate_hz: float, depth_um: float, reason: str, now_ns: int) -> None:
        """Run the motor up and the needles out."""
        self._account(now_ns)
        self.driven = True
        self._wanted_depth_um = depth_um
        self._journal.add(now_ns, "motor", on=True, reason=reason, rate_hz=round(rate_hz, 1))
        self.set_rate(rate_hz, now_ns)
        if self._drift_um_per_s:
            self._drift_from_ns = now_ns
        self._move(now_ns)

    def set_rate(self, rate_hz: float, now_ns: int) -> None:
        """Another rate, while driven."""
        self._wanted_rate_hz = rate_hz
        self._spin(now_ns, SPIN_UP_NS)

    def set_depth(self, depth_um: float, now_ns: int) -> None:
        """Another depth, while driven."""
        self._wanted_depth_um = depth_um
        self._move(now_ns)

    def cut(self, reason: str, now_ns: int) -> None:
        """No current to the motor from this instant, and the needles in. Harmless at rest."""
        if self.driven:
            self._account(now_ns)
            self.driven = False
            self._journal.add(now_ns, "motor", on=False, reason=reason)
            self._spin(now_ns, SPIN_DOWN_NS)
        self._wanted_depth_um = 0.0
        if self._out_since is not None:
            self._move(now_ns)

    # -- what can be measured ---------------------------------------------------------------------------

    def depth_um(self, now_ns: int) -> float:
        """True protrusion at the bottom of the stroke."""
        depth = self._depth.at(now_ns)
        if self._drift_from_ns is not None:
            depth += self._drift_um_per_s * (now_ns - self._drift_from_ns) / 1e9
        return max(0.0, depth)

    def rate_hz(self, now_ns: int) -> float:
        """True stroke rate."""
        return self._rate.at(now_ns)

    def strokes(self, now_ns: int) -> float:
        """Strokes since power-up of the simulator."""
        return self._strokes + self._rate.integral(now_ns)

    def punctures(self, now_ns: int) -> float:
        """Single needles' entries since power-up of the simulator: strokes with the needles out."""
        if self._out_since is None:
            return self._punctures
        return self._punctures + (self.strokes(now_ns) - self._out_since) * self._needles

    def measured_depth_um(self, now_ns: int) -> int:
        """What the depth sensor says; 0 when the needles are in (their seat is a switch, without noise)."""
        if self.stuck_um is not None:
            return self.stuck_um
        depth = self.depth_um(now_ns)
        return max(1, round(depth) + self._depth_noise.next()) if depth > 0 else 0

    def measured_rate_dhz(self, now_ns: int) -> int:
        """What the tachometer says."""
        rate = self._rate.at(now_ns)
        return max(0, round(rate * 10) + self._rate_noise.next()) if rate > 0 else 0

    def current_ma(self, now_ns: int) -> int:
        """Motor current; 0 without drive."""
        if not self.driven:
            return 0
        if self.over_current_ma is not None:
            return self.over_current_ma
        if self.stalled:
            return LIMITED_MA
        current = 40 + 0.6 * self._rate.at(now_ns) + 15 * self._force_n()
        if now_ns < self._rate.end_ns:
            current += 120
        return round(current) + self._current_noise.next()

    def temperature_dc(self, now_ns: int) -> int:
        """Temperature of the handpiece, tenths of a degree."""
        warm = self._heat_at(now_ns)
        return round(10 * (warm if self.hot_c is None else self.hot_c))

    def battery_pct(self, now_ns: int) -> int:
        """Charge left, %; 100 on mains."""
        if not self._profile.features & Feature.BATTERY:
            return 100
        return max(0, int(100 * self._charge_at(now_ns)))

    def next_arrival_ns(self, now_ns: int) -> int:
        """When motor or actuator next is where it is going; `NEVER` when both are."""
        rate_ns, depth_ns = self._rate.end_ns, self._depth.end_ns
        return min(rate_ns if rate_ns > now_ns else NEVER, depth_ns if depth_ns > now_ns else NEVER)

    @property
    def disturbed(self) -> bool:
        """Something is wrong with it, so that anything may change at any time."""
        return (
            self.stalled
            or self.jammed
            or self.stuck_um is not None
            or self.over_current_ma is not None
            or self.hot_c is not None
            or self._drift_um_per_s != 0
        )

    # -- what happens to it -----------------------------------------------------------------------------

    def settle(self, now_ns: int) -> None:
        """To be called at `retracted_ns`: the needles are in."""
        self.retracted_ns = NEVER
        self._punctures = self.punctures(now_ns)
        self._out_since = None
        self._journal.add(now_ns, "needles", extended=False, depth_mm=0.0)

    def stall(self, stalled: bool, now_ns: int) -> None:
        """Hold the rotor, or let it go."""
        self.stalled = stalled
        self._spin(now_ns, STALL_NS if stalled else SPIN_UP_NS)

    def jam(self, jammed: bool, now_ns: int) -> None:
        """Hold the depth actuator where it is, or let it go: it then goes where it was last sent."""
        self.jammed = jammed
        if self._out_since is not None:
            self._move(now_ns)

    def drift(self, um_per_s: float, now_ns: int) -> None:
        """Let the actuator creep until it is next sent home, and again in every later run. 0 ends it."""
        self._freeze_depth(now_ns)
        self._drift_um_per_s = um_per_s
        if um_per_s:
            self._drift_from_ns = now_ns
            self._out(now_ns)
        elif self._out_since is not None:
            self._move(now_ns)

    def stick(self, stuck: bool, now_ns: int) -> None:
        """Freeze the depth sensor at its present reading, or free it."""
        self.stuck_um = self.measured_depth_um(now_ns) if stuck else None

    def charge(self, pct: float, now_ns: int) -> None:
        """Set the charge of the battery."""
        self._account(now_ns)
        self._charge = pct / 100

    def swap(self, cartridge: Cartridge | None, now_ns: int) -> None:
        """Put another cartridge in, or none."""
        if self._out_since is not None:
            self._punctures = self.punctures(now_ns)
            self._out_since = self.strokes(now_ns)
        self.cartridge = cartridge

    # -- formulas ---------------------------------------------------------------------------------------

    @property
    def _needles(self) -> int:
        return 0 if self.cartridge is None else self.cartridge.needle_count

    def _force_n(self) -> float:
        return self._needles * self.skin.force_n(self._wanted_depth_um)

    def _spin(self, now_ns: int, duration_ns: int) -> None:
        target = 0.0
        if self.driven and not self.stalled:
            target = self._wanted_rate_hz * (1 - SAG_PER_N * self._force_n())
        self._strokes = self.strokes(now_ns)
        self._rate = Ramp(now_ns, self._rate.at(now_ns), target, now_ns + duration_ns)

    def _move(self, now_ns: int) -> None:
        """Send the actuator to `_wanted_depth_um`."""
        if not self._wanted_depth_um:
            self._freeze_depth(now_ns)
        here = self._depth.at(now_ns)
        target = here if self.jammed else self._wanted_depth_um
        self._depth = Ramp(now_ns, here, target, now_ns + round(abs(target - here) * 1e9 / SLEW_UM_PER_S))
        self.retracted_ns = NEVER
        if target > 0 or self.depth_um(now_ns) > 0:
            self._out(now_ns)
        if self._out_since is not None and target == 0:
            self.retracted_ns = self._depth.end_ns

    def _out(self, now_ns: int) -> None:
        """The needles are out, or go out, or go to another depth outside."""
        if self._out_since is None:
            self._out_since = self.strokes(now_ns)
        elif not self._wanted_depth_um:
            return
        self._journal.add(now_ns, "needles", extended=True, depth_mm=mm(self._depth.last))

    def _freeze_depth(self, now_ns: int) -> None:
        """Take what has drifted so far into the position, and let nothing more creep, or come in."""
        here = self.depth_um(now_ns)
        self._depth = Ramp(now_ns, here, here, now_ns)
        self.retracted_ns = NEVER
        self._drift_from_ns = None

    def _account(self, now_ns: int) -> None:
        """Bring heat and charge up to date before `driven` changes."""
        self._heat_c, self._charge = self._heat_at(now_ns), self._charge_at(now_ns)
        self._work_since_ns = now_ns

    def _heat_at(self, now_ns: int) -> float:
        target = AMBIENT_C
        if self.driven:
            target += RISE_C * self._wanted_rate_hz * 10 / self._profile.rate_max_dhz
        return target + (self._heat_c - target) * exp((self._work_since_ns - now_ns) / (HEAT_TAU_S * 1e9))

    def _charge_at(self, now_ns: int) -> float:
        load = 1.0 if self.driven else 0.1
        return self._charge - load * (now_ns - self._work_since_ns) / (RUN_CHARGE_S * 1e9)
