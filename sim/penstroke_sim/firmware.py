"""The firmware: state, settings, lease and timers of one power-up of the pen.

Strategy: `states.TABLE` says where each trigger leads, `requests.py` what must hold before a request is
carried out, `trips.py` what ends everything. Here is what they share: the acts (`begin`, `end`, `trip`), the
timers, and the talk with the link. Whatever ends motion goes through `end` or `trip`, and both cut the drive
before anything else.

When the body is looked at: every 5 ms while anything moves or is disturbed, else with each telemetry frame
and at least every 50 ms. That is sound because an undisturbed body at rest or at speed cannot leave its
windows: its noise is far smaller than they are, and whatever moves or disturbs it calls `watch`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, Final

from penstroke_protocol.device_link import (
    BeatReceived,
    DeviceLink,
    HelloReceived,
    RequestReceived,
    StopReceived,
)
from penstroke_protocol.explain import kebab
from penstroke_protocol.link import MS
from penstroke_protocol.messages import (
    MOTION_HASH,
    Condition,
    End,
    Event,
    EventCode,
    Fault,
    Flag,
    Settings,
    Side,
    State,
    Status,
    Telemetry,
)
from penstroke_protocol.zone_table import ZONE_DIGEST
from penstroke_sim import requests, trips
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

BOOT_NS: Final = 50 * MS
SELF_TEST_NS: Final = 150 * MS
ARM_EXPIRES_NS: Final = 10_000 * MS
NONCE_AGE_NS: Final = 300 * MS
RETRACT_NS: Final = 100 * MS
"""Needles that are not in this long after an end of a run: 2.5 mm at the slowest legal 60 mm/s take 42 ms."""
LOOK_MOVING_NS: Final = 5 * MS
LOOK_STEADY_NS: Final = 50 * MS
WATCHDOG_NS: Final = 200 * MS
TELEMETRY_HZ: Final = 20
UART_BYTES: Final = 256
"""What a hung program's receive buffer holds; the rest is lost."""

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


class Firmware:
    """One power-up. `reset_wanted` is set when it must be reset; the world does that."""

    def __init__(
        self,
        *,
        profile: Profile,
        body: Body,
        memory: Memory,
        journal: Journal,
        misbehaviour: Misbehaviour,
        random: Random,
        serial: str,
        now_ns: int,
        boot_faults: int = 0,
    ) -> None:
        self.profile = profile
        self.body = body
        self.memory = memory
        self.journal = journal
        self.mis = misbehaviour
        self._random = random
        self._boot_faults = boot_faults
        self._born_ns = now_ns
        self.reset_wanted = False
        memory.boot_counter += 1
        honest = profile.identity(
            serial=serial,
            boot_counter=memory.boot_counter,
            motion_hash=MOTION_HASH,
            zone_digest=ZONE_DIGEST,
        )
        self._honest_identity = honest
        # Spread over the number space, so that no frame from before a reset fits after it.
        scattered = memory.boot_counter * 40503 & 0xFFFF
        self.link = DeviceLink(identity=honest, first_session=scattered, first_epoch=scattered ^ 0xFFFF)
        self.apply_identity()
        self._judged = 0
        self._late: deque[tuple[int, bytes]] = deque()
        self._uart = b""

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
        self.trigger_longest_s = 0
        self._run_by_trigger = False
        self._strokes_base = body.strokes(now_ns)
        self._saved_strokes = body.strokes(now_ns)
        self._run_strokes = 0.0
        self._run_punctures = 0.0
        self._battery_low_told = False

        self.commands: deque[tuple[int, int]] = deque([(now_ns, 0)])
        """Commanded depths and since when, back to the one in force 100 ms ago."""
        self.rate_judged_from_ns = NEVER
        self.since: dict[Fault, int] = {}
        """Since when each condition of a trip has been seen without a break."""
        self.moved_ns = now_ns
        """When the depth reading last changed."""
        self.last_depth_um = 0
        self.retracting_since_ns: int | None = None

        self._telemetry_period_ns = 1_000 * MS // TELEMETRY_HZ
        self._telemetry: Telemetry | None = None
        self._nonces: deque[tuple[int, int]] = deque()
        self._lease_ns = profile.lease_ms * MS
        self._renewed_ns = 0

        self._boot_due_ns = now_ns + BOOT_NS
        self._lease_due_ns = NEVER
        self._arm_due_ns = NEVER
        self._run_due_ns = NEVER
        self._retract_due_ns = NEVER
        self._look_due_ns = NEVER
        self._telemetry_due_ns = NEVER
        self._watchdog_due_ns = NEVER
        journal.add(now_ns, "boot", profile=profile.name, serial=serial, boot_counter=memory.boot_counter)
        journal.add(now_ns, "state", **{"from": None, "to": "boot"})

    # -- time and bytes ---------------------------------------------------------------------------------

    def next_timer(self) -> int:
        """When `handle_timers` wants to be called; `NEVER` when not."""
        late = self._late[0][0] if self._late else NEVER
        if self.mis.hung:
            if not self.mis.link_alive:
                return min(self._watchdog_due_ns, late)
            return min(self._watchdog_due_ns, late, self._telemetry_due_ns, self.link.next_timer() or NEVER)
        return min(
            self._lease_due_ns,
            self._retract_due_ns,
            self._run_due_ns,
            self._arm_due_ns,
            self._boot_due_ns,
            self._look_due_ns,
            self._telemetry_due_ns,
            late,
            self.link.next_timer() or NEVER,
        )

    def handle_timers(self, now_ns: int) -> None:
        """Do what is due, the ends of motion first."""
        if self.mis.hung:
            self._hang(now_ns)
            return
        if now_ns >= self._lease_due_ns:
            self.trip(Fault.LEASE, now_ns)
        if now_ns >= self._run_due_ns:
            self.end(End.DURATION, now_ns)
        if now_ns >= self._arm_due_ns:
            self.end(End.ARM_EXPIRED, now_ns)
        if now_ns >= self._boot_due_ns:
            self._boot_step(now_ns)
        if now_ns >= self._telemetry_due_ns:
            self._send_telemetry(now_ns)
        if now_ns >= min(self._look_due_ns, self._retract_due_ns):
            self.look(now_ns)
        self.link.handle_timer(now_ns)

    def receive(self, data: bytes, now_ns: int) -> None:
        """Bytes from the line."""
        if self.mis.hung and not self.mis.link_alive:
            self._uart = (self._uart + data)[:UART_BYTES]
            return
        self.link.receive_data(data, now_ns)
        while (event := self.link.next_event()) is not None:
            if self.mis.hung:
                continue
            if isinstance(event, BeatReceived):
                self._beat(event, now_ns)
            elif isinstance(event, StopReceived):
                self.journal.add(now_ns, "stop", by="host", session=event.session)
                self.end(End.STOP, now_ns)
                self.link.answer_stop(event, self.condition(now_ns))
            elif isinstance(event, HelloReceived):
                self._hello(event, now_ns)
            else:
                self._request(event, now_ns)
        self._journal_rejected(now_ns)

    def output(self, now_ns: int) -> bytes:
        """The bytes to put on the line now."""
        data = self.link.data_to_send()
        if self._late or self.mis.answer_delay_ns:
            return self._delayed(data, now_ns)
        return data

    def _delayed(self, data: bytes, now_ns: int) -> bytes:
        # A slow program is slow with answers; telemetry is sent by a timer of its own.
        prompt = b""
        for chunk in data.split(b"\0"):
            if chunk:
                frame = b"\0" + chunk + b"\0"
                if requests.is_reply(chunk):
                    self._late.append((now_ns + self.mis.answer_delay_ns, frame))
                else:
                    prompt += frame
        while self._late and self._late[0][0] <= now_ns:
            prompt += self._late.popleft()[1]
        return prompt

    def _journal_rejected(self, now_ns: int) -> None:
        """Tell of frames that were not acted on: damaged ones, and whole ones that did not fit."""
        judged = self.link.damage.total() + self.link.dropped.total()
        if judged != self._judged:
            self._judged = judged
            counts = {**self.link.damage, **self.link.dropped}
            self.journal.add(now_ns, "frame-rejected", counts=dict(sorted(counts.items())))

    # -- the acts ---------------------------------------------------------------------------------------

    def begin(self, longest_ns: int, trigger: Trigger, now_ns: int) -> None:
        """Start a run; everything has been checked."""
        by_trigger = trigger is Trigger.TRIGGER_PRESSED
        self._enter(trigger, now_ns)
        self.journal.add(
            now_ns,
            "start",
            by="trigger" if by_trigger else "host",
            zone=self.zone,
            side=self.side,
            depth_mm=mm(self.depth_um),
            rate_hz=self.rate_dhz / 10,
        )
        cartridge = self.body.cartridge
        if cartridge is not None and cartridge.id not in self.memory.bindings:
            self.memory.bindings[cartridge.id] = self.treatment
            self.journal.add(now_ns, "cartridge", what="bound", id=cartridge.id, treatment=self.treatment)
        self._run_by_trigger = by_trigger
        self._arm_due_ns = NEVER
        self._run_due_ns = now_ns + longest_ns
        self._stop_retracting()
        self.rate_judged_from_ns = now_ns + trips.RAMP_NS
        self.moved_ns = now_ns
        self._run_strokes = self.body.strokes(now_ns)
        self._run_punctures = self.body.punctures(now_ns)
        self.body.skin = skin_of(self.zone)
        self._command(self.depth_um, now_ns)
        rate_hz = self.rate_dhz / 10 * self.mis.rate_factor
        reason = "trigger" if by_trigger else "command"
        self.body.drive(rate_hz, self._actuator_um(), reason, now_ns)
        self.event(EventCode.RUN_STARTED, int(by_trigger), now_ns)
        self.watch(now_ns)

    def change_depth(self, now_ns: int) -> None:
        """Let the depth just set act, if a run is on."""
        if self.state is State.RUNNING:
            self._command(self.depth_um, now_ns)
            self.body.set_depth(self._actuator_um(), now_ns)
            self.watch(now_ns)

    def change_rate(self, now_ns: int) -> None:
        """Let the rate just set act, if a run is on."""
        if self.state is State.RUNNING:
            self.rate_judged_from_ns = now_ns + trips.RAMP_NS
            self.body.set_rate(self.rate_dhz / 10 * self.mis.rate_factor, now_ns)
            self.watch(now_ns)

    def arm(self, treatment: int, trigger_longest_s: int, now_ns: int) -> None:
        """Make ready; everything has been checked."""
        self.treatment = treatment
        self.trigger_longest_s = trigger_longest_s
        self._enter(Trigger.ARM, now_ns)
        self._lease_due_ns = now_ns + self._lease_ns
        self._renewed_ns = now_ns
        self._arm_due_ns = now_ns + ARM_EXPIRES_NS
        self.journal.add(now_ns, "lease", what="granted", lease_ms=self.profile.lease_ms)
        self.watch(now_ns)

    def end(self, how: End, now_ns: int) -> None:
        """End motion and, but for release, trigger and duration, readiness too. Harmless at rest."""
        trigger, reason = ENDS[how]
        was = self.state
        self._cut(reason, now_ns)
        self._enter(trigger, now_ns)
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
        lapsed = bool(new & Fault.LEASE)
        self._cut("lease" if lapsed else "fault", now_ns)
        self.faults |= new
        self._enter(Trigger.TEST_FAILED if was is State.SELF_TEST else Trigger.TRIP, now_ns)
        self.link.raise_epoch()
        self.journal.add(now_ns, "fault", new=names_of(new), latched=names_of(self.faults))
        if lapsed:
            renewed_s = round(self._renewed_ns / 1e9, 6)
            self.journal.add(now_ns, "lease", what="lapsed", renewed_t=renewed_s)
        if was in (State.ARMED, State.RUNNING):
            self._ended(was, End.LEASE if lapsed else End.FAULT, "lease" if lapsed else "fault", now_ns)
        self.event(EventCode.FAULT, self.faults, now_ns)

    def clear(self, faults: int, now_ns: int) -> None:
        """Clear latched faults; it has been checked that they may be."""
        cleared = faults & self.faults
        self.faults &= ~faults
        if cleared:
            self.journal.add(now_ns, "fault", cleared=names_of(cleared), latched=names_of(self.faults))
        if not self.faults:
            self._enter(Trigger.FAULTS_CLEARED, now_ns)

    def _ended(self, was: State, how: End, reason: str, now_ns: int) -> None:
        """What follows an end of a run or of readiness."""
        running = was is State.RUNNING
        self._run_due_ns = NEVER
        if self.state is State.ARMED:
            self._arm_due_ns = now_ns + ARM_EXPIRES_NS
        else:
            self._arm_due_ns = self._lease_due_ns = NEVER
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

    def _cut(self, reason: str, now_ns: int) -> None:
        """No current, needles in: at once, whatever else is to be done."""
        was_out = self.state is State.RUNNING or self.body.measured_depth_um(now_ns) > 0
        self.body.cut(reason, now_ns)
        if self.commands[-1][1]:
            self._command(0, now_ns)
        if was_out and self.retracting_since_ns is None:
            self.retracting_since_ns = now_ns
            self._retract_due_ns = now_ns + RETRACT_NS
        if was_out:
            self.watch(now_ns)

    def retracted(self, now_ns: int) -> None:
        """The sensor says that the needles are in."""
        if self.retracting_since_ns is not None:
            took_ms = (now_ns - self.retracting_since_ns) // MS
            self._stop_retracting()
            self.event(EventCode.RETRACTED, took_ms, now_ns)

    def _stop_retracting(self) -> None:
        self.retracting_since_ns = None
        self._retract_due_ns = NEVER

    def _command(self, depth_um: int, now_ns: int) -> None:
        self.commands.append((now_ns, depth_um))

    def _actuator_um(self) -> int:
        reachable_um = self.profile.depth_max_um + 500
        return max(0, min(self.depth_um + self.mis.depth_offset_um, reachable_um))

    def _enter(self, trigger: Trigger, now_ns: int) -> None:
        after = next_state(self.state, trigger)
        if after is not self.state:
            names = {"from": kebab(self.state.name), "to": kebab(after.name)}
            self.journal.add(now_ns, "state", **names, trigger=kebab(trigger.name))
            self.state = after

    # -- edges from the outside -------------------------------------------------------------------------

    def stop_key(self, now_ns: int) -> None:
        """The pen's own key: as STOP. That it cuts the drive even of a hung program is the body's doing."""
        self.journal.add(now_ns, "stop", by="key")
        if not self.mis.hung:
            self.end(End.STOP_KEY, now_ns)
            self.event(EventCode.STOP_KEY, 0, now_ns)

    def trigger_pressed(self, now_ns: int) -> None:
        """An edge. It starts a run only when armed for that, and never later."""
        if self.mis.hung or self.state is not State.ARMED or not self.trigger_longest_s:
            return
        refusal = requests.judge_start(self, now_ns)
        if refusal is not None:
            self.journal.add(now_ns, "refused", request="trigger", reason=kebab(refusal[0].name))
            return
        self.begin(self.trigger_longest_s * 1_000 * MS, Trigger.TRIGGER_PRESSED, now_ns)

    def trigger_released(self, now_ns: int) -> None:
        """The other edge: ends the run that the trigger started."""
        if not self.mis.hung and self.state is State.RUNNING and self._run_by_trigger:
            self.end(End.TRIGGER, now_ns)

    def cartridge_changed(self, now_ns: int) -> None:
        """The lock switch moved."""
        self._saved_strokes = self.body.strokes(now_ns)
        if self.mis.hung or self.state in (State.BOOT, State.SELF_TEST):
            return
        if self.body.cartridge is None:
            if self.state in (State.ARMED, State.RUNNING):
                self.trip(Fault.CARTRIDGE_OFF, now_ns)
            self.event(EventCode.CARTRIDGE_OUT, 0, now_ns)
        else:
            self.depth_set = False
            self.event(EventCode.CARTRIDGE_IN, 0, now_ns)

    def brown_out(self, now_ns: int) -> None:
        """The supply dipped, not deep enough for a reset."""
        if not self.mis.hung and self.state in (State.ARMED, State.RUNNING):
            self.trip(Fault.BATTERY, now_ns)

    def hang(self, now_ns: int) -> None:
        """The program hangs from here on."""
        self.mis.hung = True
        self._watchdog_due_ns = now_ns + WATCHDOG_NS if self.mis.watchdog else NEVER

    def unhang(self, now_ns: int) -> None:
        """The program goes on, with all its timers overdue and what its buffer held."""
        self.mis.hung = False
        self._watchdog_due_ns = NEVER
        waiting, self._uart = self._uart, b""
        self.handle_timers(now_ns)
        self.receive(waiting, now_ns)

    def _hang(self, now_ns: int) -> None:
        if now_ns >= self._watchdog_due_ns:
            self.reset_wanted = True
            self._watchdog_due_ns = NEVER
            return
        if self.mis.link_alive:
            self.link.handle_timer(now_ns)
            if now_ns >= self._telemetry_due_ns:
                self._telemetry_due_ns = now_ns + self._telemetry_period_ns
                if self._telemetry is not None:
                    self.link.send_telemetry(self._telemetry)

    # -- looking ----------------------------------------------------------------------------------------

    def watch(self, now_ns: int) -> None:
        """Something moves or is disturbed: look often from now on."""
        self._look_due_ns = min(self._look_due_ns, now_ns + LOOK_MOVING_NS)

    def read_depth_um(self, now_ns: int) -> int:
        """The depth sensor, as this firmware reads it."""
        if self.mis.lies_depth:
            return self.commands[-1][1]
        return self.body.measured_depth_um(now_ns)

    def readings(self, now_ns: int) -> trips.Readings:
        """All sensors at once."""
        body = self.body
        return trips.Readings(
            self.read_depth_um(now_ns),
            body.measured_rate_dhz(now_ns),
            body.current_ma(now_ns),
            body.temperature_dc(now_ns),
            body.battery_pct(now_ns),
        )

    def look(self, now_ns: int) -> trips.Readings:
        """Read everything, judge it, and plan the next look."""
        readings = self.readings(now_ns)
        due = trips.judge(self, readings, now_ns)
        if due:
            self.trip(due, now_ns)
        if readings.depth_um == 0:
            self.retracted(now_ns)
        if now_ns >= self._retract_due_ns:
            self._stop_retracting()
            self.trip(Fault.RETRACTION, now_ns)
        self._tell_battery(readings.battery_pct, now_ns)
        steady_ns = self.body.steady_from_ns()
        if now_ns < steady_ns or self.retracting_since_ns is not None or self.since or self.body.disturbed:
            next_ns = now_ns + LOOK_MOVING_NS
            # Also at the very instant of arrival, so that RETRACTED tells the true time.
            self._look_due_ns = min(next_ns, steady_ns) if steady_ns > now_ns else next_ns
        elif self.state in (State.ARMED, State.RUNNING):
            self._look_due_ns = now_ns + LOOK_STEADY_NS
        else:
            self._look_due_ns = NEVER
        return readings

    def _tell_battery(self, pct: int, now_ns: int) -> None:
        if pct >= requests.BATTERY_LOW_PCT:
            self._battery_low_told = False
        elif not self._battery_low_told:
            self._battery_low_told = True
            self.event(EventCode.BATTERY_LOW, pct, now_ns)

    def _boot_step(self, now_ns: int) -> None:
        if self.state is State.BOOT:
            self._enter(Trigger.BOOTED, now_ns)
            self._boot_due_ns = now_ns + SELF_TEST_NS
            return
        self._boot_due_ns = NEVER
        faults = self._boot_faults
        if self.mis.self_test_fails or trips.self_test_fails(self.readings(now_ns)):
            faults |= Fault.SELF_TEST
        if faults:
            self.trip(faults, now_ns)
        else:
            self._enter(Trigger.TEST_PASSED, now_ns)
        self.watch(now_ns)

    # -- talk -------------------------------------------------------------------------------------------

    def apply_identity(self) -> None:
        """Tell the link who this device says it is."""
        identity, mis = self._honest_identity, self.mis
        self.link.identity = replace(
            identity,
            major=identity.major if mis.major is None else mis.major,
            motion_hash=identity.motion_hash if mis.motion_hash is None else mis.motion_hash,
            zone_digest=identity.zone_digest if mis.zone_digest is None else mis.zone_digest,
        )

    def _hello(self, event: HelloReceived, now_ns: int) -> None:
        self.end(End.HELLO, now_ns)
        self.zone = 0
        self.side = int(Side.NONE)
        self.session_ceiling_um = 0
        self.depth_set = self.rate_set = False
        self.link.open_session(event.hello, event.token)
        self._nonces.clear()
        self.set_telemetry(TELEMETRY_HZ, now_ns)
        self.journal.add(
            now_ns, "session", what="opened", session=self.link.session, role=kebab(self.link.role.name)
        )

    def _request(self, event: RequestReceived, now_ns: int) -> None:
        refusal = requests.judge(self, event.request, now_ns)
        if refusal is not None:
            self.link.refuse(event.token, *refusal)
        else:
            self.link.answer(event.token, requests.carry_out(self, event.request, now_ns))

    def _beat(self, event: BeatReceived, now_ns: int) -> None:
        """Renew the lease, if the beat proves a host that hears us and knows how things stand."""
        if self._lease_due_ns == NEVER or event.epoch != self.link.epoch:
            return
        beat = event.beat
        if beat.believed != self.state:
            return
        oldest_ns = now_ns - NONCE_AGE_NS
        if any(nonce == beat.nonce and at_ns >= oldest_ns for at_ns, nonce in self._nonces):
            self._lease_due_ns = now_ns + self._lease_ns
            self._renewed_ns = now_ns

    def event(self, code: EventCode, arg: int, now_ns: int) -> None:
        """Tell the host that something happened."""
        self.link.send_event(code, Event(self.time_ms(now_ns), arg), now_ns)

    def set_telemetry(self, rate_hz: int, now_ns: int) -> None:
        """Send telemetry this often, the first one a period from now."""
        self._telemetry_period_ns = 1_000 * MS // rate_hz
        self._telemetry_due_ns = now_ns + self._telemetry_period_ns

    def close_session(self, now_ns: int) -> None:
        """BYE: no more telemetry."""
        self._telemetry_due_ns = NEVER
        self.journal.add(now_ns, "session", what="closed", session=self.link.session)

    def _send_telemetry(self, now_ns: int) -> None:
        readings = self.look(now_ns)
        self._telemetry_due_ns = now_ns + self._telemetry_period_ns
        if self.mis.silent:
            return
        nonce = self._random.getrandbits(32)
        nonces = self._nonces
        nonces.append((now_ns, nonce))
        while nonces[0][0] < now_ns - NONCE_AGE_NS:
            nonces.popleft()
        self._telemetry = Telemetry(
            self.time_ms(now_ns),
            nonce,
            self.state,
            self.flags(now_ns, readings.depth_um),
            self.faults,
            readings.depth_um,
            readings.rate_dhz,
            self.strokes(now_ns),
            readings.current_ma,
            readings.temperature_dc,
            readings.battery_pct,
        )
        self.link.send_telemetry(self._telemetry)

    # -- what it holds ----------------------------------------------------------------------------------

    def time_ms(self, now_ns: int) -> int:
        """Device time since this power-up, wrapping."""
        return (now_ns - self._born_ns) // MS & 0xFFFF_FFFF

    def strokes(self, now_ns: int) -> int:
        """Whole strokes since this power-up, wrapping."""
        return int(self.body.strokes(now_ns) - self._strokes_base) & 0xFFFF_FFFF

    def held_ceiling_um(self) -> int:
        """Least of built-in, session, device and cartridge ceilings; 0 without a zone."""
        zone = requests.ZONE_BY_NUMBER.get(self.zone)
        if zone is None:
            return 0
        held = min(zone.hard_ceiling_um, self.session_ceiling_um, self.profile.depth_max_um)
        cartridge = self.body.cartridge
        if cartridge is not None and cartridge.id:
            held = min(held, cartridge.needle_length_um)
        return held

    def flags(self, now_ns: int, depth_um: int | None = None) -> int:
        """The single facts, as bits. `depth_um`: the sensor's reading, if it has just been read."""
        if depth_um is None:
            depth_um = self.read_depth_um(now_ns)
        body = self.body
        return (
            (Flag.MOTOR_ON if body.driven else 0)
            | (Flag.NEEDLES_OUT if depth_um > 0 else 0)
            | (Flag.TRIGGER_HELD if body.trigger_held else 0)
            | (Flag.CARTRIDGE_IN if body.cartridge is not None else 0)
            | (Flag.DEPTH_SET if self.depth_set else 0)
            | (Flag.RATE_SET if self.rate_set else 0)
            | (Flag.ZONE_SET if self.zone else 0)
        )

    def condition(self, now_ns: int) -> Condition:
        """The answer to commands about motion."""
        return Condition(self.state, self.flags(now_ns), self.faults)

    def settings(self, now_ns: int) -> Settings:
        """What is held, read back from where it acts."""
        return Settings(
            self.zone, self.side, self.held_ceiling_um(), self.depth_um, self.rate_dhz, self.flags(now_ns)
        )

    def status(self, now_ns: int) -> Status:
        """Everything that is held and measured."""
        readings = self.readings(now_ns)
        return Status(
            time_ms=self.time_ms(now_ns),
            boot_counter=self.memory.boot_counter,
            state=self.state,
            flags=self.flags(now_ns, readings.depth_um),
            faults=self.faults,
            zone=self.zone,
            side=self.side,
            session_ceiling_um=self.session_ceiling_um,
            held_ceiling_um=self.held_ceiling_um(),
            depth_um=self.depth_um,
            rate_dhz=self.rate_dhz,
            measured_depth_um=readings.depth_um,
            measured_rate_dhz=readings.rate_dhz,
            strokes=self.strokes(now_ns),
            current_ma=readings.current_ma,
            temperature_dc=readings.temperature_dc,
            battery_pct=readings.battery_pct,
            events_lost=self.link.events_lost,
        )

    def save_strokes(self, now_ns: int) -> None:
        """Write the strokes made since the last time to the cartridge's account."""
        cartridge, strokes = self.body.cartridge, self.body.strokes(now_ns)
        made, self._saved_strokes = int(strokes) - int(self._saved_strokes), strokes
        if cartridge is not None and made:
            self.memory.strokes[cartridge.id] = self.memory.strokes.get(cartridge.id, 0) + made

    def journal_limit(self, now_ns: int, **why: Any) -> None:
        """Write down what is held now."""
        self.journal.add(
            now_ns,
            "limit",
            held_mm=mm(self.held_ceiling_um()),
            session_mm=mm(self.session_ceiling_um),
            **why,
        )
