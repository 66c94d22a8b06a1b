"""What is answered to a question: taken as meant, or refused with what is wrong and what is expected."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from visits import GOOD, TODAY, Visit

from penstroke import data
from penstroke.errors import AnswerError
from penstroke.treatment.questions import Day, Kind, Question, asked, parse_answer, parse_answers
from penstroke.treatment.table import STEPS, State, Step

YES_NO = Question("smokes", "Does the patient smoke?", Kind.YES_NO)
TEXT = Question("agent", "With what?", Kind.TEXT)
GRAMS = Question(
    "grams", "How much?", Kind.NUMBER, unit="g", low=Decimal(0), high=Decimal(100), above_low=True
)
BORN = Question("birthday", "When?", Kind.DATE, day=Day.PAST)
REVIEW = Question("review_on", "When?", Kind.DATE, day=Day.FUTURE)
EXPIRY = Question("expiry", "Until when?", Kind.DATE)
CHOICE = Question("grade", "How bad?", Kind.CHOICE, choices=("mild", "moderate", "severe"))
MANY = Question("holds", "What?", Kind.MANY, choices=("lidocaine", "prilocaine", "hyaluronic acid"))
ZONES = Question("acne", "Where?", Kind.ZONES, zones=data.zone_table())
GROUP = Question("solutions", "Which?", Kind.GROUP, each=(TEXT, GRAMS))
ALL = (YES_NO, TEXT, GRAMS, BORN, REVIEW, EXPIRY, CHOICE, MANY, ZONES, GROUP)


@pytest.mark.parametrize(
    ("question", "answer", "taken"),
    [
        (YES_NO, True, True),
        (YES_NO, False, False),
        (YES_NO, "yes", True),
        (YES_NO, " Y ", True),
        (YES_NO, "NO", False),
        (TEXT, "  mild foam, pH 5.5 ", "mild foam, pH 5.5"),
        (GRAMS, 3, 3),
        (GRAMS, 2.5, 2.5),
        (GRAMS, "2.5", 2.5),
        (GRAMS, "2,5", 2.5),
        (GRAMS, " 3 ", 3),
        (GRAMS, "3.0", 3),
        (GRAMS, 100, 100),
        (BORN, "1985-04-12", "1985-04-12"),
        (BORN, "today", "2026-11-23"),
        (BORN, "2026-11-23", "2026-11-23"),
        (REVIEW, "2026-11-23", "2026-11-23"),
        (REVIEW, "today+7", "2026-11-30"),
        (EXPIRY, "today-30", "2026-10-24"),
        (CHOICE, "Severe", "severe"),
        (MANY, "none", []),
        (MANY, "lidocaine, hyaluronic acid", ["lidocaine", "hyaluronic acid"]),
        (MANY, ["Lidocaine", "lidocaine"], ["lidocaine"]),
        (ZONES, "none", []),
        (ZONES, "cheek left, upper lip, nose_tip", ["cheek left", "upper_lip", "nose_tip"]),
        (ZONES, "Cheek", ["cheek"]),
        (ZONES, ["eyelid right"], ["eyelid right"]),
        (GROUP, [{"agent": "a", "grams": "1,5"}], [{"agent": "a", "grams": 1.5}]),
    ],
)
def test_what_is_taken(question: Question, answer: object, taken: object) -> None:
    parsed = parse_answer(question, answer, today=TODAY)
    assert parsed == taken
    assert type(parsed) is type(taken)
    # What is on record can be put again, and is plain JSON.
    assert parse_answer(question, json.loads(json.dumps(parsed)), today=TODAY) == parsed


@pytest.mark.parametrize(
    ("question", "answer", "words"),
    [
        (YES_NO, "maybe", "smokes was answered with 'maybe'"),
        (YES_NO, 1, "answered with a number"),
        (YES_NO, "true", "answered with 'true'"),
        (TEXT, 5, "answered with a number"),
        (TEXT, True, "answered with true or false"),
        (TEXT, "x" * 501, "longer than 500 characters"),
        (TEXT, "two\nlines", "control characters"),
        (TEXT, "bell\x07", "control characters"),
        (GRAMS, "1,000", "'1,000' may be meant as thousands"),
        (GRAMS, "1.5.2", "more than one decimal sign"),
        (GRAMS, "05", "leading zero"),
        (GRAMS, "-3", "has a sign"),
        (GRAMS, "3 g", "is not a number"),
        (GRAMS, "1e2", "has an exponent"),
        (GRAMS, "three", "is not a number"),
        (GRAMS, True, "answered with true or false"),
        (GRAMS, float("nan"), "answered with a number"),
        (GRAMS, float("inf"), "answered with a number"),
        (GRAMS, 0, "is 0 g, not above 0 g"),
        (GRAMS, -1, "is -1 g, not above 0 g"),
        (GRAMS, 100.5, "is 100.5 g, above 100 g"),
        (GRAMS, 10**400, "above 100 g"),
        (GRAMS, [3], "answered with a list"),
        (BORN, "12.04.1985", "'12.04.1985', which is no date"),
        (BORN, "1985-4-12", "which is no date"),
        (BORN, 19850412, "answered with a number"),
        (BORN, "2026-02-30", "there is no such day"),
        (BORN, "2026-11-24", "in the future (today is 2026-11-23)"),
        (BORN, "today+1", "in the future"),
        (BORN, "1899-12-31", "before 1900-01-01"),
        (REVIEW, "2026-11-22", "in the past (today is 2026-11-23)"),
        (CHOICE, "sevre", "'sevre', which is not to choose from"),
        (CHOICE, True, "answered with true or false"),
        (MANY, "lidocain", "'lidocain', which is not to choose from"),
        (MANY, "none, lidocaine", "says none beside something else"),
        (MANY, "lidocaine,,prilocaine", "has a blank entry"),
        (MANY, ["lidocaine"] * 41, "more than 40 entries"),
        (MANY, [5], "answered with a number"),
        (MANY, {"lidocaine": 4}, "answered with a mapping"),
        (ZONES, "cheeks left", "'cheeks left', which is no zone"),
        (ZONES, "forehead left", "forehead has no sides"),
        (ZONES, "left", "which is no zone"),
        (GROUP, [{"agent": "a"}], "solutions, entry 1: grams is not answered"),
        (GROUP, [{"agent": "a", "grams": 1}, {"agent": "b", "grams": 0}], "entry 2: grams is 0 g"),
        (GROUP, "a serum", "answered with 'a serum'"),
        (GROUP, ["a"], "answered with a list"),
        (GROUP, "none", "solutions has no entry"),
        (GROUP, [{"agent": "a", "grams": 1}] * 41, "more than 40 entries"),
    ],
)
def test_what_is_refused(question: Question, answer: object, words: str) -> None:
    with pytest.raises(AnswerError) as wrong:
        parse_answer(question, answer, today=TODAY)
    assert words in wrong.value.message
    assert wrong.value.hint
    assert str(wrong.value.facts["key"]).startswith(question.key)


@pytest.mark.parametrize("question", ALL, ids=lambda one: one.key)
@pytest.mark.parametrize("blank", [None, "", "   "])
def test_a_blank_is_no_answer(question: Question, blank: object) -> None:
    with pytest.raises(AnswerError) as wrong:
        parse_answer(question, blank, today=TODAY)
    assert wrong.value.code == "answer-missing"


@given(
    st.sampled_from(ALL),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
)
def test_anything_is_an_answer_or_an_error(question: Question, answer: object) -> None:
    try:
        parsed = parse_answer(question, answer, today=TODAY)
    except AnswerError:
        return
    json.dumps(parsed, allow_nan=False)


def test_a_hint_names_what_was_probably_meant() -> None:
    for question, answer, near in (
        (CHOICE, "sevre", "severe"),
        (ZONES, "cheeks", "cheek"),
        (MANY, "lidocain", "lidocaine"),
    ):
        with pytest.raises(AnswerError) as wrong:
            parse_answer(question, answer, today=TODAY)
        assert wrong.value.hint == f"did you mean {near}?"


MORE = Question("how_much", "How much?", Kind.TEXT, only_if=(("smokes", (True,)),))


@pytest.mark.parametrize(
    ("answers", "code", "words"),
    [
        ({"smokes": True}, "answer-missing", "how_much is not answered"),
        ({"smokes": False, "how_much": "two"}, "answer-invalid", "leave nothing to ask"),
        ({"smoke": False, "smokes": False}, "answer-invalid", "smoke is no question of this step"),
        ({}, "answer-missing", "smokes is not answered"),
    ],
)
def test_all_answers_of_a_step(answers: dict[str, Any], code: str, words: str) -> None:
    with pytest.raises(AnswerError) as wrong:
        parse_answers((YES_NO, MORE), answers, today=TODAY)
    assert wrong.value.code == code
    assert words in wrong.value.message


def test_a_question_that_hangs_on_another() -> None:
    assert parse_answers((YES_NO, MORE), {"smokes": "yes", "how_much": "two"}, today=TODAY) == {
        "smokes": True,
        "how_much": "two",
    }
    assert parse_answers((YES_NO, MORE), {"smokes": "no", "how_much": None}, today=TODAY) == {"smokes": False}
    assert not asked(Question("x", "?", Kind.TEXT, only_if=(("n", (True,)),)), {"n": 1})


def every_question() -> list[Question]:
    found = []
    for step in STEPS:
        visit = Visit().to(step)
        found += [*visit.session.questions_of(step, visit.now)]
        if step is Step.NUMBING:
            visit.submit(step)
            found += [*visit.session.questions_of(step, visit.now)]
    return found + [one for question in found for one in question.each]


@pytest.mark.parametrize("question", every_question(), ids=lambda one: one.key)
def test_a_question_can_be_put(question: Question) -> None:
    """It is a sentence that asks, its key is a plain word, and it never has an answer of its own."""
    assert question.key.replace("_", "").isalnum()
    assert question.key == question.key.lower()
    assert question.text.rstrip(".")[-1].isalnum() or "?" in question.text
    assert question.text.isprintable()
    assert (question.kind in (Kind.CHOICE, Kind.MANY)) == bool(question.choices)
    assert (question.kind is Kind.ZONES) == bool(question.zones)
    assert not (question.otherwise and question.kind is not Kind.YES_NO)
    if question.kind is Kind.NUMBER:
        assert question.unit


@pytest.mark.parametrize("step", STEPS)
def test_no_answer_is_taken_for_granted(step: Step) -> None:
    """Each good answer that is required is missed when it is left out."""
    visit = Visit().to(step)
    if step is Step.NEEDLING:
        visit.start_zone(1)
    questions = visit.session.questions_of(step, visit.now)
    required = [one.key for one in questions if one.required and asked(one, GOOD[step])]
    for key in required:
        with pytest.raises(AnswerError) as wrong:
            visit.submit(step, **{key: None})
        assert (wrong.value.code, wrong.value.facts["key"]) == ("answer-missing", key)
    assert visit.session.state(step) in (State.OPEN, State.BEGUN)


def test_a_day_is_judged_where_the_patient_is() -> None:
    """At 23:30 UTC it is tomorrow already an hour to the east."""
    born = {"birthday": "2004-11-24"}
    visit = Visit().to(Step.SCREENING)
    visit.elapsed_s = 9.5 * 3600  # 00:30 on the 24th, local
    assert visit.now.utc.startswith("2026-11-23T23:30")
    assert visit.now.today == datetime.date(2026, 11, 24)
    assert visit.submit(Step.SCREENING, **born).state is State.DONE


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("left cheek", "cheek left"), ("right cheeck", "cheek right"), ("cheeck", "cheek"), ("left", "")],
)
def test_a_zone_that_is_said_the_other_way_round_is_suggested(typed: str, meant: str) -> None:
    with pytest.raises(AnswerError) as wrong:
        parse_answer(ZONES, typed, today=datetime.date(2026, 11, 23))
    assert wrong.value.hint == (f"did you mean {meant}?" if meant else "`penstroke zones` lists them")
