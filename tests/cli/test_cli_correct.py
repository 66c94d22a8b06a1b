"""`records correct` in a treatment as `treat` writes it: answers go by their questions, the rest stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clitools import CHEEK, CLINICIAN, ROSTER, Clinic, Result

Call = Callable[..., Result]


@pytest.fixture
def correct(
    treat: Call,
    cli: Call,
    plan_file: Callable[..., Path],
    clinic: Clinic,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Result]:
    """Corrects a value of the latest entry of a step, in a treatment that is done."""
    monkeypatch.setenv("PENSTROKE_ROSTER", str(ROSTER))
    done = treat(plan_file(CHEEK))
    assert done.code == 0, done.err

    def call(step: str, key: str, value: str) -> Result:
        number = [one.number for one in clinic.entries("step") if one.body["step"] == step][-1]
        by = ("--by", CLINICIAN, "--reason", "a slip", "--store", clinic.store)
        return cli("records", "correct", clinic.treatments()[0], number, key, value, *by, "--json")

    return call


def test_an_answer_is_corrected_to_what_its_question_would_take(
    correct: Callable[..., Result], clinic: Clinic
) -> None:
    for step, key, value, new in (
        ("screening", "answers.pregnancy_or_nursing", "yes", True),
        ("screening", "answers.birthday", "1980-02-29", "1980-02-29"),
        ("screening", "answers.moles", '["cheek left"]', ["cheek left"]),
        ("consent", "answers.consent_by", CLINICIAN.upper(), CLINICIAN),
        ("numbing", "reason", "not wanted", "not wanted"),
    ):
        result = correct(step, key, value)
        assert result.code == 0, result.err
        assert result.json["new"] == new
    clinic.make_sure_it_is_whole()


def test_what_no_question_would_take_is_refused(correct: Callable[..., Result], clinic: Clinic) -> None:
    wrong: tuple[tuple[str, str, Any], ...] = (
        ("screening", "answers.birthday", "2090-01-01"),
        ("screening", "answers.birthday", "null"),
        ("screening", "answers.pregnancy_or_nursing", "perhaps"),
        ("screening", "answers.moles", "left cheekbone of the moon"),
        ("consent", "answers.consent_by", "Nobody Atall"),
        ("numbing", "by", "Nobody Atall"),
    )
    for step, key, value in wrong:
        assert correct(step, key, value).error["code"] in ("answer-invalid", "answer-missing"), key
    assert clinic.entries("correction") == []


def test_what_the_program_wrote_is_not_corrected(correct: Callable[..., Result], clinic: Clinic) -> None:
    for key in ("step", "state", "started_utc", "local", "port_s", "warnings", "measured", "answers"):
        result = correct("pre-use", key, "x")
        assert (result.code, result.error["code"]) == (2, "correction-refused"), key
    assert clinic.entries("correction") == []
