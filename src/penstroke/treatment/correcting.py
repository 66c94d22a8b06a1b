"""What of an entry may be corrected, and to what: a person's word, by a value that its question would take.

What the pen measured and the program worked out, timed or did is not to be corrected; nor is what screening
came to, since it follows from answers, which are.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from penstroke.errors import AnswerError
from penstroke.treatment.moment import Moment
from penstroke.treatment.questions import Kind, Question, parse_answer
from penstroke.treatment.roster import patient_reference
from penstroke.treatment.session import Session
from penstroke.treatment.session_values import Background
from penstroke.treatment.steps import numbing
from penstroke.treatment.steps.every import questions_of
from penstroke.treatment.steps.follow_up import effect_problem, effect_questions
from penstroke.treatment.steps.needling import ENDPOINT
from penstroke.treatment.table import Step

if TYPE_CHECKING:
    from penstroke.records.entry import Entry

_REASON = Question("reason", "For what reason?", Kind.TEXT)


def corrected_value(
    entries: Iterable[Entry], entry: Entry, key: str, value: str, background: Background, now: datetime.date
) -> Any:
    """What `value` means as the correction of `key` in this entry of the treatment that `entries` are of.

    `now` is today. Raises `AnswerError` (`correction-refused` for what no person said; else as any answer).
    """
    if entry.kind == "opened" and key == "patient":
        return patient_reference(value)
    written = list(entries)
    question = _question(written, entry, key, background)
    if question is None:
        raise AnswerError(
            f"{key} of entry {entry.number} ({entry.kind}) is not corrected: no person said it",
            code="correction-refused",
            hint="correct what a person said: an answer, a name, a reason, an endpoint, a follow-up",
            key=key,
        )
    # A day of an answer is judged as on the day it was given; a side effect goes on after it was told.
    today = now if entry.kind == "follow-up" else _moment(entry).today
    found = parse_answer(question, _given(question, value), today=today)
    if entry.kind == "follow-up":
        opened = next((one for one in written if one.kind == "opened"), entry)
        problem = effect_problem({**_in_force(written, entry), key: found}, _moment(opened).today)
        if problem:
            raise AnswerError(problem, hint="correct the day", key=key)
    return found


def _in_force(entries: list[Entry], entry: Entry) -> dict[str, Any]:
    from penstroke.records.corrections import corrected

    return corrected([entry, *(one for one in entries if one.kind == "correction")])[0][entry.number]


def _question(entries: list[Entry], entry: Entry, key: str, background: Background) -> Question | None:
    """The question that this value answers; None where it answers none."""
    names = background.roster.names
    first, *rest = key.split(".")
    if entry.kind == "step" and first == "answers" and rest:
        return _within(_questions(entries, entry, background), rest)
    said: tuple[Question, ...] = ()
    match entry.kind:
        case "opened":
            said = (Question("bench", "Why is it run at the bench?", Kind.TEXT),)
        case "step":
            said = (_REASON, Question("by", "Who decided that?", Kind.CHOICE, choices=names))
        case "override":
            who = Question("by", "Who overrides?", Kind.CHOICE, choices=background.roster.clinicians)
            said = (_REASON, who)
        case "cartridge":
            said = (_REASON,)
        case "endpoint" | "zone-done":
            said = (ENDPOINT,)
        case "follow-up":
            said = effect_questions(names)
    return _within(said, [first, *rest])


def _within(questions: Iterable[Question], path: list[str]) -> Question | None:
    """The question at `grams`, or of an entry of a list at `solutions.0.lot`."""
    found = next((one for one in questions if one.key == path[0]), None)
    if found is None or len(path) == 1:
        return found
    if found.kind is Kind.GROUP and len(path) == 3 and path[1].isdecimal():
        return _within(found.each, path[2:])
    return None


def _questions(entries: list[Entry], entry: Entry, background: Background) -> tuple[Question, ...]:
    """What the step of this entry asked when it was answered."""
    step = Step(str(entry.body["step"]))
    if step is Step.NUMBING:
        return (*numbing.APPLYING, *numbing.REMOVING, *numbing.early_questions(background.roster.names))
    session = Session.replay((one for one in entries if one.number < entry.number), background)
    return questions_of(step, session, _moment(entry))


def _moment(entry: Entry) -> Moment:
    """When an entry was written, on the clock of the clinic where it has that."""
    local = entry.body.get("local")
    if isinstance(local, str):
        return Moment(datetime.datetime.fromisoformat(local))
    return Moment(datetime.datetime.fromisoformat(entry.utc).astimezone())


def _given(question: Question, value: str) -> object:
    """A word of the command line as its answer: JSON where no text is asked for, and null for nothing."""
    if value.strip() == "null":
        return None
    if question.kind in (Kind.TEXT, Kind.CHOICE, Kind.DATE):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value  # `yes`, or `cheek left, forehead`: as at the terminal
