"""The lease: what renews it, what does not, and what happens when it lapses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from simbench import CHEEK, MS, TREATMENT, Bench

from penstroke_protocol.messages import (
    Arm,
    End,
    EventCode,
    Fault,
    GetStatus,
    LowerCeiling,
    Reason,
    Release,
    SelectZone,
    SetDepth,
    SetRate,
    SetTelemetry,
    Side,
    Start,
    State,
)

LEASE_S = 0.3
NewBench = Callable[..., Bench]


def lapse_s(bench: Bench) -> float:
    """How long after the lease was last granted or renewed it lapsed."""
    lapse = next(entry for entry in bench.journal("lease") if entry["what"] == "lapsed")
    return round(float(lapse["t"] - lapse["renewed_t"]), 6)


@pytest.mark.req("R-11.1", "R-13.1", "S-10", "S-09")
@pytest.mark.parametrize("running", [False, True])
def test_without_beats_the_lease_lapses_after_its_length(bench: Bench, running: bool) -> None:
    bench.start() if running else bench.arm()
    epoch = bench.epoch
    bench.run(400)

    assert bench.state is State.FAULT
    assert bench.firmware.faults == Fault.LEASE
    assert lapse_s(bench) == LEASE_S
    assert bench.firmware.link.epoch == (epoch + 1) & 0xFFFF
    ended = EventCode.RUN_ENDED if running else EventCode.DISARMED
    assert bench.ends() == [(ended, End.LEASE)]
    assert (EventCode.FAULT, Fault.LEASE) in bench.events
    if running:
        off, home = bench.journal("motor")[-1], bench.journal("needles")[-1]
        renewed_s = bench.journal("lease")[-1]["renewed_t"]
        assert off["reason"] == "lease"
        assert off["t"] - renewed_s <= 0.305
        assert home["t"] - renewed_s <= 0.350
        assert not home["extended"]


@pytest.mark.req("R-11.2", "S-10")
@pytest.mark.parametrize("running", [False, True])
def test_beats_keep_it_alive(bench: Bench, running: bool) -> None:
    bench.start() if running else bench.arm()
    bench.run(5_000, beating=True)
    assert bench.state is (State.RUNNING if running else State.ARMED)


@pytest.mark.req("R-11.2", "S-10")
@pytest.mark.parametrize(
    "how",
    [
        {"epoch": 0x0BAD},
        {"session": 0x0BAD},
        {"session": 0},
        {"nonce": 0xBAD},
        {"believed": State.ARMED},
    ],
    ids=str,
)
def test_a_beat_that_is_wrong_in_one_thing_renews_nothing(bench: Bench, how: dict[str, int]) -> None:
    bench.start()
    bench.beat()
    bench.run(10)
    for _ in range(12):
        bench.beat(**how)  # type: ignore[arg-type]  # one of its keywords
        bench.run(30)
    assert lapse_s(bench) == LEASE_S


@pytest.mark.req("R-11.2", "S-10")
def test_a_beat_that_believes_running_renews_nothing_while_armed(bench: Bench) -> None:
    bench.arm()
    for _ in range(12):
        bench.beat(State.RUNNING)
        bench.run(30)
    assert lapse_s(bench) == LEASE_S


@pytest.mark.req("R-11.2", "R-10.4", "S-10")
def test_no_request_renews_the_lease(bench: Bench) -> None:
    bench.arm()
    bench.done(Start(CHEEK, Side.LEFT, 900, 1100, 60_000))
    renewed_ns = bench.firmware.renewed_ns
    requests = [GetStatus(), SetTelemetry(50), SetDepth(850), SetRate(1000), LowerCeiling(1000)]
    for message in requests:
        bench.ask(message)
        bench.ask(Start(CHEEK, Side.LEFT, 900, 1100, 60_000))
    assert bench.firmware.renewed_ns == renewed_ns
    bench.run(400)
    assert lapse_s(bench) == LEASE_S


@pytest.mark.req("R-11.2", "R-11.5", "S-10")
@pytest.mark.parametrize(("age_ms", "renews"), [(295, True), (305, False)])
def test_a_nonce_renews_for_300_ms_and_not_longer(bench: Bench, age_ms: int, renews: bool) -> None:
    """The age counts to the beat's arrival: 26 bytes of 87 µs and a millisecond after it was sent."""
    bench.arm()
    bench.run(100, beating=True)
    issued_ns = bench.firmware._nonces[-1][0]
    nonce = bench.firmware._nonces[-1][1]
    arrives_after_ns = 1 * MS + 26 * bench.world.profile.byte_ns
    while bench.now_ns < issued_ns + age_ms * MS - arrives_after_ns:
        left_ms = (issued_ns + age_ms * MS - arrives_after_ns - bench.now_ns) / MS
        bench.run(min(20, left_ms))
        if left_ms > 30:
            bench.beat()
    before = bench.firmware.renewed_ns
    bench.beat(nonce=nonce)
    bench.run(5)
    assert (bench.firmware.renewed_ns > before) is renews


@pytest.mark.req("R-11.5")
def test_a_hundred_nonces_a_second_are_all_remembered_for_their_time(bench: Bench) -> None:
    bench.arm()
    bench.done(SetTelemetry(100))
    bench.run(400, beating=True)
    assert len(bench.firmware._nonces) == 31
    assert len({telemetry.nonce for telemetry in bench.telemetry}) == len(bench.telemetry)


@pytest.mark.req("R-11.2", "S-10")
def test_beats_that_waited_while_the_host_was_frozen_renew_nothing(bench: Bench) -> None:
    bench.start()
    old = bench.nonce
    bench.run(400)  # frozen; then the buffer drains
    assert bench.state is State.FAULT
    for _ in range(20):
        bench.beat(nonce=old)
    bench.run(50)
    assert bench.state is State.FAULT
    assert not bench.body.driven


@pytest.mark.req("R-11.3")
def test_a_beat_is_never_answered_and_a_wrong_one_changes_nothing(bench: Bench) -> None:
    bench.arm()
    bench.inject("silent")
    before = len(bench.frames)
    bench.beat()
    bench.beat(nonce=1)
    bench.beat(session=9)
    bench.run(100)
    assert len(bench.frames) == before
    assert bench.state is State.ARMED


@pytest.mark.req("R-11.1")
def test_the_lease_ends_with_readiness(bench: Bench) -> None:
    bench.arm()
    bench.stop()
    bench.run(1000)
    assert bench.state is State.IDLE


@pytest.mark.req("R-11.1", "R-10.6")
def test_the_lease_goes_on_through_a_release(bench: Bench) -> None:
    bench.start()
    bench.done(Release())
    bench.run(400)
    assert bench.firmware.faults == Fault.LEASE


@pytest.mark.req("R-11.1", "R-13.5", "S-11")
def test_after_a_lapse_nothing_moves_without_clearing_and_a_fresh_arm(bench: Bench) -> None:
    bench.start()
    bench.run(400)
    start = Start(CHEEK, Side.LEFT, 900, 1100, 5000)
    for message in (start, Arm(TREATMENT, 0)):
        assert bench.refused(message)[0] is Reason.FAULT_LATCHED
    bench.stop()
    bench.run(500, beating=True)
    assert bench.state is State.FAULT
    assert len(bench.journal("motor")) == 2


@pytest.mark.req("S-10", "R-11.1")
@pytest.mark.parametrize("profile", ["fine", "fixed-rate", "coarse-tolerance"])
@pytest.mark.parametrize("how", ["silence", "cut", "half-open"])
def test_a_host_that_is_gone_stops_the_needles_within_350_ms(
    new_bench: NewBench, profile: str, how: str
) -> None:
    bench = new_bench(profile=profile)
    depth_um = 750 if profile == "fixed-rate" else 800
    rate_dhz = 1167 if profile == "fixed-rate" else 1100
    bench.start(depth_um=depth_um, rate_dhz=rate_dhz)
    if how != "silence":
        bench.inject(how)
    gone_s = bench.firmware.renewed_ns / 1e9
    bench.world.advance(bench.now_ns + 1_000 * MS)
    off, home = bench.journal("motor")[-1], bench.journal("needles")[-1]
    assert off["reason"] == "lease"
    assert off["t"] - gone_s <= 0.305
    assert not home["extended"]
    assert home["t"] - gone_s <= 0.350


@pytest.mark.req("R-11.2", "R-11.5", "S-10")
def test_a_nonce_of_an_earlier_session_renews_nothing(bench: Bench) -> None:
    bench.set_up()
    bench.done(SetTelemetry(5))
    bench.run(250)
    old = bench.nonce
    bench.hello(nonce=99)
    bench.done(SelectZone(CHEEK, Side.LEFT, 1000))
    bench.done(SetDepth(900))
    bench.done(SetRate(1100))
    bench.done(Arm(TREATMENT, 0))
    before = bench.firmware.renewed_ns
    bench.beat(nonce=old)
    bench.run(5)
    assert bench.firmware.renewed_ns == before
