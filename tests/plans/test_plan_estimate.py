"""Estimates: from area, passes, glide speed and head width, and the fixed steps of the procedure."""

from __future__ import annotations

from typing import Any

import pytest

from penstroke import data
from penstroke.treatment.estimate import estimate, pass_density_per_cm2, pass_seconds
from penstroke.treatment.plan import TreatmentPlan


def plan(*zones: dict[str, Any], **more: Any) -> TreatmentPlan:
    filled = [{"zone": "chin", "depth_mm": 0.5, "rate_hz": 100, **zone} for zone in zones]
    return TreatmentPlan.model_validate({"version": 1, "title": "t", "zones": filled, **more})


def test_a_pass_by_hand() -> None:
    # 16 cm² in stripes of 8 mm are 200 cm of glide: at 20 mm/s ten seconds.
    assert pass_seconds(16, data.figures()) == pytest.approx(10.0)
    # 16 needles at 100 Hz are 1,600 punctures a second on 1.6 cm² a second.
    assert pass_density_per_cm2(16, 100, data.figures()) == pytest.approx(1000.0)


def test_zones_add_up_by_pass() -> None:
    passes = [{"depth_mm": 0.5}, {"depth_mm": 0.6, "rate_hz": 50}]
    found = estimate(plan({"area_cm2": 16, "passes": passes}, {"area_cm2": 8, "passes": 3}), needles=16)
    first, second = found.zones
    assert [one.seconds for one in first.passes] == pytest.approx([10.0, 10.0])
    assert [one.density_per_cm2 for one in first.passes] == pytest.approx([1000.0, 500.0])
    assert (first.seconds, first.density_per_cm2) == pytest.approx((20.0, 1500.0))
    assert (second.index, second.seconds) == (2, pytest.approx(15.0))
    assert found.needling_s == pytest.approx(35.0)
    assert (first.target_min_per_cm2, first.target_max_per_cm2) == (250, 300)


def test_the_total_is_its_parts_without_the_dwell() -> None:
    found = estimate(plan({"area_cm2": 16, "passes": 1}))
    assert found.zone_changes_s == 20
    assert found.total_s == pytest.approx(10 + 20 + sum(step.seconds for step in found.steps))
    assert found.numbing_dwell_s == 1800
    assert [step.name for step in found.steps] == [
        "consent and screening",
        "cleaning",
        "numbing, applying",
        "numbing, wiping off",
        "pen and cartridge",
        "mesotherapy",
        "aftercare directions",
    ]
    assert all(step.proposed for step in found.steps)


def test_a_plan_gives_its_own_durations() -> None:
    found = estimate(plan({"area_cm2": 16}, durations={"cleaning_min": 2.5, "numbing_dwell_min": 0}))
    steps = {step.name: step for step in found.steps}
    assert (steps["cleaning"].seconds, steps["cleaning"].proposed) == (150.0, False)
    assert steps["mesotherapy"].proposed
    assert found.numbing_dwell_s == 0


def test_density_is_unknown_without_needles() -> None:
    found = estimate(plan({"area_cm2": 16}))
    assert found.zones[0].density_per_cm2 is None
    assert found.zones[0].passes[0].density_per_cm2 is None


@pytest.mark.parametrize(
    ("area_cm2", "passes", "rests_s"), [(160, 6, 0), (160, 7, 120), (320, 6, 120), (960, 3, 240)]
)
def test_long_needling_has_rests(area_cm2: float, passes: int, rests_s: float) -> None:
    assert estimate(plan({"area_cm2": area_cm2, "passes": passes})).rests_s == rests_s
