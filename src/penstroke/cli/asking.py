"""One step's questions, put at the terminal or answered from a file: the same questions, the same parser.

At the terminal a bad answer is said and asked for again, `?` shows the help, and a blank leaves out what may
be left out. From a file a bad answer is an error with its line. What a file leaves open is asked at the
terminal; without one it is an error that names the key and the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstroke.cli.errors import UsageProblem
from penstroke.cli.output import minutes, say
from penstroke.cli.prompt import ask, ask_text, at_terminal
from penstroke.errors import AnswerError
from penstroke.treatment.questions import NONE, Kind, Question, asked, parse_answer, parse_answers
from penstroke.treatment.steps.every import keys_of
from penstroke.treatment.steps.needling import ENDPOINT
from penstroke.treatment.table import Act, Step, why_not

if TYPE_CHECKING:
    import datetime

    from penstroke.treatment.answers import Answers
    from penstroke.treatment.moment import Moment
    from penstroke.treatment.session import Outcome, Session

TITLES: dict[Step, str] = {
    Step.CONSENT: "Consent and read-back",
    Step.SCREENING: "Screening",
    Step.PRE_USE: "Pre-use check of pen and cartridge",
    Step.CLEANING: "Cleaning",
    Step.NUMBING: "Numbing",
    Step.NEEDLING: "End of needling",
    Step.MESOTHERAPY: "Mesotherapy: solutions applied to the skin",
    Step.AFTERCARE: "Aftercare",
    Step.FOLLOW_UP: "Follow-up",
}

_FLAG = "answer at a terminal, or give --answers FILE"


@dataclass(frozen=True, slots=True)
class Filled:
    """A step's answers, parsed."""

    answers: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A step that is to be skipped."""

    reason: str
    by: str


class _DwellOver(Exception):
    """The time is up while somebody is being asked."""


@dataclass(slots=True)
class Asker:
    """Who answers: a file, where there is one, and the person at the terminal.

    `meanwhile` serves the pen while a person thinks, and raises to end the waiting.
    """

    meanwhile: Callable[[], None]
    answers: Answers | None = None

    def step(self, step: Step, session: Session, now: Callable[[], Moment]) -> Filled | LeftOut:
        """The answers to this step in the state it is in, or that it is left out.

        Raises `PlanError` (`answers-invalid`) for the file, `UsageProblem` (`needs-terminal`) without one.
        """
        began = now()
        why_not_skip = why_not(
            step, Act.SKIP, session.states, needled=bool(session.needled), solution_on=session.solution_on
        )
        if self.answers is not None and (skip := self.answers.skipped(step)) is not None:
            if why_not_skip:
                hint = f"answer the questions of {step} instead"
                raise self.answers.wrong(step, AnswerError(why_not_skip, hint=hint, key="skip"))
            return LeftOut(*skip)
        given = self._given(step, session, began)
        say(f"-- {TITLES[step]} --")
        if given is None and not why_not_skip:
            left_out = self._skip(step, session, began.today)
            if left_out is not None:
                return left_out
        return Filled(self._fill(step, session.questions_of(step, began), given, began.today))

    def zone(self, label: str, *, simulated: bool, question: str) -> str:
        """`start`, `skip` or `quit`. A file starts a zone on a simulated pen only."""
        answer = None if self.answers is None else self.answers.zone(label)
        if answer is not None and (simulated or answer != "start"):
            return answer
        flag = (
            "the start of a zone needs a person at a terminal; on a simulated pen --answers or --yes will do"
        )
        return ask(question, ("start", "skip", "quit"), meanwhile=self.meanwhile, flag=flag)

    def endpoint(self, label: str, today: datetime.date) -> str:
        """What the skin of a zone shows: a value of `steps.needling.Endpoint`."""
        given = None if self.answers is None else self.answers.endpoint(label)
        if given is not None and self.answers is not None:
            try:
                return str(parse_answer(ENDPOINT, given, today=today))
            except AnswerError as wrong:
                raise self.answers.wrong(Step.NEEDLING, wrong) from None
        say(f"{label}:")
        return str(self._one(Step.NEEDLING, ENDPOINT, today))

    def dwell(self, session: Session, now: Callable[[], Moment]) -> None:
        """Wait until the numbing dwell is over; a person may end it sooner by typing `off`."""
        left_s = session.dwell_left_s(now())
        if left_s <= 0:
            return

        def until_over() -> None:
            self.meanwhile()
            if session.dwell_left_s(now()) <= 0:
                raise _DwellOver

        try:
            if at_terminal():
                question = f"The product stays on for {minutes(left_s)} min. `off` takes it off sooner."
                ask(question, ("off",), meanwhile=until_over, flag=_FLAG)
            else:
                say(f"the product stays on for {minutes(left_s)} min")
                while True:
                    until_over()
        except _DwellOver:
            say("the dwell is over: wipe all of the product off")

    # -- within ------------------------------------------------------------------------------------------

    def _given(self, step: Step, session: Session, now: Moment) -> Mapping[str, Any] | None:
        if self.answers is None:
            return None
        given = self.answers.of(step)
        if given is None:
            return None
        unknown = sorted(set(given) - keys_of(step, session, now))
        if unknown:
            hint = f"there are {', '.join(sorted(keys_of(step, session, now)))}"
            raise self.answers.wrong(
                step, AnswerError(f"{unknown[0]} is no question of this step", hint=hint, key=unknown[0])
            )
        mine = {question.key for question in session.questions_of(step, now)}
        return {key: value for key, value in given.items() if key in mine}

    def _skip(self, step: Step, session: Session, today: datetime.date) -> LeftOut | None:
        flag = f"{_FLAG}; there, {step}: skip: {{reason: ..., by: ...}} leaves it out"
        if ask(f"{step}: do it or skip it?", ("do", "skip"), meanwhile=self.meanwhile, flag=flag) == "do":
            return None
        reason = self.person(Question("reason", "For what reason?", Kind.TEXT), today)
        names = session.background.roster.names
        by = self.person(Question("by", "Who decides that?", Kind.CHOICE, choices=names), today)
        return LeftOut(reason, by)

    def _fill(
        self,
        step: Step,
        questions: tuple[Question, ...],
        given: Mapping[str, Any] | None,
        today: datetime.date,
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for question in questions:
            if not asked(question, found):
                continue
            if (
                given is not None
                and self.answers is not None
                and (question.key in given or not question.required)
            ):
                try:
                    found[question.key] = parse_answer(question, given.get(question.key), today=today)
                except AnswerError as wrong:
                    raise self.answers.wrong(step, wrong) from None
            else:
                found[question.key] = self._one(step, question, today)
        if given is not None and self.answers is not None:
            try:
                # For what is answered and was not asked: an answer must not be lost unseen.
                parse_answers(questions, {**given, **found}, today=today)
            except AnswerError as wrong:
                raise self.answers.wrong(step, wrong) from None
        return found

    def _one(self, step: Step, question: Question, today: datetime.date) -> Any:
        if not at_terminal():
            if self.answers is not None:
                raise self.answers.missing(step, question.key, f"add {question.key} to {step} in the file")
            problem = f"{step}.{question.key} needs an answer, and the input is no terminal"
            raise UsageProblem(problem, code="needs-terminal", hint=_FLAG)
        return self.person(question, today)

    def person(self, question: Question, today: datetime.date) -> Any:
        """Put one question to the person at the terminal until the answer can be taken."""
        if question.kind is Kind.GROUP:
            return self._group(question, today)
        while True:
            typed = ask_text(_shown(question), meanwhile=self.meanwhile, flag=_FLAG)
            if typed == "?":
                say(f"  {question.help}" if question.help else "  there is no more to say about this")
                continue
            try:
                return parse_answer(question, typed, today=today)
            except AnswerError as wrong:
                say(f"  {wrong.message}")
                say(f"  {wrong.hint}")

    def _group(self, question: Question, today: datetime.date) -> list[dict[str, Any]]:
        say(question.text)
        found: list[dict[str, Any]] = []
        while True:
            say(f"  number {len(found) + 1}")
            entry: dict[str, Any] = {}
            for one in question.each:
                if asked(one, entry):
                    entry[one.key] = self.person(one, today)
            found.append(entry)
            if ask("Another one? yes or no", ("yes", "no"), meanwhile=self.meanwhile, flag=_FLAG) == "no":
                return found


def tell(outcome: Outcome) -> None:
    """Say what an act came to: its warnings, and why it is not done."""
    for warning in outcome.warnings:
        say(f"  note: {warning}")
    for reason in outcome.reasons:
        say(f"  not done: {reason.message}")
        if reason.hint:
            say(f"    {reason.hint}")


def _shown(question: Question) -> str:
    """The question on the terminal: its text, what belongs to this patient, and what may be answered."""
    match question.kind:
        case Kind.YES_NO:
            may = "yes or no"
        case Kind.CHOICE:
            may = ", ".join(question.choices)
        case Kind.MANY:
            may = f"{NONE}, or any of: {', '.join(question.choices)}"
        case Kind.ZONES:
            may = f"{NONE}, or zones"
        case Kind.DATE:
            may = "YYYY-MM-DD"
        case Kind.NUMBER:
            may = question.unit
        case _:
            may = ""
    detail = f"\n  {question.detail}" if question.detail else ""
    return f"{question.text}{f' [{may}]' if may else ''}{detail}"
