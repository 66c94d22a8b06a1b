"""Exact edges of the depth verdict: where one more or one less is another answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, is_dataclass, replace
from fractions import Fraction
from importlib import import_module
from pkgutil import iter_modules

import pytest

from penstroke import data, safety
from penstroke.safety import (
    NO_CLINIC,
    Allowed,
    AllowedRun,
    ClinicProfile,
    Constraints,
    LimitSource,
    Override,
    PenLimits,
    Refusal,
    Scope,
    Screening,
    Zone,
    check_depth,
    depth_limit,
    find_zone,
    gather,
    preset_um,
)
from penstroke.safety.limits import DepthLimit, deepest_um, limit_of, side_reasons

At = Callable[..., Constraints]


def refusal(verdict: object) -> Refusal:
    assert isinstance(verdict, Refusal)
    return verdict


def values() -> list[type]:
    """Every dataclass of the safety layer."""
    found = []
    for info in iter_modules(safety.__path__):
        module = import_module(f"penstroke.safety.{info.name}")
        for thing in vars(module).values():
            if isinstance(thing, type) and is_dataclass(thing) and thing.__module__ == module.__name__:
                found.append(thing)
    return found


@pytest.mark.req("S-01", "S-02")
def test_a_verdict_and_what_it_was_made_of_never_change_afterwards() -> None:
    """A limit that somebody could raise after it was checked would be none."""
    names = {value.__name__ for value in values()}
    assert names >= {"Allowed", "AllowedRate", "AllowedRun", "Constraints", "Figures", "PenLimits", "Refusal"}
    assert names >= {"ClinicProfile", "Figure", "Gathered", "Override", "Reason", "Wish", "Zone"}
    for value in values():
        assert value.__dataclass_params__.frozen, value  # type: ignore[attr-defined]
        assert "__slots__" in vars(value), value
    with pytest.raises(FrozenInstanceError):
        AllowedRun(1.0).duration_s = 2.0  # type: ignore[misc]


def test_constraints_are_given_by_name() -> None:
    """Seven lengths and names in a row would be exchanged unseen."""
    with pytest.raises(TypeError):
        Constraints(None, "left")  # type: ignore[misc]


# -- the zone -----------------------------------------------------------------------------------------------


def test_of_a_long_name_forty_characters_are_shown() -> None:
    (reason,) = refusal(find_zone("x" * 50, None, data.zone_table())).reasons
    assert reason.message == f"there is no zone '{'x' * 40}'"


def test_a_likeness_is_sought_for_names_of_up_to_forty_characters(at: At) -> None:
    forehead = at("forehead").zone
    assert forehead is not None
    zones = (replace(forehead, name="a" * 40),)
    hints = [refusal(find_zone("a" * length + "b", None, zones)).reasons[0].hint for length in (39, 40)]
    assert hints == [f"did you mean {'a' * 40}?", "`penstroke zones` lists the zones there are"]


@pytest.mark.parametrize(
    ("ceiling_um", "hard_um", "forbidden"), [(0, 0, True), (300, 0, True), (0, 300, True), (1, 1, False)]
)
@pytest.mark.req("S-01")
def test_a_zone_is_forbidden_when_either_ceiling_is_zero(
    ceiling_um: int, hard_um: int, forbidden: bool
) -> None:
    zone = Zone(1, "spot", False, None, ceiling_um, hard_um, "", "", "a test")
    assert zone.forbidden is forbidden


@pytest.mark.req("S-01")
@pytest.mark.parametrize("changes", [{"ceiling_um": -1}, {"hard_ceiling_um": -1}])
def test_a_ceiling_below_zero_cannot_be_right(at: At, changes: dict[str, int]) -> None:
    forehead = at("forehead").zone
    assert forehead is not None
    verdict = refusal(check_depth(0.1, replace(at("forehead"), zone=replace(forehead, **changes))))
    assert verdict.codes[0] == "limits-invalid"
    assert "zone-forbidden" not in verdict.codes


def test_labels(at: At) -> None:
    cheek, chin = at("cheek").zone, at("chin").zone
    assert cheek is not None
    assert chin is not None
    labels = [cheek.label("left"), cheek.label(None), chin.label(None), chin.label("left")]
    assert labels == ["cheek left", "cheek", "chin", "chin"]


def test_a_missing_side_and_a_wrong_one_are_told_apart(at: At) -> None:
    cheek = at("cheek").zone
    assert cheek is not None
    assert side_reasons(cheek, None)[0].message == "cheek has a left and a right, and none was named"
    assert side_reasons(cheek, "up")[0].message == "cheek has only a left and a right"


# -- the figures of a pen -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "edge",
    [
        {"depth_max_um": 10_000},
        {"depth_step_um": 1},
        {"depth_step_um": 2500},
        {"depth_min_um": 2500},
        {"tolerance_um": 2500},
        {"depth_min_um": 0, "tolerance_um": 0},
        {"rate_min_dhz": 1},
        {"rate_min_dhz": 1500},
        {"rate_max_dhz": 10_000},
        {"rate_step_dhz": 1},
    ],
)
def test_a_pen_at_the_edge_of_what_can_be_right(fine: PenLimits, edge: dict[str, int]) -> None:
    assert replace(fine, **edge).problem() == ""


@pytest.mark.req("S-01", "S-02")
@pytest.mark.parametrize(
    "edge",
    [
        {"depth_max_um": 10_001},
        {"depth_step_um": 0},
        {"depth_step_um": 2501},
        {"depth_min_um": 2501},
        {"tolerance_um": 2501},
        {"rate_min_dhz": 0},
        {"rate_min_dhz": 1501},
        {"rate_max_dhz": 10_001},
        {"rate_step_dhz": 0},
    ],
)
def test_a_pen_past_the_edge(fine: PenLimits, edge: dict[str, int]) -> None:
    assert replace(fine, **edge).problem()


@pytest.mark.parametrize("name", PenLimits.__slots__)
def test_no_figure_of_a_pen_is_below_zero(fine: PenLimits, name: str) -> None:
    said = replace(fine, **{name: -1}).problem()
    assert said == f"{name} is not a whole number from zero up"


# -- clinic, screening, override ----------------------------------------------------------------------------


def test_a_clinic_may_set_zero_and_not_less() -> None:
    assert ClinicProfile("x", depth_max_um=0, rate_min_dhz=0, rate_max_dhz=0).problem() == ""
    assert ClinicProfile("x", depth_max_um=-1).problem()


@pytest.mark.req("S-01", "S-02")
@pytest.mark.parametrize("factor", [Fraction(-1, 2), Fraction(0), Fraction(3, 2)])
def test_a_factor_of_screening_lies_above_zero_and_up_to_one(at: At, factor: Fraction) -> None:
    assert Screening(factor=factor).problem()
    assert (
        "limits-invalid" in refusal(check_depth(0.1, at("cheek", "left", screening=Screening(factor)))).codes
    )


@pytest.mark.req("S-01", "S-06")
@pytest.mark.parametrize(
    ("zone", "side"), [("cheek", "right"), ("periorbital", "left"), ("temple", "left"), ("cheek", None)]
)
def test_an_override_of_another_zone_or_side_lifts_nothing(at: At, zone: str, side: str | None) -> None:
    """Names before and after in the alphabet, and the other side."""
    other = Override(zone, side, by="Dr. Example", reason="a test")
    here = at("cheek", "left", override=other)
    assert depth_limit(here) == depth_limit(at("cheek", "left"))
    assert depth_limit(replace(here, override=replace(other, zone="cheek", side="left"))) != depth_limit(here)


# -- what is gathered ---------------------------------------------------------------------------------------


def test_without_a_pen_nothing_is_added_for_it(at: At) -> None:
    gathered = gather(at("cheek", "left", pen=None, scope=Scope.PLAN))
    assert (gathered.tolerance_um, gathered.step_um, gathered.shallowest_um) == (0, 1, 0)


def test_without_a_limit_there_is_no_depth(at: At) -> None:
    assert deepest_um(replace(gather(at("chin")), sources=())) == 0


@pytest.mark.parametrize(("held_um", "out_of_reach"), [(99, True), (100, False)])
def test_out_of_reach(at: At, held_um: int, out_of_reach: bool) -> None:
    """The finest step and the tolerance make 0.10 mm."""
    limit = limit_of(gather(at("chin", held_um=held_um)))
    assert isinstance(limit, DepthLimit)
    assert limit.out_of_reach is out_of_reach
    assert limit.deepest_um == (0 if out_of_reach else 50)
    assert limit.bound_by is LimitSource.HELD


# -- verdicts -----------------------------------------------------------------------------------------------


def test_the_preset_of_no_zone_and_of_a_forbidden_one(at: At) -> None:
    assert preset_um(Constraints(zone=None)) is None
    assert preset_um(at("eyelid", "left")) is None


def test_the_preset_may_be_the_deepest_and_the_shallowest_there_is(at: At, fine: PenLimits) -> None:
    narrow = replace(NO_CLINIC, depth_max_um=550)
    assert preset_um(at("cheek", "left", clinic=narrow)) == 500
    assert preset_um(at("cheek", "left", clinic=replace(narrow, depth_max_um=549))) is None
    assert preset_um(at("cheek", "left", pen=replace(fine, depth_min_um=500))) == 500
    assert preset_um(at("cheek", "left", pen=replace(fine, depth_min_um=501))) is None
    assert preset_um(at("cheek", "left", pen=replace(fine, depth_step_um=150))) is None


def test_the_step_below_may_be_the_shallowest(at: At) -> None:
    (reason,) = refusal(check_depth(0.07, at("cheek", "left"))).reasons
    assert (reason.code, reason.hint) == ("depth-off-step", "the next step below is 0.05 mm")
    assert isinstance(check_depth(0.05, at("cheek", "left")), Allowed)
