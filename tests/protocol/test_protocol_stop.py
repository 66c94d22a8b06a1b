"""STOP acts whatever else it carries, and nothing sent before it acts after it (S-12)."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linkpair import IDENTITY, LinkPair, MakePair, Wire

from penstroke_protocol import messages as m
from penstroke_protocol.bare_stop import BARE_STOP
from penstroke_protocol.device_link import DeviceLink, StopReceived
from penstroke_protocol.fields import pack
from penstroke_protocol.frames import Receiver, decode_message, encode, encode_message
from penstroke_protocol.host_link import Answered, RequestRefused, StopAnswered
from penstroke_protocol.link import MS

U16 = st.integers(0, 65535)


def test_the_bare_stop_is_the_stop_that_frames_make() -> None:
    assert encode_message(m.Stop(), session=0, seq=0, epoch=0) == BARE_STOP


@pytest.mark.req("R-7.1", "S-12")
@given(
    noise=st.binary(max_size=200),
    session=U16,
    seq=U16,
    epoch=U16,
    payload=st.binary(max_size=100),
    opened=st.booleans(),
    role=st.sampled_from(m.Role),
)
def test_stop_acts_whatever_it_carries_and_whatever_came_before(
    noise: bytes, session: int, seq: int, epoch: int, payload: bytes, opened: bool, role: m.Role
) -> None:
    """Any bytes first, so the receiver is in any state; then a STOP with any header and payload."""
    wire = Wire(random.Random(0))
    pair = LinkPair(to_device=wire, to_host=wire, role=role)
    if opened:
        pair.open()
    pair.send_raw(noise)
    stops, executed, before = pair.firmware.stops, list(pair.firmware.executed), pair.device.epoch
    *_, said = pair.send_frame(1, m.Stop.spec.code, payload, session=session, seq=seq, epoch=epoch)
    assert pair.firmware.stops == stops + 1
    assert (said.kind, said.code, said.session, said.seq) == (m.Kind.ANSWER, m.Stop.spec.code, session, seq)
    assert said.epoch == pair.device.epoch == (before + 1) & 0xFFFF
    assert pair.firmware.executed == executed


@pytest.mark.req("R-7.1", "S-12")
def test_stop_acts_each_time_it_comes_and_leaves_the_memory_alone(pair: LinkPair) -> None:
    where = {"session": pair.device.session, "epoch": pair.device.epoch}
    payload = pack(m.SetDepth.layout, m.SetDepth(500))
    first = pair.send_frame(1, m.SetDepth.spec.code, payload, seq=2, **where)
    for times in range(1, 9):
        pair.send_frame(1, m.Stop.spec.code, seq=2, **where)
        assert pair.firmware.stops == times
    assert pair.send_frame(1, m.SetDepth.spec.code, payload, seq=2, **where) == first
    pair.device.epoch = where["epoch"]
    assert pair.send_frame(1, m.SetDepth.spec.code, payload, seq=3, **where)[0].kind == m.Kind.ANSWER


@pytest.mark.req("R-7.3")
def test_the_epoch_goes_round() -> None:
    device = DeviceLink(identity=IDENTITY, first_session=1, first_epoch=0xFFFF)
    device.raise_epoch()
    assert device.epoch == 0


EPOCH_BOUND = [cls for cls in m.REQUESTS.values() if cls.spec.epoch]
EPOCH_FREE = [cls for cls in m.REQUESTS.values() if not cls.spec.epoch and cls not in (m.Hello, m.Stop)]


def lowest(cls: type) -> bytes:
    layout = cls.layout  # type: ignore[attr-defined]
    return pack(layout, cls(*(wire.range[0] for wire in layout.wires)))


@pytest.mark.req("R-7.4", "R-7.5", "S-12")
@pytest.mark.parametrize("cls", EPOCH_BOUND, ids=lambda cls: cls.__name__)
def test_another_epoch_is_refused_be_it_older_or_newer(pair: LinkPair, cls: type) -> None:
    code, now = cls.spec.code, pair.device.epoch  # type: ignore[attr-defined]
    for seq, off in enumerate((-1, 1, 2, 0x7FFF, 0x8000, 0x8001), start=2):
        epoch = (now + off) & 0xFFFF
        (said,) = pair.send_frame(1, code, lowest(cls), session=41, seq=seq, epoch=epoch)
        assert said.kind == m.Kind.REFUSAL
        assert decode_message(m.Refusal, said.payload) == m.Refusal(m.Reason.STALE_EPOCH, now)
    assert pair.firmware.executed == []
    pair.send_frame(1, code, lowest(cls), session=41, seq=20, epoch=now)
    assert len(pair.firmware.executed) == 1


@pytest.mark.req("R-7.5")
@pytest.mark.parametrize("cls", EPOCH_FREE, ids=lambda cls: cls.__name__)
def test_what_only_makes_safer_or_looks_needs_no_epoch(pair: LinkPair, cls: type) -> None:
    pair.send_frame(1, cls.spec.code, lowest(cls), session=41, seq=2, epoch=1)  # type: ignore[attr-defined]
    assert len(pair.firmware.executed) == 1


@pytest.mark.req("R-7.5")
def test_all_that_moves_or_permits_is_bound_to_the_epoch() -> None:
    names = {cls.__name__ for cls in EPOCH_BOUND}
    assert names == {"SelectZone", "SetDepth", "SetRate", "Arm", "Start", "ClearFaults"}


@pytest.mark.req("R-7.6", "S-12")
def test_a_request_in_flight_keeps_its_epoch_however_much_is_learned_meanwhile(pair: LinkPair) -> None:
    pair.host.request(m.Start(1, 0, 900, 1100, 1000), pair.now_ns)
    first = pair.host.data_to_send()
    old = pair.host.epoch
    pair.device.raise_epoch()
    pair.device.send_telemetry(m.Telemetry(0, 1, m.State.IDLE, 0, 0, 0, 0, 0, 0, 0, 100))
    pair.run_ms(1)
    assert pair.host.epoch == old + 1
    pair.host.handle_timer(pair.now_ns + 30 * MS)
    assert pair.host.data_to_send() == first
    pair.send_raw(first)
    pair.run_ms(1)
    assert isinstance(pair.events[-1], RequestRefused)
    assert pair.events[-1].reason == m.Reason.STALE_EPOCH
    assert pair.firmware.running is False


@pytest.mark.req("R-7.6")
@pytest.mark.parametrize("kind", ["telemetry", "event", "answer"])
def test_the_host_learns_the_epoch_from_every_frame_of_its_session(pair: LinkPair, kind: str) -> None:
    pair.device.epoch = 123
    if kind == "telemetry":
        pair.device.send_telemetry(m.Telemetry(0, 1, m.State.IDLE, 0, 0, 0, 0, 0, 0, 0, 100))
    elif kind == "event":
        pair.device.send_event(1, m.Event(0, 0), pair.now_ns)
    else:
        pair.host.request(m.GetStatus(), pair.now_ns)
    pair.run_ms(1)
    assert pair.host.epoch == 123


@pytest.mark.req("R-7.6")
def test_the_host_learns_no_epoch_from_another_session(pair: LinkPair) -> None:
    known = pair.host.epoch
    other = {"session": pair.host.session + 1, "epoch": known + 7}
    beat = pack(m.Telemetry.layout, m.Telemetry(0, 1, m.State.IDLE, 0, 0, 0, 0, 0, 0, 0, 100))
    pair.tell_host(m.Kind.TELEMETRY, 0, beat, seq=50, **other)
    pair.tell_host(m.Kind.EVENT, 1, pack(m.Event.layout, m.Event(0, 0)), seq=1, **other)
    pair.tell_host(m.Kind.ANSWER, m.Stop.spec.code, bytes(4), seq=1, **other)
    assert pair.host.epoch == known
    assert pair.host.dropped == {"other session": 2, "stale reply": 1}


@pytest.mark.req("R-7.7", "R-7.8", "S-12")
def test_stop_gives_up_the_request_in_flight_and_is_answered_once(pair: LinkPair) -> None:
    pair.host.request(m.Start(1, 0, 900, 1100, 1000), pair.now_ns)
    pair.host.stop(pair.now_ns)
    assert pair.host.busy is False
    pair.run_ms(200)
    stopped = [event for event in pair.events if isinstance(event, StopAnswered)]
    assert stopped == [StopAnswered(m.Condition(m.State.IDLE, 0, 0), pair.device.epoch)]
    assert not any(isinstance(event, Answered) for event in pair.events), "the START's answer came too late"
    assert pair.firmware.stops == 1
    assert pair.host.next_timer() is None


@pytest.mark.req("R-7.7", "S-13")
def test_a_stop_frame_can_be_made_at_any_time_and_changes_nothing(pair: LinkPair) -> None:
    pair.host.request(m.SetDepth(900), pair.now_ns)
    due = pair.host.next_timer()
    raw = pair.host.stop_frame()
    assert (pair.host.busy, pair.host.next_timer()) == (True, due)
    (frame,) = Receiver().receive(raw)
    assert (frame.kind, frame.code, frame.session, frame.seq) == (1, m.Stop.spec.code, 41, 0)
    pair.send_raw(raw)
    assert pair.firmware.stops == 1


@pytest.mark.req("R-7.7", "R-5.1")
def test_stop_works_without_a_session(link_pair: MakePair) -> None:
    pair = link_pair()
    pair.host.stop(0)
    pair.run_ms(1)
    assert [type(event) for event in pair.events] == [StopAnswered]


@pytest.mark.req("R-7.8")
@pytest.mark.parametrize(
    ("session", "seq_off", "counts"), [(0, 0, True), (0, 1, False), (41, 0, False), (0, -1, False)]
)
def test_only_the_answer_to_our_own_stop_counts(
    link_pair: MakePair, session: int, seq_off: int, counts: bool
) -> None:
    pair = link_pair()
    pair.host.stop(0)
    (sent,) = Receiver().receive(pair.host.data_to_send())
    condition = pack(m.Condition.layout, m.Condition(m.State.IDLE, 0, 0))
    answer = {"session": session, "seq": sent.seq + seq_off, "epoch": 9}
    pair.tell_host(m.Kind.ANSWER, m.Stop.spec.code, condition, **answer)
    assert [type(event) for event in pair.events] == ([StopAnswered] if counts else [])


@pytest.mark.req("R-7.8")
def test_seqs_of_stop_begin_somewhere_else_in_each_program(link_pair: MakePair) -> None:
    firsts = set()
    for nonce in (1, 2, 0xFFFF, 0x10000, 0xDEADBEEF):
        host = link_pair(nonce=nonce).host
        host.stop(0)
        (frame,) = Receiver().receive(host.data_to_send())
        assert frame.seq != 0, "0 is for the STOPs whose answer nobody awaits"
        firsts.add(frame.seq)
    assert len(firsts) >= 4


@pytest.mark.req("R-7.8")
def test_a_stop_that_outlives_its_session_is_still_acknowledged(link_pair: MakePair) -> None:
    """Written before HELLO, answered after it: the answer is ours, its epoch is not of our session."""
    pair = link_pair()
    pair.host.stop(0)
    (stop,) = Receiver().receive(pair.host.data_to_send())
    pair.host.hello(0)
    pair.run_ms(1)
    known = pair.host.epoch
    condition = pack(m.Condition.layout, m.Condition(m.State.IDLE, 0, 0))
    pair.tell_host(m.Kind.ANSWER, m.Stop.spec.code, condition, session=0, seq=stop.seq, epoch=known + 5)
    assert isinstance(pair.events[-1], StopAnswered)
    assert pair.host.epoch == known


@pytest.mark.req("R-16.1")
def test_a_stop_of_any_version_is_the_same_twelve_bytes() -> None:
    raw = encode(1, 0x1F, 0, 1, 0)
    assert raw == encode_message(m.Stop(), session=0, seq=1, epoch=0)
    device = DeviceLink(identity=IDENTITY, first_session=1)
    device.receive_data(raw, 0)
    assert device.next_event() == StopReceived(0, 1)
