"""A visit at the terminal: each step asked for, the pen used where the step needs it, and all of it shown.

Nothing is decided here. The session says what comes next and what stands against it, the file or the person
answers, and the visit writes it down before it counts.
"""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from penstroke.cli.asking import Asker, Filled, tell
from penstroke.cli.live import run_line
from penstroke.cli.needling_lines import show_step, show_summary, wish_in
from penstroke.cli.output import LiveLine, minutes, say, show
from penstroke.cli.prompt import ask, ask_text, at_terminal, typed_line
from penstroke.errors import DeviceFault, Refused, Stopped
from penstroke.interrupts import Interrupted
from penstroke.safety import Refusal
from penstroke.treatment.air_run import air_run, pre_use
from penstroke.treatment.needling import Answer, Wish, ZoneAhead
from penstroke.treatment.run import Needling
from penstroke.treatment.steps.needling import Endpoint
from penstroke.treatment.table import State, Step

if TYPE_CHECKING:
    from penstroke.cli.app import App
    from penstroke.pen import Pen
    from penstroke.status import Cartridge
    from penstroke.treatment.answers import Answers
    from penstroke.treatment.session import Outcome
    from penstroke.treatment.steps.pre_use import AirRun, PreUse
    from penstroke.treatment.visit import Visit

_PUMP_S = 0.03
_PUMP_ALONE_S = 0.25
"""With nobody at the terminal there is no key to wait for: fewer turns, and a signal still ends each."""
_FLAG = "answer at a terminal, or give --answers FILE"


@dataclass(slots=True)
class Treating:
    """One visit on one pen. `next_step` does the step that comes next."""

    app: App
    visit: Visit
    pen: Pen
    answers: Answers | None
    yes: bool
    cartridge_id: int | None = None
    """The cartridge that was checked before use, or fitted since."""
    _asker: Asker = field(init=False)
    _live: LiveLine = field(init=False)

    def __post_init__(self) -> None:
        self._asker = Asker(self.meanwhile, self.answers)
        self._live = LiveLine(self.app.mark)

    def meanwhile(self) -> None:
        """Serve the pen while somebody thinks. A stop is told here, so that what follows is a fresh press."""
        self.app.interrupts.check()
        self.pen.pump(_PUMP_S if at_terminal() else _PUMP_ALONE_S)
        try:
            self.pen.heed_stops()
        except (Stopped, DeviceFault) as told:
            self.app.interrupts.check()
            say(f"  {told.message}")

    def next_step(self) -> Step | None:
        """Do what comes next; the step that was worked on, or None when nothing is left or somebody quit."""
        session = self.visit.session
        step = session.at
        if step is None:
            return None
        if step is Step.NEEDLING and not self._needled():
            return step if self._needle() else None
        if step is Step.NUMBING and session.state(step) is State.BEGUN:
            self._asker.dwell(session, self.visit.now)
        filled = self._asker.step(step, session, self.visit.now)
        if isinstance(filled, Filled):
            measured = self._measured() if step is Step.PRE_USE else None
            if measured is not None:
                self.cartridge_id = measured.cartridge.id
            outcome = session.submit(step, filled.answers, self.visit.now(), measured=measured)
        else:
            outcome = session.skip(step, reason=filled.reason, by=filled.by, now=self.visit.now())
        self.visit.settle(outcome)
        self._tell(outcome)
        if outcome.reasons:
            self._again(step, outcome)
        elif step is Step.AFTERCARE:
            self._directions(outcome)
        return step

    def _tell(self, outcome: Outcome) -> None:
        tell(outcome)
        if self.app.json:
            for kind, body in outcome.entries:
                self.app.emit({"event": kind, **body})

    def _again(self, step: Step, outcome: Outcome) -> None:
        """What stands against a step: a person may answer once more; a file would say the same again."""
        never = any(reason.code == "screening-blocks" for reason in outcome.reasons)
        if never or not at_terminal() or (self.answers is not None and self.answers.of(step) is not None):
            raise Refused.of(Refusal(outcome.reasons))
        answer = ask(f"{step}: again, or quit?", ("again", "quit"), meanwhile=self.meanwhile, flag=_FLAG)
        if answer == "quit":
            raise Refused.of(Refusal(outcome.reasons))

    def _directions(self, outcome: Outcome) -> None:
        if not self.app.json:
            show("\n".join(f"  {line}" for line in outcome.body.get("directions", ())))

    # -- the pen before use ----------------------------------------------------------------------------

    def _measured(self) -> PreUse:
        status = self.pen.status()
        if status.faults or status.state != "idle":
            return pre_use(self.pen, None)
        return pre_use(self.pen, self._air_run())

    def _air_run(self) -> AirRun | None:
        if not (self.pen.simulated and (self.yes or self.answers is not None)):
            answer = ask(
                "Hold the pen in the air, away from everybody: it runs for a few seconds. run or quit?",
                ("run", "quit"),
                meanwhile=self.meanwhile,
                flag="the run in the air needs a person at a terminal; on a simulated pen --answers will do",
            )
            if answer == "quit":
                return None
        live = self._live
        steps = air_run(self.pen, self.visit.session, self.visit)
        with closing(steps):
            while True:
                self.app.interrupts.check()
                try:
                    sample = next(steps)
                except StopIteration as over:
                    live.end()
                    found: AirRun = over.value
                    break
                line = run_line(sample, depth_mm=sample.depth_mm, rate_hz=sample.rate_hz, left_s=0.0)
                live.update(f"  in the air  {line}", sample.elapsed_s)
        self.app.interrupts.check()
        return found

    # -- needling --------------------------------------------------------------------------------------

    def _needled(self) -> bool:
        """Every zone of the plan was needled or left out."""
        zones = [self.visit.dose.zone(index) for index in range(1, len(self.visit.session.plan.zones) + 1)]
        return all(zone.done or zone.skipped for zone in zones)

    def _needle(self) -> bool:
        """The zones that are left; False when somebody quit before the last one."""
        plan = self.visit.session.plan
        key = "the pen's own stop key does too" if self.pen.identity.stop_key else "this pen has no stop key"
        say(f"-- Needling: {plan.title} --")
        say(f"Ctrl-C stops and retracts at any time; {key}.")
        if at_terminal():
            say(
                "While needles move, a line with - goes a step shallower, + a step deeper from the next pass,"
            )
            say("b says that it bleeds without stopping, and e ends the zone.")
        self._clear_faults()
        left_out = self.visit.leave_out()
        needling = Needling(self.pen, plan, self.visit, self, self.cartridge_id)
        live = self._live
        try:
            for index in left_out:
                say(f"zone {index} of {len(plan.zones)} is left out: screening excluded it for this patient")
                self.visit.tell("zone-done", **asdict(needling.results[index - 1]))
                show_step(self.app, live, needling.results[index - 1])
            # Closed by hand: what a generator raises while it is thrown away unclosed, nobody hears.
            with closing(needling.run()) as steps:
                for one in steps:
                    self.app.interrupts.check()
                    show_step(self.app, live, one)
                    self.app.interrupts.check()
        except BaseException:
            # With the terminal gone too, what went wrong is still what decides the exit code.
            with suppress(Interrupted):
                live.end()
                show_summary(self.app, needling.results, finished=False)
            raise
        live.end()
        show_summary(self.app, needling.results, finished=needling.finished)
        return needling.finished

    def _clear_faults(self) -> None:
        """What the pen has latched, the lease of a program that was killed, is cleared at a person's word."""
        faults = self.pen.faults()
        if not faults:
            return
        for fault in faults:
            say(f"the pen holds the fault {fault.name}: {fault.meaning}; {fault.remedy}")
        if not (self.pen.simulated and (self.yes or self.answers is not None)):
            flag = "a fault is cleared at a terminal, or by `penstroke faults --clear`"
            question = "Is its cause mended? clear or quit"
            if ask(question, ("clear", "quit"), meanwhile=self.meanwhile, flag=flag) == "quit":
                raise Interrupted("the fault was not cleared")
        self.visit.tell("event", event="faults-cleared", faults=[fault.name for fault in faults])
        self.pen.clear_faults()

    def confirm(self, ahead: ZoneAhead) -> Answer:
        """Ask before a zone. Only on a simulated pen may a file or `--yes` answer that it starts."""
        self.visit.session.may_answer_zone()
        zone, first, count = ahead.zone, ahead.passes[0], len(ahead.passes)
        depth_mm = ahead.first_depth_mm
        say(
            f"zone {ahead.index} of {ahead.of}: {zone.label()}, {count} pass{'es' if count > 1 else ''}, "
            f"{minutes(ahead.needling_s)} min, "
            f"first {depth_mm:.2f} mm = {depth_mm * 1000:.0f} µm at {first.rate_hz:g} Hz"
        )
        target = zone.target_density
        if ahead.density_per_cm2 > target.max_per_cm2:
            say(
                f"  by estimate {ahead.density_per_cm2:.0f} punctures/cm², above the target of "
                f"{target.min_per_cm2}-{target.max_per_cm2}: glide and head width are proposed figures"
            )
        if zone.notes:
            say(f"  {zone.notes}")
        if self.yes and self.pen.simulated:
            return Answer.START
        simulated, question = self.pen.simulated, "  start, skip or quit?"
        return Answer(self._asker.zone(zone.label(), simulated=simulated, question=question))

    def wish(self) -> Wish | None:
        """A line that was typed while needles move; one that means nothing is answered, and nothing done."""
        line = typed_line()
        if line is None:
            return None
        meant = wish_in(line)
        if meant is None:
            say("  - shallower, + deeper from the next pass, b bleeds, e ends the zone; Ctrl-C stops")
        return meant

    def endpoint(self, ahead: ZoneAhead) -> Endpoint:
        """Ask what the skin shows after a zone."""
        self._live.end()
        return Endpoint(self._asker.endpoint(ahead.zone.label(), self.visit.now().today))

    def other_cartridge(self, cartridge: Cartridge) -> str:
        """Ask why another cartridge is in the pen."""
        self._live.end()
        say(f"another cartridge is in the pen: lot {cartridge.lot}, to be used by {cartridge.expiry}")
        flag = "a change of cartridge needs a person's reason: answer at a terminal"
        while not (why := ask_text("Why was it changed?", meanwhile=self.meanwhile, flag=flag)):
            say("  a change of cartridge is on record with its reason")
        return why
