"""F1: frames damaged in nine ways, through the decoder and through both ends. None may act as another."""

from __future__ import annotations

from random import Random
from typing import Any

from campaign.damage import CLASSES, Damage, any_frame, any_message, no_checksum
from campaign.hosts import MS, TREATMENT, from_tests
from campaign.orders import Order, Section
from penstroke_protocol import HostLink, Receiver
from penstroke_protocol import messages as m
from penstroke_protocol.frames import Frame, decode, encode_message
from penstroke_protocol.host_link import Answered
from penstroke_protocol.zone_table import ZONE_DIGEST

TEXT = """Every frame was damaged for real: what came out as it went in is not counted. *Whole*: the damage
left an intact frame in the bytes, which then must be taken for what it is. *Wrong*: a frame was taken that
nobody sent, something happened in the pen or the host that nobody asked for, or the intact frame that
followed was lost."""
HEADER = ("damage", "frames", "whole", "wrong")
_GOOD = encode_message(m.SetDepth(900), session=3, seq=4, epoch=5)
_GOOD_FRAME = decode(_GOOD[1:-1])


def run(order: Order) -> list[Section]:
    """The decoder alone, the pen, and the host's engine."""
    with no_checksum(order.planted):
        return [_decoder(order), _to_the_pen(order), _to_the_host(order)]


def _damaged(raw: bytes, other: bytes, damage: Damage, rng: Random) -> bytes:
    while (damaged := damage(raw, other, rng)) == raw:
        pass
    return damaged


def _decoder(order: Order) -> Section:
    section = Section("F1: damaged frames, decoder", TEXT, HEADER)
    each = order.count(full=112_000, check=12_000, small=800)
    for name, damage in CLASSES.items():
        rng = order.rng("damaged_frames", "decoder", name)
        whole = wrong = 0
        for number in range(each):
            raw, other = any_frame(rng.choice(m.ALL), rng), any_frame(rng.choice(m.ALL), rng)
            data = _damaged(raw, other, damage, rng)
            taken = Receiver().receive(data + _GOOD)
            last = taken.pop() if taken else None
            sent = (decode(raw[1:-1]), decode(other[1:-1]))
            whole += bool(taken)
            if last != _GOOD_FRAME or any(frame not in sent for frame in taken):
                wrong += 1
                section.fail(f"{name}, frame {number}: {data.hex()} of {raw.hex()} gave {taken}")
        section.ran += each
        section.rows.append((name, f"{each:,}", f"{whole:,}", str(wrong)))
    return section


def _to_the_pen(order: Order) -> Section:
    """Every request, damaged, to a pen that is armed: it stays as it is."""
    section = Section("F1: damaged requests and beats, to an armed pen", TEXT, HEADER)
    each = order.count(full=5_600, check=1_200, small=60)
    classes = [*m.REQUESTS.values(), m.Beat]
    for name, damage in CLASSES.items():
        rng = order.rng("damaged_frames", "pen", name)
        bench: Any = None
        whole = wrong = 0
        for number in range(each):
            if bench is None:
                bench = from_tests("simbench").Bench(seed=rng.getrandbits(24))
                bench.arm()
            bench.beat()
            bench.run(20)
            bench.beat()
            bench.run(20)
            before = _held(bench)
            raw, other = (_aimed(bench, rng.choice(classes), rng) for _ in range(2))
            data = _damaged(raw, other, damage, rng)
            # With the delimiter that closes whatever is left open, at once and not with the next frame.
            frames = Receiver().receive(data + b"\0")
            bench.world.host_sends(data + b"\0")
            bench.run(20)
            if any(frame in (decode(raw[1:-1]), decode(other[1:-1])) for frame in frames):
                whole += 1
                bench = None
            elif (after := _held(bench)) != before:
                wrong += 1
                section.fail(f"{name}, frame {number}: {data.hex()} of {raw.hex()}: {before} to {after}")
                bench = None
            elif number % 100 == 99:
                bench = None
        section.ran += each
        section.rows.append((name, f"{each:,}", f"{whole:,}", str(wrong)))
    return section


def _aimed(bench: Any, cls: type[Any], rng: Random) -> bytes:
    """A frame that the pen would obey: right session and epoch, the next seq, mostly the values in force."""
    message = any_message(cls, rng)
    if rng.random() < 0.7:
        firmware = bench.firmware
        message = {
            m.Start: m.Start(firmware.zone, firmware.side, firmware.depth_um, firmware.rate_dhz, 600_000),
            m.SetDepth: m.SetDepth(50 * rng.randint(1, 18)),
            m.SetRate: m.SetRate(10 * rng.randint(80, 150)),
            m.Arm: m.Arm(TREATMENT, 0),
            m.Beat: m.Beat(m.State.ARMED, bench.nonce),
        }.get(cls, message)
    return encode_message(message, session=bench.session, seq=(bench.seq + 1) & 0xFFFF, epoch=bench.epoch)


def _held(bench: Any) -> tuple[Any, ...]:
    firmware, link = bench.firmware, bench.firmware.link
    settings = (firmware.zone, firmware.side, firmware.session_ceiling_um, firmware.depth_um)
    return (*settings, firmware.rate_dhz, firmware.state, firmware.faults, firmware.renewed_ns, link.epoch)


def _to_the_host(order: Order) -> Section:
    """Answers and refusals, damaged, to a host that waits for one: it takes none, and the right one after."""
    section = Section("F1: damaged answers, to a host that waits", TEXT, HEADER)
    each = order.count(full=5_600, check=1_200, small=200)
    for name, damage in CLASSES.items():
        rng = order.rng("damaged_frames", "host", name)
        whole = wrong = 0
        link = _open_link(rng)
        for number in range(each):
            if number % 200 == 199:
                link = _open_link(rng)
            depth_um = 50 * rng.randint(1, 50)
            link.request(m.SetDepth(depth_um), number * 1000 * MS)
            (sent,) = Receiver().receive(link.data_to_send())
            right = m.Settings(8, 1, 1000, depth_um, 1100, int(m.Flag.DEPTH_SET))
            answer = _reply(sent, right, rng.getrandbits(16))
            refusal = _reply(sent, m.Refusal(m.Reason.STALE_EPOCH, 0), rng.getrandbits(16))
            other = rng.choice((refusal, any_frame(m.Telemetry, rng)))
            data = _damaged(answer, other, damage, rng)
            frames = Receiver().receive(data + b"\0")
            link.receive_data(data + b"\0", number * 1000 * MS)
            events = _events(link)
            if any(frame in (decode(answer[1:-1]), decode(other[1:-1])) for frame in frames):
                whole += 1
            elif events or not link.busy:
                wrong += 1
                section.fail(f"{name}, answer {number}: {data.hex()} of {answer.hex()} gave {events}")
            if link.busy:
                link.receive_data(answer, number * 1000 * MS)
                told = [e.answer for e in _events(link) if isinstance(e, Answered)]
                if told != [right]:
                    wrong += 1
                    section.fail(f"{name}, answer {number}: the right one after {data.hex()} gave {told}")
            link.abandon()
        section.ran += each
        section.rows.append((name, f"{each:,}", f"{whole:,}", str(wrong)))
    return section


def _open_link(rng: Random) -> HostLink:
    link = HostLink(nonce=rng.getrandbits(32), zone_digest=ZONE_DIGEST)
    link.hello(0)
    (hello,) = Receiver().receive(link.data_to_send())
    nonce = int.from_bytes(hello.payload[6:10], "little")
    identity = from_tests("linkpair").IDENTITY
    names = identity.layout.names
    values = {name: getattr(identity, name) for name in names} | {"nonce": nonce}
    answer = encode_message(m.HelloAnswer(**values), session=7, seq=hello.seq, epoch=1, code=hello.code)
    link.receive_data(answer, 0)
    _events(link)
    if not link.session:
        raise RuntimeError("the host did not open its session")
    return link


def _reply(sent: Frame, message: Any, epoch: int) -> bytes:
    return encode_message(message, session=sent.session, seq=sent.seq, epoch=epoch, code=sent.code)


def _events(link: HostLink) -> list[Any]:
    found = []
    while (event := link.next_event()) is not None:
        found.append(event)
    return found
