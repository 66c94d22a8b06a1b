"""How a run ends, every way it can: the motor off, the needles in, and the caller told why. Virtual time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from penstroke.errors import DeviceFault, LinkError, LinkLost, LinkTimeout, PenError, Refused
from penstroke.pen import Pen
from penstroke.status import Sample

LEASE_S = 0.300
DEADLINE_CUT_S = 0.305
DEADLINE_IN_S = 0.350


@pytest.fixture
def ready(pen: Pen) -> Pen:
    pen.select_zone("cheek", side="left")
    pen.set_rate(hz=110)
    pen.set_depth(mm=0.9)
    return pen


def entries(pen_sim: Any, event: str) -> list[dict[str, Any]]:
    return [entry for entry in pen_sim.journal.entries if entry["event"] == event]


def resting(pen_sim: Any) -> bool:
    """Motor off and needles in, by the pen's own journal."""
    motor, needles = entries(pen_sim, "motor"), entries(pen_sim, "needles")
    return bool(motor and not motor[-1]["on"] and not needles[-1]["extended"])


def until(strokes: Iterator[Sample], elapsed_s: float) -> Sample:
    for sample in strokes:
        if sample.elapsed_s >= elapsed_s:
            return sample
    raise AssertionError("the run ended early")


# -- in good order ------------------------------------------------------------------------------------------


def test_a_run_reaches_its_depth_and_rate_and_counts_its_strokes(ready: Pen) -> None:
    with ready.needling(longest_s=10) as strokes:
        sample = until(strokes, 2.0)
        assert sample.depth_mm == pytest.approx(0.9, abs=0.05)
        assert sample.rate_hz == pytest.approx(110, rel=0.05)
        assert 190 < sample.strokes < 220
        assert sample.state == "running"


def test_leaving_the_loop_stops_and_retracts(ready: Pen, pen_sim: Any) -> None:
    with ready.needling(longest_s=10) as strokes:
        until(strokes, 0.5)
    assert strokes.ended == "left"
    assert resting(pen_sim)
    assert ready.status().state == "idle"


def test_the_pen_ends_a_run_at_its_longest(ready: Pen, pen_sim: Any) -> None:
    with ready.needling(longest_s=1) as strokes:
        for _ in strokes:
            pass
    assert strokes.ended == "duration"
    start, off = entries(pen_sim, "start")[0], entries(pen_sim, "motor")[-1]
    assert off["t"] - start["t"] == pytest.approx(1.0, abs=0.001)
    assert off["reason"] == "duration"


@pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_exception_in_the_loop_stops_and_retracts(
    ready: Pen, pen_sim: Any, raised: type[BaseException]
) -> None:
    with pytest.raises(raised), ready.needling(longest_s=10) as strokes:
        until(strokes, 0.5)
        raise raised
    assert strokes.ended == "failed"
    assert resting(pen_sim)


def test_an_abandoned_generator_stops_and_retracts(ready: Pen, pen_sim: Any) -> None:
    def samples() -> Iterator[Sample]:
        with ready.needling(longest_s=10) as strokes:
            yield from strokes

    generator = samples()
    until(generator, 0.5)
    assert not resting(pen_sim)
    del generator
    assert resting(pen_sim)


def test_closing_the_pen_in_the_middle_of_a_run_stops_and_retracts(ready: Pen, pen_sim: Any) -> None:
    run = ready.needling(longest_s=10)
    strokes = run.__enter__()
    until(strokes, 0.5)
    ready.close()
    assert resting(pen_sim)
    ready.close()


def test_an_iterator_that_has_ended_stays_ended(ready: Pen) -> None:
    with ready.needling(longest_s=0.5) as strokes:
        for _ in strokes:
            pass
        assert next(iter(strokes), None) is None


@pytest.mark.req("S-11")
def test_a_second_run_needs_its_own_press_and_gets_it(ready: Pen, pen_sim: Any) -> None:
    for _ in range(3):
        with ready.needling(longest_s=10) as strokes:
            until(strokes, 0.3)
    assert len(entries(pen_sim, "start")) == 3
    with pytest.raises(Refused, match="moving already"), ready.needling() as _, ready.needling():
        pass
    assert resting(pen_sim)


# -- stops --------------------------------------------------------------------------------------------------


@pytest.mark.req("S-12")
def test_a_stop_from_within_the_loop_is_confirmed_before_it_returns(ready: Pen, pen_sim: Any) -> None:
    with ready.needling(longest_s=10) as strokes:
        until(strokes, 0.5)
        ready.stop()
        assert resting(pen_sim)
        assert list(strokes) == []
    assert strokes.ended == "stopped"


@pytest.mark.req("S-12")
def test_a_stop_asked_for_elsewhere_ends_the_loop(ready: Pen, pen_sim: Any) -> None:
    """What another thread or a signal handler does: one write and a flag."""
    with ready.needling(longest_s=10) as strokes:
        until(strokes, 0.5)
        ready.demand_stop()
        assert list(strokes) == []
    assert strokes.ended == "stopped"
    assert resting(pen_sim)
    assert entries(pen_sim, "motor")[-1]["reason"] == "stop"


@pytest.mark.req("S-12")
def test_stop_works_before_anything_was_set(pen: Pen, pen_sim: Any) -> None:
    pen.stop()
    pen.stop()
    assert len(entries(pen_sim, "stop")) >= 2


@pytest.mark.req("S-11")
def test_after_the_stop_key_nothing_goes_on_by_itself(ready: Pen, pen_sim: Any) -> None:
    with pytest.raises(DeviceFault, match="own stop key") as error, ready.needling(longest_s=10) as strokes:
        until(strokes, 0.5)
        pen_sim.inject("stop-key")
        list(strokes)
    assert error.value.code == "stopped-by-key"
    pen_sim.advance(20)
    assert len(entries(pen_sim, "start")) == 1
    assert resting(pen_sim)


# -- the dead-man's switch ----------------------------------------------------------------------------------


@pytest.mark.req("S-10", "S-09")
@pytest.mark.parametrize("after_s", [0.02, 0.1, 0.5, 3.0])
def test_a_loop_that_hangs_lets_the_lease_lapse(ready: Pen, pen_sim: Any, after_s: float) -> None:
    with pytest.raises(DeviceFault, match="lease"), ready.needling(longest_s=10) as strokes:
        until(strokes, after_s)
        hung_at_s = pen_sim.world.now_ns / 1e9
        pen_sim.advance(5)
        off, needles = entries(pen_sim, "motor")[-1], entries(pen_sim, "needles")[-1]
        assert off["reason"] == "lease"
        assert off["t"] - hung_at_s <= DEADLINE_CUT_S
        assert not needles["extended"]
        assert needles["t"] - hung_at_s <= DEADLINE_IN_S
        list(strokes)
    assert [fault.name for fault in ready.faults()] == ["lease"]


@pytest.mark.req("S-11")
def test_a_loop_that_wakes_up_does_not_start_again(ready: Pen, pen_sim: Any) -> None:
    with pytest.raises(DeviceFault), ready.needling(longest_s=60) as strokes:
        until(strokes, 0.5)
        pen_sim.advance(2)
        for _ in range(100):
            next(strokes)
    assert len([entry for entry in entries(pen_sim, "motor") if entry["on"]]) == 1
    assert resting(pen_sim)


def test_a_loop_slower_than_a_beat_but_faster_than_the_lease_runs_on(ready: Pen, pen_sim: Any) -> None:
    with ready.needling(longest_s=10) as strokes:
        for sample in strokes:
            pen_sim.advance(0.2)
            if sample.elapsed_s >= 5:
                break
    assert strokes.ended == "left"
    assert entries(pen_sim, "fault") == []


# -- the device alone, and the host that distrusts it -------------------------------------------------------


@pytest.mark.req("S-10", "S-11")
@pytest.mark.parametrize(
    ("inject", "fault"),
    [
        ("motor-stall", "stall"),
        ("over-current", "over-current"),
        ("over-temperature", "over-temperature"),
        ("cartridge-removed", "cartridge-off"),
    ],
)
def test_a_trip_is_told_by_name_and_leaves_everything_still(
    ready: Pen, pen_sim: Any, inject: str, fault: str
) -> None:
    with pytest.raises(DeviceFault, match=fault) as error, ready.needling(longest_s=10) as strokes:
        until(strokes, 1.0)
        pen_sim.inject(inject)
        until(strokes, 9.0)
    assert error.value.facts["faults"] == [fault]
    assert error.value.hint
    assert resting(pen_sim)


@pytest.mark.req("S-19", "S-10", "R-17.3")
@pytest.mark.parametrize(
    ("inject", "params"),
    [
        ("wrong-depth", {"offset_um": 300}),
        ("wrong-depth", {"offset_um": -300}),
        ("wrong-rate", {"factor": 0.5}),
        ("wrong-rate", {"factor": 1.3}),
    ],
)
def test_needles_that_do_not_do_as_told_are_stopped(
    ready: Pen, pen_sim: Any, inject: str, params: dict[str, Any]
) -> None:
    pen_sim.inject(inject, **params)
    with pytest.raises(DeviceFault), ready.needling(longest_s=10) as strokes:
        until(strokes, 9.0)
    assert resting(pen_sim)


@pytest.mark.req("S-10")
@pytest.mark.parametrize("inject", ["sensor-stuck", "actuator-drift"])
def test_where_the_sensor_cannot_be_believed_needles_count_as_out(
    ready: Pen, pen_sim: Any, inject: str
) -> None:
    with pytest.raises(DeviceFault) as error, ready.needling(longest_s=10) as strokes:
        until(strokes, 1.0)
        pen_sim.inject(inject)
        until(strokes, 9.0)
    assert error.value.code in ("retraction-unconfirmed", "fault-latched", "disagreement")
    assert not entries(pen_sim, "motor")[-1]["on"]


@pytest.mark.req("S-01", "S-04")
def test_a_firmware_that_obeys_anything_is_still_held_by_the_host(ready: Pen, pen_sim: Any) -> None:
    pen_sim.inject("ignores-limits")
    with pytest.raises(Refused):
        ready.set_depth(mm=2.0)
    assert ready.status().depth_um == 900


@pytest.mark.req("S-10", "R-17.3")
def test_a_pen_that_falls_silent_is_stopped(ready: Pen, pen_sim: Any) -> None:
    with (
        pytest.raises(LinkTimeout, match="no valid telemetry") as error,
        ready.needling(longest_s=10) as strokes,
    ):
        until(strokes, 1.0)
        silent_at_s = pen_sim.world.now_ns / 1e9
        pen_sim.inject("silent")
        list(strokes)
    off = entries(pen_sim, "motor")[-1]
    assert off["reason"] == "stop"
    assert off["t"] - silent_at_s <= 0.300
    assert resting(pen_sim)
    assert any("TELEMETRY" in line for line in error.value.black_box)


@pytest.mark.req("S-10")
def test_a_pen_whose_program_hangs_while_its_link_repeats_itself_is_found(ready: Pen, pen_sim: Any) -> None:
    with pytest.raises(PenError), ready.needling(longest_s=10) as strokes:
        until(strokes, 1.0)
        pen_sim.inject("hang-link-alive")
        list(strokes)


@pytest.mark.req("S-10")
def test_a_cut_cable_is_an_error_that_says_what_to_do_about_the_needles(ready: Pen, pen_sim: Any) -> None:
    with pytest.raises(LinkLost) as error, ready.needling(longest_s=10) as strokes:
        until(strokes, 1.0)
        cut_at_s = pen_sim.world.now_ns / 1e9
        pen_sim.inject("cut")
        list(strokes)
    assert "lift the pen" in error.value.hint
    pen_sim.world.advance(pen_sim.world.now_ns + 2_000_000_000)
    off, needles = entries(pen_sim, "motor")[-1], entries(pen_sim, "needles")[-1]
    assert off["reason"] == "lease"
    assert off["t"] - cut_at_s <= DEADLINE_CUT_S
    assert needles["t"] - cut_at_s <= DEADLINE_IN_S


@pytest.mark.req("S-10")
def test_a_half_open_line_stops_both_ends_and_names_the_doubt(ready: Pen, pen_sim: Any) -> None:
    with pytest.raises(LinkError) as error, ready.needling(longest_s=10) as strokes:
        until(strokes, 1.0)
        pen_sim.inject("half-open")
        list(strokes)
    assert "lift the pen" in error.value.hint
    assert resting(pen_sim)


@pytest.mark.req("R-17.4")
def test_needles_that_do_not_come_in_are_said_to_be_out(ready: Pen, pen_sim: Any) -> None:
    with pytest.raises(DeviceFault) as error, ready.needling(longest_s=10) as strokes:
        until(strokes, 1.0)
        pen_sim.inject("actuator-jam")
    assert error.value.code == "retraction-unconfirmed"
    assert "lift the pen" in str(error.value)


@pytest.mark.req("S-10", "S-11")
def test_a_pen_that_is_reset_in_a_run_stays_still(ready: Pen, pen_sim: Any) -> None:
    with pytest.raises(LinkError), ready.needling(longest_s=10) as strokes:
        until(strokes, 1.0)
        pen_sim.inject("reset")
        list(strokes)
    pen_sim.advance(5)
    assert resting(pen_sim)
    assert len(entries(pen_sim, "start")) == 1


# -- the trigger --------------------------------------------------------------------------------------------


def test_the_trigger_starts_and_releases_while_the_loop_turns(ready: Pen, pen_sim: Any) -> None:
    seen: list[str] = []
    with ready.needling(longest_s=20, trigger=True) as strokes:
        for sample in strokes:
            if not seen or seen[-1] != sample.state:
                seen.append(sample.state)
            if 1.0 <= sample.elapsed_s < 1.04 or 4.0 <= sample.elapsed_s < 4.04:
                pen_sim.inject("trigger-press")
            if 3.0 <= sample.elapsed_s < 3.04:
                pen_sim.inject("trigger-release")
            if sample.elapsed_s >= 6:
                break
    assert seen == ["armed", "running", "armed", "running"]
    assert resting(pen_sim)
    assert len(entries(pen_sim, "start")) == 2


@pytest.mark.req("S-09")
def test_a_hung_loop_stops_a_run_that_the_trigger_started(ready: Pen, pen_sim: Any) -> None:
    with pytest.raises(DeviceFault, match="lease"), ready.needling(trigger=True) as strokes:
        until(strokes, 0.5)
        pen_sim.inject("trigger-press")
        until(strokes, 1.5)
        assert not resting(pen_sim)
        pen_sim.advance(1)
        assert resting(pen_sim)
        list(strokes)


def test_an_arm_that_nobody_uses_expires(ready: Pen, pen_sim: Any) -> None:
    with ready.needling(trigger=True) as strokes:
        for _ in strokes:
            pass
    assert strokes.ended == "arm-expired"
    armed, idle = (entry for entry in entries(pen_sim, "state") if "armed" in (entry["to"], entry["from"]))
    assert idle["t"] - armed["t"] == pytest.approx(10.0, abs=0.001)
