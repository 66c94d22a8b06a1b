"""The verdict on a stroke rate, and on depth and rate together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from penstroke.safety import (
    AllowedRate,
    ClinicProfile,
    Constraints,
    Figures,
    PenLimits,
    Refusal,
    Scope,
    check_envelope,
    check_rate,
)

At = Callable[..., Constraints]
FIXED = PenLimits(0, 2500, 250, 50, 1167, 1167, 1)


def rate(verdict: object) -> int:
    assert isinstance(verdict, AllowedRate)
    return verdict.rate_dhz


def codes(verdict: object) -> tuple[str, ...]:
    assert isinstance(verdict, Refusal)
    return verdict.codes


@pytest.mark.parametrize(
    ("wish_hz", "rate_dhz"),
    [
        (25, 250),
        (110, 1100),
        (110.4, 1100),
        (110.6, 1110),
        (110.5, 1100),
        (150, 1500),
        (Decimal("99.96"), 1000),
    ],
)
def test_rates_go_to_the_nearest_step(at: At, figures: Figures, wish_hz: object, rate_dhz: int) -> None:
    assert rate(check_rate(wish_hz, at("chin"), 500, figures)) == rate_dhz


def test_a_fixed_rate_takes_its_own_rate_only(at: At, figures: Figures) -> None:
    c = at("chin", pen=FIXED)
    assert rate(check_rate(116.7, c, 500, figures)) == 1167
    assert rate(check_rate(Decimal(7000) / 60, c, 500, figures)) == 1167
    verdict = check_rate(110, c, 500, figures)
    assert isinstance(verdict, Refusal)
    (reason,) = verdict.reasons
    assert reason.message == "110 Hz is outside the pen's range, 116.7 Hz (set by: device)"
    assert reason.facts() == {"requested_hz": 110.0, "min_hz": 116.7, "max_hz": 116.7, "bound_by": "device"}


@pytest.mark.parametrize("wish_hz", [0, -1, 24.9, 150.1, 151, 1e300, 10**5000 // 10**4990, 5e-324])
def test_outside_the_range(at: At, figures: Figures, wish_hz: object) -> None:
    assert codes(check_rate(wish_hz, at("chin"), 500, figures)) == ("rate-out-of-range",)


def test_strokes_a_minute_taken_for_a_second(at: At, figures: Figures) -> None:
    verdict = check_rate(7000, at("chin"), 500, figures)
    assert isinstance(verdict, Refusal)
    assert verdict.reasons[0].hint == "rate is in hertz (strokes a second): 7000 rpm would be 116.7 Hz"


@pytest.mark.parametrize("wish", [None, True, "110", float("nan"), float("inf"), [], 1j])
def test_what_is_no_number(at: At, figures: Figures, wish: object) -> None:
    assert codes(check_rate(wish, at("chin"), 500, figures)) == ("rate-invalid",)


def test_what_is_unknown_refuses(at: At, figures: Figures) -> None:
    assert codes(check_rate(110, at("chin", pen=None), 500, figures)) == ("limit-missing",)
    assert codes(check_rate(110, at("chin", clinic=None), 500, figures)) == ("limit-missing",)
    assert codes(check_rate(110, at("chin"), None, figures)) == ("limit-missing",)
    broken = replace(FIXED, rate_step_dhz=0)
    assert codes(check_rate(110, at("chin", pen=broken), 500, figures)) == ("limits-invalid",)
    odd = ClinicProfile("x", rate_max_dhz=-1)
    assert codes(check_rate(110, at("chin", clinic=odd), 500, figures)) == ("limits-invalid",)


def test_a_plan_without_a_pen(at: At, figures: Figures) -> None:
    c = at("chin", pen=None, scope=Scope.PLAN)
    assert rate(check_rate(116.66, c, 500, figures)) == 1167
    assert codes(check_rate(7000, c, 500, figures)) == ("rate-out-of-range",)


def test_the_clinics_range_holds_for_the_wish_and_for_its_step(at: At, figures: Figures) -> None:
    clinic = ClinicProfile("calm", rate_min_dhz=900, rate_max_dhz=1204)
    c = at("chin", clinic=clinic)
    assert rate(check_rate(120, c, 500, figures)) == 1200
    assert codes(check_rate(89, c, 500, figures)) == ("rate-out-of-range",)
    assert codes(check_rate(120.6, c, 500, figures)) == ("rate-out-of-range",)
    steps_of_ten = replace(c, pen=PenLimits(0, 2500, 50, 50, 250, 1500, 100))
    assert codes(check_rate(120.3, steps_of_ten, 500, figures)) == ("rate-out-of-range",), (
        "its step is 125 Hz"
    )


@pytest.mark.req("S-19")
def test_deep_and_slow_is_refused(at: At, figures: Figures) -> None:
    c = at("cheek", "left")
    assert rate(check_rate(80, c, 1000, figures)) == 800
    assert rate(check_rate(60, c, 999, figures)) == 600
    verdict = check_rate(60, c, 1000, figures)
    assert isinstance(verdict, Refusal)
    (reason,) = verdict.reasons
    assert reason.code == "rate-too-slow"
    assert reason.message == (
        "60.0 Hz is too slow at 1.00 mm: from 1.00 mm on at least 80.0 Hz (proposed figure)"
    )
    assert reason.min_hz == 80.0


@pytest.mark.req("S-19")
def test_the_envelope_holds_for_the_step_that_a_rate_becomes(at: At, figures: Figures) -> None:
    pen = PenLimits(0, 2500, 50, 50, 250, 1500, 100)
    assert codes(check_rate(80, at("cheek", "left", pen=pen), 1000, figures)) == ("rate-too-slow",), "75 Hz"


@pytest.mark.req("S-19")
def test_depth_and_rate_as_set(figures: Figures) -> None:
    assert check_envelope(1000, 800, figures) is None
    assert check_envelope(999, 250, figures) is None
    assert codes(check_envelope(1000, 799, figures)) == ("rate-too-slow",)


@pytest.mark.req("S-05")
def test_every_reason_is_listed(at: At, figures: Figures) -> None:
    clinic = ClinicProfile("calm", rate_min_dhz=900)
    assert codes(check_rate(20, at("cheek", "left", clinic=clinic), 1000, figures)) == (
        "rate-out-of-range",
        "rate-out-of-range",
        "rate-too-slow",
    )


def test_a_range_that_does_not_end_on_a_step(at: At, figures: Figures) -> None:
    pen = PenLimits(0, 2500, 50, 50, 250, 1520, 100)
    assert rate(check_rate(152, at("chin", pen=pen), 500, figures)) == 1450
