"""One step's questions at the terminal and from a file: the same answers either way."""

from __future__ import annotations

import copy
import os
import pty
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from visits import ADA, BEN, GOOD, ROOT, SOLUTION, TODAY, Visit

from penstroke.cli import asking, prompt
from penstroke.cli.asking import Asker, Filled, LeftOut
from penstroke.cli.errors import UsageProblem
from penstroke.errors import PlanError
from penstroke.treatment.answers import read_answers
from penstroke.treatment.table import STEPS, Step

Person = Callable[..., list[str]]


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Person:
    """A person at a terminal who types these lines; the questions they were asked."""

    def sit_down(*lines: str) -> list[str]:
        left, seen = list(lines), []

        def text(question: str, *, meanwhile: Callable[[], None], flag: str) -> str:
            meanwhile()
            seen.append(question)
            return left.pop(0)

        def word(question: str, answers: Sequence[str], *, meanwhile: Callable[[], None], flag: str) -> str:
            answer = text(question, meanwhile=meanwhile, flag=flag)
            assert answer in answers
            return answer

        monkeypatch.setattr(asking, "at_terminal", lambda: True)
        monkeypatch.setattr(asking, "ask_text", text)
        monkeypatch.setattr(asking, "ask", word)
        return seen

    return sit_down


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file of answers."""

    def write(**steps: Any) -> Path:
        path = tmp_path / "answers.yaml"
        named = {name.replace("_", "-"): answers for name, answers in steps.items()}
        path.write_text(yaml.safe_dump({"version": 1, **named}, sort_keys=False))
        return path

    return write


def nothing() -> None:
    """No pen to serve."""


def asker(path: Path | None = None, meanwhile: Callable[[], None] = nothing) -> Asker:
    return Asker(meanwhile, None if path is None else read_answers(path))


def put(asks: Asker, visit: Visit, step: Step) -> Filled | LeftOut:
    return asks.step(step, visit.session, lambda: visit.now)


def typed(visit: Visit, step: Step) -> list[str]:
    """Good answers as they are typed."""
    lines = []
    for question in visit.session.questions_of(step, visit.now):
        given = GOOD[step].get(question.key)
        if question.only_if and question.key not in GOOD[step]:
            continue
        if isinstance(given, bool):
            lines.append("yes" if given else "no")
        else:
            lines.append("" if given is None else ", ".join(given) if isinstance(given, list) else str(given))
    return lines


@pytest.mark.parametrize("step", [step for step in STEPS if step not in (Step.NEEDLING, Step.MESOTHERAPY)])
def test_typed_and_written_answers_are_the_same(
    step: Step, person: Person, file: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    visit = Visit().to(step)
    written = put(asker(file(**{step.value.replace("-", "_"): GOOD[step]})), visit, step)
    skippable = step in (Step.NUMBING, Step.FOLLOW_UP)
    seen = person(*(["do"] if skippable else []), *typed(visit, step))
    by_hand = put(asker(), visit, step)
    assert isinstance(written, Filled)
    assert written == by_hand
    assert asking.TITLES[step] in capsys.readouterr().err
    assert len(seen) == len(written.answers) + skippable
    visit.submit(step, written.answers)


def test_solutions_one_by_one(person: Person) -> None:
    visit = Visit().to(Step.MESOTHERAPY)
    one = ["serum", "hyaluronic acid", "1 %", "L1", "2027-01-31", "yes", "1,5", "forehead"]
    seen = person("do", *one, "yes", *one, "no")
    filled = put(asker(), visit, Step.MESOTHERAPY)
    assert isinstance(filled, Filled)
    first, second = filled.answers["solutions"]
    assert first == second
    assert (first["volume_ml"], first["zones"]) == (1.5, ["forehead"])
    assert seen.count("Another one? yes or no") == 2


def test_a_bad_answer_is_said_and_asked_for_again(person: Person, capsys: pytest.CaptureFixture[str]) -> None:
    visit = Visit().to(Step.CLEANING)
    seen = person("?", "foam", "maybe", "?", "yes", "yes", "x" * 501, "chlorhexidine", "yes")
    filled = put(asker(), visit, Step.CLEANING)
    assert filled == Filled(
        {
            "agent": "foam",
            "clean": True,
            "home_numbing_off": True,
            "antiseptic": "chlorhexidine",
            "antiseptic_dry": True,
        }
    )
    said = capsys.readouterr().err
    assert "there is no more to say about this" in said
    assert "clean was answered with 'maybe'" in said
    assert "answer yes or no" in said
    assert "longer than 500 characters" in said
    assert seen[0] == seen[1]


def test_a_question_shows_what_belongs_to_the_patient(person: Person) -> None:
    visit = Visit()
    seen = person(*typed(visit, Step.CONSENT))
    put(asker(), visit, Step.CONSENT)
    assert any(question.endswith("[yes or no]\n  P-1") for question in seen)
    assert any(question.endswith("[yes or no]\n  forehead, cheek left") for question in seen)
    assert any(question.endswith(f"[{ADA}, {BEN}]") for question in seen)


# -- leaving out -------------------------------------------------------------------------------------------


def test_a_step_is_left_out_by_hand_or_by_a_file(person: Person, file: Callable[..., Path]) -> None:
    visit = Visit().to(Step.NUMBING)
    person("skip", "", "not wanted", "Eve", BEN)
    assert put(asker(), visit, Step.NUMBING) == LeftOut("not wanted", BEN)
    path = file(numbing={"skip": {"reason": "not wanted", "by": BEN}})
    assert put(asker(path), visit, Step.NUMBING) == LeftOut("not wanted", BEN)


def test_a_file_leaves_out_nothing_that_is_never_left_out(file: Callable[..., Path]) -> None:
    visit = Visit().to(Step.CLEANING)
    path = file(cleaning={"skip": {"reason": "no time", "by": BEN}})
    with pytest.raises(PlanError, match="line 4: cleaning: cleaning is never skipped"):
        put(asker(path), visit, Step.CLEANING)


# -- the file ----------------------------------------------------------------------------------------------


def test_the_example_answers_everything() -> None:
    answers = read_answers(ROOT / "examples" / "answers.yaml")
    assert set(answers.steps) == {step.value for step in STEPS}
    assert answers.zone("forehead") == "start"
    assert answers.endpoint("forehead") == "pinpoint-bleeding"
    assert answers.endpoint("periorbital right") == "erythema"


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        ({"clean": "maybe"}, 4, "cleaning: clean was answered with 'maybe'"),
        ({"clean": 5}, 4, "cleaning: clean was answered with a number"),
        ({"clear": True}, 8, "cleaning: clear is no question of this step"),
        ({"antiseptic": "two\nlines"}, 6, "control characters"),
    ],
)
def test_a_bad_answer_in_a_file_is_an_error_with_its_line(
    file: Callable[..., Path], change: dict[str, Any], line: int, words: str
) -> None:
    path = file(cleaning={**GOOD[Step.CLEANING], **change})
    with pytest.raises(PlanError) as wrong:
        put(asker(path), Visit().to(Step.CLEANING), Step.CLEANING)
    assert words in wrong.value.message
    assert (wrong.value.code, wrong.value.facts["line"]) == ("answers-invalid", line)
    assert str(path) in wrong.value.message


def test_a_bad_answer_within_a_list_has_its_line_too(file: Callable[..., Path]) -> None:
    path = file(mesotherapy={"solutions": [SOLUTION, {**copy.deepcopy(SOLUTION), "volume_ml": "1,500"}]})
    with pytest.raises(PlanError, match="may be meant as thousands") as wrong:
        put(asker(path), Visit().to(Step.MESOTHERAPY), Step.MESOTHERAPY)
    line = wrong.value.facts["line"]
    assert isinstance(line, int)
    assert "1,500" in path.read_text().splitlines()[line - 1]


def test_an_answer_to_what_is_not_asked_is_not_lost_unseen(file: Callable[..., Path]) -> None:
    path = file(screening={**GOOD[Step.SCREENING], "keloid_history_reason": "old"})
    with pytest.raises(PlanError, match="keloid_history_reason is answered, and the answers before it"):
        put(asker(path), Visit().to(Step.SCREENING), Step.SCREENING)


def test_what_a_file_leaves_open_is_asked_at_the_terminal(person: Person, file: Callable[..., Path]) -> None:
    given = {key: value for key, value in GOOD[Step.CLEANING].items() if key != "antiseptic"}
    seen = person("chlorhexidine")
    filled = put(asker(file(cleaning=given)), Visit().to(Step.CLEANING), Step.CLEANING)
    assert filled == Filled(GOOD[Step.CLEANING])
    assert seen == ["Which antiseptic was put on?"]


def test_without_a_terminal_a_missing_answer_names_key_and_file(file: Callable[..., Path]) -> None:
    given = {key: value for key, value in GOOD[Step.CLEANING].items() if key != "antiseptic"}
    path = file(cleaning=given)
    visit = Visit().to(Step.CLEANING)
    with pytest.raises(PlanError, match=r"cleaning\.antiseptic is not answered") as wrong:
        put(asker(path), visit, Step.CLEANING)
    assert str(path) in wrong.value.message
    assert wrong.value.code == "answers-invalid"
    with pytest.raises(PlanError, match=r"consent\.informed_consent is not answered"):
        put(asker(path), Visit(), Step.CONSENT)


def test_without_a_terminal_or_a_file_nobody_answers() -> None:
    with pytest.raises(UsageProblem) as wrong:
        put(asker(), Visit(), Step.CONSENT)
    assert wrong.value.code == "needs-terminal"
    assert "consent.informed_consent" in wrong.value.message
    assert "--answers" in wrong.value.hint
    with pytest.raises(UsageProblem):
        put(asker(), Visit().to(Step.NUMBING), Step.NUMBING)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is empty"),
        ("- 1", "no file of answers"),
        ("consent: {}", "no file of answers of version 1"),
        ("version: 2", "no file of answers of version 1"),
        ("version: 1\nconsents: {}", "line 2: consents is no step"),
        ("version: 1\nconsent: yes", "line 2: consent must be a mapping"),
        ("version: 1\nconsent: {a: 1, a: 2}", "'a' is there twice"),
        ("version: 1\nnumbing: {skip: true}", "line 2: numbing.skip needs exactly reason and by"),
        ("version: 1\nnumbing: {skip: {reason: x}}", "numbing.skip needs exactly"),
        ("version: 1\nnumbing: {skip: {reason: x, by: 5}}", "numbing.skip needs exactly"),
        ("version: 1\nnumbing: {skip: {reason: x, by: y}, grams: 3}", "numbing.skip needs exactly"),
        ("version: 1\nneedling: {start: yes}", "line 2: needling.start must be true or false"),
        ("version: 1\nneedling: {zones: [cheek]}", "needling.zones must be a mapping"),
        ("version: 1\nneedling: {zones: {cheek left: {depth: 5}}}", "may have only answer and endpoint"),
        ("version: 1\nneedling: {zones: {cheek left: {answer: go}}}", "answer must be start, skip, quit"),
    ],
)
def test_a_file_that_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "answers.yaml"
    path.write_text(text)
    with pytest.raises(PlanError) as wrong:
        read_answers(path)
    assert words in wrong.value.message
    assert wrong.value.code == "answers-invalid"
    assert wrong.value.hint


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="No such file") as wrong:
        read_answers(tmp_path / "none.yaml")
    assert wrong.value.code == "answers-invalid"


# -- zones -------------------------------------------------------------------------------------------------


@pytest.mark.req("S-11")
def test_a_file_starts_a_zone_on_a_simulated_pen_only(person: Person, file: Callable[..., Path]) -> None:
    path = file(needling={"start": True, "zones": {"cheek left": {"answer": "skip"}}})
    assert asker(path).zone("forehead", simulated=True, question="start?") == "start"
    assert asker(path).zone("cheek left", simulated=False, question="start?") == "skip"
    with pytest.raises(UsageProblem) as nobody:
        asker(path).zone("forehead", simulated=False, question="start?")
    assert nobody.value.code == "needs-terminal"
    seen = person("quit")
    assert asker(path).zone("forehead", simulated=False, question="start?") == "quit"
    assert seen == ["start?"]


def test_a_file_that_says_nothing_starts_nothing(file: Callable[..., Path]) -> None:
    for path in (file(needling={"start": False}), file(consent={})):
        with pytest.raises(UsageProblem):
            asker(path).zone("forehead", simulated=True, question="start?")


def test_the_endpoint_of_a_zone(person: Person, file: Callable[..., Path]) -> None:
    path = file(needling={"endpoint": "erythema", "zones": {"forehead": {"endpoint": "blood"}}})
    assert asker(path).endpoint("cheek left", TODAY) == "erythema"
    with pytest.raises(PlanError, match="endpoint was answered 'blood'"):
        asker(path).endpoint("forehead", TODAY)
    person("?", "pinpoint", "pinpoint-bleeding")
    assert asker().endpoint("forehead", TODAY) == "pinpoint-bleeding"


# -- the dwell ---------------------------------------------------------------------------------------------


def numbed() -> Visit:
    visit = Visit().to(Step.NUMBING)
    visit.submit(Step.NUMBING)
    return visit


def test_the_dwell_is_waited_for_on_the_clock_of_the_port(capsys: pytest.CaptureFixture[str]) -> None:
    visit = numbed()
    turns = 0

    def serve() -> None:
        nonlocal turns
        turns += 1
        visit.elapsed_s += 10

    asker(meanwhile=serve).dwell(visit.session, lambda: visit.now)
    assert turns == 180
    said = capsys.readouterr().err
    assert "30:00 min" in said
    assert "wipe all of the product off" in said
    asker(meanwhile=serve).dwell(visit.session, lambda: visit.now)  # over: nothing is waited for
    assert turns == 180


def test_a_person_may_take_it_off_sooner(person: Person) -> None:
    visit = numbed()
    person("off")
    asker().dwell(visit.session, lambda: visit.now)
    assert visit.session.dwell_left_s(visit.now) == 1800


# -- a real terminal ---------------------------------------------------------------------------------------


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """What is written here is typed at the terminal that stdin is."""
    master, slave = pty.openpty()
    with os.fdopen(slave, encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        yield master
    os.close(master)


def test_a_line_of_text_at_a_real_terminal(keyboard: int, capsys: pytest.CaptureFixture[str]) -> None:
    typed_once = iter(["  müde, mild \n"])

    def meanwhile() -> None:
        line = next(typed_once, None)
        if line is not None:
            os.write(keyboard, line.encode())

    assert prompt.ask_text("With what?", meanwhile=meanwhile, flag="--answers") == "müde, mild"
    assert capsys.readouterr().err == "With what?\n"
    assert prompt.at_terminal()
