"""What needles did in each zone: it only grows, and what is not known counts as done."""

from __future__ import annotations

from typing import Any

import pytest

from penstroke.treatment.dose import Dose, dose_after


def after(*entries: tuple[str, dict[str, Any]]) -> Dose:
    dose = Dose()
    for kind, body in entries:
        dose = dose_after(dose, kind, body)
    return dose


START = ("zone", {"index": 2, "answer": "start"})
RUN = ("command", {"command": "run", "number": 1, "for_s": 5.0})
ENDED = ("run-ended", {"elapsed_s": 4.5})


def test_a_run_counts_in_full_until_its_end_is_known() -> None:
    running = after(START, RUN).zone(2)
    assert (running.passes_begun, running.seconds, running.total_s) == (1, 0.0, 5.0)
    ended = after(START, RUN, ENDED).zone(2)
    assert (ended.passes_begun, ended.seconds, ended.total_s) == (1, 4.5, 4.5)


@pytest.mark.req("S-20")
@pytest.mark.parametrize(
    "cut",
    [
        ("resumed", {"at_step": "needling"}),
        ("interrupted", {"why": "SIGTERM"}),
        ("closed", {"ended": "error"}),
        ("command", {"command": "run", "number": 2, "for_s": 5.0}),
        ("zone-done", {"index": 2, "state": "begun"}),
    ],
)
def test_a_run_that_was_cut_off_counts_in_full(cut: tuple[str, dict[str, Any]]) -> None:
    assert after(START, RUN, cut).zone(2).seconds == 5.0


@pytest.mark.parametrize("kind", ["resumed", "interrupted", "closed"])
def test_after_an_interruption_no_zone_is_open(kind: str) -> None:
    dose = after(START, (kind, {"ended": "error"}))
    assert dose.open_zone is None
    # What comes after it without a fresh start belongs to no zone.
    assert after(START, (kind, {}), RUN).needled == frozenset()


def test_what_became_of_the_zones() -> None:
    dose = after(
        START,
        RUN,
        ENDED,
        ("zone-done", {"index": 2, "state": "done"}),
        ("zone", {"index": 3, "answer": "skip"}),
        ("zone", {"index": 4, "answer": "quit"}),
    )
    assert dose.zone(2).done
    assert dose.zone(3).skipped
    assert dose.zone(4) == dose.zone(5)
    assert dose.needled == {2}
    assert dose.open_zone is None


def test_a_run_of_no_zone_counts_nowhere() -> None:
    """The run in the air before use."""
    assert after(RUN, ENDED).zones == {}


def test_a_pass_that_is_done_again_takes_no_pass_back() -> None:
    again = ("command", {"command": "run", "number": 1, "for_s": 5.0})
    third = ("command", {"command": "run", "number": 3, "for_s": 5.0})
    zone = after(START, third, ENDED, again, ENDED).zone(2)
    assert (zone.passes_begun, zone.seconds) == (3, 9.0)


def test_setting_is_no_dose() -> None:
    assert after(START, ("command", {"command": "set-depth", "depth_mm": 0.4})).needled == frozenset()
