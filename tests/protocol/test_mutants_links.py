"""Exact edges of both ends of the line: where one more or one less is another answer."""

from __future__ import annotations

from dataclasses import is_dataclass, replace
from importlib import import_module
from typing import Any, get_args

import pytest
from linkpair import DIGEST, IDENTITY, LinkPair, MakePair

from penstroke_protocol import messages as m
from penstroke_protocol.device_link import EVENT_QUEUE, EVENT_REPEAT_NS, MEMORY, DeviceLinkEvent
from penstroke_protocol.fields import pack
from penstroke_protocol.frames import Frame, Receiver, decode_message
from penstroke_protocol.host_link import (
    HELLO_RETRY_MS,
    NONCE_AGE_NS,
    RETRY_MS,
    STOP_RETRY_MS,
    HostEvent,
    HostLink,
    StopTimedOut,
)
from penstroke_protocol.link import MS, Link

HELLO = m.Hello(m.MAJOR, m.MINOR, m.MOTION_HASH, 0x77, DIGEST, m.Role.CONTROLLER)
CODE = m.Hello.spec.code


WRITTEN_TO = {"Telemetry", "TelemetryReceived", "_Flight", "_Remembered"}


def refusal(frame: Frame) -> tuple[m.Reason, int]:
    assert frame.kind == m.Kind.REFUSAL
    said = decode_message(m.Refusal, frame.payload)
    return m.Reason(said.reason), said.detail


def hello(pair: LinkPair, said: m.Hello) -> Frame:
    return pair.send_frame(m.Kind.REQUEST, CODE, pack(m.Hello.layout, said), session=0, seq=1)[-1]


def ask_status(pair: LinkPair, seq: int) -> list[Frame]:
    return pair.send_frame(m.Kind.REQUEST, m.GetStatus.spec.code, session=pair.device.session, seq=seq)


def test_messages_and_events_have_slots_and_never_change() -> None:
    for name in ("messages", "frames", "host_link", "device_link", "fields"):
        module = import_module(f"penstroke_protocol.{name}")
        found = [one for one in vars(module).values() if isinstance(one, type) and is_dataclass(one)]
        for value in (one for one in found if one.__module__ == module.__name__):
            assert "__slots__" in vars(value), value
            frozen = value.__dataclass_params__.frozen  # type: ignore[attr-defined]
            # Readings come a hundred times a second, and freezing costs.
            assert frozen is not (value.__name__ in WRITTEN_TO), value
    for event in (*get_args(HostEvent), *get_args(DeviceLinkEvent)):
        assert is_dataclass(event), event


def test_the_figures_of_both_ends() -> None:
    assert (NONCE_AGE_NS, EVENT_REPEAT_NS) == (300_000_000, 100_000_000)
    assert RETRY_MS == (30, 30, 40, 60, 100, 160, 260)
    assert (HELLO_RETRY_MS, STOP_RETRY_MS) == ((100,) * 30, (20,) * 50)
    assert (MEMORY, EVENT_QUEUE) == (4, 8)


@pytest.mark.parametrize("lacks", ["next_timer", "handle_timer", "_frame"])
def test_a_link_does_what_each_end_must_do_itself(lacks: str) -> None:
    def nothing(self: object, *given: object) -> None:
        """An end of the line that does nothing."""

    own = dict.fromkeys(("next_timer", "handle_timer", "_frame"), nothing)
    assert type("Whole", (Link,), own)().frames_received == 0
    del own[lacks]
    with pytest.raises(TypeError, match=lacks):
        type("Part", (Link,), own)()


def test_whole_frames_are_counted(pair: LinkPair) -> None:
    before = pair.device.frames_received
    ask_status(pair, 100)
    assert pair.device.frames_received == before + 1
    assert pair.device.damage == {}
    pair.send_raw(b"\0junk\0")
    assert pair.device.damage.total() == 1
    assert pair.device.frames_received == before + 1


# -- the device: HELLO --------------------------------------------------------------------------------------


@pytest.mark.req("R-5.3", "R-5.4")
@pytest.mark.parametrize("nonce", [0xABCC, 0xABCE])
def test_any_other_nonce_begins_afresh(pair: LinkPair, nonce: int) -> None:
    session = pair.device.session
    assert hello(pair, replace(HELLO, nonce=nonce)).session == session + 1
    assert pair.device.session == session + 1


@pytest.mark.req("R-5.5")
@pytest.mark.parametrize("off", [-1, 1])
@pytest.mark.parametrize("field", ["motion_hash", "zone_digest"])
def test_a_hash_or_digest_that_differs_either_way_makes_an_observer(
    link_pair: MakePair, field: str, off: int
) -> None:
    pair = link_pair()
    said = hello(pair, replace(HELLO, **{field: getattr(HELLO, field) + off}))
    assert decode_message(m.HelloAnswer, said.payload).role == m.Role.OBSERVER
    assert pair.device.role is m.Role.OBSERVER


@pytest.mark.req("R-5.2")
@pytest.mark.parametrize("payload", [b"", b"\x02", b"\x01\x00", pack(m.Hello.layout, HELLO)[:-1]])
def test_a_hello_that_is_no_whole_one_is_refused(link_pair: MakePair, payload: bytes) -> None:
    pair = link_pair()
    (said,) = pair.send_frame(m.Kind.REQUEST, CODE, payload, session=0, seq=1)
    assert refusal(said) == (m.Reason.BAD_PAYLOAD, 0)
    assert pair.device.session == 0


def test_code_zero_is_no_hello(pair: LinkPair) -> None:
    (said,) = pair.send_frame(m.Kind.REQUEST, 0, session=41, seq=500)
    assert refusal(said) == (m.Reason.UNKNOWN_CODE, 0)


# -- the device: requests -----------------------------------------------------------------------------------


@pytest.mark.req("R-6.2")
def test_four_requests_are_remembered_and_no_fifth(pair: LinkPair) -> None:
    answers = [ask_status(pair, seq) for seq in (100, 101, 102, 103, 104)]
    carried_out = len(pair.firmware.executed)
    for seq in (101, 102, 103, 104):
        assert ask_status(pair, seq) == answers[seq - 100]
    (said,) = ask_status(pair, 100)
    assert refusal(said) == (m.Reason.OLD_SEQ, 104)
    assert len(pair.firmware.executed) == carried_out


@pytest.mark.req("R-6.4")
@pytest.mark.parametrize(("ahead", "taken"), [(0x7FFF, True), (0x8000, False), (1, True)])
def test_half_of_all_seqs_is_ahead(pair: LinkPair, ahead: int, taken: bool) -> None:
    last = pair.device._last_seq
    (said,) = ask_status(pair, (last + ahead) & 0xFFFF)
    if taken:
        assert said.kind == m.Kind.ANSWER
    else:
        assert refusal(said) == (m.Reason.OLD_SEQ, last)


def test_a_late_answer_of_an_older_session_goes_nowhere_also_when_numbers_go_round(
    link_pair: MakePair,
) -> None:
    pair = link_pair()
    pair.device._last_session = 0xFFFE
    pair.open()
    pair.firmware.hold = True
    ask_status(pair, 100)
    (held,) = pair.firmware.held
    hello(pair, replace(HELLO, nonce=1))
    assert pair.device.session == 1
    ask_status(pair, 100)
    pair.device.answer(held.token, pair.firmware.reply(held.request))
    assert pair.device.data_to_send() == b""


@pytest.mark.req("R-11.3", "S-08")
@pytest.mark.parametrize("session", [40, 42])
def test_a_beat_of_an_older_or_a_newer_session_is_dropped(pair: LinkPair, session: int) -> None:
    payload = pack(m.Beat.layout, m.Beat(m.State.ARMED, 1))
    pair.send_frame(m.Kind.BEAT, 0, payload, session=session, seq=1)
    assert pair.firmware.beats == []
    assert pair.device.dropped == {"other session": 1}


# -- the device: events -------------------------------------------------------------------------------------


@pytest.mark.req("R-14.4")
def test_of_nine_events_eight_wait(pair: LinkPair) -> None:
    for arg in range(8):
        pair.device.send_event(m.EventCode.FAULT, m.Event(0, arg), pair.now_ns)
    assert pair.device.events_lost == 0
    pair.device.send_event(m.EventCode.FAULT, m.Event(0, 8), pair.now_ns)
    assert pair.device.events_lost == 1


@pytest.mark.req("R-14.4")
@pytest.mark.parametrize("late_ns", [0, 1, 70 * MS])
def test_an_event_is_repeated_however_late_the_timer_comes(pair: LinkPair, late_ns: int) -> None:
    pair.device.send_event(m.EventCode.FAULT, m.Event(0, 0), 0)
    first = Receiver().receive(pair.device.data_to_send())
    pair.device.handle_timer(100 * MS - 1)
    assert pair.device.data_to_send() == b""
    pair.device.handle_timer(100 * MS + late_ns)
    assert Receiver().receive(pair.device.data_to_send()) == first
    assert pair.device.next_timer() == 200 * MS + late_ns


# -- the host -----------------------------------------------------------------------------------------------


def sent(host: HostLink) -> list[Frame]:
    return Receiver().receive(host.data_to_send())


def test_a_host_that_has_heard_nothing_knows_no_epoch() -> None:
    host = HostLink(nonce=1, zone_digest=DIGEST)
    assert (host.session, host.epoch, host.busy, host.stopping) == (0, 0, False, False)


@pytest.mark.parametrize(
    ("nonce", "seqs"),
    [(0xABCD_1235, [0x1236, 0x1237]), (0xABCD_FFFE, [0xFFFF, 1]), (0xABCD_FFFF, [1, 2]), (0, [1, 2])],
)
def test_stops_are_numbered_from_the_nonce_and_never_zero(nonce: int, seqs: list[int]) -> None:
    host = HostLink(nonce=nonce, zone_digest=DIGEST)
    for seq in seqs:
        host.stop(0)
        assert [frame.seq for frame in sent(host)] == [seq]
        assert host.stopping is True


def test_beats_are_numbered_from_one_and_their_numbers_go_round(pair: LinkPair) -> None:
    payload = pack(m.Telemetry.layout, m.Telemetry(0, 9, m.State.ARMED, 0, 0, 0, 0, 0, 0, 0, 100))
    pair.tell_host(m.Kind.TELEMETRY, 0, payload, session=pair.host.session, seq=1, epoch=1)
    for before, numbers in ((pair.host._beat_seq, [1, 2, 3]), (0xFFFD, [0xFFFE, 0xFFFF, 0, 1])):
        pair.host._beat_seq = before
        for number in numbers:
            assert pair.host.beat(m.State.ARMED, pair.now_ns)
            assert [frame.seq for frame in sent(pair.host)] == [number]


def test_a_stop_is_repeated_after_20_ms_and_given_up_after_a_second() -> None:
    host = HostLink(nonce=1, zone_digest=DIGEST)
    host.stop(0)
    (first,) = sent(host)
    assert host.next_timer() == 20 * MS
    for number in range(1, 50):
        host.handle_timer(20 * number * MS)
        assert sent(host) == [first]
    assert host.next_event() is None
    host.handle_timer(1000 * MS)
    assert host.next_event() == StopTimedOut()
    assert (host.stopping, host.next_timer(), host.retries) == (False, None, 49)


def reply(pair: LinkPair, message: Any, **changes: int) -> None:
    """What the device says to the SET_DEPTH in flight, but for what is changed."""
    says: dict[str, int] = {"kind": type(message).spec.kind, "code": m.SetDepth.spec.code}
    says |= {"session": pair.host.session, "seq": pair.host._seq, "epoch": 9} | changes
    kind, code = says.pop("kind"), says.pop("code")
    pair.tell_host(kind, code, pack(type(message).layout, message), **says)


@pytest.mark.parametrize("off", [-1, 1])
@pytest.mark.parametrize("field", ["code", "session", "seq"])
def test_a_reply_to_anything_else_is_none(pair: LinkPair, field: str, off: int) -> None:
    pair.host.request(m.SetDepth(900), pair.now_ns)
    epoch, before = pair.host.epoch, len(pair.events)
    fits = {"code": m.SetDepth.spec.code, "session": pair.host.session, "seq": pair.host._seq}[field]
    for message in (m.Refusal(m.Reason.WRONG_STATE, 0), m.Settings(0, 0, 0, 0, 0, 0)):
        reply(pair, message, **{field: fits + off})
    assert (pair.events[before:], pair.host.epoch, pair.host.busy) == ([], epoch, True)
    assert pair.host.dropped.total() == 2


@pytest.mark.parametrize("reason", [0, *(one for one in m.Reason if one is not m.Reason.NO_SESSION)])
def test_only_one_refusal_ends_the_session(pair: LinkPair, reason: int) -> None:
    pair.host.request(m.SetDepth(900), pair.now_ns)
    reply(pair, m.Refusal(reason, 0))
    assert pair.host.session == 41
    assert pair.host.epoch == 9


@pytest.mark.parametrize("off", [-1, 1])
def test_an_answer_to_another_hello_opens_nothing(link_pair: MakePair, off: int) -> None:
    pair = link_pair()
    pair.host.hello(0)
    told = replace(IDENTITY, nonce=0xABCD + off)
    pair.tell_host(m.Kind.ANSWER, CODE, pack(m.HelloAnswer.layout, told), session=5, seq=1, epoch=1)
    assert (pair.host.session, pair.host.busy, pair.events) == (0, True, [])


def test_what_this_version_does_not_know_and_what_is_no_payload_is_counted(pair: LinkPair) -> None:
    pair.tell_host(m.Kind.ANSWER, 99, session=41, seq=1, epoch=1)
    assert pair.host.dropped == {"unknown code": 1}
    pair.tell_host(m.Kind.TELEMETRY, 0, b"short", session=41, seq=1, epoch=1)
    assert pair.host.dropped == {"unknown code": 1, "bad payload": 1}


def stop_answer(pair: LinkPair, *, session: int, seq: int, epoch: int) -> None:
    payload = pack(m.Condition.layout, m.Condition(m.State.IDLE, 0, 0))
    pair.tell_host(m.Kind.ANSWER, m.Stop.spec.code, payload, session=session, seq=seq, epoch=epoch)


@pytest.mark.parametrize(("session", "epoch"), [(41, 9), (40, 3), (42, 3), (0, 3)])
def test_the_answer_to_a_stop_of_another_thread_tells_the_epoch_of_this_session(
    pair: LinkPair, session: int, epoch: int
) -> None:
    """Nothing waits for it; it was written past the engine."""
    pair.host.epoch = 3
    stop_answer(pair, session=session, seq=0, epoch=9)
    assert pair.host.epoch == epoch
    assert pair.host.dropped["stale reply"] == (0 if session == 41 else 1)


@pytest.mark.parametrize("seq", [0, 5])
def test_without_a_session_a_stray_answer_to_a_stop_tells_nothing(link_pair: MakePair, seq: int) -> None:
    pair = link_pair()
    stop_answer(pair, session=0, seq=seq, epoch=9)
    assert (pair.host.epoch, pair.host.dropped["stale reply"]) == (0, 1)


def test_the_first_session_of_all_is_one_too(link_pair: MakePair) -> None:
    pair = link_pair()
    pair.device._last_session = 0xFFFF
    pair.open()
    stop_answer(pair, session=1, seq=0, epoch=9)
    assert pair.host.epoch == 9


def test_a_stop_answered_after_its_session_ended_tells_no_epoch(pair: LinkPair) -> None:
    pair.host.stop(pair.now_ns)
    (stop,) = sent(pair.host)
    pair.host.request(m.SetDepth(900), pair.now_ns)
    reply(pair, m.Refusal(m.Reason.NO_SESSION, 0))
    pair.host.epoch = 3
    stop_answer(pair, session=stop.session, seq=stop.seq, epoch=9)
    assert (pair.host.stopping, pair.host.session, pair.host.epoch) == (False, 0, 3)


@pytest.mark.req("R-14.2", "R-14.6")
@pytest.mark.parametrize(("ahead", "taken"), [(0x7FFF, True), (0x8000, False)])
def test_half_of_all_numbers_is_ahead(pair: LinkPair, ahead: int, taken: bool) -> None:
    told = pack(m.Telemetry.layout, m.Telemetry(0, 9, m.State.ARMED, 0, 0, 0, 0, 0, 0, 0, 100))
    event = pack(m.Event.layout, m.Event(0, 0))
    for kind, payload, first in ((m.Kind.TELEMETRY, told, 5), (m.Kind.EVENT, event, 1)):
        pair.tell_host(kind, 0, payload, session=41, seq=first, epoch=1)
        before = len(pair.events)
        # An event is counted from the one that is expected next.
        seq = first + ahead + (kind is m.Kind.EVENT)
        pair.tell_host(kind, 0, payload, session=41, seq=seq & 0xFFFF, epoch=1)
        assert len(pair.events) == before + taken
