"""The very edge of every limit: the last micrometre inside is allowed, the first one outside is refused.

Wishes drawn at random hardly ever fall on the edge, where a slip by one shows; here they are put there.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_safety_properties import constraints, written_rule

from penstroke import data
from penstroke.safety import (
    NO_CLINIC,
    NOT_SCREENED,
    Allowed,
    ClinicProfile,
    Constraints,
    DepthLimit,
    LimitSource,
    Override,
    PenLimits,
    Screening,
    check_depth,
    depth_limit,
)

CHEEK = next(zone for zone in data.zone_table() if zone.name == "cheek")
LIMIT_UM = 700
"""Below every other limit of `at_limit`."""


def pen(tolerance_um: int, depth_max_um: int = 2500) -> PenLimits:
    """A pen that does every micrometre, so that the edge can be asked for exactly."""
    return PenLimits(0, depth_max_um, 1, tolerance_um, 250, 1500, 10)


def at_limit(source: LimitSource, tolerance_um: int) -> Constraints:
    """Everything known and wide, but `source`, which sets `LIMIT_UM`."""
    wide = Constraints(
        zone=replace(CHEEK, start_um=500, ceiling_um=1400, hard_ceiling_um=1500),
        side="left",
        pen=pen(tolerance_um),
        cartridge_length_um=2500,
        held_um=1500,
    )
    assert wide.zone is not None
    return {
        LimitSource.ZONE: replace(wide, zone=replace(wide.zone, ceiling_um=LIMIT_UM)),
        LimitSource.SCREENING: replace(wide, screening=Screening(factor=Fraction(1, 2))),
        LimitSource.CLINIC: replace(wide, clinic=ClinicProfile("ours", ceilings_um={"cheek": LIMIT_UM})),
        LimitSource.CARTRIDGE: replace(wide, cartridge_length_um=LIMIT_UM),
        LimitSource.DEVICE: replace(wide, pen=pen(tolerance_um, LIMIT_UM)),
        LimitSource.HELD: replace(wide, held_um=LIMIT_UM),
    }[source]


@pytest.mark.req("S-01")
@pytest.mark.parametrize("tolerance_um", [0, 1, 50])
@pytest.mark.parametrize("source", LimitSource)
def test_the_last_micrometre_inside_is_allowed_and_the_first_outside_is_not(
    source: LimitSource, tolerance_um: int
) -> None:
    c = at_limit(source, tolerance_um)
    edge_um = LIMIT_UM - tolerance_um
    verdict = check_depth(Decimal(edge_um) / 1000, c)
    assert isinstance(verdict, Allowed)
    assert (verdict.depth_um, verdict.bound_by, verdict.deepest_um) == (edge_um, source, edge_um)
    for too_deep in (Decimal(edge_um + 1) / 1000, Decimal(edge_um * 1000 + 1) / 1_000_000):
        refused = check_depth(too_deep, c)
        assert not isinstance(refused, Allowed)
        assert refused.reasons[0].code == "depth-above-limit"
        assert refused.reasons[0].bound_by == source


def written_limit_um(c: Constraints) -> int:
    """The tightest limit, from the sentences of the rules."""
    assert c.zone is not None
    assert c.pen is not None
    assert c.clinic is not None
    assert c.screening is not None
    base = c.zone.hard_ceiling_um if c.override else c.zone.ceiling_um
    limits: list[Fraction | int | None] = [base * c.screening.factor, c.pen.depth_max_um]
    limits += [c.cartridge_length_um, c.held_um, c.clinic.depth_max_um, c.clinic.ceilings_um.get(c.zone.name)]
    return int(min(limit for limit in limits if limit is not None))


@pytest.mark.req("S-01", "S-22")
@settings(max_examples=800, deadline=None)
@given(constraints(unknown=False), st.integers(-1, 1))
def test_limit_and_edge_are_those_of_the_written_rule(c: Constraints, beside_um: int) -> None:
    limit = depth_limit(c)
    assume(isinstance(limit, DepthLimit))
    assert isinstance(limit, DepthLimit)
    assert limit.limit_um == written_limit_um(c)
    assert c.pen is not None
    wish = Decimal(limit.limit_um - c.pen.tolerance_um + beside_um) / 1000
    assert isinstance(check_depth(wish, c), Allowed) == written_rule(wish, c)


@pytest.mark.req("S-22")
@pytest.mark.parametrize("by_zone", [True, False])
def test_an_override_leaves_the_clinics_limit_where_it_is(by_zone: bool) -> None:
    clinic = (
        ClinicProfile("ours", ceilings_um={"cheek": 900}) if by_zone else ClinicProfile("o", depth_max_um=900)
    )
    c = Constraints(
        zone=CHEEK,
        side="left",
        pen=pen(0),
        cartridge_length_um=2500,
        held_um=CHEEK.hard_ceiling_um,
        screening=NOT_SCREENED,
        override=Override("cheek", "left", "Dr. A", "why"),
    )
    without, under = depth_limit(replace(c, clinic=NO_CLINIC)), depth_limit(replace(c, clinic=clinic))
    assert isinstance(without, DepthLimit)
    assert isinstance(under, DepthLimit)
    assert (without.limit_um, under.limit_um) == (CHEEK.hard_ceiling_um, 900)
    assert under.bound_by == LimitSource.CLINIC


@pytest.mark.req("S-02")
@pytest.mark.parametrize(("zone_um", "all_um"), [(600, 900), (900, 600)])
def test_of_the_clinics_two_limits_the_tighter_counts(zone_um: int, all_um: int) -> None:
    """A ceiling for one zone is one limit more, never one in the place of another."""
    clinic = ClinicProfile("ours", ceilings_um={"cheek": zone_um}, depth_max_um=all_um)
    limit = depth_limit(replace(at_limit(LimitSource.ZONE, 0), clinic=clinic))
    assert isinstance(limit, DepthLimit)
    assert (limit.limit_um, limit.bound_by) == (600, LimitSource.CLINIC)
