"""`penstroke treat`: the whole procedure of one visit, step by step, each on record before the next."""

from __future__ import annotations

import datetime
import secrets
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstroke import __version__
from penstroke.cli.app import App, PenCommand, current, open_pen
from penstroke.cli.commands.plan import check_against, refusal, violation_object
from penstroke.cli.errors import BY_OUR_OWN_STOP, UsageProblem
from penstroke.cli.output import say, show
from penstroke.cli.store import store_option
from penstroke.data import figures
from penstroke.errors import DeviceFault, PenError, PlanError, RecordError
from penstroke.interrupts import Interrupted
from penstroke.safety import LimitSource
from penstroke.treatment.table import STEPS, State, Step
from penstroke.treatment.work import Work, work_in

if TYPE_CHECKING:
    from penstroke.pen import Pen
    from penstroke.records.recorder import Recorder
    from penstroke.records.store import Store
    from penstroke.records.views import TreatmentRow
    from penstroke.treatment.answers import Answers
    from penstroke.treatment.check import Violation
    from penstroke.treatment.plan import TreatmentPlan
    from penstroke.treatment.session import Session
    from penstroke.treatment.visit import Visit

LATEST = "latest"
_REDONE = [step.value for step in STEPS if step is not Step.NEEDLING]
"""What needles gave is given, so there is nothing to do anew."""


@click.command("treat", cls=PenCommand)
@click.argument("plan", type=click.Path(path_type=Path))
@click.option("--patient", metavar="REFERENCE", help="The clinic's own id of the patient; no name.")
@click.option("--operator", metavar="NAME", help="Who treats, by the name in the roster.")
@click.option("--roster", metavar="FILE", help="Who works here; else roster.toml beside the configuration.")
@click.option(
    "--answers",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Answers to the steps' questions. Zones are started by it on a simulated pen only.",
)
@click.option(
    "--resume",
    metavar="[ID]",
    is_flag=False,
    flag_value=LATEST,
    help="Go on with this patient's treatment that was interrupted; its ID where there are several.",
)
@click.option("--redo", type=click.Choice(_REDONE), help="With --resume: this step is done anew.")
@click.option("--reason", metavar="TEXT", help="Why it is.")
@click.option(
    "--yes",
    is_flag=True,
    help="Answer the prompts that may be answered so: not the start of a zone, unless the pen is simulated.",
)
@store_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    plan: Path,
    answers: Path | None,
    resume: str | None,
    yes: bool,
    **given: str | None,
) -> int:
    """Treat PLAN: from consent and screening to aftercare, needling zone by zone. Ctrl-C stops and retracts.

    Everything asked, answered, commanded, refused and measured is on record. A visit that was interrupted,
    however it ended, goes on at its step with --resume; needles never start again by themselves.
    """
    app = current(ctx)
    for name in ("operator", "roster"):
        app.flags[name] = given[name]
    redo = _redo(given["redo"], given["reason"], resume)
    opened = _Opened.read(app, plan, answers, given["patient"])
    return opened.treat(resume, redo, yes=yes)


def _redo(step: str | None, reason: str | None, resume: str | None) -> _Redo | None:
    if step is None and reason is None:
        return None
    if step is None or not (reason or "").strip() or resume is None:
        problem = "a step is done anew in a treatment that is resumed, and with a reason"
        raise UsageProblem(problem, hint="--resume --redo STEP --reason TEXT")
    return _Redo(Step(step), str(reason))


@dataclass(frozen=True, slots=True)
class _Redo:
    """A step that is to be done anew, and why."""

    step: Step
    reason: str


@dataclass(frozen=True, slots=True)
class _Course:
    """A treatment as the record has it when this program takes it up."""

    name: str
    token: int
    session: Session
    resumed: bool
    cartridge_id: int | None = None
    """The cartridge in use, as far as it is on record."""
    work: Work = field(default_factory=Work)
    """How the pen had worked and rested, by the record."""


@dataclass(slots=True)
class _Opened:
    """What the call names, read: nothing has been touched yet."""

    app: App
    plan: TreatmentPlan
    plan_file: Path
    answers: Answers | None
    patient: str
    unfit: bool = False
    """The plan does not fit what screening found: this visit cannot go on."""

    @classmethod
    def read(cls, app: App, plan: Path, answers: Path | None, patient: str | None) -> _Opened:
        from penstroke.treatment.answers import read_answers
        from penstroke.treatment.plan import load_plan
        from penstroke.treatment.roster import patient_reference

        loaded = load_plan(plan)
        if not patient or not app.config["operator"]:
            missing = "--patient" if not patient else "--operator"
            raise UsageProblem(
                f"a treatment needs {missing}",
                hint="--patient is the clinic's own id, --operator a name of the roster",
            )
        found = None if answers is None else read_answers(answers)
        return cls(app, loaded, plan, found, patient_reference(patient))

    def treat(self, resume: str | None, redo: _Redo | None, *, yes: bool) -> int:
        from penstroke.cli.records_of import recorder_of
        from penstroke.cli.store import open_records
        from penstroke.cli.under_way import alone
        from penstroke.treatment.visit import Visit

        # Once before anything is opened, against the pen the plan was written for.
        violations = check_against(self.app, self.plan, None)
        if violations:
            raise refusal(violations)
        with open_records(self.app) as store, ExitStack() as held:
            if resume is None:
                course = self._begun(store)
                held.enter_context(alone(course.name))
            else:
                row = self._row_to_resume(store, resume)
                held.enter_context(alone(row.id))
                course = self._taken_up(store, row)
            name, operator = course.name, course.session.operator
            with recorder_of(self.app, store, treatment=name, operator=operator) as recorder:
                visit = Visit(course.session, recorder)
                if not course.resumed:
                    self._write_opened(recorder, course.token)
                if self.app.json:
                    told = {"id": name, "store": store.where, "resumed": course.resumed}
                    self.app.emit({"event": "treatment", **told})
                else:
                    say(f"treatment {name}")
                finished = self._run(visit, course, redo, yes=yes)
        if not self.app.json:
            show(f"record: {name} in {store.where}; `penstroke records report {name}` prints it")
        if not finished:
            raise Interrupted(f"the treatment is not finished: --resume {name} goes on with it")
        return 0

    # -- beginning and going on ------------------------------------------------------------------------

    def _begun(self, store: Store) -> _Course:
        from penstroke.cli.records_of import background_of
        from penstroke.records.entry import treatment_id
        from penstroke.records.past import left_open
        from penstroke.treatment.screening import Screened
        from penstroke.treatment.session import Session

        token = secrets.randbits(63) + 1
        session = Session.begin(
            self.plan,
            patient=self.patient,
            operator=str(self.app.config["operator"]),
            background=background_of(self.app, store, self.patient, None),
        )
        for row in left_open(store, self.patient)[:1]:
            screened = [Screened.of(entry.body) for entry in store.entries(row.id, kinds=["screened"])]
            causes = ", ".join(cause for one in screened for cause in one.blocked_by)
            how = f"screening blocks it: {causes}" if causes else f"--resume {row.id} goes on with it"
            say(f"treatment {row.id} of this patient was not finished; {how}")
        name = treatment_id(datetime.datetime.now(datetime.UTC), token)
        return _Course(name, token, session, resumed=False)

    def _taken_up(self, store: Store, row: TreatmentRow) -> _Course:
        from penstroke.cli.records_of import background_of
        from penstroke.treatment.session import Session
        from penstroke.treatment.visit import cartridge_in_use

        entries = list(store.entries(row.id))
        opened = next(entry for entry in entries if entry.kind == "opened")
        if opened.body["plan"] != self.plan.model_dump(mode="json"):
            raise PlanError(
                f"{self.plan_file} is not the plan of treatment {row.id}",
                code="plan-other",
                hint="resume with the plan it was begun with: a plan under way does not change",
            )
        # Whoever goes on is responsible from here on, and may be another one than who began.
        background = background_of(self.app, store, self.patient, row.id)
        operator = str(self.app.config["operator"])
        return _Course(
            row.id,
            int(str(opened.body["token"]), 16),
            replace(Session.replay(entries, background), operator=background.roster.person(operator)),
            resumed=True,
            cartridge_id=cartridge_in_use(entries),
            work=work_in(entries, figures().rest_s),
        )

    def _row_to_resume(self, store: Store, resume: str) -> TreatmentRow:
        from penstroke.records.past import left_open

        rows = left_open(store, self.patient)
        if resume != LATEST:
            rows = [row for row in rows if row.id.startswith(resume)]
        if not rows:
            what = "no treatment" if resume == LATEST else f"no treatment {resume}"
            raise UsageProblem(
                f"there is {what} of patient {self.patient} that could be resumed",
                code="record-unknown",
                hint="`penstroke records list` shows what there is; leave out --resume to begin anew",
            )
        if len(rows) > 1:
            ids = ", ".join(row.id for row in rows)
            raise UsageProblem(
                f"{len(rows)} treatments of patient {self.patient} are not finished: {ids}",
                code="record-ambiguous",
                hint="name one: --resume ID",
            )
        return rows[0]

    def _write_opened(self, recorder: Recorder, token: int) -> None:
        recorder.write(
            "opened",
            patient=self.patient,
            plan=self.plan.model_dump(mode="json"),
            plan_file=str(self.plan_file.absolute()),
            penstroke=__version__,
            token=f"{token:016x}",
        )
        recorder.make_durable()

    # -- the visit -------------------------------------------------------------------------------------

    def _run(self, visit: Visit, course: _Course, redo: _Redo | None, *, yes: bool) -> bool:
        """The visit to its end, and its last entry; whether it was finished."""
        try:
            finished = self._with_pen(visit, course, redo, yes=yes)
        except PenError as error:
            ours = bool(self.app.interrupts.why) and isinstance(error, BY_OUR_OWN_STOP)
            code = self.app.interrupts.why if ours else error.code
            self._close(visit, "interrupted" if ours else "error", error, code)
            raise
        except Interrupted as interrupted:
            self._close(visit, "interrupted", None, interrupted.why)
            raise
        visit.tell("closed", ended="finished" if finished else "quit", code=None)
        visit.make_durable()
        return finished

    def _close(self, visit: Visit, ended: str, error: PenError | None, code: str) -> None:
        """The last entries after a failure; what failed is told even where record and terminal fail too."""
        with suppress(RecordError):
            if isinstance(error, DeviceFault) and error.facts.get("faults"):
                visit.tell("fault", faults=error.facts["faults"])
            if error is not None and ended == "error":
                visit.error(error)
            if ended == "interrupted":
                visit.tell("interrupted", why=code)
            visit.tell("closed", ended=ended, code=code)
        if not self.app.json:
            with suppress(Interrupted):
                say(f"treatment {visit.recorder.treatment}{self._how_on(visit)}")

    def _how_on(self, visit: Visit) -> str:
        """How it goes on: in this visit, unless screening found what nothing can lift in it."""
        if _blocked(visit.session):
            return " does not go on: screening blocks it; another visit is screened anew"
        return f" does not go on: {_NEW_VISIT}" if self.unfit else ": --resume goes on with it"

    def _with_pen(self, visit: Visit, course: _Course, redo: _Redo | None, *, yes: bool) -> bool:
        from penstroke.cli.records_of import bind, pen_facts
        from penstroke.cli.treating import Treating
        from penstroke.treatment import pen_witness

        store = visit.recorder.store
        if course.resumed:
            visit.settle(visit.session.resume(visit.now()))
            if redo is not None:
                by = visit.session.operator
                visit.settle(visit.session.redo(redo.step, reason=redo.reason, by=by, now=visit.now()))
            say(f"going on at {visit.session.at}" if visit.session.at else "every step is done")
            for again, record in visit.session.steps.items():
                if record.because:
                    say(f"  {again} comes again: {record.because}")
        with open_pen(self.app, treatment=course.token, unscreened=True, ledger=visit.ledger) as pen:
            bind(visit.recorder, pen)
            visit.tell("pen", **pen_facts(pen, self.app.clinic().name))
            pen_witness.confirm(pen, store)
            course.work.carry_over(pen.duty, visit.now().utc, pen.now_ns())
            self._check(visit, pen)
            treating = Treating(self.app, visit, pen, self.answers, yes, course.cartridge_id)
            while (step := treating.next_step()) is not None:
                if step is Step.SCREENING and visit.session.state(step) is State.DONE:
                    self._check(visit, pen)
            visit.make_durable()
            kept = pen_witness.keep(pen, store)
            visit.tell("witnessed", where="pen", number=kept.number, digest=kept.digest)
        return visit.session.at is None

    def _check(self, visit: Visit, pen: Pen) -> None:
        """The plan against the pen there is, and against what screening found, once that is settled.

        While a sign-off is missing the pen is given nothing, which refuses too: it takes nothing looser.
        """
        session = visit.session
        settled = session.state(Step.SCREENING) is State.DONE or _blocked(session)
        limits = session.limits if settled else None
        if limits is not None:
            pen.screened(limits)
        violations = check_against(self.app, self.plan, pen.limits, limits)
        against = "the pen" if limits is None else "the pen and what screening found"
        visit.tell("check", against=against, violations=[violation_object(one) for one in violations])
        standing = _standing(session, violations)
        if standing:
            refused = refusal(standing)
            if any(one.reason.bound_by is LimitSource.SCREENING for one in standing):
                self.unfit = True
                refused.hint += f"; {_NEW_VISIT}"
            raise refused


_NEW_VISIT = "a plan under way does not change: begin a new visit with an adapted plan"


def _blocked(session: Session) -> bool:
    """Whether screening found what nothing lifts, no signature either."""
    return session.screened is not None and bool(session.screened.blocked_by)


def _standing(session: Session, violations: tuple[Violation, ...]) -> tuple[Violation, ...]:
    """The violations in zones that are still to be needled; all, where screening leaves none of the plan."""
    past = {index for index, zone in session.dose.zones.items() if zone.done or zone.skipped}
    passed_over = {*session.left_out, *past}
    if not past and len(passed_over) == len(session.plan.zones):
        return violations
    return tuple(one for one in violations if one.index not in passed_over)
