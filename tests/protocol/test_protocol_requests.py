"""Requests: repeated until answered, carried out at most once, never answered for one another."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linkpair import Arrivals, LinkPair, MakePair, Wire

from penstroke_protocol import messages as m
from penstroke_protocol.device_link import MEMORY
from penstroke_protocol.fields import pack
from penstroke_protocol.frames import Frame, decode_message, encode, encode_message
from penstroke_protocol.host_link import Answered, RequestRefused, RequestTimedOut
from penstroke_protocol.link import MS


class Recorder(Wire):
    """Keeps what was sent and when; nothing arrives while `deaf`."""

    def __init__(self, pair: LinkPair) -> None:
        super().__init__(pair.to_device.rng)
        self.pair = pair
        self.sent: list[tuple[int, bytes]] = []
        self.deaf = True

    def carry(self, data: bytes) -> Arrivals:
        self.sent.append((self.pair.now_ns, data))
        return [] if self.deaf else [(0, data)]


def refusal(frame: Frame) -> tuple[m.Reason, int]:
    assert frame.kind == m.Kind.REFUSAL
    said = decode_message(m.Refusal, frame.payload)
    return m.Reason(said.reason), said.detail


def set_depth(pair: LinkPair, depth_um: int, *, seq: int, epoch: int | None = None) -> list[Frame]:
    """A SET_DEPTH straight into the device."""
    payload = pack(m.SetDepth.layout, m.SetDepth(depth_um))
    return pair.send_frame(
        1, m.SetDepth.spec.code, payload, session=pair.device.session, seq=seq, epoch=epoch
    )


# -- the host repeats ----------------------------------------------------------------------------------


@pytest.mark.req("R-6.5")
def test_an_unanswered_request_is_repeated_at_its_times_and_given_up(pair: LinkPair) -> None:
    start = pair.now_ns
    wire = pair.to_device = Recorder(pair)
    pair.host.request(m.SetDepth(900), start)
    pair.run_ms(680 - 0.001)
    assert [(at - start) / MS for at, _ in wire.sent] == [0, 30, 60, 100, 160, 260, 420]
    assert len({data for _, data in wire.sent}) == 1, "byte for byte"
    assert pair.host.busy
    pair.run_ms(0.001)
    assert pair.events[-1] == RequestTimedOut(m.SetDepth(900))
    assert pair.host.busy is False
    pair.run_ms(5000)
    assert len(wire.sent) == 7


@pytest.mark.req("R-1.3", "R-6.5")
def test_hello_is_repeated_for_three_seconds(link_pair: MakePair) -> None:
    pair = link_pair()
    wire = pair.to_device = Recorder(pair)
    pair.host.hello(0)
    pair.run_ms(3000 - 0.001)
    assert [at / MS for at, _ in wire.sent] == list(range(0, 3000, 100))
    assert len({data for _, data in wire.sent}) == 1
    assert pair.events == []
    pair.run_ms(0.001)
    assert [type(event) for event in pair.events] == [RequestTimedOut]


@pytest.mark.req("R-7.7")
def test_stop_is_repeated_every_20_ms_for_a_second(pair: LinkPair) -> None:
    start = pair.now_ns
    wire = pair.to_device = Recorder(pair)
    pair.host.stop(start)
    pair.run_ms(1000 - 0.001)
    assert [(at - start) / MS for at, _ in wire.sent] == list(range(0, 1000, 20))
    before = len(pair.events)
    pair.run_ms(0.001)
    assert [type(event).__name__ for event in pair.events[before:]] == ["StopTimedOut"]


@pytest.mark.req("R-6.5")
def test_a_host_that_slept_sends_one_repeat_not_all_it_missed(pair: LinkPair) -> None:
    pair.host.request(m.SetDepth(900), pair.now_ns)
    first = pair.host.data_to_send()
    late = pair.now_ns + 400 * MS
    pair.host.handle_timer(late)
    pair.host.handle_timer(late)
    assert pair.host.data_to_send() == first
    assert pair.host.next_timer() == late + 30 * MS
    assert pair.host.retries == 1


@pytest.mark.req("R-6.5")
def test_the_timer_does_nothing_before_its_time(pair: LinkPair) -> None:
    pair.host.request(m.SetDepth(900), pair.now_ns)
    pair.host.data_to_send()
    due = pair.host.next_timer()
    assert due == pair.now_ns + 30 * MS
    pair.host.handle_timer(due - 1)
    assert pair.host.data_to_send() == b""
    pair.host.handle_timer(due)
    assert pair.host.data_to_send() != b""


@pytest.mark.req("R-6.1")
def test_one_request_at_a_time_each_with_the_next_seq(pair: LinkPair) -> None:
    pair.host.request(m.SetDepth(900), pair.now_ns)
    with pytest.raises(RuntimeError, match="in flight"):
        pair.host.request(m.SetRate(1100), pair.now_ns)
    pair.run_ms(1)
    pair.ask(m.SetRate(1100))
    replies = [frame.seq for frame in pair.device_frames if frame.kind == m.Kind.ANSWER]
    assert replies == [1, 2, 3], "HELLO, SET_DEPTH, SET_RATE"


@pytest.mark.req("R-6.1", "R-6.4")
def test_seq_goes_round(pair: LinkPair) -> None:
    pair.host._seq = 0xFFFD
    pair.device._last_seq = 0xFFFD
    for depth in (100, 200, 300, 400):
        assert isinstance(pair.ask(m.SetDepth(depth)), Answered)
    assert [request.depth_um for request in pair.firmware.executed] == [100, 200, 300, 400]
    assert [frame.seq for frame in pair.device_frames][-4:] == [0xFFFE, 0xFFFF, 0, 1]


# -- at most once --------------------------------------------------------------------------------------


@pytest.mark.req("R-6.2", "S-08")
@pytest.mark.parametrize("later", range(MEMORY))
def test_a_remembered_request_gets_its_bytes_again_and_is_not_carried_out(pair: LinkPair, later: int) -> None:
    first = set_depth(pair, 500, seq=2)
    for other in range(later):
        set_depth(pair, 600 + other, seq=3 + other)
    assert set_depth(pair, 500, seq=2) == first
    assert [request.depth_um for request in pair.firmware.executed] == [500, *range(600, 600 + later)]


@pytest.mark.req("R-6.2", "R-6.4", "S-08")
def test_the_fifth_before_is_forgotten_and_older(pair: LinkPair) -> None:
    for index in range(MEMORY + 1):
        set_depth(pair, 500 + index, seq=2 + index)
    (said,) = set_depth(pair, 500, seq=2)
    assert refusal(said) == (m.Reason.OLD_SEQ, 2 + MEMORY)
    assert len(pair.firmware.executed) == MEMORY + 1


@pytest.mark.req("R-3.4", "R-6.2")
def test_a_repeated_answer_keeps_the_epoch_it_had(pair: LinkPair) -> None:
    sent_with = pair.device.epoch
    first = set_depth(pair, 500, seq=2)
    pair.device.raise_epoch()
    assert set_depth(pair, 500, seq=2, epoch=sent_with) == first


@pytest.mark.req("R-6.2")
def test_a_request_still_being_carried_out_is_answered_once_it_is(pair: LinkPair) -> None:
    pair.firmware.hold = True
    assert set_depth(pair, 500, seq=2) == []
    assert set_depth(pair, 500, seq=2) == []
    (held,) = pair.firmware.held
    pair.device.answer(held.token, m.Settings(0, 0, 0, 500, 0, 0))
    pair.run_ms(1)
    assert [frame.seq for frame in pair.device_frames if frame.code == m.SetDepth.spec.code] == [2]


@pytest.mark.req("R-6.8", "R-5.4")
def test_a_late_answer_does_not_go_to_the_same_seq_of_a_newer_session(pair: LinkPair) -> None:
    pair.firmware.hold = True
    set_depth(pair, 500, seq=2)
    (old,) = pair.firmware.held
    hello = pack(m.Hello.layout, m.Hello(m.MAJOR, m.MINOR, m.MOTION_HASH, 0x66, 0, m.Role.OBSERVER))
    pair.send_frame(1, m.Hello.spec.code, hello, session=0, seq=1)
    pair.send_frame(1, m.GetStatus.spec.code, session=pair.device.session, seq=2)
    said = len(pair.device_frames)
    pair.device.answer(old.token, m.Settings(0, 0, 0, 500, 0, 0))
    pair.run_ms(1)
    assert pair.device_frames[said:] == []


@pytest.mark.req("R-6.3", "S-08")
@pytest.mark.parametrize("change", ["depth", "code", "epoch"])
def test_the_same_seq_with_other_content_is_refused(pair: LinkPair, change: str) -> None:
    set_depth(pair, 500, seq=2)
    epoch = pair.device.epoch + (change == "epoch")
    code = m.SetRate.spec.code if change == "code" else m.SetDepth.spec.code
    payload = pack(m.SetDepth.layout, m.SetDepth(501 if change == "depth" else 500))
    (said,) = pair.send_frame(1, code, payload, session=pair.device.session, seq=2, epoch=epoch)
    assert refusal(said) == (m.Reason.SEQ_REUSED, 2)
    assert pair.firmware.executed == [m.SetDepth(500)]
    assert refusal(set_depth(pair, 700, seq=2)[0]) == (m.Reason.SEQ_REUSED, 2)


@pytest.mark.req("R-6.4", "S-08")
@given(last=st.integers(0, 65535), ahead=st.integers(0, 65535))
def test_a_seq_is_newer_up_to_half_the_circle(last: int, ahead: int) -> None:
    from linkpair import IDENTITY

    from penstroke_protocol.device_link import DeviceLink

    device = DeviceLink(identity=IDENTITY, first_session=1)
    hello = m.Hello(m.MAJOR, m.MINOR, m.MOTION_HASH, 5, IDENTITY.zone_digest, m.Role.CONTROLLER)
    device.open_session(hello, last)
    device.data_to_send()
    seq = (last + ahead) & 0xFFFF
    device.receive_data(encode_message(m.SetDepth(5), session=2, seq=seq, epoch=0), 0)
    assert (device.next_event() is not None) == (1 <= ahead <= 32767)


@pytest.mark.req("R-6.10", "R-6.6", "R-6.7", "R-5.5", "R-7.5")
@pytest.mark.parametrize(
    ("code", "payload", "stale", "reason"),
    [
        (0x77, b"", False, m.Reason.UNKNOWN_CODE),
        (m.SetDepth.spec.code, b"", False, m.Reason.BAD_PAYLOAD),
        (m.SetDepth.spec.code, b"\x01\x01", True, m.Reason.STALE_EPOCH),
    ],
)
def test_a_refusal_is_remembered_as_an_answer_is(
    pair: LinkPair, code: int, payload: bytes, stale: bool, reason: m.Reason
) -> None:
    where = {"session": pair.device.session, "seq": 2, "epoch": pair.device.epoch - stale}
    first = pair.send_frame(1, code, payload, **where)
    assert refusal(first[0])[0] is reason
    pair.device.raise_epoch()
    assert pair.send_frame(1, code, payload, **where) == first
    assert refusal(set_depth(pair, 500, seq=2)[0]) == (m.Reason.SEQ_REUSED, 2)
    assert pair.firmware.executed == []


@pytest.mark.req("R-6.10")
def test_strangers_do_not_wash_out_the_memory(pair: LinkPair) -> None:
    first = set_depth(pair, 500, seq=2)
    for index in range(20):
        pair.send_frame(1, 3, session=9, seq=index)
        set_depth(pair, 1 + index, seq=2)
        pair.send_frame(1, 3, session=pair.device.session, seq=0xFFF0)
    assert set_depth(pair, 500, seq=2) == first


# -- the order of judgement ----------------------------------------------------------------------------


@pytest.mark.req("R-3.1", "R-3.3")
def test_the_first_that_does_not_hold_decides(link_pair: MakePair) -> None:
    """Everything is wrong at once; then one thing after the other is put right, from the front."""
    pair = link_pair(role=m.Role.OBSERVER)
    pair.open()
    set_depth(pair, 500, seq=2)
    session, stale = pair.device.session, pair.device.epoch - 1

    def reason(code: int, payload: bytes, session: int, seq: int, epoch: int) -> m.Reason:
        (said,) = pair.send_frame(1, code, payload, session=session, seq=seq, epoch=epoch)
        return refusal(said)[0]

    assert reason(0x77, b"?", session + 1, 2, stale) is m.Reason.NO_SESSION
    assert reason(0x77, b"?", session, 2, stale) is m.Reason.SEQ_REUSED
    assert reason(0x77, b"?", session, 1, stale) is m.Reason.OLD_SEQ
    assert reason(0x77, b"?", session, 3, stale) is m.Reason.UNKNOWN_CODE
    assert reason(m.SetDepth.spec.code, b"?", session, 4, stale) is m.Reason.BAD_PAYLOAD
    assert reason(m.SetDepth.spec.code, b"\1\1", session, 5, stale) is m.Reason.NOT_CONTROLLER
    pair.device.role = m.Role.CONTROLLER
    assert reason(m.SetDepth.spec.code, b"\1\1", session, 6, stale) is m.Reason.STALE_EPOCH
    assert pair.firmware.executed == []


@pytest.mark.req("R-6.6")
def test_the_unknown_code_is_named(pair: LinkPair) -> None:
    (said,) = pair.send_frame(1, 0x77, session=pair.device.session, seq=2)
    assert refusal(said) == (m.Reason.UNKNOWN_CODE, 0x77)


@pytest.mark.req("R-6.7", "R-4.1")
def test_a_bad_payload_is_refused_whole(pair: LinkPair) -> None:
    (said,) = pair.send_frame(1, m.SetTelemetry.spec.code, b"\x04", session=pair.device.session, seq=2)
    assert refusal(said) == (m.Reason.BAD_PAYLOAD, 0)
    assert pair.firmware.executed == []


@pytest.mark.req("R-2.8")
def test_an_echoing_line_moves_nobody(pair: LinkPair) -> None:
    """Each side hears its own frames back: they are counted, nothing else."""
    pair.device.send_telemetry(m.Telemetry(0, 1, m.State.IDLE, 0, 0, 0, 0, 0, 0, 0, 100))
    pair.device.send_event(1, m.Event(0, 0), pair.now_ns)
    set_depth(pair, 500, seq=2)
    said = encode(m.Kind.REFUSAL, 3, pair.device.session, 2, 0, b"\1\0\0\0\0")
    echo = [encode(*frame) for frame in pair.device_frames] + [said]
    executed, frames = list(pair.firmware.executed), len(pair.device_frames)
    assert pair.send_raw(b"".join(echo)) == []
    assert pair.device.dropped["echo"] == len(echo)
    assert (pair.firmware.executed, len(pair.device_frames)) == (executed, frames)

    before = list(pair.events)
    for kind in (m.Kind.REQUEST, m.Kind.BEAT, m.Kind.EVENT_ACK):
        pair.tell_host(kind, 3, b"", session=pair.host.session, seq=1, epoch=0)
    assert pair.events == before
    assert pair.host.dropped["echo"] == 3
    assert pair.host.data_to_send() == b""


# -- the host takes only what is its own ---------------------------------------------------------------


@pytest.mark.req("R-6.8")
@pytest.mark.parametrize("wrong", ["session", "seq", "code", "nothing in flight", "nothing wrong"])
def test_only_the_reply_to_the_request_in_flight_counts(pair: LinkPair, wrong: str) -> None:
    if wrong != "nothing in flight":
        pair.host.request(m.SetDepth(900), pair.now_ns)
        pair.host.data_to_send()
    before = len(pair.events)
    for kind, payload in ((m.Kind.REFUSAL, b"\x09\0\0\0\0"), (m.Kind.ANSWER, bytes(9))):
        if wrong == "nothing wrong" and kind == m.Kind.REFUSAL:
            continue
        pair.tell_host(
            kind,
            m.SetDepth.spec.code + (wrong == "code"),
            payload,
            session=pair.host.session + (wrong == "session"),
            seq=2 + (wrong == "seq"),
            epoch=77,
        )
    counted = [type(event) for event in pair.events[before:]]
    assert counted == ([Answered] if wrong == "nothing wrong" else [])
    assert pair.host.dropped["stale reply"] == (0 if wrong == "nothing wrong" else 2)
    assert pair.host.busy == (wrong not in ("nothing in flight", "nothing wrong"))


@pytest.mark.req("R-6.8", "S-16")
def test_the_answer_to_a_request_given_up_is_not_taken_for_the_next(pair: LinkPair) -> None:
    pair.firmware.hold = True
    pair.host.request(m.SetDepth(500), pair.now_ns)
    pair.run_ms(700)
    assert pair.events[-1] == RequestTimedOut(m.SetDepth(500))
    pair.host.request(m.SetDepth(600), pair.now_ns)
    pair.run_ms(1)
    pair.device.answer(pair.firmware.held[0].token, m.Settings(0, 0, 0, 500, 0, 0))
    pair.run_ms(1)
    assert pair.host.busy
    pair.device.answer(pair.firmware.held[1].token, m.Settings(0, 0, 0, 600, 0, 0))
    pair.run_ms(1)
    assert pair.events[-1].answer.depth_um == 600


@pytest.mark.req("R-6.8")
def test_abandoning_a_request_ends_its_repeats(pair: LinkPair) -> None:
    wire = pair.to_device = Recorder(pair)
    pair.host.request(m.SetDepth(500), pair.now_ns)
    pair.run_ms(1)
    pair.host.abandon()
    pair.run_ms(1000)
    assert len(wire.sent) == 1
    assert pair.host.busy is False


@pytest.mark.req("R-3.2", "R-7.5")
def test_a_set_in_the_same_read_as_a_stop_meets_the_raised_epoch(pair: LinkPair) -> None:
    where = {"session": pair.device.session, "epoch": pair.device.epoch}
    stop = encode_message(m.Stop(), seq=0, **where)
    said = pair.send_raw(stop + encode_message(m.SetDepth(900), seq=2, **where))
    assert [frame.kind for frame in said] == [m.Kind.ANSWER, m.Kind.REFUSAL]
    assert refusal(said[1]) == (m.Reason.STALE_EPOCH, pair.device.epoch)
    assert pair.firmware.executed == []


@pytest.mark.req("R-3.4")
@pytest.mark.parametrize("request_", [m.Release(), m.Bye(), m.SetDepth(500)], ids=lambda r: type(r).__name__)
def test_an_answer_carries_the_epoch_after_the_act(pair: LinkPair, request_: Any) -> None:
    end = pair.ask(request_)
    assert isinstance(end, Answered)
    assert end.epoch == pair.device.epoch == pair.host.epoch


@pytest.mark.req("R-3.3", "R-7.6")
def test_a_refusal_reaches_the_host_with_its_reason(pair: LinkPair) -> None:
    pair.device.raise_epoch()
    end = pair.ask(m.SetDepth(900))
    assert end == RequestRefused(m.SetDepth(900), m.Reason.STALE_EPOCH, pair.device.epoch, pair.device.epoch)
    assert isinstance(pair.ask(m.SetDepth(900)), Answered), "a new request is made with the epoch it was told"
