"""The firmware's loop: bytes, timers, looking at the body, and the edges that come from outside.

When the body is looked at: every 5 ms while anything moves or is disturbed, else with each telemetry frame
and, while armed or running, at least every 50 ms. That is sound because an undisturbed body at rest or at
speed cannot leave its windows: its noise is far smaller than they are, and whatever moves or disturbs it
calls `watch`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Final

from penstroke_protocol.device_link import BeatReceived, HelloReceived, RequestReceived, StopReceived
from penstroke_protocol.explain import kebab
from penstroke_protocol.link import MS
from penstroke_protocol.messages import (
    MOTION_HASH,
    End,
    EventCode,
    Fault,
    Kind,
    Side,
    State,
    Telemetry,
)
from penstroke_protocol.zone_table import ZONE_DIGEST
from penstroke_sim import report, requests, trips
from penstroke_sim.core import LOOK_MOVING_NS, Core
from penstroke_sim.states import Trigger
from penstroke_sim.wire import NEVER

if TYPE_CHECKING:
    from penstroke_sim.body import Body
    from penstroke_sim.cartridge import Memory
    from penstroke_sim.journal import Journal
    from penstroke_sim.misbehaviour import Misbehaviour
    from penstroke_sim.profiles import Profile

BOOT_NS: Final = 50 * MS
SELF_TEST_NS: Final = 150 * MS
NONCE_AGE_NS: Final = 300 * MS
LOOK_STEADY_NS: Final = 50 * MS
WATCHDOG_NS: Final = 200 * MS
TELEMETRY_HZ: Final = 20
UART_BYTES: Final = 256
"""What a hung program's receive buffer holds; the rest is lost."""
_REPLIES: Final = (int(Kind.ANSWER), int(Kind.REFUSAL))


class Firmware(Core):
    """One power-up. `reset_wanted` is set when the watchdog bites; the world then resets the pen."""

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
        memory.boot_counter += 1
        self._honest_identity = profile.identity(
            serial=serial,
            boot_counter=memory.boot_counter,
            motion_hash=MOTION_HASH,
            zone_digest=ZONE_DIGEST,
        )
        super().__init__(
            profile=profile,
            body=body,
            memory=memory,
            journal=journal,
            misbehaviour=misbehaviour,
            identity=self._honest_identity,
            now_ns=now_ns,
        )
        self.apply_identity()
        self.reset_wanted = False
        self._random = random
        self._boot_faults = boot_faults
        self._rejected = 0
        self._late: deque[tuple[int, bytes]] = deque()
        self._uart = b""
        self._battery_low_told = False
        self._telemetry: Telemetry | None = None
        self._telemetry_period_ns = 1_000 * MS // TELEMETRY_HZ
        self._nonces: deque[tuple[int, int]] = deque()
        self._boot_due_ns = now_ns + BOOT_NS
        self._telemetry_due_ns = NEVER
        self._watchdog_due_ns = NEVER
        journal.add(now_ns, "boot", profile=profile.name, serial=serial, boot_counter=memory.boot_counter)

    # -- time -------------------------------------------------------------------------------------------

    def next_timer(self) -> int:
        """When `handle_timers` wants to be called; `NEVER` when not."""
        late_ns = self._late[0][0] if self._late else NEVER
        link_ns = self.link.next_timer() or NEVER
        if self.mis.hung:
            hung_ns = min(self._watchdog_due_ns, late_ns)
            return min(hung_ns, self._telemetry_due_ns, link_ns) if self.mis.link_alive else hung_ns
        return min(
            self.lease_due_ns,
            self.run_due_ns,
            self.arm_due_ns,
            self.retract_due_ns,
            self.look_due_ns,
            self._boot_due_ns,
            self._telemetry_due_ns,
            late_ns,
            link_ns,
        )

    def handle_timers(self, now_ns: int) -> None:
        """Do what is due, the ends of motion first."""
        if self.mis.hung:
            self._handle_timers_hung(now_ns)
            return
        if now_ns >= self.lease_due_ns:
            self.trip(Fault.LEASE, now_ns)
        if now_ns >= self.run_due_ns:
            self.end(End.DURATION, now_ns)
        if now_ns >= self.arm_due_ns:
            self.end(End.ARM_EXPIRED, now_ns)
        if now_ns >= self._boot_due_ns:
            self._boot_on(now_ns)
        if now_ns >= self._telemetry_due_ns:
            self._send_telemetry(now_ns)
        if now_ns >= self.look_due_ns or now_ns >= self.retract_due_ns:
            self.look(now_ns)
        self.link.handle_timer(now_ns)

    def _boot_on(self, now_ns: int) -> None:
        if self.state is State.BOOT:
            self.enter(Trigger.BOOTED, now_ns)
            self._boot_due_ns = now_ns + SELF_TEST_NS
            return
        self._boot_due_ns = NEVER
        faults = self._boot_faults
        if self.mis.self_test_fails or trips.self_test_fails(self, report.measure(self, now_ns)):
            faults |= Fault.SELF_TEST
        if faults:
            self.trip(faults, now_ns)
        else:
            self.enter(Trigger.TEST_PASSED, now_ns)
        self.watch(now_ns)

    def look(self, now_ns: int) -> report.Readings:
        """Read everything, judge it, and plan the next look."""
        readings = report.measure(self, now_ns)
        due = trips.judge(self, readings, now_ns)
        if due:
            self.trip(due, now_ns)
        if readings.depth_um == 0:
            self.retracted(now_ns)
        if now_ns >= self.retract_due_ns:
            self.stop_retracting()
            self.trip(Fault.RETRACTION, now_ns)
        self._tell_battery(readings.battery_pct, now_ns)
        arrival_ns = self.body.next_arrival_ns(now_ns)
        if arrival_ns != NEVER:
            # Also at the very instant of arrival, so that RETRACTED tells the true time.
            self.look_due_ns = min(now_ns + LOOK_MOVING_NS, arrival_ns)
        elif self.trip_since or self.retracting_since_ns is not None or self.body.disturbed:
            self.look_due_ns = now_ns + LOOK_MOVING_NS
        elif self.state in (State.ARMED, State.RUNNING):
            self.look_due_ns = now_ns + LOOK_STEADY_NS
        else:
            self.look_due_ns = NEVER
        return readings

    def _tell_battery(self, pct: int, now_ns: int) -> None:
        if pct >= requests.BATTERY_LOW_PCT:
            self._battery_low_told = False
        elif not self._battery_low_told:
            self._battery_low_told = True
            self.event(EventCode.BATTERY_LOW, pct, now_ns)

    # -- bytes ------------------------------------------------------------------------------------------

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
                self.link.answer_stop(event, report.condition(self, now_ns))
            elif isinstance(event, HelloReceived):
                self._hello(event, now_ns)
            else:
                self._request(event, now_ns)
        self._journal_rejected(now_ns)

    def output(self, now_ns: int) -> bytes:
        """The bytes to put on the line now."""
        data = self.link.data_to_send()
        if self._late or self.mis.answer_delay_ns:
            return self._prompt(data, now_ns)
        return data

    def _prompt(self, data: bytes, now_ns: int) -> bytes:
        """What is to go out now when answers are held back; telemetry has a timer of its own."""
        prompt = b""
        for chunk in data.split(b"\0"):
            if chunk:
                frame = b"\0" + chunk + b"\0"
                # The kind of a frame is never zero, so it lies open behind the first COBS code.
                if chunk[1] in _REPLIES:
                    self._late.append((now_ns + self.mis.answer_delay_ns, frame))
                else:
                    prompt += frame
        while self._late and self._late[0][0] <= now_ns:
            prompt += self._late.popleft()[1]
        return prompt

    def _hello(self, event: HelloReceived, now_ns: int) -> None:
        self.end(End.HELLO, now_ns)
        self.zone = 0
        self.side = int(Side.NONE)
        self.session_ceiling_um = 0
        self.depth_set = self.rate_set = False
        self.link.open_session(event.hello, event.token)
        self._nonces.clear()
        self.set_telemetry(TELEMETRY_HZ, now_ns)
        role = kebab(self.link.role.name)
        self.journal.add(now_ns, "session", what="opened", session=self.link.session, role=role)

    def _request(self, event: RequestReceived, now_ns: int) -> None:
        refusal = requests.judge(self, event.request, now_ns)
        if refusal is not None:
            self.link.refuse(event.token, *refusal)
        else:
            self.link.answer(event.token, requests.carry_out(self, event.request, now_ns))

    def _beat(self, event: BeatReceived, now_ns: int) -> None:
        """Renew the lease, if the beat proves a host that hears us and knows how things stand."""
        beat = event.beat
        if (
            self.state in (State.ARMED, State.RUNNING)
            and beat.believed == self.state
            and event.epoch == self.link.epoch
        ):
            oldest_ns = now_ns - NONCE_AGE_NS
            if any(nonce == beat.nonce and at_ns >= oldest_ns for at_ns, nonce in self._nonces):
                self.renew_lease(now_ns)
                self.proved = True

    def _journal_rejected(self, now_ns: int) -> None:
        """Tell of frames that were not acted on: damaged ones, and whole ones that did not fit."""
        rejected = self.link.damage.total() + self.link.dropped.total()
        if rejected != self._rejected:
            self._rejected = rejected
            counts = {**self.link.damage, **self.link.dropped}
            self.journal.add(now_ns, "frame-rejected", counts=dict(sorted(counts.items())))

    # -- telemetry and session --------------------------------------------------------------------------

    def set_telemetry(self, rate_hz: int, now_ns: int) -> None:
        """Send telemetry this often, the first one a period from now."""
        self._telemetry_period_ns = 1_000 * MS // rate_hz
        self._telemetry_due_ns = now_ns + self._telemetry_period_ns

    def close_session(self, now_ns: int) -> None:
        """BYE: no more telemetry."""
        self._telemetry_due_ns = NEVER
        self.journal.add(now_ns, "session", what="closed", session=self.link.session)

    def apply_identity(self) -> None:
        """Tell the link who this device says it is."""
        identity, mis = self._honest_identity, self.mis
        self.link.identity = replace(
            identity,
            major=identity.major if mis.major is None else mis.major,
            motion_hash=identity.motion_hash if mis.motion_hash is None else mis.motion_hash,
            zone_digest=identity.zone_digest if mis.zone_digest is None else mis.zone_digest,
        )

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
        self._telemetry = report.telemetry(self, readings, nonce, now_ns)
        self.link.send_telemetry(self._telemetry)

    # -- edges from the outside -------------------------------------------------------------------------

    def stop_key(self, now_ns: int) -> None:
        """The pen's own key: as STOP. That it cuts the drive even of a hung program is the body's doing."""
        self.journal.add(now_ns, "stop", by="key")
        if not self.mis.hung:
            self.end(End.STOP_KEY, now_ns)
            self.event(EventCode.STOP_KEY, 0, now_ns)

    def trigger_pressed(self, now_ns: int) -> None:
        """An edge. It starts a run only when armed for that, by a host that has beaten since."""
        if self.mis.hung or self.state is not State.ARMED or not self.trigger_longest_s or not self.proved:
            return
        refusal = requests.judge_start(self, now_ns)
        if refusal is None:
            self.begin(self.trigger_longest_s * 1_000 * MS, Trigger.TRIGGER_PRESSED, now_ns)
        else:
            self.journal.add(
                now_ns, "refused", request="trigger", reason=kebab(refusal[0].name), detail=refusal[1]
            )

    def trigger_released(self, now_ns: int) -> None:
        """The other edge: ends the run that the trigger started."""
        if not self.mis.hung and self.state is State.RUNNING and self.run_by_trigger:
            self.end(End.TRIGGER, now_ns)

    def cartridge_changed(self, now_ns: int) -> None:
        """The lock switch moved."""
        self.save_strokes(now_ns)
        if self.mis.hung:
            return
        if self.body.cartridge is not None:
            self.depth_set = False
            self.event(EventCode.CARTRIDGE_IN, 0, now_ns)
        elif self.state in (State.ARMED, State.RUNNING):
            self.trip(Fault.CARTRIDGE_OFF, now_ns)
        else:
            self.event(EventCode.CARTRIDGE_OUT, 0, now_ns)

    def brown_out(self, now_ns: int) -> None:
        """The supply dipped, not deep enough for a reset."""
        if not self.mis.hung and self.state in (State.ARMED, State.RUNNING):
            self.trip(Fault.BATTERY, now_ns)

    # -- hanging ----------------------------------------------------------------------------------------

    def hang(self, now_ns: int) -> None:
        """The program hangs from here on."""
        self.mis.hung = True
        self._watchdog_due_ns = now_ns + WATCHDOG_NS if self.mis.watchdog else NEVER

    def unhang(self, now_ns: int) -> None:
        """The program goes on: its overdue timers first, then what its buffer held."""
        self.mis.hung = False
        self._watchdog_due_ns = NEVER
        waiting, self._uart = self._uart, b""
        self.handle_timers(now_ns)
        self.receive(waiting, now_ns)

    def _handle_timers_hung(self, now_ns: int) -> None:
        if now_ns >= self._watchdog_due_ns:
            self._watchdog_due_ns = NEVER
            self.reset_wanted = True
        elif self.mis.link_alive:
            self.link.handle_timer(now_ns)
            if now_ns >= self._telemetry_due_ns:
                self._telemetry_due_ns = now_ns + self._telemetry_period_ns
                if self._telemetry is not None:
                    self.link.send_telemetry(self._telemetry)
