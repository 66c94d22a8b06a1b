"""What comes without being asked for: telemetry, events and their acknowledgements, beats."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linkpair import IDENTITY, Arrivals, LinkPair, Wire

from penstroke_protocol import messages as m
from penstroke_protocol.device_link import EVENT_QUEUE, DeviceLink
from penstroke_protocol.fields import pack
from penstroke_protocol.frames import Receiver
from penstroke_protocol.host_link import NONCE_AGE_NS, DeviceEvent, HostLink, TelemetryReceived
from penstroke_protocol.link import MS


def telemetry(nonce: int) -> m.Telemetry:
    return m.Telemetry(0, nonce, m.State.IDLE, 0, 0, 0, 0, 0, 0, 0, 100)


def tell_telemetry(pair: LinkPair, number: int, nonce: int = 1) -> None:
    payload = pack(m.Telemetry.layout, telemetry(nonce))
    pair.tell_host(m.Kind.TELEMETRY, 0, payload, session=pair.host.session, seq=number, epoch=1)


class Deaf(Wire):
    """Nothing arrives."""

    def carry(self, data: bytes) -> Arrivals:
        return []


# -- telemetry -----------------------------------------------------------------------------------------


@pytest.mark.req("R-14.1")
def test_telemetry_is_numbered_from_one_and_never_repeated(pair: LinkPair) -> None:
    pair.to_host = Deaf(pair.to_host.rng)
    for nonce in (10, 11, 12):
        pair.device.send_telemetry(telemetry(nonce))
        pair.run_ms(1000)
    sent = [frame for frame in pair.device_frames if frame.kind == m.Kind.TELEMETRY]
    assert [frame.seq for frame in sent] == [1, 2, 3]


@pytest.mark.req("R-14.1")
def test_no_telemetry_and_no_event_without_a_session() -> None:
    device = DeviceLink(identity=IDENTITY, first_session=1)
    device.send_telemetry(telemetry(1))
    device.send_event(1, m.Event(0, 0), 0)
    assert device.data_to_send() == b""
    assert device.next_timer() is None


@pytest.mark.req("R-14.2")
@given(first=st.integers(0, 65535), steps=st.lists(st.integers(0, 65535), max_size=20))
def test_telemetry_only_goes_forward_and_gaps_are_counted(first: int, steps: list[int]) -> None:
    host = HostLink(nonce=1, zone_digest=0)
    host.session = 5
    number, last, missed = first, None, 0
    heard = []
    expected = []
    for step in [0, *steps]:
        number = (number + step) & 0xFFFF
        payload = m.Telemetry.layout
        frame = pack(payload, telemetry(number))
        from penstroke_protocol.frames import encode

        host.receive_data(encode(m.Kind.TELEMETRY, 0, 5, number, 0, frame), 0)
        while (event := host.next_event()) is not None:
            assert isinstance(event, TelemetryReceived)
            heard.append((event.telemetry.nonce, event.missed))
        if last is None or 1 <= (number - last) & 0xFFFF <= 0x7FFF:
            missed = 0 if last is None else ((number - last) & 0xFFFF) - 1
            expected.append((number, missed))
            last = number
    assert heard == expected
    assert host.dropped["old telemetry"] == len(steps) + 1 - len(expected)


@pytest.mark.req("R-14.2")
def test_telemetry_of_another_session_is_dropped(pair: LinkPair) -> None:
    before = len(pair.events)
    payload = pack(m.Telemetry.layout, telemetry(1))
    pair.tell_host(m.Kind.TELEMETRY, 0, payload, session=pair.host.session ^ 1, seq=1, epoch=1)
    assert pair.events[before:] == []
    assert pair.host.dropped["other session"] == 1


# -- events --------------------------------------------------------------------------------------------


@pytest.mark.req("R-14.4")
def test_an_event_is_repeated_every_100_ms_until_it_is_acknowledged(pair: LinkPair) -> None:
    kind_wire, pair.to_host = pair.to_host, Deaf(pair.to_host.rng)
    start = pair.now_ns
    pair.device.send_event(m.EventCode.FAULT, m.Event(7, 1), start)
    due = []
    for _ in range(5):
        timer = pair.device.next_timer()
        assert timer is not None
        due.append((timer - start) / MS)
        pair.run(timer)
    assert due == [100, 200, 300, 400, 500]
    pair.to_host = kind_wire
    pair.run_ms(100)
    assert pair.device.next_timer() is None
    assert pair.events[-1] == DeviceEvent(m.EventCode.FAULT, 7, 1, pair.device.epoch, 0)
    assert len({frame for frame in pair.device_frames if frame.kind == m.Kind.EVENT}) == 1


@pytest.mark.req("R-14.4")
def test_events_go_one_at_a_time_in_order(pair: LinkPair) -> None:
    for arg in range(5):
        pair.device.send_event(m.EventCode.FAULT, m.Event(0, arg), pair.now_ns)
    one = Receiver().receive(pair.device.data_to_send())
    assert [frame.seq for frame in one] == [1]
    pair.run_ms(600)
    heard = [event.arg for event in pair.events if isinstance(event, DeviceEvent)]
    assert heard == [0, 1, 2, 3, 4]


@pytest.mark.req("R-14.4", "S-07")
def test_eight_events_wait_and_the_oldest_is_dropped_and_counted(pair: LinkPair) -> None:
    kind_wire, pair.to_host = pair.to_host, Deaf(pair.to_host.rng)
    for arg in range(EVENT_QUEUE + 3):
        pair.device.send_event(m.EventCode.FAULT, m.Event(0, arg), pair.now_ns)
    assert pair.device.events_lost == 3
    pair.run_ms(1)
    pair.to_host = kind_wire
    pair.run_ms(2000)
    heard = [event for event in pair.events if isinstance(event, DeviceEvent)]
    assert [event.arg for event in heard] == list(range(3, EVENT_QUEUE + 3))
    assert sum(event.missed for event in heard) == 3


def test_the_count_of_lost_events_stays_within_its_field(pair: LinkPair) -> None:
    pair.device.events_lost = 0xFFFF
    for arg in range(EVENT_QUEUE + 1):
        pair.device.send_event(m.EventCode.FAULT, m.Event(0, arg), pair.now_ns)
    assert pair.device.events_lost == 0xFFFF


@pytest.mark.req("R-14.5")
@pytest.mark.parametrize(("session_off", "number"), [(1, 1), (0, 2), (0, 0), (-41, 1)])
def test_an_acknowledgement_that_does_not_fit_acknowledges_nothing(
    pair: LinkPair, session_off: int, number: int
) -> None:
    pair.to_host = Deaf(pair.to_host.rng)
    pair.device.send_event(1, m.Event(0, 0), pair.now_ns)
    pair.send_frame(m.Kind.EVENT_ACK, 1, session=41 + session_off, seq=number)
    assert pair.device.next_timer() is not None
    assert pair.device.dropped["stale acknowledgement"] == 1
    pair.send_frame(m.Kind.EVENT_ACK, 1, b"x", session=41, seq=1)
    assert pair.device.next_timer() is not None
    assert pair.device.dropped["bad payload"] == 1
    pair.send_frame(m.Kind.EVENT_ACK, 1, session=41, seq=1)
    assert pair.device.next_timer() is None


@pytest.mark.req("R-14.5")
def test_a_repeated_acknowledgement_does_not_acknowledge_the_next(pair: LinkPair) -> None:
    pair.to_host = Deaf(pair.to_host.rng)
    for arg in (0, 1):
        pair.device.send_event(1, m.Event(0, arg), pair.now_ns)
    for _ in range(3):
        pair.send_frame(m.Kind.EVENT_ACK, 1, session=41, seq=1)
    assert pair.device.dropped["stale acknowledgement"] == 2
    assert pair.device.next_timer() is not None


@pytest.mark.req("R-14.6")
def test_an_event_is_acknowledged_each_time_and_handed_up_once(pair: LinkPair) -> None:
    before = len(pair.events)
    payload = pack(m.Event.layout, m.Event(5, 6))
    for _ in range(3):
        pair.tell_host(m.Kind.EVENT, 2, payload, session=41, seq=1, epoch=3)
    acks = Receiver().receive(pair.host.data_to_send())
    assert [(ack.kind, ack.code, ack.seq) for ack in acks] == [(m.Kind.EVENT_ACK, 2, 1)] * 3
    assert pair.events[before:] == [DeviceEvent(2, 5, 6, 3, 0)]
    assert pair.host.dropped["repeated event"] == 2


@pytest.mark.req("R-14.6")
def test_events_left_out_are_counted_and_older_ones_not_taken(pair: LinkPair) -> None:
    before = len(pair.events)
    payload = pack(m.Event.layout, m.Event(0, 0))
    for number in (3, 2, 4, 0xFFFF, 9):
        pair.tell_host(m.Kind.EVENT, 1, payload, session=41, seq=number, epoch=3)
    assert [event.missed for event in pair.events[before:]] == [2, 0, 4]
    pair.tell_host(m.Kind.EVENT, 1, payload, session=40, seq=10, epoch=3)
    assert pair.host.dropped["other session"] == 1


@pytest.mark.req("R-14.6")
def test_the_numbers_of_events_go_round(pair: LinkPair) -> None:
    pair.device._event_number = pair.host._event_number = 0xFFFE
    for arg in range(4):
        pair.device.send_event(1, m.Event(0, arg), pair.now_ns)
        pair.run_ms(5)
    heard = [event for event in pair.events if isinstance(event, DeviceEvent)]
    assert [(event.arg, event.missed) for event in heard] == [(0, 0), (1, 0), (2, 0), (3, 0)]


@pytest.mark.req("R-16.2")
def test_an_event_this_version_does_not_know_is_handed_up_as_a_number(pair: LinkPair) -> None:
    pair.device.send_event(200, m.Event(1, 2), pair.now_ns)
    pair.run_ms(1)
    assert pair.events[-1].code == 200


# -- beats ---------------------------------------------------------------------------------------------


@pytest.mark.req("R-11.4", "S-10")
def test_no_beat_without_telemetry_in_the_last_300_ms(pair: LinkPair) -> None:
    assert pair.host.beat(m.State.ARMED, pair.now_ns) is False
    tell_telemetry(pair, 1, nonce=0xFEED)
    heard = pair.now_ns
    assert pair.host.beat(m.State.ARMED, heard + NONCE_AGE_NS) is True
    assert pair.host.beat(m.State.ARMED, heard + NONCE_AGE_NS + 1) is False


@pytest.mark.req("R-11.4")
def test_a_beat_returns_the_newest_nonce_and_says_what_we_believe(pair: LinkPair) -> None:
    for number, nonce in ((1, 0xA), (3, 0xC), (2, 0xB)):
        tell_telemetry(pair, number, nonce)
    pair.host.beat(m.State.RUNNING, pair.now_ns)
    pair.run_ms(1)
    (beat,) = pair.firmware.beats
    assert beat.beat == m.Beat(m.State.RUNNING, 0xC)
    assert beat.epoch == pair.host.epoch


@pytest.mark.req("R-11.4")
def test_the_engine_never_beats_by_itself(pair: LinkPair) -> None:
    for number in itertools.count(1):
        if number > 100:
            break
        tell_telemetry(pair, number)
        pair.run_ms(50)
    assert pair.firmware.beats == []


@pytest.mark.req("R-11.3", "S-08")
def test_a_beat_of_another_session_is_dropped_and_none_is_answered(pair: LinkPair) -> None:
    payload = pack(m.Beat.layout, m.Beat(m.State.ARMED, 1))
    assert pair.send_frame(m.Kind.BEAT, 0, payload, session=40, seq=1) == []
    assert pair.send_frame(m.Kind.BEAT, 0, payload[:-1], session=41, seq=2) == []
    assert pair.firmware.beats == []
    assert pair.send_frame(m.Kind.BEAT, 0, payload, session=41, seq=3) == []
    assert len(pair.firmware.beats) == 1
    assert pair.device.dropped == {"other session": 1, "bad payload": 1}
