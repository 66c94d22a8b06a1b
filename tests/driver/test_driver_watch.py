"""The host's distrust of the device, on numbers alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstroke.data import figures
from penstroke.watch import SILENCE_NS, TRAVEL_NS, Watch
from penstroke_protocol.messages import State, Telemetry

MS = 1_000_000
TOLERANCE_UM = 50
WINDOW_UM = TOLERANCE_UM + 50


def reading(depth_um: int, rate_dhz: int, time_ms: int = 0) -> Telemetry:
    return Telemetry(time_ms, 1, State.RUNNING, 0, 0, depth_um, rate_dhz, 0, 100, 250, 90)


@pytest.fixture
def watch() -> Watch:
    watch = Watch(figures(), tolerance_um=TOLERANCE_UM)
    watch.commanded(500, 1000, 0)
    return watch


@pytest.mark.req("S-19")
def test_a_reading_deeper_than_the_window_is_judged_at_once(watch: Watch) -> None:
    assert watch.judge(reading(500 + WINDOW_UM, 1000), 400 * MS) == ""
    words = watch.judge(reading(500 + WINDOW_UM + 1, 1000), 400 * MS)
    assert "0.601 mm is more than 0.10 mm from the 0.50 mm commanded" in words


@pytest.mark.req("S-19")
def test_a_reading_too_shallow_must_last_for_the_window(watch: Watch) -> None:
    shallow = reading(500 - WINDOW_UM - 1, 1000)
    assert watch.judge(shallow, 400 * MS) == ""
    assert watch.judge(shallow, 419 * MS) == ""
    assert "measured depth" in watch.judge(shallow, 420 * MS)


def test_a_good_reading_between_two_slips_forgives_the_first(watch: Watch) -> None:
    slow = reading(500, 800)
    assert watch.judge(slow, 400 * MS) == ""
    assert watch.judge(reading(500, 1000), 450 * MS) == ""
    assert watch.judge(slow, 500 * MS) == ""


@pytest.mark.parametrize("rate_dhz", [899, 1101, 0, 65535])
def test_a_rate_outside_ten_percent_is_found_after_the_ramp(watch: Watch, rate_dhz: int) -> None:
    assert watch.judge(reading(500, rate_dhz), 299 * MS) == ""
    assert watch.judge(reading(500, rate_dhz), 300 * MS) == ""
    assert "measured rate" in watch.judge(reading(500, rate_dhz), 320 * MS)


@pytest.mark.parametrize("rate_dhz", [900, 1000, 1100])
def test_a_rate_on_the_edge_of_its_window_is_right(watch: Watch, rate_dhz: int) -> None:
    assert watch.judge(reading(500, rate_dhz), 300 * MS) == ""
    assert watch.judge(reading(500, rate_dhz), 400 * MS) == ""


@given(st.integers(0, 500 + WINDOW_UM), st.integers(0, TRAVEL_NS - 1))
def test_while_the_needles_travel_any_depth_on_the_way_is_right(depth_um: int, now_ns: int) -> None:
    watch = Watch(figures(), tolerance_um=TOLERANCE_UM)
    watch.commanded(500, 1000, 0)
    assert watch.judge(reading(depth_um, 1000), now_ns) == ""


@pytest.mark.req("S-19")
@given(st.integers(500 + WINDOW_UM + 1, 65535), st.integers(0, 10 * TRAVEL_NS))
def test_no_reading_beyond_the_command_passes_even_while_travelling(depth_um: int, now_ns: int) -> None:
    watch = Watch(figures(), tolerance_um=TOLERANCE_UM)
    watch.commanded(500, 1000, 0)
    assert watch.judge(reading(depth_um, 1000), now_ns) != ""


def test_after_a_shallower_command_the_old_depth_is_right_only_while_travelling(watch: Watch) -> None:
    watch.commanded(300, 1000, 1000 * MS)
    assert watch.judge(reading(500, 1000), 1000 * MS + TRAVEL_NS - 1) == ""
    assert watch.judge(reading(500, 1000), 1000 * MS + TRAVEL_NS) != ""


def test_a_device_clock_that_stands_still_proves_nothing(watch: Watch) -> None:
    assert watch.advanced(reading(500, 1000, time_ms=100))
    assert not watch.advanced(reading(500, 1000, time_ms=100))
    assert watch.advanced(reading(500, 1000, time_ms=150))
    assert not watch.advanced(reading(500, 1000, time_ms=140))


def test_the_device_clock_may_wrap(watch: Watch) -> None:
    assert watch.advanced(reading(500, 1000, time_ms=0xFFFF_FFFF))
    assert watch.advanced(reading(500, 1000, time_ms=40))


def test_how_long_needles_travel_and_how_long_a_pen_may_be_silent() -> None:
    assert (TRAVEL_NS, SILENCE_NS) == (100_000_000, 250_000_000)


@pytest.mark.parametrize(("step", "advanced"), [(1, True), (2**31 - 1, True), (2**31, False), (0, False)])
def test_the_pens_clock_goes_on_by_a_millisecond_and_by_less_than_half_its_round(
    step: int, advanced: bool
) -> None:
    watch = Watch(figures(), tolerance_um=TOLERANCE_UM)
    assert watch.advanced(reading(0, 0, 5))
    assert watch.advanced(reading(0, 0, 5 + step)) is advanced


@pytest.mark.req("S-19")
@pytest.mark.parametrize("now_ns", [0, 99 * MS, 1000 * MS])
def test_before_any_command_the_needles_belong_at_zero(now_ns: int) -> None:
    watch = Watch(figures(), tolerance_um=TOLERANCE_UM)
    assert watch.judge_depth(reading(WINDOW_UM, 0), now_ns) == ""
    assert "from the 0.00 mm commanded" in watch.judge_depth(reading(WINDOW_UM + 1, 0), now_ns)


@pytest.mark.parametrize(("first_ns", "found"), [(300 * MS - 1, False), (300 * MS, True)])
def test_before_any_command_the_motor_belongs_at_rest(first_ns: int, found: bool) -> None:
    watch = Watch(figures(), tolerance_um=TOLERANCE_UM)
    for now_ns in (first_ns, first_ns + 20 * MS):
        said = watch.judge(reading(0, 1), now_ns)
    assert bool(said) is found
    assert watch.judge(reading(0, 0), 500 * MS) == watch.judge(reading(0, 0), 600 * MS) == ""


def test_a_window_may_be_passed_between_two_readings(watch: Watch) -> None:
    slow = reading(500, 800)
    assert watch.judge(slow, 400 * MS) == ""
    assert "measured rate" in watch.judge(slow, 500 * MS)


@pytest.mark.parametrize("rate_dhz", [800, 1300])
def test_after_another_rate_was_commanded_its_own_ramp_is_waited_for(watch: Watch, rate_dhz: int) -> None:
    changed_ns = 1_300_000_001
    watch.commanded(500, rate_dhz, changed_ns)
    for after_ns in (0, 150 * MS, 180 * MS, 300 * MS - 1):
        assert watch.judge(reading(500, 1000), changed_ns + after_ns) == ""
    for after_ns in (300 * MS, 400 * MS):
        assert watch.judge(reading(500, rate_dhz), changed_ns + after_ns) == ""
    watch.judge(reading(500, 1000), changed_ns + 500 * MS)
    assert "measured rate" in watch.judge(reading(500, 1000), changed_ns + 520 * MS)
