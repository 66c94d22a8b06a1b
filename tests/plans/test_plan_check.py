"""Checking a plan: every violation, in its order, with its passes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstroke import data
from penstroke.safety import ClinicProfile, PenLimits, Screening
from penstroke.treatment.check import check
from penstroke.treatment.plan import TreatmentPlan

FINE = PenLimits(0, 2500, 50, 50, 250, 1500, 10)
COARSE = PenLimits(200, 1900, 100, 150, 1000, 1500, 10)


def plan(*zones: dict[str, Any], **more: Any) -> TreatmentPlan:
    filled = [{"area_cm2": 10, "rate_hz": 110, "passes": 2, **zone} for zone in zones]
    return TreatmentPlan.model_validate({"version": 1, "title": "t", "zones": filled, **more})


CHIN = {"zone": "chin", "depth_mm": 0.7}
CHEEK = {"zone": "cheek", "side": "left", "depth_mm": 0.9}


def test_a_plan_in_order() -> None:
    assert check(plan(CHIN, CHEEK), pen=FINE) == ()


@pytest.mark.req("S-05")
def test_every_violation_in_the_order_of_the_plan() -> None:
    found = check(
        plan(
            {"zone": "periorbital", "side": "left", "depth_mm": 2.0},
            {"zone": "eyelid", "side": "right", "depth_mm": 0.1},
            {"zone": "nostril", "depth_mm": 0.1},
            {"zone": "cheek", "depth_mm": 3.0},
            {"zone": "chin", "side": "left", "depth_mm": 0.3},
            {**CHIN, "rate_hz": 300},
        ),
        pen=FINE,
    )
    assert [(one.index, one.code, one.reason.bound_by) for one in found] == [
        (1, "depth-above-limit", "zone"),
        (2, "zone-forbidden", "zone"),
        (3, "zone-unknown", None),
        (4, "side-required", None),
        (4, "depth-above-limit", "zone"),
        (4, "depth-above-limit", "device"),
        (5, "side-not-used", None),
        (6, "rate-out-of-range", "device"),
    ]
    assert found[0].message == (
        "zone 1 (periorbital left): 2.00 mm on periorbital is above the 0.30 mm ceiling (set by: zone)"
    )


def test_the_passes_it_concerns_are_named() -> None:
    passes = [{"depth_mm": 0.7}, {"depth_mm": 0.9}, {"depth_mm": 0.75}, {"depth_mm": 0.9}]
    (found,) = check(plan({"zone": "chin", "passes": passes}), pen=FINE)
    assert found.passes == (2, 4)
    assert found.message.startswith("zone 1 (chin), passes 2, 4: 0.90 mm on chin")
    (found,) = check(plan({"zone": "chin", "passes": passes[:2]}), pen=FINE)
    assert found.message.startswith("zone 1 (chin), pass 2: ")


def test_what_concerns_all_passes_is_said_once() -> None:
    (found,) = check(plan({**CHIN, "depth_mm": 0.9, "passes": 6}), pen=FINE)
    assert found.passes == ()


def test_without_a_pen_only_zone_clinic_and_screening_count() -> None:
    assert check(plan({**CHIN, "depth_mm": 0.8})) == ()
    assert [one.code for one in check(plan({**CHIN, "depth_mm": 0.801}))] == ["depth-above-limit"]


def test_the_expected_pen_counts_until_a_real_one_is_known() -> None:
    expected = {
        "depth_max_mm": 2.5,
        "step_mm": 0.05,
        "tolerance_mm": 0.05,
        "rate_min_hz": 25,
        "rate_max_hz": 150,
        "needles": 16,
    }
    written = plan({**CHIN, "depth_mm": 0.75}, {**CHEEK, "depth_mm": 0.95}, pen=expected)
    assert check(written) == ()
    assert [(one.index, one.code) for one in check(written, pen=COARSE)] == [
        (1, "depth-above-limit"),
        (1, "depth-off-step"),
        (2, "depth-above-limit"),
        (2, "depth-off-step"),
    ]
    deep = plan({**CHIN, "depth_mm": 0.8}, pen=expected)
    assert [one.code for one in check(deep)] == ["depth-above-limit"]


def test_out_of_reach_is_said() -> None:
    found = check(plan({"zone": "periorbital", "side": "left", "depth_mm": 0.2}), pen=COARSE)
    assert [one.code for one in found] == ["depth-above-limit", "zone-out-of-reach"]


def test_clinic_and_screening() -> None:
    clinic = ClinicProfile("c", ceilings_um={"chin": 550}, forbidden=frozenset({"cheek"}))
    screening = Screening(factor=Fraction(3, 4), excluded=frozenset({("forehead", None)}))
    found = check(
        plan(CHIN, CHEEK, {"zone": "forehead", "depth_mm": 0.3}), pen=FINE, clinic=clinic, screening=screening
    )
    assert [(one.index, one.code, one.reason.bound_by) for one in found] == [
        (1, "depth-above-limit", "clinic"),
        (1, "depth-above-limit", "screening"),
        (2, "zone-forbidden", "clinic"),
        (2, "depth-above-limit", "screening"),
        (3, "zone-excluded", "screening"),
    ]


@pytest.mark.req("S-01")
def test_an_unknown_clinic_or_screening_refuses() -> None:
    assert [one.code for one in check(plan(CHIN), pen=FINE, clinic=None)] == [
        "limit-missing",
        "limit-missing",
    ]
    assert [one.code for one in check(plan(CHIN), pen=FINE, screening=None)] == ["limit-missing"]


@pytest.mark.req("S-19")
def test_deep_and_slow_is_found_beside_too_deep() -> None:
    (found,) = check(plan({"zone": "cheek", "side": "left", "depth_mm": 1.0, "rate_hz": 60}))
    assert found.code == "rate-too-slow"
    codes = [one.code for one in check(plan({"zone": "chin", "depth_mm": 2.0, "rate_hz": 60}))]
    assert codes == ["depth-above-limit", "rate-too-slow"]


def test_a_zone_named_twice() -> None:
    (found,) = check(plan(CHEEK, CHIN, CHEEK), pen=FINE)
    assert (found.index, found.code) == (3, "zone-repeated")
    assert found.message == "zone 3 (cheek left): cheek left is zone 1 of this plan already"
    assert check(plan(CHEEK, {**CHEEK, "side": "right"}), pen=FINE) == ()


def test_a_pass_longer_than_a_run_may_be() -> None:
    assert check(plan({**CHIN, "area_cm2": 960}), pen=FINE) == ()
    assert [one.code for one in check(plan({**CHIN, "area_cm2": 961}), pen=FINE)] == ["run-too-long"]


def test_numbers_far_from_any_pen() -> None:
    for depth in (300, 9999.5, 1e300):
        codes = [one.code for one in check(plan({**CHIN, "depth_mm": depth, "rate_hz": 1e300}), pen=FINE)]
        assert codes[0] == "depth-above-limit"
        assert "rate-out-of-range" in codes


@pytest.mark.req("S-01")
@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([zone.name for zone in data.zone_table()]),
            st.integers(1, 40).map(lambda steps: steps * 50 / 1000),
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda pair: pair[0],
    )
)
def test_a_plan_in_order_is_within_every_ceiling(pairs: list[tuple[str, float]]) -> None:
    zones = []
    for name, depth_mm in pairs:
        known = data.zone_named(name)
        side = {"side": "right"} if known is not None and known.sided else {}
        zones.append({"zone": name, "depth_mm": depth_mm, **side})
    wrong = {one.index for one in check(plan(*zones), pen=FINE)}
    for index, (name, depth_mm) in enumerate(pairs, start=1):
        known = data.zone_named(name)
        assert known is not None
        assert (index in wrong) == (known.forbidden or round(depth_mm * 1000) + 50 > known.ceiling_um)
