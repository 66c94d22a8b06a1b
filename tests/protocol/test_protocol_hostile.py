"""One conversation over every kind of hostile wire: whatever happens to the bytes, these stay true."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from linkpair import HOSTILE, LinkPair, MakePair, Wire

from penstroke_protocol import messages as m
from penstroke_protocol.host_link import (
    Answered,
    DeviceEvent,
    RequestRefused,
    RequestTimedOut,
    SessionEnded,
    StopAnswered,
    StopTimedOut,
    TelemetryReceived,
)
from penstroke_protocol.link import MS

SEEDS = range(6)


@pytest.mark.req("S-08", "S-16", "R-6.2", "R-6.5", "R-6.8")
@pytest.mark.parametrize("seed", SEEDS)
def test_every_request_is_carried_out_at_most_once_and_answered_for_itself(
    link_pair: MakePair, hostile: type[Wire], seed: int
) -> None:
    """Each request has a depth of its own, so that what was carried out can be told apart."""
    pair = link_pair(hostile=hostile, seed=seed)
    pair.open()
    ends = {}
    for depth in range(1, 41):
        ends[depth] = one_request(pair, m.SetDepth(depth))
        if isinstance(ends[depth], SessionEnded):
            break

    executed = [request.depth_um for request in pair.firmware.executed]
    assert len(executed) == len(set(executed)), "at most once"
    assert executed == sorted(executed), "never out of order"
    for depth, end in ends.items():
        if isinstance(end, Answered):
            assert depth in executed
            assert end.answer.depth_um == depth, "its own answer, not another's"
        elif isinstance(end, RequestRefused):
            assert depth not in executed


def one_request(pair: LinkPair, request: Any) -> Any:
    """The event that ends a request; it comes within the 680 ms of its repeats."""
    before = len(pair.events)
    pair.host.request(request, pair.now_ns)
    pair.run_ms(681)
    ends = [
        event
        for event in pair.events[before:]
        if isinstance(event, Answered | RequestRefused | RequestTimedOut | SessionEnded)
    ]
    assert len(ends) == 1
    return ends[0]


@pytest.mark.req("R-6.5")
@pytest.mark.parametrize("seed", SEEDS)
def test_repeats_bring_nearly_every_request_through(
    link_pair: MakePair, hostile: type[Wire], seed: int
) -> None:
    pair = link_pair(hostile=hostile, seed=seed)
    pair.open()
    ends = [one_request(pair, m.SetTelemetry(20)) for _ in range(30)]
    assert sum(isinstance(end, Answered) for end in ends) >= 27


@pytest.mark.req("S-12", "R-7.1", "R-7.5", "R-7.7")
@pytest.mark.parametrize("seed", SEEDS)
def test_after_an_acknowledged_stop_nothing_sent_before_it_starts_the_needles(
    link_pair: MakePair, hostile: type[Wire], seed: int
) -> None:
    """START, its repeats still under way, STOP; then as long as anything can be late."""
    pair = link_pair(hostile=hostile, seed=seed)
    pair.open()
    moving_after_stop = []

    def watch(event: Any) -> None:
        if isinstance(event, StopAnswered):
            moving_after_stop.append(pair.firmware.running)

    pair.on_host_event = watch
    for round_ in range(15):
        pair.host.request(m.Start(1, 0, 100 + round_, 1100, 1000), pair.now_ns)
        pair.run_ms(pair.to_device.rng.randrange(150))
        pair.host.stop(pair.now_ns)
        pair.run_ms(1001)
        assert isinstance(
            next(e for e in reversed(pair.events) if isinstance(e, StopAnswered | StopTimedOut)), StopAnswered
        )
        assert pair.firmware.running is False
        pair.run_ms(600)
        assert pair.firmware.running is False
    assert moving_after_stop == [False] * 15


@pytest.mark.req("R-14.4", "R-14.5", "R-14.6")
@pytest.mark.parametrize("seed", SEEDS)
def test_every_event_arrives_once_and_in_order(link_pair: MakePair, hostile: type[Wire], seed: int) -> None:
    pair = link_pair(hostile=hostile, seed=seed)
    pair.open()
    for arg in range(12):
        pair.device.send_event(m.EventCode.FAULT, m.Event(0, arg), pair.now_ns)
        pair.run_ms(400)
    pair.run_ms(4000)
    heard = [event for event in pair.events if isinstance(event, DeviceEvent)]
    assert [event.arg for event in heard] == list(range(12))
    assert pair.device.events_lost == 0


@pytest.mark.req("R-14.2")
@pytest.mark.parametrize("seed", SEEDS)
def test_telemetry_never_goes_back_and_every_gap_is_counted(
    link_pair: MakePair, hostile: type[Wire], seed: int
) -> None:
    pair = link_pair(hostile=hostile, seed=seed)
    pair.open()
    for number in range(1, 61):
        pair.device.send_telemetry(m.Telemetry(number, number, m.State.IDLE, 0, 0, 0, 0, 0, 0, 0, 100))
        pair.run_ms(50)
    pair.run_ms(1000)
    heard = [event for event in pair.events if isinstance(event, TelemetryReceived)]
    times = [event.telemetry.time_ms for event in heard]
    assert times == sorted(set(times))
    assert len(heard) >= 10
    gaps = sum(event.missed for event in heard)
    assert times[-1] - times[0] + 1 == len(heard) + gaps


@pytest.mark.req("S-08", "S-12", "S-16", "R-3.3")
@examples(max_examples=60)
@given(
    wire=st.sampled_from(HOSTILE),
    seed=st.integers(0, 1 << 32),
    acts=st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["set", "start", "release", "stop", "abandon", "event", "telemetry"])),
            st.tuples(st.just("wait"), st.integers(1, 300)),
        ),
        max_size=30,
    ),
)
def test_any_conversation_keeps_the_promises(
    wire: type[Wire], seed: int, acts: list[tuple[Any, ...]]
) -> None:
    import random

    pair = LinkPair(to_device=wire(random.Random(seed)), to_host=wire(random.Random(seed + 1)))
    pair.open()
    wanted: list[int] = []
    for act, *how in acts:
        if act in ("set", "start", "release"):
            if pair.host.busy or not pair.host.session:
                continue
            wanted.append(len(wanted) + 1)
            request = {
                "set": m.SetDepth(wanted[-1]),
                "start": m.Start(1, 0, wanted[-1], 1100, 1000),
                "release": m.Release(),
            }[act]
            pair.host.request(request, pair.now_ns)
        elif act == "stop":
            pair.host.stop(pair.now_ns)
        elif act == "abandon":
            pair.host.abandon()
        elif act == "event":
            pair.device.send_event(m.EventCode.FAULT, m.Event(0, 0), pair.now_ns)
        elif act == "telemetry":
            pair.device.send_telemetry(m.Telemetry(0, 1, m.State.IDLE, 0, 0, 0, 0, 0, 0, 0, 100))
        else:
            pair.run_ms(how[0])
    pair.run_ms(1600)

    marked = [r.depth_um for r in pair.firmware.executed if isinstance(r, m.SetDepth | m.Start)]
    assert marked == sorted(set(marked)), "once each, in the order they were asked for"
    assert set(marked) <= set(wanted)
    if any(act == "stop" for act, *_ in acts) and acts[-1][0] == "stop":
        assert pair.firmware.running is False
    assert pair.now_ns % MS == 0
    assert not pair.host.busy, "nothing waits for ever"
