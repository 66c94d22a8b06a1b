"""Settings, reading back, and everything that must be true before needles may move. Virtual time."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

import penstroke
from penstroke.errors import (
    DeviceFault,
    LinkTimeout,
    PlanError,
    ProtocolError,
    Refused,
    Stopped,
    VersionMismatch,
)
from penstroke.pen import Pen
from penstroke.ports.opening import adopt
from penstroke.ports.trace import RecordedPort
from penstroke.safety import ClinicProfile, Override, Refusal
from penstroke_protocol.messages import Fault


def ready(pen: Pen, *, depth_mm: float = 0.9, rate_hz: float = 110) -> None:
    pen.select_zone("cheek", side="left")
    pen.set_rate(hz=rate_hz)
    pen.set_depth(mm=depth_mm)


def run_briefly(pen: Pen, seconds: float = 0.5) -> int:
    count = 0
    with pen.needling(longest_s=seconds) as strokes:
        for _ in strokes:
            count += 1
    return count


def codes_of(error: pytest.ExceptionInfo[Refused]) -> tuple[str, ...]:
    if error.value.verdict is None:
        raise LookupError("a refusal without a verdict")
    return error.value.verdict.codes


def plug(pen_sim: Any) -> RecordedPort:
    """The same simulated pen on a port opened afresh."""
    return adopt(type(pen_sim)(pen_sim.world))


def held(pen_sim: Any) -> list[dict[str, Any]]:
    return [entry for entry in pen_sim.journal.entries if entry["event"] == "motor"]


def test_what_is_set_is_what_the_pen_holds(pen: Pen) -> None:
    ready(pen)
    told = pen.status()
    assert (told.zone, told.side, told.depth_um, told.rate_dhz) == ("cheek", "left", 900, 1100)
    assert told.limit is not None
    assert (told.limit.limit_um, told.limit.deepest_um, str(told.limit.bound_by)) == (1000, 950, "zone")


def test_a_status_answers_with_every_key_of_the_contract(pen: Pen) -> None:
    told = pen.status().to_json()
    assert told["identity"]["simulated"] is True
    assert {"model", "serial", "firmware", "protocol", "simulated"} == set(told["identity"])
    assert {
        "identity", "state", "zone", "side", "depth_mm", "depth_measured_mm", "rate_hz", "rate_measured_hz",
        "needles", "motor", "cartridge", "limits", "battery_pct", "temperature_c", "strokes", "faults",
    } <= set(told)  # fmt: skip
    assert {"present", "lot", "expiry", "used", "needle_count", "needle_length_mm"} <= set(told["cartridge"])
    limits = {"depth_mm", "depth_max_mm", "depth_bound_by", "rate_min_hz", "rate_max_hz"}
    assert limits <= set(told["limits"])


@pytest.mark.req("S-01", "S-05", "R-17.1")
def test_a_depth_above_the_ceiling_is_refused_before_anything_is_sent(pen: Pen, pen_sim: Any) -> None:
    pen.select_zone("periorbital", side="right")
    before = pen.stats.frames_received
    with pytest.raises(Refused, match=r"2\.00 mm on periorbital") as error:
        pen.set_depth(mm=2.0)
    assert error.value.code == "depth-above-limit"
    assert error.value.facts["limit_mm"] == 0.3
    assert pen.stats.frames_received == before


@pytest.mark.parametrize(
    ("zone", "side", "code"),
    [
        ("cheek", None, "side-required"),
        ("cheek", "middle", "side-required"),
        ("forehead", "left", "side-not-used"),
        ("eyelid", "left", "zone-forbidden"),
        ("elbow", None, "zone-unknown"),
    ],
)
def test_a_zone_that_may_not_be_chosen_is_refused(pen: Pen, zone: str, side: str | None, code: str) -> None:
    with pytest.raises(Refused) as error:
        pen.select_zone(zone, side=side)
    assert code in codes_of(error)
    assert pen.status().zone is None


@pytest.mark.req("S-24")
def test_nothing_can_be_set_before_a_zone_is_chosen(pen: Pen) -> None:
    with pytest.raises(Refused, match="no zone is chosen"):
        pen.set_depth(mm=0.3)


@pytest.mark.req("S-11", "S-24")
@pytest.mark.parametrize("missing", ["zone", "depth", "rate"])
def test_needles_do_not_move_until_everything_is_set(pen: Pen, pen_sim: Any, missing: str) -> None:
    if missing != "zone":
        pen.select_zone("cheek", side="left")
        if missing == "depth":
            pen.set_rate(hz=110)
        else:
            pen.set_depth(mm=0.9)
    with pytest.raises(Refused) as error, pen.needling():
        pass
    assert f"{missing}-not-set" in codes_of(error)
    assert held(pen_sim) == []


@pytest.mark.req("S-11")
def test_choosing_a_zone_forgets_the_depth(pen: Pen) -> None:
    ready(pen)
    pen.select_zone("forehead")
    assert pen.status().depth_um is None
    with pytest.raises(Refused) as error, pen.needling():
        pass
    assert codes_of(error) == ("depth-not-set",)


@pytest.mark.req("S-22")
def test_an_override_reaches_the_hard_ceiling_until_the_zone_changes(pen: Pen) -> None:
    override = Override(zone="cheek", side="left", by="Dr A. Berg", reason="old acne scar")
    pen.select_zone("cheek", side="left", override=override)
    pen.set_depth(mm=1.45)
    with pytest.raises(Refused):
        pen.set_depth(mm=1.5)
    pen.select_zone("cheek", side="right")
    with pytest.raises(Refused):
        pen.set_depth(mm=1.45)


@pytest.mark.req("S-22")
def test_an_override_does_not_lift_what_the_clinic_says(pen_sim: Any) -> None:
    clinic = ClinicProfile(name="ours", ceilings_um={"cheek": 800})
    override = Override(zone="cheek", side="left", by="Dr A. Berg", reason="old acne scar")
    with penstroke.connect(plug(pen_sim), clinic=clinic) as pen:
        pen.select_zone("cheek", side="left", override=override)
        with pytest.raises(Refused, match="clinic"):
            pen.set_depth(mm=0.8)
        pen.set_depth(mm=0.75)
        assert pen.status().limit is not None


@pytest.mark.req("S-22")
def test_a_ceiling_can_be_lowered_and_not_raised(pen: Pen) -> None:
    ready(pen, depth_mm=0.9)
    pen.lower_ceiling(mm=0.5)
    assert pen.status().depth_um is None
    with pytest.raises(Refused):
        pen.set_depth(mm=0.9)
    with pytest.raises(Refused):
        pen.lower_ceiling(mm=0.9)
    pen.set_depth(mm=0.5)


@pytest.mark.req("S-19")
def test_deep_and_slow_is_refused_however_it_is_approached(pen: Pen) -> None:
    override = Override(zone="cheek", side="left", by="Dr A. Berg", reason="old acne scar")
    pen.select_zone("cheek", side="left", override=override)
    pen.set_rate(hz=60)
    with pytest.raises(Refused) as error:
        pen.set_depth(mm=1.2)
    assert codes_of(error) == ("rate-too-slow",)
    pen.set_rate(hz=100)
    pen.set_depth(mm=1.2)
    with pytest.raises(Refused) as error:
        pen.set_rate(hz=60)
    assert codes_of(error) == ("rate-too-slow",)


@pytest.mark.req("S-19")
def test_while_needles_move_depth_only_becomes_shallower(pen: Pen) -> None:
    ready(pen, depth_mm=0.6)
    with pen.needling(longest_s=5) as strokes:
        for sample in strokes:
            if sample.elapsed_s > 0.5:
                break
        with pytest.raises(Refused, match="only become shallower"):
            pen.set_depth(mm=0.7)
        pen.set_depth(mm=0.3)
        for sample in strokes:
            if sample.elapsed_s > 1.2:
                assert sample.depth_mm == pytest.approx(0.3, abs=0.05)
                break


def test_a_rate_goes_to_the_nearest_step_of_the_pen(pen: Pen) -> None:
    pen.set_rate(hz=110.4)
    assert pen.status().rate_dhz == 1100


# -- cartridge ----------------------------------------------------------------------------------------------


@pytest.mark.req("S-17b", "S-01")
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("cartridge-removed", "cartridge-missing"),
        ("cartridge-used", "cartridge-other-treatment"),
        ("cartridge-expired", "cartridge-expired"),
        ("cartridge-unreadable", "cartridge-unreadable"),
    ],
)
def test_a_cartridge_that_may_not_be_used_keeps_the_needles_still(
    pen: Pen, pen_sim: Any, fault: str, code: str
) -> None:
    ready(pen)
    pen_sim.inject(fault)
    with pytest.raises(Refused) as error:
        _try_to_needle(pen)
    assert error.value.code == code
    assert held(pen_sim) == []


def _try_to_needle(pen: Pen) -> None:
    ready(pen)
    with pen.needling():
        pass


@pytest.mark.req("S-17b")
def test_a_cartridge_serves_one_treatment_only(pen_sim: Any) -> None:
    with penstroke.connect(plug(pen_sim), treatment=11) as pen:
        ready(pen)
        run_briefly(pen)
        assert pen.cartridge().treatment == 11
    with penstroke.connect(plug(pen_sim), treatment=12) as pen:
        ready(pen)
        with pytest.raises(Refused) as error, pen.needling():
            pass
        assert codes_of(error) == ("cartridge-other-treatment",)
    with penstroke.connect(plug(pen_sim), treatment=11) as pen:
        ready(pen)
        assert run_briefly(pen) > 0


@pytest.mark.req("R-15.3")
def test_a_cartridge_is_good_on_its_last_day_and_not_after(pen_sim: Any) -> None:
    pen_sim.inject("cartridge-inserted", expiry=20261122)
    for day, good in ((datetime.date(2026, 11, 22), True), (datetime.date(2026, 11, 23), False)):
        with Pen(plug(pen_sim), nonce=day.day, treatment=5, today=lambda day=day: day) as pen:
            ready(pen)
            if good:
                assert run_briefly(pen) > 0
            else:
                with pytest.raises(Refused, match="expired on 2026-11-22"):
                    run_briefly(pen)


@pytest.mark.req("S-01")
def test_a_shorter_cartridge_lowers_the_limit(pen: Pen, pen_sim: Any) -> None:
    pen_sim.inject("cartridge-inserted", length_um=500)
    pen.select_zone("cheek", side="left")
    with pytest.raises(Refused, match="cartridge"):
        pen.set_depth(mm=0.5)
    pen.set_depth(mm=0.45)


@pytest.mark.req("S-01")
def test_the_pen_telling_of_another_cartridge_makes_its_length_count(pen: Pen, pen_sim: Any) -> None:
    ready(pen)
    pen_sim.inject("cartridge-inserted", length_um=500)
    pen.pump(0.3)
    with pytest.raises(Refused, match="cartridge") as error:
        pen.set_depth(mm=0.9)
    assert "the pen refused" not in str(error.value)
    pen.set_depth(mm=0.45)


@pytest.mark.req("S-01")
def test_a_cartridge_changed_after_the_depth_was_set_forgets_the_depth(pen: Pen, pen_sim: Any) -> None:
    ready(pen)
    pen_sim.inject("cartridge-inserted", length_um=500)
    with pytest.raises((Refused, DeviceFault)), pen.needling():
        pass
    assert held(pen_sim) == []


# -- times --------------------------------------------------------------------------------------------------


def test_a_run_longer_than_ten_minutes_is_refused(pen: Pen, pen_sim: Any) -> None:
    ready(pen)
    with pytest.raises(Refused) as error, pen.needling(longest_s=601):
        pass
    assert codes_of(error) == ("run-too-long",)
    assert held(pen_sim) == []


def test_after_ten_minutes_of_needling_the_pen_needs_its_rest(pen: Pen, pen_sim: Any) -> None:
    ready(pen)
    run_briefly(pen, 590)
    with pytest.raises(Refused) as error, pen.needling(longest_s=20):
        pass
    assert codes_of(error) == ("run-too-long",)
    pen.pump(120)
    run_briefly(pen, 20)


# -- the line -----------------------------------------------------------------------------------------------


@pytest.mark.req("S-16", "R-17.5", "R-6.9")
def test_a_request_without_an_answer_leaves_the_state_unknown_until_asked(pen: Pen, pen_sim: Any) -> None:
    ready(pen)
    pen_sim.inject("half-open", direction="to-host")
    with pytest.raises(LinkTimeout, match="unknown until it is asked again") as error:
        pen.set_depth(mm=0.3)
    assert any("SetDepth" in line for line in error.value.black_box)
    pen_sim.inject("half-open", direction="to-host", off=True)
    # The pen carried the set out; the host may not take that for verified.
    assert pen.status().depth_um == 300
    with pytest.raises(Refused) as refused, pen.needling():
        pass
    assert "depth-not-set" in codes_of(refused)
    ready(pen, depth_mm=0.3)
    assert run_briefly(pen) > 0


@pytest.mark.req("S-04", "R-17.2")
def test_a_pen_that_reads_back_another_depth_is_found_at_once(pen: Pen, pen_sim: Any) -> None:
    pen.select_zone("cheek", side="left")
    pen_sim.inject("wrong-read-back")
    with pytest.raises(DeviceFault, match="950 instead of 900") as error:
        pen.set_depth(mm=0.9)
    assert error.value.code == "disagreement"


@pytest.mark.req("S-11", "R-17.6")
def test_a_reset_pen_has_to_be_connected_again_and_holds_nothing(pen_sim: Any) -> None:
    with penstroke.connect(plug(pen_sim)) as pen:
        ready(pen)
        pen_sim.inject("reset")
        with pytest.raises(penstroke.LinkLost, match="reset"):
            pen.status()
    with penstroke.connect(plug(pen_sim)) as pen:
        told = pen.status()
        assert (told.zone, told.depth_um, told.rate_dhz) == (None, None, None)


@pytest.mark.req("S-25")
@pytest.mark.parametrize("fault", ["other-motion-hash", "other-zone-table"])
def test_a_pen_built_from_other_tables_can_only_be_looked_at(pen_sim: Any, fault: str) -> None:
    pen_sim.inject(fault)
    with penstroke.connect(plug(pen_sim)) as pen:
        assert pen.status().read_only
        for act in (lambda: pen.select_zone("forehead"), lambda: pen.set_rate(hz=100), pen.needling):
            with pytest.raises(VersionMismatch, match="only be looked at") as error:
                act()
            assert error.value.code == "read-only"
        pen.stop()


@pytest.mark.req("S-25")
@pytest.mark.parametrize(("major", "age"), [(0, "older"), (2, "newer")])
def test_another_major_version_ends_the_talk(pen_sim: Any, major: int, age: str) -> None:
    pen_sim.inject("wrong-version", major=major)
    with pytest.raises(VersionMismatch, match=age):
        penstroke.connect(plug(pen_sim))


def test_an_observer_looks_and_stops_and_moves_nothing(pen_sim: Any) -> None:
    with penstroke.connect(plug(pen_sim), observe=True) as pen:
        assert pen.status().state in ("boot", "self-test", "idle")
        with pytest.raises(VersionMismatch, match="observer"):
            pen.select_zone("forehead")
        pen.stop()


class Babble:
    """A port at whose other end something else lives: it answers with its own talk."""

    name = "babble"
    simulated = False
    control = None

    def __init__(self, talk: bytes) -> None:
        self._talk = talk
        self._now_ns = 0
        self.closed = False

    def read(self, max_bytes: int, timeout_ns: int | None) -> bytes:
        self._now_ns += timeout_ns or 0
        return self._talk if timeout_ns else b""

    def write(self, data: bytes) -> None: ...

    def write_now(self, data: bytes) -> None: ...

    def now_ns(self) -> int:
        return self._now_ns

    def close(self) -> None:
        self.closed = True

    def black_box(self) -> tuple[str, ...]:
        return ("the last words",)


def test_a_silent_port_is_named_after_three_seconds_and_given_back() -> None:
    port = Babble(b"")
    with pytest.raises(LinkTimeout, match="nothing answers at babble") as error:
        penstroke.connect(port)
    assert port.closed
    assert port.now_ns() >= 3_000_000_000
    assert error.value.black_box == ("the last words",)


def test_something_that_speaks_another_protocol_is_named_as_such() -> None:
    port = Babble(b"Marlin 2.1 ready\r\n\x00echo: busy\x00")
    with pytest.raises(ProtocolError, match="not this protocol") as error:
        penstroke.connect(port)
    assert error.value.code == "not-a-pen"
    assert port.closed


# -- faults -------------------------------------------------------------------------------------------------


@pytest.mark.req("S-11")
def test_a_latched_fault_keeps_the_needles_still_until_it_is_cleared(pen: Pen, pen_sim: Any) -> None:
    ready(pen)
    pen_sim.inject("over-temperature")
    pen_sim.advance(1)
    with pytest.raises(DeviceFault, match="over-temperature"), pen.needling():
        pass
    with pytest.raises(Refused) as error:
        pen.clear_faults()
    assert error.value.code == "fault-not-clearable"
    pen_sim.inject("over-temperature", celsius=30.0)
    pen_sim.advance(1)
    # The cause is gone, and still a press clears nothing: that is a person's act.
    with pytest.raises(DeviceFault, match="over-temperature"), pen.needling():
        pass
    assert [fault.name for fault in pen.faults()] == ["over-temperature"]
    pen.clear_faults()
    assert pen.faults() == ()
    ready(pen)
    assert run_briefly(pen) > 0


def test_every_fault_has_a_meaning_and_a_remedy() -> None:
    from penstroke.status import fault_list

    told = fault_list(sum(int(fault) for fault in Fault) | 0x8000)
    assert len(told) == len(Fault) + 1
    assert all(fault.meaning and fault.remedy for fault in told)
    assert told[-1].name == "unknown-0x8000"


def test_verdicts_can_be_asked_without_doing_anything(pen: Pen) -> None:
    assert isinstance(pen.depth_limit(), Refusal)
    limit = pen.depth_limit("cheek", "left")
    assert not isinstance(limit, Refusal)
    assert limit.deepest_um == 950
    pen.select_zone("cheek", side="left")
    assert isinstance(pen.check_depth(mm=2.0), Refusal)
    assert not isinstance(pen.check_depth(mm=0.9), Refusal)
    assert pen.status().depth_um is None


def test_telemetry_comes_as_often_as_asked(pen: Pen) -> None:
    pen.set_telemetry(rate_hz=100)
    assert 98 <= len(list(pen.monitor(for_s=1.0))) <= 101
    with pytest.raises(Refused, match="outside 10 to 100"):
        pen.set_telemetry(rate_hz=101)


def test_watching_a_pen_that_falls_silent_ends_with_an_error(pen: Pen, pen_sim: Any) -> None:
    pen_sim.inject("silent")
    with pytest.raises(LinkTimeout, match="no telemetry"):
        list(pen.monitor(for_s=10))


def test_a_stop_between_two_settings_is_told(pen: Pen, pen_sim: Any) -> None:
    """As from a signal handler: the flag and the write, in the middle of something else."""
    ready(pen)
    pen.demand_stop()
    assert pen.stop_demanded
    with pytest.raises(Stopped):
        pen.set_depth(mm=0.5)
    assert not pen.stop_demanded
    ready(pen)
    assert run_briefly(pen) > 0


@pytest.mark.parametrize("clock", ["", "&clock=virtual"])
def test_a_wrong_scenario_in_an_address_is_a_wrong_file(tmp_path: Path, clock: str) -> None:
    scenario = tmp_path / "bad.yaml"
    scenario.write_text("timeline: 3\n", encoding="utf-8")
    with pytest.raises(PlanError, match=r"bad\.yaml") as error:
        penstroke.connect(f"sim://pen?scenario={scenario}{clock}")
    assert error.value.code == "scenario-invalid"
