"""Exact edges of rates, times, numbers and files: where one more or one less is another answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from penstroke import data
from penstroke.errors import LimitsError
from penstroke.safety import (
    AllowedRate,
    AllowedRun,
    ClinicProfile,
    Constraints,
    Figures,
    PenLimits,
    Refusal,
    Scope,
    check_envelope,
    check_rate,
    check_run,
    check_zone_time,
    depth_um_from_text,
    mm,
    parse_clinic,
    parse_figures,
    parse_zones,
)
from penstroke.safety.units import Wish, exact, no_number, unit_hint_hz, unit_hint_mm
from penstroke.safety.zones import COLUMNS

At = Callable[..., Constraints]
FIGURES = (Path(data.__file__).parent / "figures.toml").read_text(encoding="utf-8")
HEADER = ",".join(COLUMNS)
ROW = "1,forehead,no,0.30,0.50,0.75,,,a chart"


def refusal(verdict: object) -> Refusal:
    assert isinstance(verdict, Refusal)
    return verdict


def wish(number: object) -> Wish:
    found = exact(number)
    assert found is not None
    return found


# -- rates --------------------------------------------------------------------------------------------------


def plan(at: At) -> Constraints:
    return at("chin", pen=None, scope=Scope.PLAN)


def test_before_a_pen_is_known_a_rate_is_any_tenth_of_a_hertz(at: At, figures: Figures) -> None:
    assert check_rate(0.1, plan(at), 500, figures) == AllowedRate(1, Scope.PLAN)
    assert check_rate(110, plan(at), 500, figures) == AllowedRate(1100, Scope.PLAN)
    assert check_rate(1000, plan(at), 500, figures) == AllowedRate(10_000, Scope.PLAN)
    assert refusal(check_rate(0, plan(at), 500, figures)).codes == ("rate-out-of-range",)
    assert refusal(check_rate(1000.1, plan(at), 500, figures)).codes == ("rate-out-of-range",)


def test_a_range_is_told_with_both_its_ends(at: At, figures: Figures) -> None:
    (reason,) = refusal(check_rate(200, at("chin"), 500, figures)).reasons
    assert reason.message == "200 Hz is outside the pen's range, 25.0 to 150.0 Hz (set by: device)"


@pytest.mark.req("S-02")
def test_the_ends_of_the_clinics_range_are_in_it(at: At, figures: Figures) -> None:
    here = at("chin", clinic=ClinicProfile("x", rate_min_dhz=900, rate_max_dhz=1200))
    assert check_rate(90, here, 500, figures) == AllowedRate(900, Scope.MOTION)
    assert check_rate(120, here, 500, figures) == AllowedRate(1200, Scope.MOTION)
    for outside in (89.9, 120.1):
        assert refusal(check_rate(outside, here, 500, figures)).codes == ("rate-out-of-range",)


def test_a_clinic_with_a_highest_rate_only_has_zero_for_its_lowest(at: At, figures: Figures) -> None:
    here = at("chin", clinic=ClinicProfile("x", rate_max_dhz=1200))
    assert refusal(check_rate(130, here, 500, figures)).reasons[0].min_hz == 0.0


def test_deep_and_slow_is_told_with_its_figures(at: At, figures: Figures) -> None:
    assert check_envelope(1000, 800, figures) is None
    assert check_envelope(1000, 801, figures) is None
    assert check_envelope(999, 799, figures) is None
    (reason,) = refusal(check_envelope(1005, 799, figures)).reasons
    assert (reason.requested_mm, reason.requested_hz, reason.min_hz) == (1.005, 79.9, 80.0)
    (reason,) = refusal(check_envelope(1005, 799, replace(figures, deep_rate_min_dhz=805))).reasons
    assert reason.min_hz == 80.5


def test_a_rate_below_zero_is_told_as_zero(at: At, figures: Figures) -> None:
    *_, reason = refusal(check_rate(-5, at("chin"), 1000, figures)).reasons
    assert reason.code == "rate-too-slow"
    assert reason.message.startswith("0.0 Hz is too slow at 1.00 mm")


# -- times --------------------------------------------------------------------------------------------------


def test_a_run_after_a_second_of_needling(figures: Figures) -> None:
    assert check_run(600, figures, busy_s=0, idle_s=1) == AllowedRun(600.0)
    assert refusal(check_run(600, figures, busy_s=1, idle_s=1)).reasons[0].max_s == 599.0
    assert check_run(10, figures) == AllowedRun(10.0)
    assert refusal(check_run(600.5, figures, busy_s=600, idle_s=120)).reasons[0].max_s == 600.0


def test_no_less_than_no_time_is_left(figures: Figures) -> None:
    assert refusal(check_run(1, figures, busy_s=700, idle_s=1)).reasons[0].max_s == 0.0
    assert refusal(check_zone_time(1, figures, used_s=700, planned_s=60)).reasons[0].max_s == 0.0
    assert check_zone_time(10, figures, used_s=0, planned_s=60) == AllowedRun(10.0)


# -- numbers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "beyond"),
    [
        (9_999, False),
        (10_000, True),
        (-9_999, False),
        (-10_000, True),
        (9_999.9, False),
        (1e4, True),
        (2e4, True),
        (-9_999.9, False),
        (-1e4, True),
        (-2e4, True),
        (Decimal("9999.9"), False),
        (Decimal("1E4"), True),
        (Decimal("-1E4"), True),
    ],
)
def test_what_is_too_large_to_look_at(number: object, beyond: bool) -> None:
    assert wish(number).beyond is beyond


def test_a_number_beyond_keeps_its_sign_and_nothing_else() -> None:
    assert exact(10**9) == Wish(10_000, 1, "at least 10000", None, beyond=True)
    assert exact(-(10**9)) == Wish(-10_000, 1, "at most -10000", None, beyond=True)


def test_a_number_above_zero_is() -> None:
    assert [wish(number).positive for number in (-1, 0, 1, Decimal("1E-30"))] == [False, False, True, True]


def test_comparisons_are_exact() -> None:
    assert (wish(0.3).at_most(300, 1000), wish(0.3).at_most(299, 1000)) == (True, False)
    assert (wish(0.3).at_least(300, 1000), wish(0.3).at_least(301, 1000)) == (True, False)
    assert (wish(10**9).at_most(10**9, 1), wish(-(10**9)).at_least(-(10**9), 1)) == (False, False)


def test_of_places_thirty_are_looked_at() -> None:
    assert exact(Decimal("1E-30")) is not None
    assert exact(Decimal("1E-31")) is None


def test_a_decimal_is_told_to_machines_as_a_float() -> None:
    assert wish(Decimal("0.3")).value == 0.3


def test_a_depth_below_zero_is_shown_so() -> None:
    assert [mm(-1), mm(0), mm(-10), mm(1)] == ["-0.001", "0.00", "-0.01", "0.001"]


@pytest.mark.parametrize(("given", "shown"), [("0.3", "text"), (None, "NoneType"), ([], "list")])
def test_what_is_no_number_is_told_by_its_kind(given: object, shown: str) -> None:
    assert no_number("x", "depth", "mm", given).message.endswith(f"what was given is {shown}")


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (9, ""),
        (9.5, ""),
        (6.5, ""),
        (10, "depth is in millimetres: 10 µm would be 0.01 mm"),
        (10.5, "depth is in millimetres, not micrometres"),
        (10**9, "depth is in millimetres, not micrometres"),
    ],
)
def test_a_depth_in_micrometres_is_recognised_from_ten_on(number: object, hint: str) -> None:
    assert unit_hint_mm(wish(number)) == hint


@pytest.mark.parametrize(
    ("number", "rate"), [(1000, "16.7"), (Decimal("1004.9"), "16.7"), (1005, "16.8"), (7000, "116.7")]
)
def test_strokes_a_minute_are_recognised_from_a_thousand_on(number: object, rate: str) -> None:
    assert unit_hint_hz(wish(number)).endswith(f" rpm would be {rate} Hz")


def test_rates_that_could_be_meant() -> None:
    assert [unit_hint_hz(wish(number)) for number in (600, 999, 999.9)] == ["", "", ""]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0." + "1" * 30, "is finer than a micrometre"),
        ("0." + "1" * 31, "is too long for a number"),
        ("1,2345", "is finer than a micrometre"),
        ("0.3 MM", "carries a unit"),
        ("0.3 Hz", "carries a unit"),
    ],
)
def test_why_a_text_is_no_depth(text: str, says: str) -> None:
    (reason,) = refusal(depth_um_from_text(text)).reasons
    assert f"{says}" in reason.message
    assert len(reason.message) < 100


def test_of_a_long_text_thirty_two_characters_are_shown() -> None:
    (reason,) = refusal(depth_um_from_text("1" * 99)).reasons
    assert reason.message.startswith(f"'{'1' * 32}' is too long")


# -- files --------------------------------------------------------------------------------------------------


def test_a_profile_at_its_edges() -> None:
    zones = data.zone_table()
    profile = parse_clinic('name = "x"\nrate_min_hz = 1000\nrate_max_hz = 1000\ndepth_max_mm = 1.5', zones)
    assert (profile.rate_min_dhz, profile.rate_max_dhz, profile.depth_max_um) == (10_000, 10_000, 1500)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('forbidden_zones = "cheek"', "forbidden_zones must be a list"),
        ("forbidden_zones = [8]", "forbidden_zones must be a list"),
        ("rate_max_hz = 1000.1", "rate_max_hz must be above zero and no more than 1000 Hz"),
    ],
)
def test_a_profile_says_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(LimitsError, match=says):
        parse_clinic(f'name = "x"\n{text}', data.zone_table())


def test_a_profile_hints_at_the_key_as_it_is_written() -> None:
    with pytest.raises(LimitsError) as caught:
        parse_clinic('name = "x"\n[ceilings_mm]\ncheek = 0.3005', data.zone_table())
    assert caught.value.hint == "write cheek = 0.8"


def test_without_zones_a_profile_may_set_no_depth() -> None:
    with pytest.raises(LimitsError, match=r"is above 0\.00 mm"):
        parse_clinic('name = "x"\ndepth_max_mm = 0.001', ())


def test_figures_at_their_edges() -> None:
    assert parse_figures(_with_value(FIGURES, "deep_from_um", 1)).deep_from_um == 1
    equal = parse_figures(_with_value(FIGURES, "density_max_per_cm2", 250))
    assert equal.density_min_per_cm2 == equal.density_max_per_cm2 == 250


def _with_value(text: str, name: str, value: int) -> str:
    head, tail = text.split(f"[{name}]")
    line = next(one for one in tail.splitlines() if one.startswith("value"))
    return f"{head}[{name}]" + tail.replace(line, f"value = {value}", 1)


@pytest.mark.req("S-01")
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('unit = "um"', 'unit = "zz"', "must be in um, not 'zz'"),
        ('why = "deep', 'why = 3\n# "', "says no reason"),
    ],
)
def test_a_figure_that_is_wrong_is_named(old: str, new: str, says: str) -> None:
    with pytest.raises(LimitsError, match=says):
        parse_figures(FIGURES.replace(old, new, 1))


def test_a_figure_that_is_not_there_is_named() -> None:
    before, _, after = FIGURES.partition("[deep_from_um]")
    with pytest.raises(LimitsError, match="deep_from_um is missing"):
        parse_figures(before + after[after.index("\n[") :])


@pytest.mark.parametrize(
    "row",
    [
        "255,forehead,no,0.30,0.50,0.75,,,x",
        "1,forehead,no,0.001,0.50,0.75,,,x",
        "1,forehead,no,0.50,0.50,0.50,,,x",
        "1,forehead,no,1.50,1.50,1.50,,,x",
    ],
)
def test_rows_at_the_edge(row: str) -> None:
    assert len(parse_zones(f"{HEADER}\n{row}")) == 1


def test_zones_may_stand_in_any_order() -> None:
    zones = parse_zones(f"{HEADER}\n2,chin,no,0.30,0.50,0.75,,,x\n{ROW}")
    assert [zone.id for zone in zones] == [2, 1]


def test_a_source_may_be_two_lines_long() -> None:
    (zone,) = parse_zones(f'{HEADER}\n1,forehead,no,0.30,0.50,0.75,,,"a chart\nof two"')
    assert zone.basis == "a chart\nof two"


@pytest.mark.req("S-01")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{HEADER}\n1,forehead,no,0.30,0.50,1.501,,,x", "line 2: hard_ceiling_mm 1.501 is above 1.50"),
        (HEADER.replace("id,", "idx,") + "\n" + ROW, "line 1: the columns"),
        (HEADER, "line 1: it has no zones"),
    ],
)
def test_a_table_says_in_which_line_it_is_wrong(text: str, says: str) -> None:
    with pytest.raises(LimitsError, match=says):
        parse_zones(text)


def test_a_pen_of_one_rate_is_told_as_one(at: At, figures: Figures) -> None:
    pen = PenLimits(0, 2500, 250, 50, 1167, 1167, 1)
    (reason,) = refusal(check_rate(110, at("chin", pen=pen), 500, figures)).reasons
    assert "116.7 Hz (set by: device)" in reason.message
    assert " to " not in reason.message
