"""The plans of `examples/`: those that are to be done are in order, and the one to be refused says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstroke.safety import PenLimits
from penstroke.treatment.check import check
from penstroke.treatment.estimate import estimate
from penstroke.treatment.plan import TreatmentPlan, load_plan

FOLDER = Path(__file__).parents[2] / "examples"
FINE = PenLimits(0, 2500, 50, 50, 250, 1500, 10)
GOOD = ("full_face_rejuvenation", "acne_scars_cheeks", "scalp", "demo")


def example(name: str) -> TreatmentPlan:
    return load_plan(FOLDER / f"{name}.yaml")


def test_each_plan_is_tested_here() -> None:
    assert {file.stem for file in FOLDER.glob("*.yaml")} >= {*GOOD, "refused_too_deep"}


@pytest.mark.parametrize("name", GOOD)
def test_plans_in_order(name: str) -> None:
    assert check(example(name)) == ()
    assert check(example(name), pen=FINE) == ()


def test_a_full_face_takes_half_an_hour_to_an_hour() -> None:
    found = estimate(example("full_face_rejuvenation"))
    assert 30 * 60 <= found.total_s <= 60 * 60
    assert found.numbing_dwell_s >= 20 * 60
    assert len(found.zones) == 16


@pytest.mark.parametrize("name", ["acne_scars_cheeks", "scalp"])
def test_the_others_stay_within_an_hour(name: str) -> None:
    assert estimate(example(name)).total_s <= 60 * 60


def test_the_demonstration_is_short() -> None:
    found = estimate(example("demo"))
    assert len(found.zones) == 3
    assert 15 <= found.needling_s <= 40, "under a minute with starts and stops"
    assert all(5 <= zone.seconds <= 12 for zone in found.zones)


@pytest.mark.req("S-05")
def test_the_one_to_be_refused() -> None:
    found = check(example("refused_too_deep"))
    assert [(one.index, one.code) for one in found] == [
        (1, "depth-above-limit"),
        (2, "depth-above-limit"),
        (3, "zone-forbidden"),
        (4, "side-required"),
        (5, "depth-off-step"),
        (6, "depth-above-limit"),
        (6, "depth-above-limit"),
        (7, "depth-above-limit"),
        (7, "rate-too-slow"),
        (8, "rate-out-of-range"),
        (9, "zone-unknown"),
    ]
    assert found[7].passes == (2,)
