"""How long needles may move."""

from __future__ import annotations

import pytest

from penstroke.safety import AllowedRun, Figures, Refusal, check_run, check_zone_time


def codes(verdict: object) -> tuple[str, ...]:
    assert isinstance(verdict, Refusal)
    return verdict.codes


def test_ten_minutes_and_no_more(figures: Figures) -> None:
    assert check_run(600, figures) == AllowedRun(600.0)
    verdict = check_run(600.5, figures)
    assert isinstance(verdict, Refusal)
    (reason,) = verdict.reasons
    assert reason.message == "a run of 600.5 s is above the 600 s allowed without a rest (proposed figure)"
    assert reason.facts() == {"requested_s": 600.5, "max_s": 600.0}


def test_a_run_cut_in_pieces_counts_as_one_until_the_pen_has_rested(figures: Figures) -> None:
    assert check_run(200, figures, busy_s=400, idle_s=5) == AllowedRun(200.0)
    verdict = check_run(201, figures, busy_s=400, idle_s=119.9)
    assert isinstance(verdict, Refusal)
    assert verdict.reasons[0].max_s == 200.0
    assert verdict.reasons[0].hint == "let the pen rest for 120 s"
    assert check_run(600, figures, busy_s=600, idle_s=120) == AllowedRun(600.0)
    assert codes(check_run(1, figures, busy_s=600, idle_s=None)) == ("run-too-long",)
    assert codes(check_run(1, figures, busy_s=1e9, idle_s=0)) == ("run-too-long",)


@pytest.mark.req("S-03")
@pytest.mark.parametrize("wish", [99_999, 10**400])
def test_a_length_beyond_all_counting_is_too_long(figures: Figures, wish: object) -> None:
    verdict = check_run(wish, figures)
    assert isinstance(verdict, Refusal)
    assert verdict.codes == ("run-too-long",)
    assert "above the 600 s" in verdict.reasons[0].message


@pytest.mark.req("S-03")
@pytest.mark.parametrize("wish", [None, True, "20", 0, -1, float("nan"), float("inf")])
def test_lengths_that_are_none(figures: Figures, wish: object) -> None:
    assert codes(check_run(wish, figures)) == ("time-invalid",)
    assert codes(check_zone_time(wish, figures, used_s=0, planned_s=60)) == ("time-invalid",)


@pytest.mark.parametrize("odd", [float("nan"), -1.0, "5", float("inf")])
def test_an_unknown_past_refuses(figures: Figures, odd: float) -> None:
    assert codes(check_run(10, figures, busy_s=odd)) == ("time-invalid",)
    assert codes(check_run(10, figures, busy_s=1, idle_s=odd)) == ("time-invalid",)
    assert codes(check_zone_time(10, figures, used_s=odd, planned_s=60)) == ("time-invalid",)
    assert codes(check_zone_time(10, figures, used_s=0, planned_s=odd)) == ("time-invalid",)


def test_three_times_the_plan_of_a_zone(figures: Figures) -> None:
    assert check_zone_time(180, figures, used_s=0, planned_s=60) == AllowedRun(180.0)
    assert check_zone_time(30, figures, used_s=150.0, planned_s=60) == AllowedRun(30.0)
    verdict = check_zone_time(31, figures, used_s=150.0, planned_s=60)
    assert isinstance(verdict, Refusal)
    assert verdict.codes == ("zone-time-exceeded",)
    assert verdict.reasons[0].max_s == 30.0
    assert codes(check_zone_time(1, figures, used_s=1e6, planned_s=60)) == ("zone-time-exceeded",)
    assert codes(check_zone_time(1, figures, used_s=0, planned_s=0)) == ("zone-time-exceeded",)
