"""Needles in motion: the loop whose turning is the dead-man's switch.

Each turn sends a beat when one is due, reads, judges the newest reading and hands it to the caller. When the
caller does not come back for the next sample, no beat leaves, and the pen's own lease stops it. The run ends
by leaving the loop, by its longest duration, by a stop from elsewhere, or by an error that says why.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from penstroke.errors import DeviceFault, LinkError, LinkTimeout, PenError
from penstroke.line import LIFT, Line
from penstroke.safety.figures import Figures
from penstroke.status import Sample, fault_list
from penstroke.watch import SILENCE_NS, Watch
from penstroke_protocol.explain import kebab
from penstroke_protocol.host_link import TelemetryReceived
from penstroke_protocol.messages import Condition, End, EventCode, Flag, SetDepth, State, Telemetry

if TYPE_CHECKING:
    from penstroke.pen import Pen

_S = 1_000_000_000
_MS = 1_000_000
BEAT_NS = 50 * _MS
"""A beat every 50 ms: six fit into the lease, so five may be lost."""
OVERRUN_NS = 200 * _MS
"""How much later than its longest duration a run may be seen to go on: two telemetry periods and the line."""
EXPLAIN_NS = 150 * _MS
"""How long to wait for the event that says why the pen ended a run: it is repeated every 100 ms."""


class Strokes:
    """One run. A context manager and an iterator of `Sample`; made by `Pen.needling`."""

    def __init__(self, pen: Pen, line: Line, figures: Figures, *, longest_s: float, trigger: bool) -> None:
        self.longest_s = longest_s
        self.trigger = trigger
        self.ended: str | None = None
        """Why it ended: `left`, `stopped`, `duration`, `arm-expired` or `failed`; None while it lasts."""
        self._pen = pen
        self._line = line
        self._watch = Watch(figures, tolerance_um=pen.limits.tolerance_um)
        self._believed = State.IDLE
        self._begun_ns = 0
        self._moving_since_ns: int | None = None
        self._moved_ns = 0
        self._heard_ns = 0
        self._beat_due_ns = 0
        # The pen ends a run by itself; a pen that does not is stopped a little later.
        self._longest_ns = round(longest_s * _S) + (0 if trigger else OVERRUN_NS)
        self._strokes_before: int | None = None
        self._pressed_ms = 0
        self._wish: SetDepth | None = None
        self._ledger = pen.ledger

    @property
    def running(self) -> bool:
        """The needles were told to move, and have not been told to stop."""
        return self._believed is State.RUNNING and self.ended is None

    # -- the context -----------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._pen._begin(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.ended is None:
            self.ended = "left" if error is None else "failed"
        if self._pen._run is self:
            self._rest(self._line.port.now_ns())
            self._pen._finish_stop()

    def shallower(self, *, mm: object) -> None:
        """Ask for a shallower depth while needles move. Raises `Refused` with every reason.

        Judged at once, and sent by a turn of the loop that follows; with a ledger, by the first one after it
        was written down, so that a slow disk makes no turn late.
        """
        request = SetDepth(self._pen._depth_wish(mm).depth_um)
        if self._ledger is not None:
            self._ledger.announce(request)
        self._wish = request

    # -- told by the pen's own methods -----------------------------------------------------------------

    def pressed(self, time_ms: int) -> None:
        """The pen's clock at the press: what it tells of earlier runs is not about this one."""
        self._pressed_ms = time_ms

    def armed(self, condition: Condition) -> None:
        """ARM was answered: the lease exists from now on."""
        now_ns = self._line.port.now_ns()
        self._believed = State.ARMED
        self._begun_ns = self._heard_ns = self._beat_due_ns = now_ns
        self._line.events.clear()
        self._line.fresh.clear()

    def started(self, condition: Condition) -> None:
        """START was answered: the needles move."""
        now_ns = self._line.port.now_ns()
        self._believed = State.RUNNING
        self._begun_ns = self._moving_since_ns = self._heard_ns = now_ns
        # A reading that came before this answer is of a pen that was only armed.
        self._line.fresh.clear()

    def commanded(self, depth_um: int, rate_dhz: int) -> None:
        """The pen was told these settings; readings are judged against them from now on."""
        self._watch.commanded(depth_um, rate_dhz, self._line.port.now_ns())

    def moving_ns(self) -> int:
        """How long needles have moved in this run."""
        if self._moving_since_ns is None:
            return self._moved_ns
        return self._moved_ns + self._line.port.now_ns() - self._moving_since_ns

    # -- the loop --------------------------------------------------------------------------------------

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Sample:
        """The next reading. Renews the lease; raises when the pen stopped, disagreed or fell silent."""
        line = self._line
        while self.ended is None:
            now_ns = line.port.now_ns()
            if line.stop_key:
                self._fail_by_key()
            if line.stop_demanded:
                line.stop_demanded = False
                self._end("stopped")
                break
            if self.moving_ns() >= self._longest_ns:
                self._overrun()
                break
            if now_ns >= self._beat_due_ns and line.link.beat(self._believed, now_ns):
                self._beat_due_ns = now_ns + BEAT_NS
            self._grant_wish()
            line.turn(min(max(self._beat_due_ns, now_ns + _MS), self._heard_ns + SILENCE_NS))
            if line.fresh:
                sample = self._newest()
                if sample is not None:
                    return sample
            self._check_silence()
        raise StopIteration

    def _grant_wish(self) -> None:
        wish = self._wish
        if wish is not None and (self._ledger is None or self._ledger.written(wish)):
            self._wish = None
            self._pen.set_depth(mm=wish.depth_um / 1000)

    def _check_silence(self) -> None:
        """Also when something came: a pen whose clock stands still is as good as silent."""
        if self.ended is None and self._line.port.now_ns() - self._heard_ns >= SILENCE_NS:
            self._fail(
                LinkTimeout(
                    "no valid telemetry for 0.25 s while needles move; the pen was told to stop",
                    hint="check the cable and the pen",
                )
            )

    def _newest(self) -> Sample | None:
        """Judge everything that came, and give the newest reading; None when it ended the run."""
        newest: TelemetryReceived | None = None
        missed = 0
        while self._line.fresh:
            told = self._line.fresh.popleft()
            missed += told.missed
            if not self._watch.advanced(told.telemetry):
                continue
            self._heard_ns = told.at_ns
            newest = told
            self._judge(told.telemetry, told.at_ns)
            if self.ended is not None:
                return None
        if newest is None:
            return None
        if self._strokes_before is None:
            self._strokes_before = newest.telemetry.strokes
        sample = sample_of(newest, self._begun_ns, self._strokes_before)
        sample.missed = missed
        return sample

    def _judge(self, told: Telemetry, now_ns: int) -> None:
        if told.state == State.RUNNING and self._believed is State.ARMED and self.trigger:
            self._believed = State.RUNNING
            self._moving_since_ns = now_ns
            self._pen._command_changed()
        if told.state != self._believed:
            self._ended_by_pen(told, now_ns)
        elif self._believed is State.RUNNING:
            problem = self._watch.judge(told, now_ns)
            if problem:
                self._fail(DeviceFault(f"{problem}; the pen was told to stop", code="disagreement"))
        else:
            problem = self._watch.judge_depth(told, now_ns)
            if told.flags & _MOTOR_ON:
                problem = "the motor turns though nothing was started"
            if problem:
                self._fail(DeviceFault(f"{problem}; the pen was told to stop", code="disagreement"))

    def _ended_by_pen(self, told: Telemetry, now_ns: int) -> None:
        """The pen left the state it should be in: find out why, and say so."""
        self._rest(now_ns)
        why = self._reason_told(told)
        if told.state == State.ARMED and self.trigger and why in (End.TRIGGER, End.DURATION):
            self._believed = State.ARMED
            self._watch.commanded(0, 0, now_ns)
        elif why == End.DURATION and told.state == State.ARMED:
            self._end("duration")
        elif why == End.ARM_EXPIRED:
            self._end("arm-expired")
        elif why == End.STOP and self._line.stop_demanded:
            self._line.stop_demanded = False
            self._end("stopped")
        elif why == End.STOP_KEY or self._line.stop_key:
            self._fail_by_key()
        elif told.faults:
            faults = fault_list(told.faults)
            names = ", ".join(fault.name for fault in faults)
            self._fail(
                DeviceFault(
                    f"the pen stopped by itself ({names}): {faults[0].meaning}",
                    hint=faults[0].remedy,
                    faults=[fault.name for fault in faults],
                )
            )
        else:
            cause = kebab(End(why).name) if why in list(End) else "no reason told"
            self._fail(DeviceFault(f"the pen stopped by itself ({cause})", code="stopped-by-pen"))

    def _reason_told(self, told: Telemetry) -> int | None:
        """Why the run or the readiness ended, by the pen's event; None when none comes in time."""
        deadline_ns = self._line.port.now_ns() + EXPLAIN_NS
        while True:
            while self._line.events:
                event = self._line.events.popleft()
                since_ms = (event.time_ms - self._pressed_ms) & 0xFFFF_FFFF
                # An event that was lost long ago and comes only now tells of an earlier run.
                if event.code in (EventCode.RUN_ENDED, EventCode.DISARMED) and since_ms < 0x8000_0000:
                    return event.arg
            if self._line.port.now_ns() >= deadline_ns:
                return None
            self._line.turn(deadline_ns)

    def _rest(self, now_ns: int) -> None:
        if self._moving_since_ns is not None:
            self._moved_ns += now_ns - self._moving_since_ns
            self._moving_since_ns = None

    def _fail_by_key(self) -> None:
        self._line.stop_key = True
        try:
            self._line.heed_stops()
        except DeviceFault as told:
            try:
                self._fail(told)
            finally:
                # Its event may have come meanwhile; it has been told.
                self._line.stop_key = False

    def _overrun(self) -> None:
        """The longest time is over: presses of the trigger are summed; else the pen should have ended it."""
        if self.trigger:
            self._end("duration")
        else:
            self._fail(
                DeviceFault(
                    f"the pen did not end its run after {self.longest_s:g} s; it was told to stop",
                    code="disagreement",
                )
            )

    def _end(self, why: str) -> None:
        """End the run in good order, with STOP confirmed: whatever ended it, nothing may move afterwards."""
        self.ended = why
        self._rest(self._line.port.now_ns())
        self._pen._finish_stop()

    def _fail(self, error: PenError) -> None:
        """Stop, confirm that the needles are in, then raise; a stop not confirmed is raised instead."""
        self.ended = "failed"
        error.black_box = self._line.port.black_box()
        self._rest(self._line.port.now_ns())
        try:
            self._pen._finish_stop()
        except LinkError:
            pass  # the line is gone: what happened first says it, and what to do about the needles below
        except PenError as unconfirmed:
            if not isinstance(error, LinkError):
                raise unconfirmed from error
        else:
            raise error
        error.hint = f"{LIFT}; its own lease stops it within 0.35 s. {error.hint}".strip()
        raise error


def sample_of(received: TelemetryReceived, begun_ns: int, strokes_before: int) -> Sample:
    """A reading in the units people use."""
    told = received.telemetry
    return Sample(
        received.at_ns,
        (received.at_ns - begun_ns) / _S,
        _STATE_NAMES[told.state],
        told.measured_depth_um / 1000,
        told.measured_rate_dhz / 10,
        told.strokes - strokes_before,
        bool(told.flags & _NEEDLES_OUT),
        bool(told.flags & _MOTOR_ON),
        told.current_ma,
        told.temperature_dc / 10,
        told.battery_pct,
        received.missed,
        told.time_ms,
    )


# Whole numbers: the operators of an enumeration cost more than all the rest of a reading.
_NEEDLES_OUT, _MOTOR_ON = int(Flag.NEEDLES_OUT), int(Flag.MOTOR_ON)
_STATE_NAMES = tuple(kebab(state.name) for state in State)
