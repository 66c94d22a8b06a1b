"""The verdict on a depth: exact words, every source, what is unknown, and the override."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from penstroke import data
from penstroke.errors import Refused
from penstroke.safety import (
    CODES,
    Allowed,
    ClinicProfile,
    Constraints,
    DepthLimit,
    LimitSource,
    Override,
    PenLimits,
    Reason,
    Refusal,
    Scope,
    Screening,
    Zone,
    check_depth,
    depth_limit,
    find_zone,
    preset_um,
)

At = Callable[..., Constraints]
ANNA = Override("periorbital", "left", by="Dr. Anna Example", reason="deep lines, tolerated before")


def refusal(verdict: object) -> Refusal:
    assert isinstance(verdict, Refusal)
    return verdict


def allowed(verdict: object) -> Allowed:
    assert isinstance(verdict, Allowed)
    return verdict


@pytest.mark.req("S-05")
def test_the_words_of_the_contract(at: At) -> None:
    (reason,) = refusal(check_depth(2.0, at("periorbital", "left"))).reasons
    assert reason.code == "depth-above-limit"
    assert reason.message == "2.00 mm on periorbital is above the 0.30 mm ceiling (set by: zone)"
    assert reason.hint == "ask for 0.25 mm or less"
    assert reason.facts() == {
        "zone": "periorbital",
        "side": "left",
        "requested_mm": 2.0,
        "limit_mm": 0.3,
        "max_mm": 0.25,
        "bound_by": "zone",
    }


def test_the_exception_carries_the_verdict(at: At) -> None:
    verdict = refusal(check_depth(2.0, at("periorbital", "left")))
    error = Refused.of(verdict)
    assert (error.code, error.verdict, error.facts["max_mm"]) == ("depth-above-limit", verdict, 0.25)


@pytest.mark.req("S-01", "S-05")
def test_the_tolerance_counts_and_is_named(at: At) -> None:
    (reason,) = refusal(check_depth(0.3, at("periorbital", "left"))).reasons
    assert reason.message == (
        "0.30 mm on periorbital plus the pen's tolerance of 0.05 mm is above the 0.30 mm ceiling "
        "(set by: zone)"
    )
    assert allowed(check_depth(0.25, at("periorbital", "left"))) == Allowed(
        250, LimitSource.ZONE, 300, 250, Scope.MOTION
    )


@pytest.mark.req("S-05")
def test_every_violated_limit_is_listed_tightest_first(at: At) -> None:
    clinic = ClinicProfile("strict", ceilings_um={"cheek": 700})
    screening = Screening(factor=Fraction(3, 4))
    c = at("cheek", "left", clinic=clinic, screening=screening, cartridge_length_um=1500, held_um=600)
    reasons = refusal(check_depth(3.01, c)).reasons
    assert [(reason.code, reason.bound_by, reason.limit_mm) for reason in reasons] == [
        ("depth-above-limit", "held", 0.6),
        ("depth-above-limit", "clinic", 0.7),
        ("depth-above-limit", "screening", 0.75),
        ("depth-above-limit", "zone", 1.0),
        ("depth-above-limit", "cartridge", 1.5),
        ("depth-above-limit", "device", 2.5),
        ("depth-off-step", "device", None),
    ]
    assert {reason.max_mm for reason in reasons} == {0.55}
    assert reasons[-1].hint == "the next step below is 0.55 mm"


def test_what_the_device_holds_is_no_second_limit_where_it_repeats_the_zone(at: At) -> None:
    assert refusal(check_depth(2.0, at("periorbital", "left", held_um=300))).codes == ("depth-above-limit",)
    reasons = refusal(check_depth(0.25, at("periorbital", "left", held_um=250))).reasons
    assert [reason.bound_by for reason in reasons] == ["held"]


def test_off_step_names_the_next_step_below(at: At) -> None:
    (reason,) = refusal(check_depth(0.62, at("chin"))).reasons
    assert reason.code == "depth-off-step"
    assert reason.message == "0.62 mm on chin is not on the pen's step of 0.05 mm (set by: device)"
    assert reason.hint == "the next step below is 0.60 mm"


def test_a_wish_finer_than_a_micrometre_is_never_rounded(at: At) -> None:
    (reason,) = refusal(check_depth(0.1 + 0.2, at("chin"))).reasons
    assert reason.code == "depth-off-step"
    assert reason.message.startswith("0.30000000000000004 mm on chin")
    assert reason.hint == "the next step below is 0.30 mm"
    assert refusal(check_depth(Decimal("0.7500000001"), at("chin"))).codes == (
        "depth-above-limit",
        "depth-off-step",
    )


@pytest.mark.parametrize("wish", [0.3, Decimal("0.3"), Decimal("0.300")])
def test_forms_of_the_same_number(at: At, wish: object) -> None:
    assert allowed(check_depth(wish, at("chin"))).depth_um == 300


def test_whole_millimetres_as_int(at: At) -> None:
    override = Override("cheek", "right", "Dr. B", "scars")
    assert allowed(check_depth(1, at("cheek", "right", override=override))).depth_um == 1000


class Sly(float):
    """A float that would answer as it pleases."""

    def __le__(self, other: object) -> bool:
        return True

    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.req("S-03")
@pytest.mark.parametrize(
    "wish",
    [
        None,
        True,
        False,
        "0.3",
        b"0.3",
        float("nan"),
        float("inf"),
        float("-inf"),
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        Decimal("1e-999999"),
        1 + 0j,
        Fraction(3, 10),
        [0.3],
        object(),
        Sly(0.3),
        int,
    ],
    ids=lambda wish: type(wish).__name__,
)
def test_what_is_no_number_is_refused(at: At, wish: object) -> None:
    verdict = refusal(check_depth(wish, at("chin")))
    assert verdict.codes == ("depth-invalid",)
    assert "requested_mm" not in verdict.reasons[0].facts()


@pytest.mark.req("S-03")
@pytest.mark.parametrize(
    "wish",
    [
        pytest.param(10**400, id="large"),
        pytest.param(10**5000, id="too large to print"),
        1e308,
        Decimal("1e999999"),
        10_000,
    ],
)
def test_numbers_past_everything(at: At, wish: object) -> None:
    verdict = refusal(check_depth(wish, at("chin")))
    assert set(verdict.codes) == {"depth-above-limit"}
    assert (
        verdict.reasons[0].message == "at least 10000 mm on chin is above the 0.80 mm ceiling (set by: zone)"
    )


@pytest.mark.parametrize(
    "wish",
    [0, 0.0, -0.0, Decimal(0), -1, -0.3, pytest.param(-(10**5000), id="huge"), -1e308, Decimal("-1e999999")],
)
def test_zero_and_less_are_no_depth(at: At, wish: object) -> None:
    assert refusal(check_depth(wish, at("chin"))).codes == ("depth-below-range",)


def test_tiny_wishes(at: At) -> None:
    assert refusal(check_depth(5e-324, at("chin"))).codes == ("depth-off-step",)


def test_below_the_shallowest_of_the_pen(at: At, fine: PenLimits) -> None:
    (reason,) = refusal(check_depth(0.15, at("chin", pen=replace(fine, depth_min_um=200)))).reasons
    assert (reason.code, reason.limit_mm) == ("depth-below-range", 0.2)


def test_micrometres_taken_for_millimetres(at: At) -> None:
    reason = refusal(check_depth(300, at("chin"))).reasons[0]
    assert reason.hint.startswith("depth is in millimetres: 300 µm would be 0.30 mm; ask for 0.75 mm or less")


@pytest.mark.req("S-01")
@pytest.mark.parametrize("scope", list(Scope))
@pytest.mark.parametrize(
    "zone", [zone for zone in data.zone_table() if zone.forbidden], ids=lambda zone: zone.name
)
def test_forbidden_zones_refuse_in_every_scope_and_under_an_override(
    at: At, zone: Zone, scope: Scope
) -> None:
    side = "left" if zone.sided else None
    override = Override(zone.name, side, "Dr. A", "because")
    for wish in (0.05, 0, 2.0):
        codes = refusal(check_depth(wish, at(zone.name, side, scope=scope, override=override))).codes
        assert codes == ("zone-forbidden",)


@pytest.mark.req("S-01")
@pytest.mark.parametrize(
    ("unknown", "code", "bound_by"),
    [
        ("pen", "limit-missing", "device"),
        ("cartridge_length_um", "cartridge-missing", "cartridge"),
        ("held_um", "limit-missing", "held"),
        ("clinic", "limit-missing", "clinic"),
        ("screening", "limit-missing", "screening"),
        ("zone", "zone-unknown", None),
    ],
)
def test_what_is_unknown_refuses(at: At, unknown: str, code: str, bound_by: str | None) -> None:
    c = replace(at("chin"), **{unknown: None})
    for verdict in (check_depth(0.3, c), depth_limit(c)):
        assert [(reason.code, reason.bound_by) for reason in refusal(verdict).reasons] == [(code, bound_by)]


@pytest.mark.req("S-05")
def test_an_unknown_limit_does_not_hide_a_violated_one(at: At) -> None:
    verdict = refusal(check_depth(2.0, at("chin", cartridge_length_um=None, held_um=None)))
    assert verdict.codes == ("cartridge-missing", "limit-missing", "depth-above-limit")
    assert verdict.reasons[-1].max_mm is None, "with a limit unknown there is no depth to offer instead"


@pytest.mark.req("S-01", "S-03")
@pytest.mark.parametrize(
    ("changes", "bound_by"),
    [
        ({"cartridge_length_um": float("inf")}, "cartridge"),
        ({"cartridge_length_um": -1}, "cartridge"),
        ({"cartridge_length_um": "2500"}, "cartridge"),
        ({"held_um": float("nan")}, "held"),
        ({"held_um": True}, "held"),
        ({"clinic": ClinicProfile("x", depth_max_um=-1)}, "clinic"),
        ({"clinic": ClinicProfile("x", ceilings_um={"chin": float("nan")})}, "clinic"),  # type: ignore[dict-item]
        ({"screening": Screening(factor=Fraction(0))}, "screening"),
        ({"screening": Screening(factor=Fraction(3, 2))}, "screening"),
        ({"screening": Screening(factor=0.75)}, "screening"),  # type: ignore[arg-type]
    ],
)
def test_limits_that_cannot_be_right_refuse(at: At, changes: dict[str, object], bound_by: str) -> None:
    (reason,) = refusal(check_depth(0.3, at("chin", **changes))).reasons
    assert (reason.code, reason.bound_by) == ("limits-invalid", bound_by)


@pytest.mark.req("S-01")
@pytest.mark.parametrize(
    "wrong",
    [
        {"tolerance_um": -50},
        {"tolerance_um": None},
        {"tolerance_um": 2501},
        {"depth_step_um": 0},
        {"depth_max_um": 0},
        {"depth_max_um": 65535},
        {"depth_max_um": float("inf")},
        {"depth_min_um": 2600},
        {"rate_min_dhz": 0},
        {"rate_max_dhz": 100},
        {"rate_step_dhz": 0},
    ],
)
def test_a_pen_that_tells_nonsense_is_refused(at: At, fine: PenLimits, wrong: dict[str, object]) -> None:
    c = at("chin", pen=replace(fine, **wrong))  # type: ignore[arg-type]
    assert refusal(check_depth(0.3, c)).codes == ("limits-invalid",)


def test_a_zone_that_cannot_be_right_is_refused(at: At) -> None:
    for ceiling, hard in ((None, 500), (float("nan"), 500), (-1, 500), (600, 500)):
        zone = Zone(99, "odd", False, 100, ceiling, hard, "", "", "x")  # type: ignore[arg-type]
        assert refusal(check_depth(0.3, replace(at("chin"), zone=zone))).codes == ("limits-invalid",)


def test_sides(at: At) -> None:
    assert refusal(check_depth(0.3, at("cheek"))).codes == ("side-required",)
    assert refusal(check_depth(0.3, at("cheek", "middle"))).codes == ("side-required",)
    assert refusal(check_depth(0.3, at("chin", "left"))).codes == ("side-not-used",)


def test_screening_blocks_and_excludes(at: At) -> None:
    blocked = Screening(blocked_by=("pregnancy", "isotretinoin now"))
    assert refusal(depth_limit(at("chin", screening=blocked))).codes == (
        "screening-blocks",
        "screening-blocks",
    )
    one_side = Screening(excluded=frozenset({("cheek", "left")}))
    assert refusal(check_depth(0.5, at("cheek", "left", screening=one_side))).codes == ("zone-excluded",)
    assert allowed(check_depth(0.5, at("cheek", "right", screening=one_side)))
    both = Screening(excluded=frozenset({("cheek", None)}))
    assert refusal(check_depth(0.5, at("cheek", "right", screening=both))).codes == ("zone-excluded",)


def test_the_screening_factor_rounds_down_to_a_micrometre(at: At) -> None:
    limit = depth_limit(at("periorbital", "left", screening=Screening(factor=Fraction(1, 3))))
    assert isinstance(limit, DepthLimit)
    assert (limit.limit_um, limit.bound_by, limit.deepest_um) == (100, LimitSource.SCREENING, 50)
    limit = depth_limit(at("chin", screening=Screening(factor=Fraction(1, 3))))
    assert isinstance(limit, DepthLimit)
    assert limit.limit_um == 266


@pytest.mark.req("S-22")
class TestOverride:
    def test_it_puts_the_hard_ceiling_in_the_place_of_the_ceiling(self, at: At) -> None:
        assert allowed(check_depth(0.45, at("periorbital", "left", override=ANNA))).limit_um == 500
        (reason,) = refusal(check_depth(0.5, at("periorbital", "left", override=ANNA))).reasons
        assert reason.limit_mm == 0.5

    def test_it_counts_for_its_zone_and_side_alone(self, at: At) -> None:
        for zone, side in (("periorbital", "right"), ("temple", "left")):
            c = at(zone, side, override=ANNA)
            assert depth_limit(c) == depth_limit(replace(c, override=None))

    @pytest.mark.parametrize("blank", ["", "  ", None])
    def test_without_a_name_or_a_reason_it_refuses(self, at: At, blank: str) -> None:
        for override in (replace(ANNA, by=blank), replace(ANNA, reason=blank)):
            verdict = refusal(check_depth(0.2, at("periorbital", "left", override=override)))
            assert verdict.codes == ("override-invalid",)
            deeper = refusal(check_depth(0.45, at("periorbital", "left", override=override)))
            assert deeper.codes == ("override-invalid", "depth-above-limit"), "it raises no ceiling either"

    def test_the_screening_factor_then_applies_to_the_hard_ceiling(self, at: At) -> None:
        limit = depth_limit(
            at("periorbital", "left", override=ANNA, screening=Screening(factor=Fraction(3, 4)))
        )
        assert isinstance(limit, DepthLimit)
        assert (limit.limit_um, limit.bound_by) == (375, LimitSource.SCREENING)

    def test_it_lifts_no_other_limit(self, at: At) -> None:
        for changes in (
            {"clinic": ClinicProfile("c", ceilings_um={"periorbital": 300})},
            {"clinic": ClinicProfile("c", depth_max_um=300)},
            {"cartridge_length_um": 300},
            {"held_um": 300},
        ):
            assert refusal(check_depth(0.45, at("periorbital", "left", override=ANNA, **changes)))
        excluded = Screening(excluded=frozenset({("periorbital", None)}))
        clinic = ClinicProfile("c", forbidden=frozenset({"periorbital"}))
        c = at("periorbital", "left", override=ANNA, screening=excluded, clinic=clinic)
        assert refusal(check_depth(0.2, c)).codes == ("zone-forbidden", "zone-excluded")


def test_out_of_reach(at: At) -> None:
    coarse = PenLimits(200, 1900, 100, 150, 1000, 1500, 10)
    c = at("periorbital", "left", pen=coarse)
    limit = depth_limit(c)
    assert isinstance(limit, DepthLimit)
    assert limit.out_of_reach
    verdict = refusal(check_depth(0.2, c))
    assert verdict.codes == ("depth-above-limit", "zone-out-of-reach")
    assert verdict.reasons[1].message == (
        "periorbital is out of this pen's reach: its shallowest depth 0.20 mm plus its tolerance of 0.15 mm "
        "is above the 0.30 mm ceiling (set by: zone)"
    )
    assert preset_um(c) is None


def test_the_start_is_preset_only_where_it_fits_as_it_is(at: At, fine: PenLimits) -> None:
    assert preset_um(at("cheek", "left")) == 500
    assert preset_um(at("nose_bridge", pen=replace(fine, depth_step_um=100))) is None, "0.25 is off its step"
    assert preset_um(at("cheek", "left", held_um=500)) is None
    assert preset_um(at("eyelid", "left")) is None
    assert preset_um(at("cheek", "left", pen=None, scope=Scope.PLAN)) == 500


def test_scopes_say_what_must_be_known(at: At) -> None:
    unknown = {"pen": None, "cartridge_length_um": None, "held_um": None}
    plan = allowed(check_depth(0.33, at("chin", scope=Scope.PLAN, **unknown)))
    assert plan.scope is Scope.PLAN, "so that it can be kept from a device"
    (finer,) = refusal(check_depth(0.3005, at("chin", scope=Scope.PLAN, **unknown))).reasons
    assert (finer.code, finer.message) == ("depth-off-step", "0.3005 mm on chin is finer than a micrometre")
    assert refusal(check_depth(0.33, at("chin", scope=Scope.SELECT, **unknown))).codes == ("limit-missing",)
    select = depth_limit(at("chin", scope=Scope.SELECT, cartridge_length_um=None, held_um=None))
    assert isinstance(select, DepthLimit)
    assert (select.limit_um, select.deepest_um) == (800, 750)


def test_all_limits_in_force_are_shown(at: At) -> None:
    limit = depth_limit(at("chin", held_um=800))
    assert isinstance(limit, DepthLimit)
    assert [source.text() for source in limit.sources] == [
        "0.80 mm ceiling (set by: zone)",
        "0.80 mm limit (set by: held)",
        "2.50 mm needle length (set by: cartridge)",
        "2.50 mm range (set by: device)",
    ]


@pytest.mark.parametrize(
    ("name", "side", "codes", "hint"),
    [
        ("cheeks", "left", ("zone-unknown",), "did you mean cheek?"),
        ("Upper Lip", None, ("zone-unknown",), "did you mean upper_lip?"),
        ("xyzzy", None, ("zone-unknown",), "`penstroke zones` lists the zones there are"),
        ("x" * 100_000, None, ("zone-unknown",), "`penstroke zones` lists the zones there are"),
        (None, None, ("zone-unknown",), "`penstroke zones` lists the zones there are"),
        (8, "left", ("zone-unknown",), "`penstroke zones` lists the zones there are"),
        ("cheek", None, ("side-required",), "name the patient's left or right"),
        ("cheek", "LEFT", ("side-required",), "name the patient's left or right"),
        ("chin", "left", ("side-not-used",), "leave the side out"),
    ],
)
def test_zones_not_found(name: object, side: object, codes: tuple[str, ...], hint: str) -> None:
    verdict = refusal(find_zone(name, side, data.zone_table()))
    assert (verdict.codes, verdict.reasons[0].hint) == (codes, hint)
    assert len(verdict.reasons[0].message) < 200


def test_zones_found() -> None:
    assert find_zone("cheek", "right", data.zone_table()) == data.zone_named("cheek")
    assert find_zone("chin", None, data.zone_table()) == data.zone_named("chin")


def test_a_refusal_has_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        Refusal(())


def test_facts_leave_out_what_does_not_apply() -> None:
    assert Reason("zone-unknown", "there is none").facts() == {}
    assert "zone-unknown" in CODES
