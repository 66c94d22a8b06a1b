"""Aftercare: directions from a template, dated for this patient."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstroke.treatment.language import LANGUAGES, N_, Language, language
from penstroke.treatment.questions import Kind, Question
from penstroke.treatment.steps.judgement import Judgement, refusals
from penstroke.treatment.templates import Line, Template

if TYPE_CHECKING:
    from penstroke.treatment.session import Session

CALL = N_("Call us if you notice")


@dataclass(frozen=True, slots=True)
class Directions:
    """A template, dated for one patient, in one language: plain sentences."""

    title: str
    intro: str
    directions: tuple[str, ...]
    expected: tuple[str, ...]
    call: tuple[str, ...]


def questions(session: Session) -> tuple[Question, ...]:
    """Which directions were given, in which language, and that they were gone through."""
    return (
        Question(
            "template",
            "Which directions does the patient get?",
            Kind.CHOICE,
            choices=tuple(session.background.templates),
        ),
        Question("language", "In which language?", Kind.CHOICE, choices=LANGUAGES),
        Question(
            "given",
            "Was the page gone through with the patient, and handed over? `penstroke aftercare` makes it.",
            Kind.YES_NO,
            otherwise="the directions were not handed over",
            help="In another terminal: as text, or with --html FILE as a page to print.",
        ),
        Question("given_by", "By whom?", Kind.CHOICE, choices=session.background.roster.names),
    )


def judge(session: Session, answers: Mapping[str, Any], ended: datetime.datetime) -> Judgement:
    """Done when the page was handed over. The dated directions, in English, go into the record."""
    template = session.background.templates[answers["template"]]
    english = dated(template, ended, session.next_session(ended.date()), language("en"))
    lines = [*english.directions, *(f"{CALL}: {line}" for line in english.call)]
    return Judgement(reasons=refusals(questions(session), answers), facts={"directions": lines})


def dated(
    template: Template, ended: datetime.datetime, next_day: datetime.date, words_of: Language
) -> Directions:
    """The template with the dates of a patient whose needling ended then, in this language."""

    def sentence(line: Line) -> str:
        words = {"next": words_of.day(next_day)}
        if line.hours is not None:
            words["until"] = words_of.time(ended + datetime.timedelta(hours=line.hours))
        elif line.days is not None:
            words["until"] = words_of.day(ended.date() + datetime.timedelta(days=line.days))
        if line.start_hours is not None:
            words["start"] = words_of.time(ended + datetime.timedelta(hours=line.start_hours))
        return words_of.text(line.text).format(**words)

    return Directions(
        title=words_of.text(template.title),
        intro=words_of.text(template.intro),
        directions=tuple(map(sentence, template.directions)),
        expected=tuple(map(sentence, template.expected)),
        call=tuple(map(sentence, template.call)),
    )
