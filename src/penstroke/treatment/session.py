"""The session of one treatment, from consent to follow-up: pure, no input or output, no clock.

A `Session` is a value. Every act gives an `Outcome` with what goes to the record and the session that
follows; the same bodies from the record lead to the same session again, so `Session.replay` after a crash
stands where the program stood. What may be done when is in `table.py`, what each step asks and comes to in
`steps/`.

How a loop drives it (the command line's `treat` does so; a page would do it in the same way):

    session = Session.begin(plan, patient=..., operator=..., background=...)      # or Session.replay(...)
    while (step := session.at) is not None:
        if step is Step.NEEDLING:
            for each zone that is left, once a person has said start, skip or quit:
                session.may_answer_zone()                                         # raises Refused
                tell("zone", index=..., zone=..., side=..., answer="start")
                session.may_needle(index)                                         # raises Refused
                ... Needling runs; each "command", "run-ended", "zone-done", "cartridge" goes through tell ...
        elif step is Step.PRE_USE:   outcome = session.submit(step, answers, now, measured=PreUse(...))
        else:                        outcome = session.submit(step, answers, now)   # or session.skip(...)
        for kind, body in outcome.entries: recorder.write(kind, **body)
        recorder.make_durable(); session = outcome.session                        # only then it counts

    def tell(kind, **body):  recorder.write(kind, **body); session = session.noted(kind, body)

`questions_of` gives a step's questions; a step that is `begun` has others than one that is open. An outcome
with `reasons` is not done: the step is put again, or skipped. While the numbing dwell runs (`dwell_left_s`),
removing asks for a reason. The pen gets `session.limits` as its screening before any zone is selected. After
a restart: `Session.replay(entries, ...)`, then `session.resume(now)`, whose entry is written before all else.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from penstroke.errors import Refused
from penstroke.safety import Refusal, Screening
from penstroke.safety.verdict import Reason
from penstroke.treatment.corrected import answers_as_corrected, body_as_corrected, screened_as_corrected
from penstroke.treatment.dose import Dose, dose_after
from penstroke.treatment.moment import Moment, utc_seconds
from penstroke.treatment.plan import TreatmentPlan
from penstroke.treatment.procedure_figures import procedure_figures
from penstroke.treatment.questions import Kind, Question, parse_answers
from penstroke.treatment.roster import patient_reference
from penstroke.treatment.screening import NeedledZone, Screened, screen, shallow
from penstroke.treatment.screening_form import anaesthetics_in, screening_form
from penstroke.treatment.session_values import Background, Dwell, EntryLike, Outcome, StepRecord
from penstroke.treatment.steps.every import answered_questions, judge, questions_of
from penstroke.treatment.steps.judgement import Judgement
from penstroke.treatment.steps.pre_use import PreUse
from penstroke.treatment.table import SETTLED, STEPS, Act, State, Step, why_not

__all__ = ["OUT_OF_ORDER", "Background", "Outcome", "Session"]

OUT_OF_ORDER = "step-out-of-order"


@dataclass(frozen=True, slots=True)
class Session:
    """Everything that is known of a treatment under way. Replace it by what an act returns."""

    plan: TreatmentPlan
    patient: str
    operator: str
    background: Background
    steps: Mapping[Step, StepRecord] = field(default_factory=lambda: {step: StepRecord() for step in STEPS})
    screened: Screened | None = None
    """All screenings of this treatment together; None before the first."""
    dwell: Dwell | None = None
    dose: Dose = field(default_factory=Dose)
    told_allergies: tuple[str, ...] = ()
    """Anaesthetics that were named among the allergies read back at consent; none is ever taken back."""
    solution_on: bool = False
    closed: bool = False
    _last: tuple[str, float | None] = field(default=("", None), compare=False)
    """When the last entry was written: from there a restart counts on."""

    # -- beginning ---------------------------------------------------------------------------------------

    @classmethod
    def begin(cls, plan: TreatmentPlan, *, patient: str, operator: str, background: Background) -> Session:
        """A new treatment. Raises `AnswerError` for a patient reference or an operator that cannot be."""
        return cls(
            plan=plan,
            patient=patient_reference(patient),
            operator=background.roster.person(operator),
            background=background,
        )

    @classmethod
    def replay(cls, entries: Iterable[EntryLike], background: Background) -> Session:
        """The session that these entries of one treatment lead to; `ValueError` where none opens it."""
        session: Session | None = None
        written: dict[int, EntryLike] = {}
        for entry in entries:
            written[entry.number] = entry
            if entry.kind == "opened":
                session = cls(
                    plan=TreatmentPlan.model_validate(entry.body["plan"]),
                    patient=entry.body["patient"],
                    operator=entry.operator or "",
                    background=background,
                )
            if session is None:
                continue
            if entry.kind == "correction":
                session = session._corrected(entry.body["of"], written)
            session = session.noted(entry.kind, entry.body, utc=entry.utc, port_s=entry.port_s)
        if session is None:
            raise ValueError("these entries do not open a treatment")
        return session

    # -- what is known -----------------------------------------------------------------------------------

    @property
    def at(self) -> Step | None:
        """The step that comes next; None when all are settled or the treatment is closed."""
        if self.closed:
            return None
        return next((step for step in STEPS if self.state(step) not in SETTLED), None)

    def state(self, step: Step) -> State:
        """Where this step stands."""
        return self.steps[step].state

    @property
    def states(self) -> dict[Step, State]:
        """Where each step stands."""
        return {step: record.state for step, record in self.steps.items()}

    @property
    def limits(self) -> Screening | None:
        """What screening leaves, for the pen and for `check`; None, which refuses, before it was done."""
        return None if self.screened is None else self.screened.limits

    @property
    def left_out(self) -> tuple[int, ...]:
        """Zones of the plan, counted from 1, that screening excluded: they are passed over."""
        excluded = () if self.screened is None else self.screened.excluded
        return tuple(
            index
            for index, zone in enumerate(self.plan.zones, start=1)
            if {(zone.zone, zone.side), (zone.zone, None)} & set(excluded)
        )

    @property
    def no_numbing_with(self) -> frozenset[str]:
        """Anaesthetics that the patient is allergic to, by whichever answer says so."""
        screened = () if self.screened is None else self.screened.allergies
        return frozenset((*screened, *self.told_allergies))

    @property
    def needled(self) -> tuple[tuple[str, str | None], ...]:
        """Zones and sides in which needles moved in this treatment, in the plan's order."""
        zones = self.plan.zones
        return tuple((zones[i - 1].zone, zones[i - 1].side) for i in sorted(self.dose.needled))

    def dwell_left_s(self, now: Moment) -> float:
        """Seconds that the numbing product must still stay on; 0 where none is on."""
        if self.dwell is None or self.state(Step.NUMBING) is not State.BEGUN:
            return 0.0
        return max(self.dwell.needed_s - self.dwell.passed_s(now.utc, now.port_s), 0.0)

    def next_session(self, ended: datetime.date) -> datetime.date:
        """The day before which there is no other session."""
        form = screening_form()
        zones = self.plan.zones
        needled = (
            NeedledZone(zones[index - 1].zone, zones[index - 1].side, round(zone.deepest_mm * 1000))
            for index, zone in self.dose.zones.items()
        )
        days = form.shallow_days if shallow((*self._planned(), *needled)) else form.interval_days
        return ended + datetime.timedelta(days=days)

    def questions_of(self, step: Step, now: Moment) -> tuple[Question, ...]:
        """What this step asks in the state it is in."""
        return questions_of(step, self, now)

    # -- acts --------------------------------------------------------------------------------------------

    def submit(
        self, step: Step, answers: Mapping[str, object], now: Moment, *, measured: PreUse | None = None
    ) -> Outcome:
        """Answer a step. The outcome may be that it is blocked, with every reason.

        `measured` is what the pen told, for the pre-use check. Raises `Refused` (`step-out-of-order`) and
        `AnswerError`; neither changes anything.
        """
        self._must(step, Act.SUBMIT)
        questions = answered_questions(step, self, answers, now)
        parsed = parse_answers(questions, answers, today=now.today)
        entries: list[tuple[str, dict[str, Any]]] = []
        if step is Step.SCREENING:
            screened = self._screen(parsed, now)
            entries.append(("screened", screened.body()))
            together = screened if self.screened is None else self.screened.merged(screened)
            found = _screening_judgement(together)
        else:
            found = judge(step, self, parsed, now, measured)
        # In two parts: the first leads to begun, and what blocks the second leaves it there.
        state = State.BEGUN if found.begun else State.DONE
        if found.reasons:
            state = State.BLOCKED
        body: dict[str, Any] = {
            "step": step.value,
            "state": state.value,
            "answers": parsed,
            "warnings": list(found.warnings),
            **_when(now),
            **found.facts,
        }
        if found.reasons:
            body["reasons"] = [{"code": one.code, "message": one.message} for one in found.reasons]
        entries += [*found.entries, ("step", body)]
        return self._outcome(step, entries, found.reasons, found.warnings, now)

    def skip(self, step: Step, *, reason: str, by: str, now: Moment) -> Outcome:
        """Leave a step out, with a reason and a name of the roster. Raises `Refused` and `AnswerError`."""
        return self._named(step, Act.SKIP, State.SKIPPED.value, reason, by, now)

    def redo(self, step: Step, *, reason: str, by: str, now: Moment) -> Outcome:
        """Open a settled step again. Raises `Refused` and `AnswerError`."""
        return self._named(step, Act.REDO, "redone", reason, by, now)

    def resume(self, now: Moment) -> Outcome:
        """Go on after a restart: written before anything else. Needles stay where they are, in.

        Raises `Refused` (`step-out-of-order`) for a treatment that is closed, or whose last entry is too old.
        """
        if self.closed:
            raise _out_of_order("the treatment is closed", "begin a new one")
        longest_h = procedure_figures().resume_within_h
        if utc_seconds(self._last[0] or now.utc, now.utc) > longest_h * 3600:
            problem = f"the treatment was left more than {longest_h} h ago (proposed figure)"
            raise _out_of_order(problem, "a treatment is one visit: begin a new one")
        body: dict[str, Any] = {"at_step": self.at.value if self.at else None, **_when(now)}
        if self.dwell is not None and self.state(Step.NUMBING) is State.BEGUN:
            last_utc, last_port_s = self._last
            counted = self.dwell.passed_s(last_utc, last_port_s) + utc_seconds(last_utc, now.utc)
            body["dwell_s"] = round(counted, 3)
        return self._outcome(None, [("resumed", body)], (), (), now)

    def may_answer_zone(self) -> None:
        """Raises `Refused` (`step-out-of-order`, `screening-blocks`, `sign-off-missing`) if none may."""
        if self.screened is not None and self.screened.limits.blocked_by:
            raise Refused.of(Refusal(_screening_judgement(self.screened).reasons))
        self._must(Step.NEEDLING, Act.NEEDLE)

    def may_needle(self, index: int) -> None:
        """Raises `Refused` where needles may not move in this zone of the plan, counted from 1.

        A person must have started it since the program began or went on, and screening must not have left it
        out. Whether depth and rate are in order is for the pen.
        """
        self.may_answer_zone()
        if self.dose.open_zone != index:
            raise _out_of_order(f"zone {index} was not started", "a person starts each zone")
        zone = self.plan.zones[index - 1]
        if index in self.left_out:
            message = f"{zone.label()} is excluded for this patient (set by: screening)"
            hint = "leave this zone out; no override lifts this"
            raise Refused(message, code="zone-excluded", hint=hint, zone=zone.zone, side=zone.side)

    # -- from the record ---------------------------------------------------------------------------------

    def noted(
        self, kind: str, body: Mapping[str, Any], *, utc: str = "", port_s: float | None = None
    ) -> Session:
        """The session after this entry. The only place where a session changes."""
        session = replace(self, dose=dose_after(self.dose, kind, body))
        if utc and kind not in _NOT_OF_THE_VISIT:
            session = replace(session, _last=(utc, port_s))
        match kind:
            case "step":
                return session._after_step(body)
            case "screened":
                found = Screened.of(body)
                together = found if self.screened is None else self.screened.merged(found)
                return replace(session, screened=together)
            case "zone" if self.state(Step.NEEDLING) is not State.BEGUN:
                return session._with(Step.NEEDLING, StepRecord(State.BEGUN))
            case "resumed" if self.dwell is not None and "dwell_s" in body:
                dwell = Dwell(self.dwell.needed_s, body["dwell_s"], *_since(body))
                return replace(session, dwell=dwell)
            case "closed":
                return replace(session, closed=body.get("ended") == "finished")
        return session

    def _after_step(self, body: Mapping[str, Any]) -> Session:
        step = Step(body["step"])
        state = State.OPEN if body["state"] == "redone" else State(body["state"])
        begun = self.state(step) is State.BEGUN
        if begun and state is State.BLOCKED:
            return self  # its first part stands
        session = self._with(step, StepRecord(state, body["answers"], body["local"]))
        if step is Step.CONSENT:
            session = session._told(body["answers"])
        if step is Step.NUMBING and state is State.BEGUN:
            dwell = Dwell(body["answers"]["dwell_min"] * 60.0, 0.0, *_since(body))
            return replace(session, dwell=dwell)
        if step is Step.MESOTHERAPY and state is State.DONE:
            return replace(session, solution_on=True)
        return session

    def _told(self, answers: Mapping[str, Any]) -> Session:
        named = anaesthetics_in(str(answers.get("allergies", "")))
        return replace(self, told_allergies=tuple(dict.fromkeys((*self.told_allergies, *named))))

    def _corrected(self, number: int, written: Mapping[int, EntryLike]) -> Session:
        """A correction of a step's answers opens that step again: whoever resumes answers it anew.

        What the answers find as they were corrected counts at once, and no later answer takes it back.
        """
        entry = written.get(number)
        if entry is None or entry.kind not in ("step", "screened"):
            return self
        body = body_as_corrected(entry, written.values())
        step = Step.SCREENING if entry.kind == "screened" else Step(entry.body["step"])
        found = Screened()
        if entry.kind == "screened":
            found = screened_as_corrected(body)
        elif step is Step.SCREENING and entry.body["answers"]:
            found = answers_as_corrected(screening_form(), body, self.background.roster.clinicians)
        session = self if self.screened is None else replace(self, screened=self.screened.corrected(found))
        if step is Step.CONSENT and isinstance(body["answers"], Mapping):
            session = session._told(body["answers"])
        if self.state(step) is State.BEGUN:
            return session
        return session._with(step, StepRecord(because=f"entry {number} was corrected"))

    # -- within ------------------------------------------------------------------------------------------

    def _with(self, step: Step, record: StepRecord) -> Session:
        return replace(self, steps={**self.steps, step: record})

    def _must(self, step: Step, act: Act) -> None:
        problem = why_not(
            step,
            act,
            self.states,
            needled=bool(self.dose.needled),
            solution_on=self.solution_on,
            closed=self.closed,
        )
        if problem:
            hint = f"{self.at} comes next" if self.at else "nothing is left to do"
            at = self.at.value if self.at else None
            raise Refused(f"{step}: {problem}", code=OUT_OF_ORDER, hint=hint, step=step.value, at=at)

    @property
    def needling_ended(self) -> datetime.datetime | None:
        """When needling was ended, on the clock on the wall: the directions' dates count from there."""
        local = self.steps[Step.NEEDLING].local
        return datetime.datetime.fromisoformat(local) if local else None

    def _screen(self, answers: Mapping[str, Any], now: Moment) -> Screened:
        found = screen(
            screening_form(),
            answers,
            today=now.today,
            planned=self._planned(),
            earlier=self.background.earlier,
        )
        unsaid = tuple(name for name in self.told_allergies if name not in found.allergies)
        warnings = tuple(
            f"no numbing with {name}: consent names it among the allergies, and screening does not"
            for name in unsaid
        )
        return found.merged(Screened(allergies=unsaid, warnings=warnings))

    def _planned(self) -> tuple[NeedledZone, ...]:
        return tuple(
            NeedledZone(
                zone.zone,
                zone.side,
                max(round(one.depth_mm * 1000) for one in zone.planned_passes()),
            )
            for zone in self.plan.zones
        )

    def _named(self, step: Step, act: Act, state: str, reason: str, by: str, now: Moment) -> Outcome:
        self._must(step, act)
        why = _REASON_QUESTION
        parsed = parse_answers((why,), {why.key: reason}, today=now.today)
        body = {
            "step": step.value,
            "state": state,
            "answers": {},
            "reason": parsed[why.key],
            "by": self.background.roster.person(by, "by"),
            "warnings": [],
            **_when(now),
        }
        return self._outcome(step, [("step", body)], (), (), now)

    def _outcome(
        self,
        step: Step | None,
        entries: list[tuple[str, dict[str, Any]]],
        reasons: tuple[Reason, ...],
        warnings: tuple[str, ...],
        now: Moment,
    ) -> Outcome:
        session = self
        for kind, body in entries:
            session = session.noted(kind, body, utc=now.utc, port_s=now.port_s)
        state = None if step is None else session.state(step)
        return Outcome(session, step, state, tuple(entries), reasons, warnings)


_NOT_OF_THE_VISIT = frozenset({"correction", "follow-up", "report", "witnessed"})
"""What may be written about a visit long after it: no sign that the visit still went on."""

_REASON_QUESTION = Question("reason", "For what reason?", Kind.TEXT)


def _when(now: Moment) -> dict[str, Any]:
    """Times as a step's entry has them, so that a replay needs no other."""
    return {
        "local": now.local.isoformat(timespec="milliseconds"),
        "started_utc": now.utc,
        "port_s": now.port_s,
    }


def _since(body: Mapping[str, Any]) -> tuple[str, float | None]:
    return body["started_utc"], body["port_s"]


def _screening_judgement(screened: Screened) -> Judgement:
    """Blocked by what was found, or by a sign-off that is missing."""
    blocked = [
        Reason("screening-blocks", f"screening blocks treatment: {cause}", "do not treat; nothing lifts this")
        for cause in screened.blocked_by
    ]
    unsigned = [
        Reason(
            "sign-off-missing",
            f"{cause}: no clinician has signed off",
            "a clinician of the roster signs off by name and with a reason, or the patient is not treated",
        )
        for cause in screened.unsigned
    ]
    return Judgement(reasons=(*blocked, *unsigned), warnings=screened.warnings)


def _out_of_order(problem: str, hint: str) -> Refused:
    return Refused(problem, code=OUT_OF_ORDER, hint=hint)
