"""The invariants of the pure layer, against a second calculation of the written rules with fractions."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstroke import data
from penstroke.safety import (
    CODES,
    NO_CLINIC,
    NOT_SCREENED,
    Allowed,
    AllowedRate,
    ClinicProfile,
    Constraints,
    DepthLimit,
    Override,
    PenLimits,
    Refusal,
    Scope,
    Screening,
    check_depth,
    check_envelope,
    check_rate,
    check_run,
    check_zone_time,
    depth_limit,
)

ZONES = data.zone_table()
FIGURES = data.figures()

PENS = st.sampled_from(
    [
        PenLimits(0, 2500, 50, 50, 250, 1500, 10),
        PenLimits(0, 2500, 250, 50, 1167, 1167, 1),
        PenLimits(200, 1900, 100, 150, 1000, 1500, 10),
        PenLimits(0, 3000, 1, 0, 10, 1500, 7),
    ]
)
LENGTHS = st.integers(0, 3000)
CLINICS = st.builds(
    ClinicProfile,
    name=st.just("clinic"),
    ceilings_um=st.dictionaries(st.sampled_from([zone.name for zone in ZONES]), LENGTHS, max_size=30),
    depth_max_um=st.none() | LENGTHS,
    rate_min_dhz=st.none() | st.integers(0, 1200),
    rate_max_dhz=st.none() | st.integers(0, 1600),
    forbidden=st.frozensets(st.sampled_from([zone.name for zone in ZONES]), max_size=1),
)
SCREENINGS = st.builds(
    Screening,
    factor=st.sampled_from([Fraction(1), Fraction(3, 4), Fraction(2, 3), Fraction(1, 100)]),
    excluded=st.frozensets(
        st.tuples(st.sampled_from([zone.name for zone in ZONES]), st.sampled_from([None, "left", "right"])),
        max_size=1,
    ),
    blocked_by=st.sampled_from([(), (), (), ("pregnancy",)]),
)


@st.composite
def constraints(draw: st.DrawFn, *, unknown: bool = False) -> Constraints:
    zone = draw(st.sampled_from(ZONES))
    side = draw(st.sampled_from(["left", "right"])) if zone.sided else None
    override = draw(st.none() | st.just(Override(zone.name, side, "Dr. A", "why")))
    maybe = (lambda strategy: st.none() | strategy) if unknown else (lambda strategy: strategy)
    return Constraints(
        zone=zone,
        side=side,
        pen=draw(maybe(PENS)),
        cartridge_length_um=draw(maybe(LENGTHS)),
        held_um=draw(maybe(LENGTHS)),
        clinic=draw(maybe(st.just(NO_CLINIC) | CLINICS)),
        screening=draw(maybe(st.just(NOT_SCREENED) | SCREENINGS)),
        override=override,
        scope=Scope.MOTION,
    )


ON_STEP = st.integers(-2, 60).map(lambda n: Decimal(n * 50) / 1000)
WISHES = (
    ON_STEP | st.integers(0, 3000).map(lambda um: Decimal(um) / 1000) | st.floats(0, 3) | st.integers(-1, 3)
)


def written_rule(wish: object, c: Constraints) -> bool:
    """Whether the wish may be done, from the sentences of the rules, as if written by another hand."""
    if None in (c.zone, c.pen, c.cartridge_length_um, c.held_um, c.clinic, c.screening):
        return False
    assert c.zone is not None
    assert c.pen is not None
    assert c.clinic is not None
    assert c.screening is not None
    assert c.cartridge_length_um is not None
    assert c.held_um is not None
    if c.zone.hard_ceiling_um == 0 or c.zone.name in c.clinic.forbidden or c.screening.blocked_by:
        return False
    if {(c.zone.name, None), (c.zone.name, c.side)} & c.screening.excluded:
        return False
    depth = Fraction(repr(wish) if isinstance(wish, float) else str(wish)) * 1000
    ceiling = Fraction(c.zone.hard_ceiling_um if c.override else c.zone.ceiling_um) * c.screening.factor
    limits = [ceiling, c.pen.depth_max_um, c.cartridge_length_um, c.held_um]
    limits += [c.clinic.ceilings_um[name] for name in c.clinic.ceilings_um if name == c.zone.name]
    limits += [] if c.clinic.depth_max_um is None else [c.clinic.depth_max_um]
    fits = all(depth + c.pen.tolerance_um <= limit for limit in limits)
    return fits and depth > 0 and depth >= c.pen.depth_min_um and depth % c.pen.depth_step_um == 0


@pytest.mark.req("S-01")
@settings(max_examples=1500, deadline=None)
@given(WISHES, constraints(unknown=False))
def test_allowed_exactly_where_the_written_rule_allows(wish: object, c: Constraints) -> None:
    verdict = check_depth(wish, c)
    assert isinstance(verdict, Allowed) == written_rule(wish, c)
    if isinstance(verdict, Allowed):
        assert Fraction(verdict.depth_um) == Fraction(str(wish)) * 1000, "nothing is rounded"
        assert verdict.depth_um <= verdict.deepest_um


@pytest.mark.req("S-01")
@settings(max_examples=500, deadline=None)
@given(WISHES, constraints(unknown=True))
def test_with_anything_unknown_nothing_is_allowed(wish: object, c: Constraints) -> None:
    if None in (c.pen, c.cartridge_length_um, c.held_um, c.clinic, c.screening):
        assert isinstance(check_depth(wish, c), Refusal)
        assert isinstance(depth_limit(c), Refusal)


@pytest.mark.req("S-01")
@settings(max_examples=400, deadline=None)
@given(constraints())
def test_the_deepest_is_allowed_and_one_step_more_is_not(c: Constraints) -> None:
    limit = depth_limit(c)
    if isinstance(limit, DepthLimit):
        assert c.pen is not None
        if not limit.out_of_reach:
            assert isinstance(check_depth(Decimal(limit.deepest_um) / 1000, c), Allowed)
        for steps in range(1, 4):
            deeper = Decimal(limit.deepest_um + steps * c.pen.depth_step_um) / 1000
            assert isinstance(check_depth(deeper, c), Refusal)


@st.composite
def tightened(draw: st.DrawFn) -> tuple[Constraints, Constraints]:
    """Constraints, and the same with one limit added or tightened."""
    loose = draw(constraints())
    assert loose.cartridge_length_um is not None
    assert loose.held_um is not None
    assert loose.clinic is not None
    assert loose.screening is not None
    assert loose.zone is not None
    less = draw(st.integers(0, 1000))
    overall_um = loose.clinic.depth_max_um
    tight = draw(
        st.sampled_from(
            [
                {"cartridge_length_um": max(loose.cartridge_length_um - less, 0)},
                {"held_um": max(loose.held_um - less, 0)},
                {"held_um": None},
                {"pen": None},
                {"override": None},
                {
                    "clinic": replace(
                        loose.clinic, depth_max_um=less if overall_um is None else min(overall_um, less)
                    )
                },
                {
                    "clinic": replace(
                        loose.clinic, ceilings_um={**loose.clinic.ceilings_um, loose.zone.name: 0}
                    )
                },
                {"clinic": replace(loose.clinic, forbidden=loose.clinic.forbidden | {loose.zone.name})},
                {"screening": replace(loose.screening, factor=loose.screening.factor * Fraction(1, 2))},
                {"screening": replace(loose.screening, excluded=frozenset({(loose.zone.name, loose.side)}))},
                {"screening": replace(loose.screening, blocked_by=("keloids",))},
            ]
        )
    )
    return loose, replace(loose, **tight)  # type: ignore[arg-type]


@pytest.mark.req("S-02")
@settings(max_examples=600, deadline=None)
@given(tightened(), WISHES)
def test_tightening_never_allows_more(pair: tuple[Constraints, Constraints], wish: object) -> None:
    loose, tight = pair
    if isinstance(check_depth(wish, tight), Allowed):
        assert isinstance(check_depth(wish, loose), Allowed)


@pytest.mark.req("S-02")
@settings(max_examples=200, deadline=None)
@given(constraints(), LENGTHS, LENGTHS)
def test_which_source_says_it_does_not_matter(c: Constraints, one_um: int, other_um: int) -> None:
    a = depth_limit(replace(c, cartridge_length_um=one_um, held_um=other_um))
    b = depth_limit(replace(c, cartridge_length_um=other_um, held_um=one_um))
    if isinstance(a, DepthLimit) and isinstance(b, DepthLimit):
        assert (a.limit_um, a.deepest_um) == (b.limit_um, b.deepest_um)
    assert isinstance(a, Refusal) == isinstance(b, Refusal)


class Ordinal(IntEnum):
    ONE = 1


class Hostile:
    """Raises whatever is done to it."""

    def __getattribute__(self, name: str) -> object:
        raise RuntimeError(name)

    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = __repr__ = __str__ = __float__ = __int__ = (
        lambda *_: (_ for _ in ()).throw(RuntimeError("no"))
    )


ANYTHING = (
    st.from_type(type).flatmap(lambda kind: st.sampled_from([kind, Hostile, None]))
    | st.builds(Hostile)
    | st.sampled_from([Ordinal.ONE, True, Ellipsis, NotImplemented, 10**400, -(10**5000)])
    | st.none()
    | st.booleans()
    | st.text(max_size=5)
    | st.binary(max_size=5)
    | st.floats()
    | st.integers()
    | st.decimals()
    | st.fractions()
    | st.complex_numbers()
    | st.lists(st.integers(), max_size=2)
    | st.datetimes()
)


@pytest.mark.req("S-03")
@settings(max_examples=500, deadline=None)
@given(ANYTHING, constraints(unknown=True))
def test_any_object_gets_a_verdict(wish: object, c: Constraints) -> None:
    number = type(wish) in (int, float, Decimal)
    depth = check_depth(wish, c)
    rate = check_rate(wish, c, 300, FIGURES)
    run = check_run(wish, FIGURES)
    zone_time = check_zone_time(wish, FIGURES, used_s=0.0, planned_s=60)
    for verdict in (depth, rate, run, zone_time):
        if not number:
            assert isinstance(verdict, Refusal)
        if isinstance(verdict, Refusal):
            assert set(verdict.codes) <= set(CODES)
            assert all(len(reason.message) < 300 for reason in verdict.reasons)


@pytest.mark.req("S-03")
@settings(max_examples=300, deadline=None)
@given(
    st.builds(
        PenLimits,
        *(st.integers(-1, 3000) | st.floats() | st.none() | st.booleans() for _ in range(7)),
    ),
    st.integers(-1, 3000) | st.floats() | st.none(),
    WISHES,
)
def test_any_figures_of_a_pen_get_a_verdict(pen: PenLimits, length: object, wish: object) -> None:
    zone = data.zone_named("chin")
    c = Constraints(zone=zone, pen=pen, cartridge_length_um=length, held_um=length)  # type: ignore[arg-type]
    verdict = check_depth(wish, c)
    if isinstance(verdict, Allowed):
        assert type(length) is int
        assert verdict.depth_um + pen.tolerance_um <= min(length, pen.depth_max_um, 800)
    check_rate(wish, c, 300, FIGURES)


@pytest.mark.req("S-05")
@settings(max_examples=600, deadline=None)
@given(WISHES, constraints(unknown=True))
def test_each_violated_limit_is_listed_once(wish: object, c: Constraints) -> None:
    verdict = check_depth(wish, c)
    if isinstance(verdict, Allowed):
        return
    above = [reason for reason in verdict.reasons if reason.code == "depth-above-limit"]
    assert len({reason.bound_by for reason in above}) == len(above)
    limits = [reason.limit_mm for reason in above]
    assert limits == sorted(limits, key=lambda limit: limit or 0), "the tightest first"
    if c.zone is None or c.zone.forbidden:
        return
    tolerance_um = c.pen.tolerance_um if c.pen else 0
    over = Fraction(repr(wish) if isinstance(wish, float) else str(wish)) * 1000 + tolerance_um
    listed = {reason.bound_by for reason in above}
    ceiling_um = c.zone.hard_ceiling_um if c.override else c.zone.ceiling_um
    assert ("zone" in listed) == (over > ceiling_um)
    assert ("device" in listed) == (c.pen is not None and over > c.pen.depth_max_um)
    assert ("cartridge" in listed) == (c.cartridge_length_um is not None and over > c.cartridge_length_um)


@pytest.mark.req("S-05")
@settings(max_examples=400, deadline=None)
@given(WISHES, constraints())
def test_what_a_refusal_offers_is_allowed(wish: object, c: Constraints) -> None:
    verdict = check_depth(wish, c)
    if isinstance(verdict, Refusal):
        for reason in verdict.reasons:
            if reason.max_mm:
                assert isinstance(check_depth(reason.max_mm, c), Allowed)
            if reason.hint.startswith("the next step below is "):
                offered = Decimal(reason.hint.removeprefix("the next step below is ").removesuffix(" mm"))
                assert isinstance(check_depth(offered, c), Allowed) or not reason.max_mm


@pytest.mark.req("S-19")
@settings(max_examples=800, deadline=None)
@given(
    st.floats(0, 200) | st.integers(0, 200) | st.decimals(0, 200, places=2),
    st.integers(0, 1600),
    constraints(),
)
def test_a_rate_that_is_set_is_in_the_envelope_and_in_every_range(
    wish: object, depth_um: int, c: Constraints
) -> None:
    verdict = check_rate(wish, c, depth_um, FIGURES)
    if isinstance(verdict, Refusal):
        return
    assert isinstance(verdict, AllowedRate)
    assert c.pen is not None
    assert c.clinic is not None
    rate_dhz = verdict.rate_dhz
    assert not (depth_um >= 1000 and rate_dhz < 800), "deep and slow tears"
    assert check_envelope(depth_um, rate_dhz, FIGURES) is None
    assert c.pen.rate_min_dhz <= rate_dhz <= c.pen.rate_max_dhz
    assert (rate_dhz - c.pen.rate_min_dhz) % c.pen.rate_step_dhz == 0
    assert (c.clinic.rate_min_dhz or 0) <= rate_dhz <= (c.clinic.rate_max_dhz or 10_000)
    asked = Fraction(repr(wish) if isinstance(wish, float) else str(wish)) * 10
    assert abs(asked - rate_dhz) <= c.pen.rate_step_dhz, "only ever the nearest step"


@pytest.mark.req("S-22")
@settings(max_examples=500, deadline=None)
@given(constraints(), WISHES)
def test_an_override_reaches_the_hard_ceiling_and_nothing_else(c: Constraints, wish: object) -> None:
    zone = c.zone
    assert zone is not None
    override = Override(zone.name, c.side, "Dr. A", "why")
    verdict = check_depth(wish, replace(c, override=override))
    raised = replace(zone, ceiling_um=zone.hard_ceiling_um)
    same = check_depth(wish, replace(c, override=None, zone=raised))
    assert isinstance(verdict, Allowed) == isinstance(same, Allowed)
    if isinstance(verdict, Allowed):
        assert c.pen is not None
        assert verdict.depth_um + c.pen.tolerance_um <= zone.hard_ceiling_um
