"""HELLO, BYE, roles and versions: who may talk, and to whom."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linkpair import DIGEST, IDENTITY, LinkPair, MakePair

from penstroke_protocol import messages as m
from penstroke_protocol.device_link import HelloReceived
from penstroke_protocol.fields import pack
from penstroke_protocol.frames import Receiver, decode_message
from penstroke_protocol.host_link import (
    Answered,
    HostLink,
    RequestRefused,
    SessionEnded,
    SessionOpened,
)
from penstroke_protocol.link import MS
from penstroke_protocol.zone_table import ZONE_DIGEST, ZONES
from penstroke_protocol.zones import digest_of, digest_text

HELLO = m.Hello(m.MAJOR, m.MINOR, m.MOTION_HASH, 0x77, DIGEST, m.Role.CONTROLLER)
SPECIFICATION = (Path(__file__).resolve().parents[2] / "firmware_protocol" / "README.md").read_text("utf-8")


def hello_bytes(hello: m.Hello) -> bytes:
    return pack(m.Hello.layout, hello)


def refusal(frame: Any) -> tuple[m.Reason, int]:
    assert frame.kind == m.Kind.REFUSAL
    said = decode_message(m.Refusal, frame.payload)
    return m.Reason(said.reason), said.detail


@pytest.mark.req("R-5.1")
def test_hello_says_who_we_are_and_nothing_goes_before_it(link_pair: MakePair) -> None:
    pair = link_pair(nonce=0x1234)
    with pytest.raises(RuntimeError, match="hello"):
        pair.host.request(m.GetStatus(), 0)
    assert pair.host.beat(m.State.ARMED, 0) is False
    assert pair.host.data_to_send() == b""

    pair.host.hello(0)
    (frame,) = Receiver().receive(pair.host.data_to_send())

    assert (frame.kind, frame.code, frame.session) == (m.Kind.REQUEST, m.Hello.spec.code, 0)
    assert decode_message(m.Hello, frame.payload) == replace(HELLO, nonce=0x1234)


@pytest.mark.req("R-5.1")
def test_a_second_hello_needs_a_fresh_nonce_and_so_a_new_link(pair: LinkPair) -> None:
    """With the old nonce the device would go on with its session, and our seqs would begin anew in it."""
    with pytest.raises(RuntimeError, match="fresh nonce"):
        pair.host.hello(pair.now_ns)
    pair.ask(m.Bye())
    with pytest.raises(RuntimeError, match="fresh nonce"):
        pair.host.hello(pair.now_ns)


@pytest.mark.req("R-5.1", "R-6.5")
def test_a_hello_that_timed_out_may_be_said_again(link_pair: MakePair) -> None:
    pair = link_pair()
    pair.host.hello(0)
    for repeat in range(1, 31):
        pair.host.handle_timer(repeat * 100 * MS)
    assert pair.host.busy is False
    pair.host.data_to_send()
    pair.now_ns = 4000 * MS
    pair.open()
    assert isinstance(pair.ask(m.SetRate(1100)), Answered)


@pytest.mark.req("R-5.2", "R-16.1", "S-25")
@pytest.mark.parametrize("payload", [b"\x02\x07", b"\x00\x00" + b"x" * 40, b"\xff\x01\x02"])
def test_another_major_ends_the_talk_whatever_follows_it(link_pair: MakePair, payload: bytes) -> None:
    pair = link_pair()
    (said,) = pair.send_frame(m.Kind.REQUEST, m.Hello.spec.code, payload, session=0, seq=1)
    assert refusal(said) == (m.Reason.VERSION, m.MAJOR << 8 | m.MINOR)
    assert (pair.device.session, pair.device.epoch) == (0, 60_000)


@pytest.mark.req("R-5.2", "S-25")
def test_the_host_is_told_which_version_it_met(link_pair: MakePair) -> None:
    pair = link_pair(identity=replace(IDENTITY, major=3, minor=4))
    pair.host.hello(0)
    pair.run_ms(50)
    assert [(e.reason, e.detail) for e in pair.events] == [(m.Reason.VERSION, 0x0304)]
    assert pair.host.session == 0


@pytest.mark.req("R-16.2", "S-25")
def test_another_minor_is_fine(link_pair: MakePair) -> None:
    pair = link_pair(identity=replace(IDENTITY, minor=9))
    answer = pair.open()
    assert (answer.minor, answer.role) == (9, m.Role.CONTROLLER)
    assert isinstance(pair.ask(m.SetRate(1100)), Answered)


@pytest.mark.req("R-5.3")
def test_the_same_nonce_repeats_the_answer_byte_for_byte(link_pair: MakePair) -> None:
    pair = link_pair()
    payload = hello_bytes(HELLO)
    first = pair.send_frame(m.Kind.REQUEST, m.Hello.spec.code, payload, session=0, seq=1)
    epoch = pair.device.epoch
    again = pair.send_frame(m.Kind.REQUEST, m.Hello.spec.code, payload, session=0, seq=1)
    assert again == first
    assert pair.device.epoch == epoch


@pytest.mark.req("R-5.3")
def test_one_nonce_is_one_session_also_for_a_slow_firmware(link_pair: MakePair) -> None:
    pair = link_pair()
    slow = [HelloReceived(HELLO, 1), HelloReceived(HELLO, 1)]
    for event in slow:
        pair.device.open_session(event.hello, event.token)
    first, again = Receiver().receive(pair.device.data_to_send())
    assert first == again


@pytest.mark.req("R-5.4")
def test_another_nonce_begins_afresh(pair: LinkPair) -> None:
    session = pair.device.session
    pair.ask(m.SetDepth(900))
    pair.ask(m.Start(1, 0, 900, 1100, 1000))
    pair.device.send_event(m.EventCode.RUN_STARTED, m.Event(0, 0), pair.now_ns)
    pair.device.send_telemetry(telemetry(1))
    epoch = pair.device.epoch

    payload = hello_bytes(HELLO)
    *_, said = pair.send_frame(m.Kind.REQUEST, m.Hello.spec.code, payload, session=999, seq=9, epoch=31)

    assert (said.session, said.epoch, said.seq) == (session + 1, epoch + 1, 9)
    assert decode_message(m.HelloAnswer, said.payload).nonce == HELLO.nonce
    assert pair.firmware.running is False
    assert pair.device.next_timer() is None, "no event of the older session is repeated"
    pair.device.send_event(m.EventCode.RUN_ENDED, m.Event(0, 0), pair.now_ns)
    pair.device.send_telemetry(telemetry(2))
    begun = Receiver().receive(pair.device.data_to_send())
    assert [frame.seq for frame in begun] == [1, 1]
    assert all(frame.session == session + 1 for frame in begun)


def telemetry(nonce: int) -> m.Telemetry:
    return m.Telemetry(0, nonce, m.State.IDLE, 0, 0, 0, 0, 0, 0, 0, 100)


@pytest.mark.req("R-5.4")
def test_a_session_is_never_number_zero(link_pair: MakePair) -> None:
    pair = link_pair()
    pair.device._last_session = 0xFFFF
    pair.open()
    assert pair.device.session == 1


@pytest.mark.req("R-5.5", "S-25")
@given(
    motion_hash=st.sampled_from([m.MOTION_HASH, m.MOTION_HASH ^ 1, 0]),
    zone_digest=st.sampled_from([DIGEST, DIGEST ^ (1 << 63), 0]),
    role=st.sampled_from(m.Role),
)
def test_who_agrees_in_all_may_control(motion_hash: int, zone_digest: int, role: m.Role) -> None:
    from penstroke_protocol.device_link import DeviceLink

    device = DeviceLink(identity=IDENTITY, first_session=1)
    device.open_session(m.Hello(m.MAJOR, m.MINOR, motion_hash, 5, zone_digest, role), 1)
    (frame,) = Receiver().receive(device.data_to_send())
    agrees = motion_hash == m.MOTION_HASH and zone_digest == DIGEST
    assert decode_message(m.HelloAnswer, frame.payload).role == (role if agrees else m.Role.OBSERVER)


REQUESTS = {
    cls: cls(*(wire.range[0] for wire in cls.layout.wires))
    for cls in m.REQUESTS.values()
    if cls not in (m.Hello, m.Stop)
}


@pytest.mark.req("R-5.5", "S-17", "S-25")
@pytest.mark.parametrize("cls", REQUESTS, ids=lambda cls: cls.__name__)
def test_an_observer_moves_nothing(link_pair: MakePair, cls: type[Any]) -> None:
    pair = link_pair(role=m.Role.OBSERVER)
    assert pair.open().role == m.Role.OBSERVER
    end = pair.ask(REQUESTS[cls])
    assert not (cls.spec.motion and cls.spec.observer)
    if not cls.spec.observer:
        assert end.reason == m.Reason.NOT_CONTROLLER
        assert pair.firmware.executed == []
    else:
        assert isinstance(end, Answered)
        assert pair.firmware.executed == [REQUESTS[cls]]


@pytest.mark.req("R-5.5", "R-7.1")
def test_an_observer_stops_everything_and_beats_nothing(link_pair: MakePair) -> None:
    pair = link_pair(role=m.Role.OBSERVER)
    pair.open()
    pair.device.send_telemetry(telemetry(3))
    pair.run_ms(1)
    assert pair.host.beat(m.State.RUNNING, pair.now_ns)
    pair.run_ms(1)  # the beat leaves: a stop gives up what was not sent
    pair.host.stop(pair.now_ns)
    pair.run_ms(1)
    assert pair.firmware.beats == []
    assert pair.firmware.stops == 1


@pytest.mark.req("R-5.6", "S-08")
@pytest.mark.parametrize("session", [0, 1, 40, 42, 0xFFFF])
@pytest.mark.parametrize("cls", REQUESTS, ids=lambda cls: cls.__name__)
def test_another_session_is_refused_and_not_remembered(pair: LinkPair, session: int, cls: type[Any]) -> None:
    assert pair.device.session == 41
    payload = pack(cls.layout, REQUESTS[cls])
    (said,) = pair.send_frame(m.Kind.REQUEST, cls.spec.code, payload, session=session, seq=2)
    assert refusal(said) == (m.Reason.NO_SESSION, IDENTITY.boot_counter)
    assert (said.session, said.seq, said.code) == (session, 2, cls.spec.code)
    assert pair.firmware.executed == []
    assert isinstance(pair.ask(m.SetRate(1000)), Answered), "seq 2 was not used up"


@pytest.mark.req("R-5.7", "R-5.6")
def test_bye_ends_the_session_and_its_lost_answer_is_repeated(link_pair: MakePair) -> None:
    pair = link_pair()
    pair.open()
    bye = (m.Kind.REQUEST, m.Bye.spec.code, b"")
    session, epoch = pair.device.session, pair.device.epoch
    first = pair.send_frame(*bye, session=session, seq=2, epoch=epoch)
    again = pair.send_frame(*bye, session=session, seq=2, epoch=epoch)
    assert first == again
    assert pair.device.session == 0
    assert pair.firmware.executed == [m.Bye()]
    pair.device.send_telemetry(telemetry(1))
    pair.device.send_event(m.EventCode.FAULT, m.Event(0, 1), pair.now_ns)
    assert pair.device.data_to_send() == b""
    (other,) = pair.send_frame(m.Kind.REQUEST, m.GetStatus.spec.code, session=session, seq=2, epoch=epoch)
    assert refusal(other)[0] == m.Reason.NO_SESSION


@pytest.mark.req("R-5.7")
def test_after_bye_the_host_has_no_session_either(pair: LinkPair) -> None:
    pair.host.bye(pair.now_ns)
    pair.run_ms(1)
    assert isinstance(pair.events[-1], Answered)
    with pytest.raises(RuntimeError, match="hello"):
        pair.host.request(m.GetStatus(), pair.now_ns)


@pytest.mark.req("R-5.9")
@pytest.mark.parametrize(
    ("nonce", "session", "seq", "counts"),
    [(0xABCD, 5, 1, True), (0xABCE, 5, 1, False), (0xABCD, 0, 1, False), (0xABCD, 5, 2, False)],
)
def test_only_the_answer_to_our_own_hello_opens_a_session(
    link_pair: MakePair, nonce: int, session: int, seq: int, counts: bool
) -> None:
    pair = link_pair(nonce=0xABCD)
    pair.host.hello(0)
    pair.host.data_to_send()
    answer = pack(m.HelloAnswer.layout, replace(IDENTITY, nonce=nonce))
    pair.tell_host(m.Kind.ANSWER, m.Hello.spec.code, answer, session=session, seq=seq, epoch=3)
    assert [type(event) for event in pair.events] == ([SessionOpened] if counts else [])
    assert pair.host.session == (session if counts else 0)
    assert pair.host.dropped["stale reply"] == (0 if counts else 1)


@pytest.mark.req("R-5.10", "R-5.8")
def test_a_reset_device_ends_the_hosts_session(pair: LinkPair, link_pair: MakePair) -> None:
    reset = link_pair(identity=replace(IDENTITY, boot_counter=8))
    pair.device, pair.firmware = reset.device, reset.firmware
    pair.host.request(m.GetStatus(), pair.now_ns)
    pair.run_ms(1)
    assert pair.events[-1] == SessionEnded(8)
    assert pair.firmware.executed == []
    with pytest.raises(RuntimeError, match="hello"):
        pair.host.request(m.GetStatus(), pair.now_ns)
    assert pair.host.next_timer() is None


@pytest.mark.req("R-5.6", "S-17")
def test_of_two_hosts_the_later_one_has_the_pen(pair: LinkPair) -> None:
    late = HostLink(nonce=0x9999, zone_digest=DIGEST)
    late.hello(pair.now_ns)
    pair.send_raw(late.data_to_send())
    pair.host.request(m.SetDepth(900), pair.now_ns)
    pair.run_ms(1)
    assert pair.events[-1] == SessionEnded(IDENTITY.boot_counter)
    assert pair.firmware.executed == []


@pytest.mark.req("R-16.3")
def test_the_motion_hash_is_what_the_specification_says() -> None:
    block = SPECIFICATION.split("<!-- generated:motion -->")[1].split("```text\n")[1].split("\n```")[0]
    digest = hashlib.sha256(block.encode()).digest()
    assert struct.unpack_from("<I", digest)[0] == m.MOTION_HASH
    assert f"`0x{m.MOTION_HASH:08x}`" in SPECIFICATION


@pytest.mark.req("R-16.3")
def test_every_motion_message_and_nothing_else_is_in_the_motion_hash() -> None:
    lines = m.MOTION_TEXT.splitlines()
    motion = [cls.__name__ for cls in m.ALL if cls.spec.motion]
    assert [line.split("|")[0] for line in lines] == [*motion, "State", "Side"]


@pytest.mark.req("R-16.4")
def test_the_zone_digest_is_what_the_specification_says() -> None:
    block = SPECIFICATION.split("<!-- generated:digest -->")[1].split("```text\n")[1].split("\n```")[0]
    digest = hashlib.sha256(block.encode()).digest()
    assert struct.unpack_from("<Q", digest)[0] == ZONE_DIGEST
    assert f"`0x{ZONE_DIGEST:016x}`" in SPECIFICATION


@pytest.mark.req("R-16.4", "S-25")
def test_the_zone_digest_sees_every_change_of_what_decides_and_no_name() -> None:
    first, *rest = ZONES
    assert digest_of([first._replace(name="elsewhere"), *rest]) == ZONE_DIGEST
    for changed in (
        [first._replace(hard_ceiling_um=first.hard_ceiling_um + 1), *rest],
        [first._replace(hard_ceiling_um=0), *rest],
        [first._replace(number=99), *rest],
        rest,
    ):
        assert digest_of(changed) != ZONE_DIGEST
    assert digest_text([first, rest[0]]) == "1:0:750\n2:0:750"


def test_a_refused_hello_leaves_the_host_without_a_session(link_pair: MakePair) -> None:
    pair = link_pair(identity=replace(IDENTITY, major=2))
    pair.host.hello(0)
    pair.run_ms(10)
    assert [type(event) for event in pair.events] == [RequestRefused]
    assert pair.host.busy is False
