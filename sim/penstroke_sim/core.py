"""The heart of the firmware: the state, what the pen holds, and the acts that begin and end motion.

Everything that ends motion goes through `end` or `trip`, and both cut the drive before anything else. Where a
trigger leads is said by `states.TABLE` alone; what must hold before an act, by `requests.py`; what trips, by
`trips.py`. Time comes in as an argument; when something is due is kept in the `*_due_ns` attributes, which
`Firmware` serves.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from penstroke_protocol.device_link import DeviceLink
from penstroke_protocol.explain import kebab
from penstroke_protocol.link import MS
from penstroke_protocol.messages import End, Event, EventCode, Fault, HelloAnswer, Side, State
from penstroke_protocol.zone_table import ZONES
from penstroke_sim.journal import mm
from penstroke_sim.skin import skin_of
from penstroke_sim.states import Trigger, next_state
from penstroke_sim.wire import NEVER

if TYPE_CHECKING:
    from penstroke_sim.body import Body
    from penstroke_sim.cartridge import Memory
    from penstroke_sim.journal import Journal
    from penstroke_sim.misbehaviour import Misbehaviour
    from penstroke_sim.profiles import Profile

ZONE_BY_NUMBER: Final = {zone.number: zone for zone in ZONES}
"""The device's own table of hard ceilings."""
ARM_EXPIRES_NS: Final = 10_000 * MS
RETRACT_NS: Final = 100 * MS
"""Needles that are not in this long after an end of a run: 2.5 mm at the slowest legal 60 mm/s take 42 ms."""
RAMP_NS: Final = 300 * MS
"""The rate is not judged this long after a start or a change."""
LOOK_MOVING_NS: Final = 5 * MS
ACTUATOR_SPARE_UM: Final = 500
"""How far the actuator itself could go beyond the deepest setting; only a wrong firmware sends it there."""

ENDS: Final[dict[End, tuple[Trigger, str]]] = {
    End.STOP: (Trigger.STOP, "stop"),
    End.RELEASE: (Trigger.RELEASE, "command"),
    End.DURATION: (Trigger.DURATION, "duration"),
    End.STOP_KEY: (Trigger.STOP_KEY, "stop-key"),
    End.HELLO: (Trigger.HELLO, "hello"),
    End.BYE: (Trigger.BYE, "bye"),
    End.TRIGGER: (Trigger.TRIGGER_RELEASED, "trigger"),
    End.LIMIT: (Trigger.LIMIT, "limit"),
    End.ZONE: (Trigger.ZONE, "zone"),
    End.ARM_EXPIRED: (Trigger.ARM_EXPIRED, "arm-expired"),
}
"""How motion or readiness ends without a fault: the trigger, and the journal's word for it."""
ALWAYS_RAISES: Final = frozenset({End.STOP, End.STOP_KEY, End.HELLO})
"""These raise the epoch even when nothing was moving or ready: what was sent before them is void."""


def names_of(faults: int) -> list[str]:
    """The names of fault bits, as in the contract's JSON."""
    return [kebab(fault.name or "") for fault in Fault if fault & faults]


class Core:
    """What one power-up of the firmware knows and does. Attributes without a word are as on the wire."""

    def __init__(
        self,
        *,
        profile: Profile,
        body: Body,
        memory: Memory,
        journal: Journal,
        misbehaviour: Misbehaviour,
        identity: HelloAnswer,
        now_ns: int,
    ) -> None:
        self.profile = profile
        self.body = body
        self.memory = memory
        self.journal = journal
        self.mis = misbehaviour
        self.born_ns = now_ns
        # Spread over the number space, so that no frame from before a reset fits after it.
        scattered = memory.boot_counter * 40503 & 0xFFFF
        self.link = DeviceLink(identity=identity, first_session=scattered, first_epoch=scattered)

        self.state = State.BOOT
        self.faults = 0
        self.zone = 0
        self.side = int(Side.NONE)
        self.session_ceiling_um = 0
        self.depth_um = 0
        self.depth_set = False
        self.rate_dhz = 0
        self.rate_set = False
        self.treatment = 0
        """Token of the arm."""
        self.trigger_longest_s = 0
        """Longest run by the pen's own trigger; 0 while it may not start one."""
        self.run_by_trigger = False
        self.proved = False
        """A beat has renewed the lease since the arm: the host that armed is there, and hears us."""
        self.strokes_base = body.strokes(now_ns)
        self._saved_strokes = self.strokes_base
        self._run_strokes = 0.0
        self._run_punctures = 0.0

        self.commands: deque[tuple[int, int]] = deque([(now_ns, 0)])
        """Since when each depth is commanded, back to the one in force 100 ms ago."""
        self.rate_judged_from_ns = NEVER
        self.trip_since: dict[Fault, int] = {}
        """Since when each condition of a trip has been seen without a break."""
        self.last_depth_um = 0
        self.depth_moved_ns = now_ns
        """The last depth reading of a run, and when it changed."""
        self.retracting_since_ns: int | None = None
        self.renewed_ns = 0
        """When the lease was last granted or renewed."""

        self._lease_ns = profile.lease_ms * MS
        self.lease_due_ns = NEVER
        self.arm_due_ns = NEVER
        self.run_due_ns = NEVER
        self.retract_due_ns = NEVER
        self.look_due_ns = NEVER

    # -- beginning --------------------------------------------------------------------------------------

    def arm(self, treatment: int, trigger_longest_s: int, now_ns: int) -> None:
        """Make ready; everything has been checked."""
        self.treatment = treatment
        self.trigger_longest_s = trigger_longest_s
        self.proved = False
        self.enter(Trigger.ARM, now_ns)
        self.renew_lease(now_ns)
        self.arm_due_ns = now_ns + ARM_EXPIRES_NS
        self.journal.add(now_ns, "lease", what="granted", lease_ms=self.profile.lease_ms)
        self.watch(now_ns)

    def renew_lease(self, now_ns: int) -> None:
        """The whole lease again, from now."""
        self.lease_due_ns = now_ns + self._lease_ns
        self.renewed_ns = now_ns

    def begin(self, longest_ns: int, trigger: Trigger, now_ns: int) -> None:
        """Start a run; everything has been checked."""
        self.run_by_trigger = trigger is Trigger.TRIGGER_PRESSED
        self.enter(trigger, now_ns)
        self.journal.add(
            now_ns,
            "start",
            by="trigger" if self.run_by_trigger else "host",
            zone=ZONE_BY_NUMBER[self.zone].name,
            side=kebab(Side(self.side).name),
            depth_mm=mm(self.depth_um),
            rate_hz=self.rate_dhz / 10,
        )
        self._bind_cartridge(now_ns)
        self.arm_due_ns = NEVER
        self.run_due_ns = now_ns + longest_ns
        self.stop_retracting()
        self.rate_judged_from_ns = now_ns + RAMP_NS
        self.depth_moved_ns = now_ns
        self._run_strokes = self.body.strokes(now_ns)
        self._run_punctures = self.body.punctures(now_ns)
        self.body.skin = skin_of(self.zone)
        self.commands.append((now_ns, self.depth_um))
        reason = "trigger" if self.run_by_trigger else "command"
        self.body.drive(self._motor_hz(), self._actuator_um(), reason, now_ns)
        self.event(EventCode.RUN_STARTED, int(self.run_by_trigger), now_ns)
        self.watch(now_ns)

    def change_depth(self, now_ns: int) -> None:
        """Let the depth just set act, if a run is on."""
        if self.state is State.RUNNING:
            self.commands.append((now_ns, self.depth_um))
            self.body.set_depth(self._actuator_um(), now_ns)
            self.watch(now_ns)

    def change_rate(self, now_ns: int) -> None:
        """Let the rate just set act, if a run is on."""
        if self.state is State.RUNNING:
            self.rate_judged_from_ns = now_ns + RAMP_NS
            self.body.set_rate(self._motor_hz(), now_ns)
            self.watch(now_ns)

    def _bind_cartridge(self, now_ns: int) -> None:
        cartridge = self.body.cartridge
        if cartridge is not None and cartridge.id not in self.memory.bindings:
            self.memory.bindings[cartridge.id] = self.treatment
            self.journal.add(now_ns, "cartridge", what="bound", id=cartridge.id, treatment=self.treatment)

    def _motor_hz(self) -> float:
        return self.rate_dhz / 10 * self.mis.rate_factor

    def _actuator_um(self) -> int:
        deepest_um = self.profile.depth_max_um + ACTUATOR_SPARE_UM
        return max(0, min(self.depth_um + self.mis.depth_offset_um, deepest_um))

    # -- ending -----------------------------------------------------------------------------------------

    def end(self, how: End, now_ns: int) -> None:
        """End motion and, but for release, trigger and duration, readiness too. Harmless at rest."""
        trigger, reason = ENDS[how]
        was = self.state
        self._cut(reason, now_ns)
        self.enter(trigger, now_ns)
        ended = was is State.RUNNING or (was is State.ARMED and self.state is not State.ARMED)
        if ended or how in ALWAYS_RAISES:
            self.link.raise_epoch()
        if ended:
            self._ended(was, how, reason, now_ns)

    def trip(self, faults: int, now_ns: int) -> None:
        """Cut the drive, retract, and latch what is new of `faults`."""
        new = faults & ~self.faults
        if not new:
            return
        was = self.state
        how, reason = (End.LEASE, "lease") if new & Fault.LEASE else (End.FAULT, "fault")
        self._cut(reason, now_ns)
        self.faults |= new
        self.enter(Trigger.TEST_FAILED if was is State.SELF_TEST else Trigger.TRIP, now_ns)
        self.link.raise_epoch()
        self.journal.add(now_ns, "fault", new=names_of(new), latched=names_of(self.faults))
        if how is End.LEASE:
            renewed_s = round(self.renewed_ns / 1e9, 6)
            self.journal.add(now_ns, "lease", what="lapsed", renewed_t=renewed_s)
        if was in (State.ARMED, State.RUNNING):
            self._ended(was, how, reason, now_ns)
        self.event(EventCode.FAULT, self.faults, now_ns)

    def clear(self, faults: int, now_ns: int) -> None:
        """Clear latched faults; it has been checked that they may be."""
        cleared = faults & self.faults
        self.faults &= ~faults
        if cleared:
            self.journal.add(now_ns, "fault", cleared=names_of(cleared), latched=names_of(self.faults))
        if not self.faults:
            self.enter(Trigger.FAULTS_CLEARED, now_ns)

    def retracted(self, now_ns: int) -> None:
        """The sensor says that the needles are in."""
        if self.retracting_since_ns is not None:
            took_ms = (now_ns - self.retracting_since_ns) // MS
            self.stop_retracting()
            self.event(EventCode.RETRACTED, took_ms, now_ns)

    def stop_retracting(self) -> None:
        """Nobody waits for the needles to come in any more."""
        self.retracting_since_ns = None
        self.retract_due_ns = NEVER

    def _cut(self, reason: str, now_ns: int) -> None:
        """No current, needles in: at once, whatever else is to be done."""
        self.body.cut(reason, now_ns)
        if self.commands[-1][1]:
            self.commands.append((now_ns, 0))
        if self.state is State.RUNNING:
            self.retracting_since_ns = now_ns
            self.retract_due_ns = now_ns + RETRACT_NS
        self.watch(now_ns)

    def _ended(self, was: State, how: End, reason: str, now_ns: int) -> None:
        """What follows an end of a run or of readiness."""
        running = was is State.RUNNING
        self.run_due_ns = NEVER
        if self.state is State.ARMED:
            self.arm_due_ns = now_ns + ARM_EXPIRES_NS
        else:
            self.arm_due_ns = self.lease_due_ns = NEVER
            self.trigger_longest_s = 0
        if running:
            self.save_strokes(now_ns)
            self.journal.add(
                now_ns,
                "run-ended",
                reason=reason,
                strokes=int(self.body.strokes(now_ns) - self._run_strokes),
                punctures=int(self.body.punctures(now_ns) - self._run_punctures),
            )
        self.event(EventCode.RUN_ENDED if running else EventCode.DISARMED, how, now_ns)

    # -- common to all ----------------------------------------------------------------------------------

    def enter(self, trigger: Trigger, now_ns: int) -> None:
        """Go where the table says."""
        after = next_state(self.state, trigger)
        if after is not self.state:
            names = {"from": kebab(self.state.name), "to": kebab(after.name)}
            self.journal.add(now_ns, "state", **names, trigger=kebab(trigger.name))
            self.state = after

    def watch(self, now_ns: int) -> None:
        """Something moves or is disturbed: look often from now on."""
        self.look_due_ns = min(self.look_due_ns, now_ns + LOOK_MOVING_NS)

    def event(self, code: EventCode, arg: int, now_ns: int) -> None:
        """Tell the host that something happened."""
        self.link.send_event(code, Event(self.time_ms(now_ns), arg), now_ns)

    def time_ms(self, now_ns: int) -> int:
        """Device time since this power-up, wrapping."""
        return (now_ns - self.born_ns) // MS & 0xFFFF_FFFF

    def held_ceiling_um(self) -> int:
        """Least of built-in, session, device and cartridge ceilings; 0 without a zone."""
        zone = ZONE_BY_NUMBER.get(self.zone)
        if zone is None:
            return 0
        held = min(zone.hard_ceiling_um, self.session_ceiling_um, self.profile.depth_max_um)
        cartridge = self.body.cartridge
        if cartridge is not None and cartridge.id:
            held = min(held, cartridge.needle_length_um)
        return held

    def read_depth_um(self, now_ns: int) -> int:
        """The depth sensor, as this firmware reads it."""
        return self.commands[-1][1] if self.mis.lies_depth else self.body.measured_depth_um(now_ns)

    def save_strokes(self, now_ns: int) -> None:
        """Write the strokes made since the last time to the cartridge's account."""
        cartridge, strokes = self.body.cartridge, self.body.strokes(now_ns)
        made, self._saved_strokes = int(strokes) - int(self._saved_strokes), strokes
        if cartridge is not None and made:
            self.memory.strokes[cartridge.id] = self.memory.strokes.get(cartridge.id, 0) + made

    def journal_limit(self, now_ns: int, **why: Any) -> None:
        """Write down what is held now."""
        held_mm, session_mm = mm(self.held_ceiling_um()), mm(self.session_ceiling_um)
        self.journal.add(now_ns, "limit", held_mm=held_mm, session_mm=session_mm, **why)
