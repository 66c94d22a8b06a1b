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


@pytest.mark.parametrize(
    "ended", [("zone-done", {"index": 2, "state": "done"}), ("zone", {"index": 2, "answer": "skip"})]
)
def test_a_zone_that_is_started_again_is_open_again(ended: tuple[str, dict[str, Any]]) -> None:
    zone = after(START, ended).zone(2)
    assert zone.done or zone.skipped
    dose = after(START, ended, START)
    assert not dose.zone(2).done
    assert not dose.zone(2).skipped
    assert dose.open_zone == 2


def test_strokes_are_the_pens_own_count_or_all_that_were_possible() -> None:
    assert Dose().zone(2).strokes == 0
    run = ("command", {"command": "run", "for_s": 5.0, "rate_hz": 100.1, "depth_mm": 0.4})
    assert after(START, run).zone(2).strokes == 501
    counted = ("run-ended", {"elapsed_s": 5.0, "zone_strokes": 420})
    assert after(START, run, counted).zone(2).strokes == 420
    assert after(START, run, counted, run).zone(2).strokes == 921
    # A count that is less than before the run is none of this zone.
    assert (
        after(START, run, counted, run, ("run-ended", {"elapsed_s": 1.0, "zone_strokes": 7})).zone(2).strokes
        == 420
    )
    assert after(START, run, counted).zone(2).deepest_mm == 0.4


def test_a_depth_that_was_asked_for_while_needles_moved() -> None:
    lower = ("command", {"command": "set-depth", "depth_mm": 0.3})
    assert after(START, lower).zone(2).lowered_mm is None
    assert after(START, RUN, lower).zone(2).lowered_mm == 0.3
    assert after(START, RUN, ENDED, lower).zone(2).lowered_mm is None
    assert (
        after(START, RUN, ("command", {"command": "lower-ceiling", "ceiling_mm": 0.3})).zone(2).lowered_mm
        is None
    )
    assert after(RUN, lower).zones == {}


def test_continuous_bleeding_is_kept_for_its_zone() -> None:
    bled = ("endpoint", {"endpoint": "continuous-bleeding", "pass": 1})
    assert after(START, RUN, bled, ENDED).zone(2).bled
    assert not after(START, RUN, ("endpoint", {"endpoint": "erythema", "pass": 1})).zone(2).bled
    assert after(bled).zones == {}


def test_what_the_skin_showed_is_kept() -> None:
    assert (
        after(START, ("zone-done", {"index": 2, "state": "done", "endpoint": "erythema"})).zone(2).endpoint
        == "erythema"
    )


def test_a_run_that_tells_no_number_is_one_pass_more() -> None:
    run = ("command", {"command": "run", "for_s": 5.0})
    assert after(START, run).zone(2).passes_begun == 1
    assert after(START, run, ENDED, run, ENDED).zone(2).passes_begun == 2


@pytest.mark.parametrize("command", ["arm", "lower-ceiling", "select-zone", "set-rate"])
def test_no_other_command_counts(command: str) -> None:
    other = ("command", {"command": command, "treatment": "0", "rate_hz": 1.0, "ceiling_mm": 0.1})
    assert after(START, other) == after(START)
    assert after(START, RUN, other) == after(START, RUN)
    assert not after(START).zone(1).skipped
