"""`run --treatment ID`: one run in a treatment that stands at needling."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clitools import CHEEK, FOREHEAD, OPERATOR, ROSTER, VIRTUAL, Clinic, Result

WISH = ("--zone", "cheek", "--side", "left", "--depth", "0.9", "--rate", "110", "--for", "1")


@pytest.fixture
def open_treatment(clinic: Clinic, treat: Callable[..., Result], plan_file: Callable[..., Path]) -> str:
    """A treatment that was left before its first zone."""
    left = clinic.answers(needling={"start": None, "zones": {"cheek left": {"answer": "quit"}}})
    assert treat(plan_file(CHEEK, FOREHEAD), answers=left).code == 130
    (treatment,) = clinic.treatments()
    return treatment


@pytest.fixture
def run_in(cli: Callable[..., Result], clinic: Clinic) -> Callable[..., Result]:
    """Calls `run` in a treatment."""

    def call(treatment: str, *wish: object) -> Result:
        settings = ("--store", clinic.store, "--roster", ROSTER, "--operator", OPERATOR)
        return cli("--port", VIRTUAL, "run", *(wish or WISH), "--treatment", treatment, *settings)

    return call


@pytest.mark.req("S-14", "S-20")
def test_a_run_counts_as_a_pass_of_its_zone(
    clinic: Clinic, open_treatment: str, run_in: Callable[..., Result], treat: Callable[..., Result]
) -> None:
    done = run_in(open_treatment)
    assert done.code == 0, done.err
    assert clinic.treatments() == [open_treatment]
    assert clinic.commands()[-4:] == ["set-rate", "set-depth", "arm", "run"]
    run = clinic.bodies("command")[-1]
    assert (run["zone"], run["side"], run["number"]) == ("cheek", "left", 1)
    resumed = treat(clinic.folder / "plan.json", "--resume")
    assert resumed.code == 0, resumed.err
    cheek = clinic.bodies("summary")[-1]["zones"][0]
    assert (cheek["passes_done"], cheek["passes"]) == (2, 2)
    assert [body["number"] for body in clinic.bodies("command") if body.get("number")] == [1, 2, 1]
    clinic.make_sure_it_is_whole()


@pytest.mark.req("S-20")
def test_a_zone_that_has_had_its_time_gets_no_more(
    open_treatment: str, run_in: Callable[..., Result], pens: list[Any]
) -> None:
    longer = (*WISH[:-1], "5.5")
    assert run_in(open_treatment, *longer).code == 0
    refused = run_in(open_treatment)
    assert refused.code == 3
    assert "more than 6 s, which is 3 times its plan" in refused.err
    assert not any(entry["event"] == "motor" for entry in pens[-1].journal.entries)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (("--zone", "chin", *WISH[4:]), "chin is no zone of this treatment's plan"),
        (("--zone", "cheek", "--side", "right", *WISH[4:]), "cheek right is no zone of this treatment's"),
        ((*WISH[:4], "--depth", "1.4", *WISH[6:]), "above the 1.00 mm ceiling"),
    ],
)
def test_what_the_treatment_does_not_hold_is_refused(
    open_treatment: str, run_in: Callable[..., Result], wish: tuple[str, ...], words: str
) -> None:
    refused = run_in(open_treatment, *wish)
    assert refused.code == 3
    assert words in refused.err


def test_a_treatment_that_is_not_at_needling_is_refused(
    clinic: Clinic,
    treat: Callable[..., Result],
    plan_file: Callable[..., Path],
    run_in: Callable[..., Result],
    pens: list[Any],
) -> None:
    stopped = treat(plan_file(CHEEK), answers=clinic.answers(cleaning={"clean": False}))
    assert stopped.code == 3
    (treatment,) = clinic.treatments()
    refused = run_in(treatment)
    assert refused.code == 3
    assert "cleaning" in refused.err
    assert len(pens) == 1, "no pen was opened for it"


def test_bench_and_treatment_do_not_go_together(open_treatment: str, run_in: Callable[..., Result]) -> None:
    assert run_in(open_treatment, *WISH, "--bench", "calibration").code == 2


def test_a_treatment_that_is_not_there(open_treatment: str, run_in: Callable[..., Result]) -> None:
    refused = run_in("20990101-ffffff")
    assert refused.code == 2
    assert "there is no treatment 20990101-ffffff" in refused.err
