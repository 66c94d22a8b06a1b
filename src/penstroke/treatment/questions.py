"""Questions as data, and the one parser of what is answered to them.

The terminal, a file of answers and a page all put the same `Question` and give what came back to
`parse_answer`, so that an answer means the same on every door. Nothing has a default: what was not answered
is not known. What is doubtful is refused with the reason and never guessed.

A parsed answer is plain data (true or false, text, a number, a list, a mapping), ready for a record, and
parsing it again gives it back unchanged.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from penstroke.errors import AnswerError
from penstroke.safety import Refusal, find_zone, rate_hz_from_text
from penstroke.safety.zones import Zone

LONGEST_TEXT = 500
"""Characters in one answer: a few sentences; more belongs into the clinic's own file."""

MOST_ITEMS = 40
"""Entries in one list: above any real list, and it keeps a wrong file from being read whole."""

NONE = "none"
"""How a list is answered that has nothing in it: said aloud, since a blank is no answer."""

_YES = {"yes": True, "y": True, "no": False, "n": False}
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_COUNTED_DAY = re.compile(r"today([+-][0-9]{1,4})?", re.ASCII)
_EARLIEST = datetime.date(1900, 1, 1)


class Kind(StrEnum):
    """What sort of answer a question takes."""

    YES_NO = "yes-no"
    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    """A day, `YYYY-MM-DD`; or `today`, `today+7`, `today-30`."""
    CHOICE = "choice"
    """One of `choices`."""
    MANY = "many"
    """Some of `choices`, or `none`."""
    ZONES = "zones"
    """Zones with their side (`cheek left`; `cheek` alone is both), or `none`."""
    GROUP = "group"
    """A list of mappings, each of which answers the questions in `each`; or `none`."""


class Day(StrEnum):
    """Which days a date may be, seen from today."""

    ANY = "any"
    PAST = "past"
    """Today or earlier."""
    FUTURE = "future"
    """Today or later."""


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to be asked. Texts are English and are what a translation is looked up by."""

    key: str
    text: str
    kind: Kind
    required: bool = True
    unit: str = ""
    low: Decimal | None = None
    high: Decimal | None = None
    """Bounds of a number, both allowed."""
    above_low: bool = False
    """The number must be above `low`, not at it."""
    choices: tuple[str, ...] = ()
    help: str = ""
    detail: str = ""
    """What belongs to this patient or plan, shown below the text: never translated."""
    day: Day = Day.ANY
    only_if: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    """Keys and values: asked only where the answer to one of these keys is one of its values."""
    each: tuple[Question, ...] = ()
    """The questions of each entry of a group."""
    zones: tuple[Zone, ...] = ()
    """The zones that may be named; forbidden ones are known and may be named."""
    otherwise: str = ""
    """Why a no keeps the step from being done; blank where both answers are in order."""


def asked(question: Question, answers: Mapping[str, object]) -> bool:
    """Whether this question is to be put, given the answers so far."""
    return not question.only_if or any(
        _is_one_of(answers.get(key), values) for key, values in question.only_if
    )


def _is_one_of(given: object, values: tuple[Any, ...]) -> bool:
    if isinstance(given, list):
        return any(value in given for value in values)
    return any(type(given) is type(value) and given == value for value in values)


def parse_answers(
    questions: Sequence[Question], given: Mapping[str, object], *, today: datetime.date
) -> dict[str, Any]:
    """All answers, parsed. A question that is not required and not answered is None.

    Raises `AnswerError` (`answer-missing`, `answer-invalid`) for the first that is missing, wrong, or answers
    nothing that is asked.
    """
    found: dict[str, Any] = {}
    for question in questions:
        if asked(question, found):
            found[question.key] = parse_answer(question, given.get(question.key), today=today)
    known = {question.key for question in questions}
    for key, value in given.items():
        if key not in known:
            near = get_close_matches(str(key)[:40], sorted(known), n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
            raise _invalid(str(key)[:40], "is no question of this step", hint)
        if key not in found and value is not None:
            raise _invalid(key, "is answered, and the answers before it leave nothing to ask", "leave it out")
    return found


def parse_answer(question: Question, given: object, *, today: datetime.date) -> Any:
    """One answer, parsed. Raises `AnswerError` naming the key, what is wrong and what is expected."""
    blank = given is None or (isinstance(given, str) and not given.strip())
    if blank:
        if question.required:
            raise AnswerError(
                f"{question.key} is not answered",
                code="answer-missing",
                hint=_expected(question),
                key=question.key,
            )
        return None
    match question.kind:
        case Kind.YES_NO:
            return _yes_no(question, given)
        case Kind.TEXT:
            return _text(question, given)
        case Kind.NUMBER:
            return _number(question, given)
        case Kind.DATE:
            return _date(question, given, today)
        case Kind.CHOICE:
            return _choice(question, _text(question, given))
        case Kind.MANY:
            return _once([_choice(question, item) for item in _items(question, given)])
        case Kind.ZONES:
            return _once([_zone(question, item) for item in _items(question, given)])
        case Kind.GROUP:
            return _group(question, given, today)


def zone_and_side(label: str) -> tuple[str, str | None]:
    """A parsed zone, `cheek left` or `forehead`, as zone and side."""
    zone, _, side = label.partition(" ")
    return zone, side or None


def _yes_no(question: Question, given: object) -> bool:
    if type(given) is bool:
        return given
    meant = _YES.get(given.strip().lower()) if isinstance(given, str) else None
    if meant is None:
        raise _wrong(question, given)
    return meant


def _text(question: Question, given: object) -> str:
    if not isinstance(given, str):
        raise _wrong(question, given)
    text = given.strip()
    if len(text) > LONGEST_TEXT:
        raise _invalid(question.key, f"is longer than {LONGEST_TEXT} characters", "shorten it")
    if not text.isprintable():
        raise _invalid(question.key, "has control characters or line ends", "write it on one plain line")
    return text


def _number(question: Question, given: object) -> int | float:
    if isinstance(given, str):
        number = rate_hz_from_text(given)  # the same plain decimals; only the words would be wrong
        if isinstance(number, Refusal):
            # "'1,000' may be meant as thousands, so it was not taken as a rate in Hz": up to the comma fits.
            problem = number.reasons[0].message.rpartition(", so it was not taken")[0]
            raise _invalid(question.key, f"was answered {problem}", _expected(question))
    elif type(given) is int or (type(given) is float and given - given == 0):
        number = Decimal(repr(given))
    else:
        raise _wrong(question, given)
    unit = f" {question.unit}" if question.unit else ""
    shown = f"{number:f}"[:20]
    if question.low is not None and (
        number < question.low or (question.above_low and number == question.low)
    ):
        word = "not above" if question.above_low else "below"
        raise _invalid(question.key, f"is {shown}{unit}, {word} {question.low}{unit}", _expected(question))
    if question.high is not None and number > question.high:
        raise _invalid(question.key, f"is {shown}{unit}, above {question.high}{unit}", _expected(question))
    return int(number) if number == number.to_integral_value() else float(number)


def _date(question: Question, given: object, today: datetime.date) -> str:
    if not isinstance(given, str):
        raise _wrong(question, given)
    text = given.strip()
    counted = _COUNTED_DAY.fullmatch(text.lower())
    if counted:
        text = (today + datetime.timedelta(days=int(counted[1] or 0))).isoformat()
    if not _DAY.fullmatch(text):
        raise _invalid(question.key, f"was answered {text[:40]!r}, which is no date", _expected(question))
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        raise _invalid(question.key, f"is {text}: there is no such day", _expected(question)) from None
    if day < _EARLIEST:
        raise _invalid(question.key, f"is {text}, before {_EARLIEST}", _expected(question))
    if question.day is Day.PAST and day > today:
        raise _invalid(question.key, f"is {text}, in the future (today is {today})", _expected(question))
    if question.day is Day.FUTURE and day < today:
        raise _invalid(question.key, f"is {text}, in the past (today is {today})", _expected(question))
    return text


def _choice(question: Question, text: str) -> str:
    by_lower = {choice.lower(): choice for choice in question.choices}
    meant = by_lower.get(text.lower())
    if meant is None:
        near = get_close_matches(text.lower()[:40], by_lower, n=1)
        hint = f"did you mean {by_lower[near[0]]}?" if near else _expected(question)
        raise _invalid(question.key, f"was answered {text[:40]!r}, which is not to choose from", hint)
    return meant


def _items(question: Question, given: object) -> list[str]:
    """The texts of a list, or of one text with commas; nothing for `none` alone."""
    if isinstance(given, str):
        given = given.split(",")
    if not isinstance(given, list):
        raise _wrong(question, given)
    if len(given) > MOST_ITEMS:
        raise _invalid(question.key, f"has more than {MOST_ITEMS} entries", "shorten it")
    texts = [_text(question, item) for item in given]
    if any(not text for text in texts):
        raise _invalid(question.key, "has a blank entry", _expected(question))
    if any(text.lower() == NONE for text in texts):
        if len(texts) > 1:
            raise _invalid(question.key, f"says {NONE} beside something else", _expected(question))
        return []
    return texts


def _zone(question: Question, text: str) -> str:
    words = text.lower().replace("_", " ").split()
    side = words.pop() if words and words[-1] in ("left", "right") else None
    name = "_".join(words)
    zone = next((one for one in question.zones if one.name == name), None)
    if zone is None:
        # `left cheek` is said so, and written the other way round.
        first, rest = (words[0], words[1:]) if words and words[0] in ("left", "right") else ("", words)
        near = get_close_matches("_".join(rest)[:40], [one.name for one in question.zones], n=1)
        meant = f"{near[0]} {first}".strip() if near else ""
        hint = f"did you mean {meant}?" if meant else "`penstroke zones` lists them"
        raise _invalid(question.key, f"names {text[:40]!r}, which is no zone to name here", hint)
    if side is not None:
        found = find_zone(name, side, question.zones)
        if isinstance(found, Refusal):
            raise _invalid(question.key, found.reasons[0].message, found.reasons[0].hint)
    return f"{name} {side}" if side else name


def _group(question: Question, given: object, today: datetime.date) -> list[dict[str, Any]]:
    if isinstance(given, str) and given.strip().lower() == NONE:
        given = []
    if not isinstance(given, list) or not all(isinstance(item, Mapping) for item in given):
        raise _wrong(question, given)
    if len(given) > MOST_ITEMS:
        raise _invalid(question.key, f"has more than {MOST_ITEMS} entries", "shorten it")
    if not given and question.required:
        raise AnswerError(
            f"{question.key} has no entry", code="answer-missing", hint=_expected(question), key=question.key
        )
    found = []
    for number, item in enumerate(given, start=1):
        try:
            found.append(parse_answers(question.each, item, today=today))
        except AnswerError as wrong:
            key = f"{question.key}[{number}].{wrong.facts['key']}"
            raise AnswerError(
                f"{question.key}, entry {number}: {wrong.message}", code=wrong.code, hint=wrong.hint, key=key
            ) from None
    return found


def _once(items: list[str]) -> list[str]:
    return list(dict.fromkeys(items))


def _expected(question: Question) -> str:
    """What an answer has to look like."""
    none = "" if question.required else "; or leave it blank"
    match question.kind:
        case Kind.YES_NO:
            return f"answer yes or no{none}"
        case Kind.TEXT:
            return f"answer with text{none}"
        case Kind.NUMBER:
            unit = f" of {question.unit}" if question.unit else ""
            return f"answer with a plain number{unit} like {_example(question)}{none}"
        case Kind.DATE:
            return f"answer with a day as YYYY-MM-DD, or today{none}"
        case Kind.CHOICE:
            return f"answer one of {', '.join(question.choices)}{none}"
        case Kind.MANY:
            return f"answer {NONE}, or any of {', '.join(question.choices)}{none}"
        case Kind.ZONES:
            return f"answer {NONE}, or zones like `cheek left, forehead`{none}"
        case Kind.GROUP:
            return f"give a list, each entry with {', '.join(one.key for one in question.each)}{none}"


def _example(question: Question) -> str:
    if question.low is None:
        return "2.5"
    return f"{question.low + 1 if question.above_low else question.low}"


_TYPES: dict[type, str] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a mapping",
    str: "text",
}


def _wrong(question: Question, given: object) -> AnswerError:
    # A stranger's object is named by its type only: it may raise when it is printed.
    kind = _TYPES.get(type(given), type(given).__name__)
    shown = f"{given[:40]!r}" if isinstance(given, str) else kind
    return _invalid(question.key, f"was answered with {shown}", _expected(question))


def _invalid(key: str, problem: str, hint: str) -> AnswerError:
    return AnswerError(f"{key} {problem}", hint=hint, key=key)
