"""The pen: blocking, typed, one owner.

Strategy. Three things stand between a wish and a needle: the verdict of the safety layer, the gate that
judges the very bytes about to leave, and the device itself, which decides again. After every setting the
device's own registers are read back and compared. The pen starts no thread: needles move only while the
caller's own loop turns (`needling`), and leaving that loop in any way stops and retracts.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from penstroke.data import figures, zone_table
from penstroke.duty import Duty
from penstroke.errors import DeviceFault, LinkError, PenError, Refused, Stopped, VersionMismatch
from penstroke.gate import Gate
from penstroke.held import DEPTH_SET, RATE_SET, Held, agree, settings_in
from penstroke.ledger import Ledger
from penstroke.line import LIFT, Line
from penstroke.ports import Port
from penstroke.readiness import (
    UNREADABLE,
    cartridge_reasons,
    deeper_while_running,
    not_set_reasons,
    why_read_only,
)
from penstroke.safety import (
    NO_CLINIC,
    NOT_SCREENED,
    Allowed,
    ClinicProfile,
    DepthLimit,
    Override,
    Refusal,
    Scope,
    Screening,
    check_envelope,
    check_rate,
    depth_limit,
    find_zone,
)
from penstroke.safety.verdict import Reason
from penstroke.status import (
    SIDE_CODES,
    Cartridge,
    FaultInfo,
    Identity,
    KeptWitness,
    LinkStats,
    PenStatus,
    Sample,
    fault_list,
    pen_limits,
    status_of,
)
from penstroke.strokes import Strokes, sample_of
from penstroke_protocol import HostLink, messages
from penstroke_protocol.messages import Condition, Flag, Role, Settings, State, Status
from penstroke_protocol.zone_table import ZONE_DIGEST

_S = 1_000_000_000
_MS = 1_000_000
SETTLE_NS = 5 * _S
"""A pen that has just been switched on may take this long to test itself."""
RETRACT_NS = 500 * _MS
"""Needles are in 60 ms after a stop; without word of it after half a second they are taken to be out."""
POLL_S = 0.005
"""Between two questions whether the needles are in: a native USB line would take hundreds of them at once."""
BENCH_TREATMENT = 0xBE9C_0000_0000_0001
"""The token of runs on the bench: a cartridge used on the bench serves the bench again, and no patient."""


class Pen:
    """A connected pen. Made by `penstroke.connect`; a context manager that leaves it stopped and retracted.

    All methods but `stop` belong to one thread. Errors: `Refused` when a limit or the pen's state forbids it,
    `DeviceFault` when the pen holds a fault or did not do as told, `LinkError` when the line fails.
    """

    def __init__(
        self,
        port: Port,
        *,
        nonce: int,
        treatment: int,
        role: Role = Role.CONTROLLER,
        clinic: ClinicProfile | None = NO_CLINIC,
        screening: Screening | None = NOT_SCREENED,
        today: Callable[[], datetime.date] = datetime.date.today,
        ledger: Ledger | None = None,
    ) -> None:
        self.treatment = treatment
        self.ledger = ledger
        """Writes down what sets or moves, before it leaves; None: nobody does."""
        self._gate = Gate(ledger)
        self._line = Line(
            port,
            HostLink(nonce=nonce, zone_digest=ZONE_DIGEST, role=role),
            gate=self._gate.judge,
            told=None if ledger is None else ledger.told,
        )
        self._today = today
        self._figures = figures()
        self._closed = False
        self.duty = Duty(self._figures)
        self._run: Strokes | None = None
        answer = self._line.open()
        self.identity = Identity.of(answer)
        self.limits = pen_limits(answer)
        self.lease_ms = answer.lease_ms
        self.read_only = why_read_only(answer, role)
        self._held = Held(self.limits, clinic=clinic, screening=screening, gate=self._gate)
        if not self.read_only:
            self._settle()

    # -- life ------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop if anything may move, end the session, free the port. Safe to call twice.

        Raises `DeviceFault` (`retraction-unconfirmed`) when it is not known that the needles are in.
        """
        if self._closed:
            return
        self._closed = True
        moving = self._run is not None
        try:
            if moving:
                self._finish_stop()
            self._line.link.abandon()
            if self._line.link.session:
                self._line.ask(messages.Bye())
        except (LinkError, Stopped):
            if moving:
                raise
            # Nothing was moving, and the pen ends a session by itself when it hears no more.
        finally:
            self._line.port.close()

    def _settle(self) -> None:
        """Wait until a pen that was just switched on has tested itself."""
        deadline_ns = self.now_ns() + SETTLE_NS
        while (told := self._ask_status()).state in (State.BOOT, State.SELF_TEST):
            if self.now_ns() >= deadline_ns:
                raise DeviceFault(
                    "the pen is still in its self-test after 5 s", hint="switch it off and on again"
                )
            self.pump(0.1)
        self._held.settings = settings_in(told, flags=0)

    # -- looking ---------------------------------------------------------------------------------------

    def now_ns(self) -> int:
        """The clock of the port: monotonic on a real one, the world's own on a virtual one."""
        return self._line.port.now_ns()

    @property
    def simulated(self) -> bool:
        """True for a simulated pen, whichever of the port and the pen says so."""
        return self.identity.simulated or self._line.port.simulated

    @property
    def stop_demanded(self) -> bool:
        """A stop was asked for, here or from elsewhere, and was not told yet."""
        return self._line.stop_demanded or self._line.stop_key

    def heed_stops(self) -> None:
        """Raise `Stopped`, or `DeviceFault` for the pen's own key, for a stop that was not told yet.

        Every setting and every start does this by itself; a program that only waits should ask.
        """
        self._line.heed_stops()

    @property
    def stats(self) -> LinkStats:
        """Counts of the line since the connection was made."""
        return self._line.stats()

    def status(self) -> PenStatus:
        """Ask the pen for everything it holds and measures."""
        told = self._ask_status()
        cartridge = self.cartridge()
        zone = next((zone for zone in zone_table() if zone.id == told.zone), None)
        limit: DepthLimit | None = None
        if zone is not None:
            constraints = replace(self._held.constraints, zone=zone, held_um=told.held_ceiling_um)
            verdict = depth_limit(constraints)
            limit = verdict if isinstance(verdict, DepthLimit) else None
        return status_of(
            told,
            cartridge,
            identity=self.identity,
            pen=self.limits,
            zone=zone.name if zone else None,
            limit=limit,
            read_only=self.read_only,
        )

    def cartridge(self) -> Cartridge:
        """Ask what the cartridge tells of itself."""
        self._line.cartridge_changed = False
        cartridge = Cartridge.of(self._ask(messages.GetCartridge()))
        self._held.cartridge(cartridge)
        return cartridge

    def unfit(self, cartridge: Cartridge) -> tuple[Reason, ...]:
        """Why no run is begun with this cartridge in this treatment today; empty where one may be."""
        return tuple(cartridge_reasons(cartridge, self.treatment, self._today()))

    def faults(self) -> tuple[FaultInfo, ...]:
        """The latched faults, with what they mean and how to clear them."""
        return fault_list(self._ask_status().faults)

    def clear_faults(self) -> None:
        """Clear every latched fault. Raises `Refused` (`fault-not-clearable`) while a cause stands."""
        self._may_move()
        bits = self._ask_status().faults
        if bits:
            self._ask(messages.ClearFaults(bits))

    def witness(self) -> KeptWitness | None:
        """What the pen remembers of a host's record, whichever host it was; None where nothing."""
        return KeptWitness.of(self._ask(messages.GetWitness()))

    def keep_witness(self, witness: KeptWitness) -> None:
        """Let the pen remember the newest entry of the record, through resets; only while nothing is armed.

        Raises `Refused` (`witness-older`) when it remembers a newer entry of this record, or another one of
        the same number: then the record is not what it was.
        """
        self._ask(witness.request())

    def depth_limit(self, zone: str | None = None, side: str | None = None) -> DepthLimit | Refusal:
        """The limit on depth for the zone in force, or for another one as if it were chosen."""
        if zone is None:
            return self._held.limit()
        found = find_zone(zone, side, zone_table())
        if isinstance(found, Refusal):
            return found
        return depth_limit(self._held.if_chosen(found, side))

    def check_depth(self, *, mm: object) -> Allowed | Refusal:
        """What `set_depth` would say, without doing anything."""
        return self._held.check_depth(mm)

    def monitor(self, *, for_s: float | None = None) -> Iterator[Sample]:
        """Telemetry as it comes, until `for_s` has passed; sends no beat. Raises `LinkTimeout` on silence."""
        begun_ns = self.now_ns()
        heard_ns = begun_ns
        end_ns = None if for_s is None else begun_ns + round(for_s * _S)
        self._line.fresh.clear()
        while end_ns is None or self.now_ns() < end_ns:
            patience_ns = heard_ns + _S
            self._line.turn(patience_ns if end_ns is None else min(patience_ns, end_ns))
            if self._line.fresh:
                heard_ns = self.now_ns()
            elif self.now_ns() - heard_ns >= _S:
                raise self._line.silent("the pen has sent no telemetry for 1 s")
            while self._line.fresh:
                yield sample_of(self._line.fresh.popleft(), begun_ns, 0)

    def set_telemetry(self, *, rate_hz: int) -> None:
        """How often the pen sends telemetry in this session: 10 to 100 a second, 20 at first.

        A pen may be asked for 5; but two readings must fit into the 300 ms in which a pen that does not do as
        told has to be stopped.
        """
        if not 10 <= rate_hz <= 100:
            reason = Reason(
                "rate-out-of-range", f"telemetry at {rate_hz} Hz is outside 10 to 100 Hz", "ask for 20 Hz"
            )
            raise Refused.of(Refusal((reason,)))
        self._ask(messages.SetTelemetry(rate_hz))

    def pump(self, for_s: float) -> None:
        """Serve the line while the owner waits for something else; a stop from elsewhere is acted on."""
        end_ns = self.now_ns() + round(for_s * _S)
        while self.now_ns() < end_ns:
            self._line.turn(end_ns)
        self._line.fresh.clear()

    # -- setting ---------------------------------------------------------------------------------------

    def select_zone(self, zone: str, *, side: str | None = None, override: Override | None = None) -> None:
        """Choose the zone to treat, by its name in the zone table, and the patient's side where it has sides.

        Ends motion and forgets the depth set before. An override puts the zone's hard ceiling in the place of
        its ceiling, until the zone changes.
        """
        self._may_move()
        found = find_zone(zone, side, zone_table())
        if isinstance(found, Refusal):
            raise Refused.of(found)
        cartridge = self.cartridge()
        if cartridge.present and not cartridge.id:
            raise Refused.of(Refusal((UNREADABLE,)))
        wanted = self._held.if_chosen(found, side, override)
        limit = depth_limit(wanted)
        if isinstance(limit, Refusal):
            raise Refused.of(limit)
        self._held.forget_zone()
        told = self._ask(self._gate.permit_zone(found, side, ceiling_um=limit.limit_um))
        agree("zone", (told.zone, told.side), (found.id, SIDE_CODES[side]))
        self._held.zone_given(wanted, limit.limit_um, told)

    def set_depth(self, *, mm: object) -> None:
        """Set the needle depth in millimetres, on the pen's step. Raises `Refused` with every reason.

        While needles move only a shallower depth is taken.
        """
        verdict = self._depth_wish(mm)
        request = self._gate.permit_depth(
            verdict.depth_um, limit_um=verdict.limit_um, tolerance_um=self.limits.tolerance_um
        )
        told = self._ask(request)
        agree("depth", told.depth_um if told.flags & DEPTH_SET else None, verdict.depth_um)
        self._held.adopt(told, DEPTH_SET)
        self._command_changed()

    def _depth_wish(self, mm: object) -> Allowed:
        """The verdict on a depth, with a fresh look at the line. Raises `Refused` with every reason."""
        self._may_move()
        self._line.turn(self.now_ns())
        if self._line.cartridge_changed:
            # Its needles may be longer or shorter: what was known of them is no longer a limit.
            self.cartridge()
            self._held.hold_told(self._ask_status().held_ceiling_um)
        verdict, believed = self._held.check_depth(mm), self._held.settings
        reasons = verdict.reasons if isinstance(verdict, Refusal) else ()
        if isinstance(verdict, Allowed) and believed.flags & RATE_SET:
            envelope = check_envelope(verdict.depth_um, believed.rate_dhz, self._figures)
            shallower = believed.flags & DEPTH_SET and verdict.depth_um <= believed.depth_um
            if envelope is not None and not shallower:
                reasons = envelope.reasons
            if self._run is not None and self._run.running and not shallower:
                reasons = (*reasons, deeper_while_running(believed.depth_um))
        if isinstance(verdict, Refusal) or reasons:
            raise Refused.of(Refusal(reasons))
        return verdict

    def set_rate(self, *, hz: object) -> None:
        """Set the stroke rate in hertz; it goes to the pen's nearest step. Raises `Refused`."""
        self._may_move()
        held = self._held
        depth_um = held.settings.depth_um if held.settings.flags & DEPTH_SET else 0
        verdict = check_rate(hz, replace(held.constraints, scope=Scope.SELECT), depth_um, self._figures)
        if isinstance(verdict, Refusal):
            raise Refused.of(verdict)
        told = self._ask(self._gate.permit_rate(verdict.rate_dhz))
        agree("rate", told.rate_dhz if told.flags & RATE_SET else None, verdict.rate_dhz)
        held.adopt(told, RATE_SET)
        self._command_changed()

    def lower_ceiling(self, *, mm: object) -> None:
        """Lower the ceiling for the zone in force, until the zone changes; a deeper setting is forgotten.

        Raises `Refused` for a ceiling that is not below the one in force: limits only tighten.
        """
        self._may_move()
        verdict, held = self._held.check_depth(mm), self._held
        if isinstance(verdict, Refusal):
            raise Refused.of(verdict)
        # Here first: whatever becomes of the request, this host asks for nothing deeper in this zone again.
        held.ceiling_um = verdict.depth_um + self.limits.tolerance_um
        held.hold(held.ceiling_um)
        told = self._ask(self._gate.permit_ceiling(held.ceiling_um))
        held.hold_told(told.held_ceiling_um)
        held.adopt(told, 0)

    def screened(self, screening: Screening) -> None:
        """Take over what screening found, where the pen was opened with None or with less.

        It counts from the next choice of a zone, and for every setting and start from now on. Raises
        `ValueError` for one that is looser than the one in force.
        """
        self._held.screened(screening)

    # -- moving ----------------------------------------------------------------------------------------

    def needling(self, *, longest_s: float | None = None, trigger: bool = False) -> Strokes:
        """Needles in motion, as a context manager and a loop:

            with pen.needling(longest_s=20) as strokes:
                for sample in strokes: ...

        Entering verifies everything afresh, arms and starts (with `trigger`, the pen's own trigger starts and
        releases). Each turn of the loop renews the lease. Leaving in any way stops and retracts. The pen ends
        the run by itself after `longest_s`, or when it has needled for as long as it may without a rest.
        """
        self._may_move()
        if self._run is not None:
            reason = Reason("wrong-state", "needles are moving already", "stop them first")
            raise Refused.of(Refusal((reason,)))
        if longest_s is None:
            # At least a second, so that a pen that needs its rest is refused by the rule, and in its words.
            longest_s = max(1.0, self.duty.left_s(self.now_ns()))
        return Strokes(self, self._line, self._figures, longest_s=longest_s, trigger=trigger)

    def stop(self) -> None:
        """Stop and retract, from any thread and in any state.

        One write; in the owner's thread it then waits until the pen says that it stopped and its needles are
        in, and raises `DeviceFault` (`retraction-unconfirmed`) when it does not.
        """
        self._line.demand_stop()
        if threading.get_ident() == self._line.owner and not self._line.in_turn:
            self._finish_stop()
            # Who asked is who would be told.
            self._line.stop_demanded = False

    def demand_stop(self) -> None:
        """The first half of `stop`, for a signal handler: one write and a flag, and back at once.

        Nothing here waits or reads, so it may fall into the middle of any step; the owner's loop confirms.
        """
        self._line.demand_stop()

    def _finish_stop(self) -> None:
        """In the owner's thread: STOP answered, motor off, needles in; or an error that says so."""
        told: Status | Condition | None = None
        try:
            told = self._line.confirm_stop()
            if self._line.stop_repeated:
                # A repeat may still be on its way and raise the epoch once more: the answer comes after it.
                try:
                    told = self._ask_status()
                except LinkError:
                    pass  # the STOP was answered; what comes next will find the line as it is
                except Stopped:  # somebody asked for a stop once more, and has yet to be told to the owner
                    self._line.stop_demanded = True
            deadline_ns = self.now_ns() + RETRACT_NS
            while told.flags & (Flag.MOTOR_ON | Flag.NEEDLES_OUT):
                if self.now_ns() >= deadline_ns:
                    raise DeviceFault(
                        f"the pen stopped, but does not say that it retracted: {LIFT}",
                        code="retraction-unconfirmed",
                        hint="switch the pen off",
                    )
                try:
                    self.pump(POLL_S)
                    told = self._ask_status()
                except Stopped:  # somebody asked for a stop once more, meanwhile: told below all the same
                    self._line.stop_demanded = True
                    told = self._line.confirm_stop()
        except PenError as error:
            if isinstance(error, LinkError):
                # Class and exit code stay those of the link; what to do about the needles comes first.
                error.hint = f"{LIFT}; its own lease stops it within 0.35 s. {error.hint}".strip()
            self._ended(told)
            raise
        # Nothing of this after any other exception, an interrupt say: `close` then stops once more.
        self._ended(told)

    def _begin(self, run: Strokes) -> None:
        """For `Strokes`: verify everything afresh, arm and start.

        The press belongs to the epoch that was known when it was made: when another is told before START,
        something has stopped the pen meanwhile, its own key perhaps, and this press is over.
        """
        self._may_move()
        self._line.turn(self.now_ns())
        epoch = self._line.link.epoch
        told = self._ask_status()
        settings = self._verify(told, run.longest_s)
        self._gate.permit_motion(settings, self.treatment)
        self._run = run
        try:
            run.pressed(told.time_ms)
            trigger_longest_s = max(1, int(run.longest_s)) if run.trigger else 0
            arm = messages.Arm(self.treatment, trigger_longest_s)
            longest_ms = max(1, round(run.longest_s * 1000))
            start = messages.Start(
                settings.zone, settings.side, settings.depth_um, settings.rate_dhz, longest_ms
            )
            if self.ledger is not None:
                # Both, and before ARM: the lease runs from there on, and must not wait for a disk.
                self.ledger.prepare(arm, *(() if run.trigger else (start,)))
            run.armed(self._ask_in(epoch, arm))
            if not run.trigger:
                run.started(self._ask_in(epoch, start))
                self._command_changed()
        except BaseException:
            self._finish_stop()
            raise

    def _ask_in(self, epoch: int, message: Any) -> Any:
        if self._line.link.epoch != epoch:
            raise Stopped("the pen was stopped while it was made ready; nothing moves")
        return self._line.ask(message)

    def _verify(self, told: Status, longest_s: float) -> Settings:
        """Everything that must be true before needles may move, asked afresh. Raises what is not."""
        if told.faults:
            names = [fault.name for fault in fault_list(told.faults)]
            raise DeviceFault(
                f"the pen holds a latched fault ({', '.join(names)})",
                hint="`penstroke faults` says what it means and how to clear it",
                faults=names,
            )
        held, believed = self._held, self._held.settings
        agree(
            "settings",
            (told.zone, told.side, told.depth_um, told.rate_dhz),
            (believed.zone, believed.side, believed.depth_um, believed.rate_dhz),
        )
        cartridge = self.cartridge()
        held.hold_told(told.held_ceiling_um)
        reasons: list[Reason] = [*self.unfit(cartridge)]
        # Both must say so: the pen that it is set, and this session that it was verified after setting.
        reasons.extend(not_set_reasons(told.flags & believed.flags))
        if not reasons:
            depth = held.check_depth(told.depth_um / 1000)
            rate = check_rate(told.rate_dhz / 10, held.constraints, told.depth_um, self._figures)
            for verdict in (depth, rate):
                if isinstance(verdict, Refusal):
                    reasons.extend(verdict.reasons)
        run = self.duty.check(longest_s, self.now_ns())
        if isinstance(run, Refusal):
            reasons.extend(run.reasons)
        if reasons:
            raise Refused.of(Refusal(tuple(reasons)))
        return settings_in(told, flags=told.flags)

    def _ended(self, told: Status | Condition | None) -> None:
        """The run is over, for good or ill: tell who asked, and count its time towards the pen's rest."""
        still = told is None or bool(told.flags & (Flag.MOTOR_ON | Flag.NEEDLES_OUT))
        self._line.answer_askers(stopped=not still, state=None if told is None else told.state)
        run, self._run = self._run, None
        if run is not None:
            run.ended = run.ended or "stopped"
            self._gate.forbid_motion()
            self.duty.ran(run.moving_ns(), self.now_ns())

    def _command_changed(self) -> None:
        if self._run is not None and self._run.running:
            self._run.commanded(self._held.settings.depth_um, self._held.settings.rate_dhz)

    # -- asking ----------------------------------------------------------------------------------------

    def _ask(self, message: Any) -> Any:
        if self._line.unknown:
            self._ask_status()
        return self._line.ask(message)

    def _ask_status(self) -> Status:
        """Ask for everything; afterwards what the pen holds is known again."""
        told: Status = self._line.ask(messages.GetStatus())
        if self._line.unknown:
            self._line.unknown = False
            self._held.asked_afresh(told)
        return told

    def _may_move(self) -> None:
        """Before anything that sets or moves: this session may, and what the pen holds is known."""
        if self._line.unknown:
            self._ask_status()
        if self.read_only:
            raise VersionMismatch(
                f"this pen can only be looked at: {self.read_only}",
                code="read-only",
                hint="bring the pen's firmware and penstroke to the same version",
            )
