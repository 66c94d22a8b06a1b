"""What a correction of answers finds: it counts as if it had been answered, and takes nothing back.

A correction is by hand and may be anything. What of it cannot be judged blocks, as the worst it may mean.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from penstroke.errors import AnswerError
from penstroke.records.corrections import corrected
from penstroke.treatment.questions import asked, parse_answer
from penstroke.treatment.screening import BIRTHDAY, Screened, screen, screening_questions
from penstroke.treatment.screening_form import Form
from penstroke.treatment.session_values import EntryLike

if TYPE_CHECKING:
    from penstroke.records.entry import Entry

_LISTS = ("blocked_by", "excluded", "sign_offs", "unsigned", "allergies", "warnings")


def body_as_corrected(entry: EntryLike, written: Iterable[EntryLike]) -> Mapping[str, Any]:
    """The body of this entry with all its corrections among what was written, later ones over earlier."""
    entries = [entry, *(one for one in written if one.kind == "correction")]
    bodies, _ = corrected(cast("list[Entry]", entries))
    return bodies[entry.number]


def screened_as_corrected(body: Mapping[str, Any]) -> Screened:
    """What a `screened` entry says as it was corrected; what cannot be read blocks."""
    try:
        found = Screened.of(body)
        readable = all(isinstance(body[key], list) for key in _LISTS) and not found.limits.problem()
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError):
        readable = False
    return (
        found
        if readable
        else Screened(blocked_by=("what screening found was corrected to what cannot be read",))
    )


def answers_as_corrected(form: Form, body: Mapping[str, Any], clinicians: Sequence[str]) -> Screened:
    """What the answers of a screening `step` entry find as they were corrected, on the day they were given.

    Earlier treatments are not looked at again: what they forbid was found when the step was answered.
    """
    answers = body["answers"]
    if not isinstance(answers, Mapping):
        return Screened(blocked_by=("the answers were corrected to what cannot be judged",))
    today = datetime.datetime.fromisoformat(body["local"]).date()
    parsed: dict[str, Any] = {}
    unknown: set[str] = set()
    for question in screening_questions(form, clinicians):
        if not asked(question, parsed):
            continue
        try:
            parsed[question.key] = parse_answer(question, answers.get(question.key), today=today)
        except AnswerError:
            unknown.add(question.key)
    # A sign-off or a prophylaxis that is not told is none; without the rest a condition cannot be judged.
    unjudged = [one for one in form.conditions if unknown & {one.key, f"{one.key}_stopped_on"}]
    names = [one.name for one in unjudged]
    if BIRTHDAY in unknown:
        names.append("the day of birth")
        parsed[BIRTHDAY] = today.isoformat()
    judged = tuple(one for one in form.conditions if one not in unjudged)
    blocked = Screened(
        blocked_by=tuple(f"{name}: what it was corrected to cannot be judged" for name in names)
    )
    return blocked.merged(screen(replace(form, conditions=judged), parsed, today=today))
