"""What a bad line costs: replies damaged or lost, and a stream with one byte in a hundred damaged."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from random import Random
from statistics import median

from bench import references
from bench.lines import port_on, socket_pair
from bench.report import Section, Size, wanted
from bench.responders import EVERY, HURTS
from penstroke import connect
from penstroke_protocol.frames import Receiver, encode_message
from penstroke_protocol.messages import State, Telemetry

COMMANDS = EVERY * len(HURTS)
LOST_MS = 50.0
SHORT_TIMEOUT_S = 0.2
BAD_BYTES = 0.01
CHUNK = 256
START_BYTE = 0xFD
"""With which a MAVLink 2 frame begins."""

Library = Callable[[socket.socket], AbstractContextManager[references.SetValue]]


def measure(size: Size) -> list[Section]:
    """Commands, then the stream."""
    return [_commands(size), _stream(size)]


# -- commands -----------------------------------------------------------------------------------------------


def _commands(size: Size) -> Section:
    section = Section(
        "One bad reply in five",
        f"{COMMANDS} commands over a socket pair; the first reply to every fifth is bad, in four ways in "
        "turn. Told is what such a command took longer than the median of the others, the worst of all "
        "rounds. pymodbus waits its default of 3 s, pymavlink's `mavset` its 1 s.",
        ("library", *(f"{how}, ms" for how in HURTS), "ended right", "wanted", "met"),
    )
    rounds = [_timed("hurting-pen", _pen, COMMANDS) for _ in range(size.bad_rounds)]
    lost = [max(lost_ms for one, _ in rounds for lost_ms in one[hurt]) for hurt in range(len(HURTS))]
    right = sum(right for _, right in rounds)
    limit, met = wanted(max(lost), LOST_MS, unit=" ms, all right")
    if right < COMMANDS * len(rounds):
        met = "**no**"
    ended = f"{right} of {COMMANDS * len(rounds)}"
    section.rows.append(("penstroke", *(f"{ms:.1f}" for ms in lost), ended, limit, met))
    # References whose patience is seconds: all of it for the figures, little of it to see that they run.
    count = COMMANDS if size.references_wait else EVERY
    timeout_s = references.PYMODBUS_TIMEOUT_S if size.references_wait else SHORT_TIMEOUT_S
    others: list[tuple[str, str, str, Library]] = [
        (
            "pymodbus, asynchronous",
            "pymodbus",
            "hurting-modbus",
            partial(references.pymodbus_async, timeout_s=timeout_s),
        ),
        (
            "pymodbus, blocking",
            "pymodbus",
            "hurting-modbus",
            partial(references.pymodbus_blocking, timeout_s=timeout_s),
        ),
        ("pymavlink, `mavset`", "pymavlink", "hurting-mavlink", references.pymavlink_sure),
    ]
    for name, package, far_end, make in others:
        reason = references.missing(package)
        if reason:
            section.skipped.append(reason)
            continue
        told, right = _timed(far_end, make, count)
        cells = [f"{one[0]:.0f}" if one else "–" for one in told]
        section.rows.append((name, *cells, f"{right} of {count}", "", ""))
    section.end()
    return section


def _timed(far_end: str, make: Library, count: int) -> tuple[list[list[float]], int]:
    """For each kind of damage the ms lost to it, and how many of the commands ended right."""
    taken, right = [], 0
    with ExitStack() as stack:
        line = stack.enter_context(socket_pair(far_end))
        set_value = stack.enter_context(make(line))
        for number in range(count):
            begun = time.perf_counter()
            # Another value each time: the answer to an earlier command would not confirm it.
            right += bool(set_value(200 + 50 * (number % 4)))
            taken.append((time.perf_counter() - begun) * 1e3)
    usual = median(ms for index, ms in enumerate(taken, start=1) if index % EVERY)
    lost: list[list[float]] = [[] for _ in HURTS]
    for which, ms in enumerate(taken[EVERY - 1 :: EVERY]):
        lost[which % len(HURTS)].append(ms - usual)
    return lost, right


@contextmanager
def _pen(line: socket.socket) -> Iterator[references.SetValue]:
    asked = 0
    with connect(port_on(line)) as pen:
        pen.select_zone("forehead")

        def set_value(value: int) -> bool:
            nonlocal asked
            asked += 1
            pen.set_depth(mm=value / 1000)
            return True

        yield set_value
        # The bare pen tells there how many settings it has carried out.
        if pen.status().strokes != asked:
            raise RuntimeError(f"{asked} settings were asked for and {pen.status().strokes} carried out")


# -- the stream ---------------------------------------------------------------------------------------------


def _stream(size: Size) -> Section:
    section = Section(
        f"One byte in a hundred damaged, {size.stream_frames} frames of telemetry",
        "A frame is intact when none of its own bytes was damaged. Lost are intact frames that the receiver "
        "did not hand up, and wrong those it handed up with other content than was sent. The last two rows: "
        f"every payload holds MAVLink's start byte (0x{START_BYTE:02X}).",
        ("receiver", "intact", "of them lost", "lost, %", "wrong", "wanted", "met"),
    )
    far_ends = [("penstroke", _our_stream, ""), ("pymavlink", _their_stream, references.missing("pymavlink"))]
    for plain in (True, False):
        for name, run, reason in far_ends:
            if reason:
                section.skipped += [reason] if plain else []
                continue
            intact, lost, wrong = run(size.stream_frames, plain)
            cells = ("", "")
            if name == "penstroke":
                cells = ("0 lost, 0 wrong", "yes" if lost == wrong == 0 else "**no**")
            section.rows.append(
                (
                    name if plain else f"{name}, start bytes in payloads",
                    f"{intact}",
                    f"{lost}",
                    f"{100 * lost / max(intact, 1):.1f}",
                    f"{wrong}",
                    *cells,
                )
            )
    section.end()
    return section


def _damage(frames: list[bytes]) -> tuple[bytes, set[int]]:
    """The stream as it arrives, and the numbers of the frames that arrive whole."""
    random = Random(1)
    intact = set()
    stream = bytearray()
    for number, frame in enumerate(frames):
        hurt = bytes(
            byte ^ random.randrange(1, 256) if random.random() < BAD_BYTES else byte for byte in frame
        )
        if hurt == frame:
            intact.add(number)
        stream += hurt
    return bytes(stream), intact


def _our_stream(count: int, plain: bool) -> tuple[int, int, int]:
    filler = 0x11 if plain else START_BYTE

    def frame(number: int) -> bytes:
        nonce = filler * 0x01010101
        told = Telemetry(number, nonce, State.RUNNING, 0x7B, 0, 1000, 1100, number, 210, 312, 87)
        return encode_message(told, session=1, seq=number & 0xFFFF, epoch=3)

    frames = [frame(number) for number in range(count)]
    bodies = {number: Receiver().receive(data)[0] for number, data in enumerate(frames)}
    stream, intact = _damage(frames)
    receiver = Receiver()
    found: set[int] = set()
    wrong = 0
    for at in range(0, len(stream), CHUNK):
        for got in receiver.receive(stream[at : at + CHUNK]):
            number = int.from_bytes(got.payload[:4], "little")
            wrong += got != bodies.get(number)
            found.add(number)
    return len(intact), len(intact - found), wrong


def _their_stream(count: int, plain: bool) -> tuple[int, int, int]:
    from pymavlink.dialects.v20 import common

    near, far = common.MAVLink(None, srcSystem=1, srcComponent=1), common.MAVLink(None)
    far.robust_parsing = True
    short = (0x11 if plain else START_BYTE) * 0x0101
    long = short * 0x10001

    def values(number: int) -> tuple[int, ...]:
        return (number, long, long, short, short, 210, 87, short, short, short, short, short, short)

    frames = [bytes(near.sys_status_encode(*values(number)).pack(near)) for number in range(count)]
    stream, intact = _damage(frames)
    found: set[int] = set()
    wrong = 0
    for at in range(0, len(stream), CHUNK):
        for got in far.parse_buffer(stream[at : at + CHUNK]) or []:
            if got.get_type() == "SYS_STATUS":
                number = got.onboard_control_sensors_present
                wrong += got.voltage_battery != short or number >= count
                found.add(number)
    return len(intact), len(intact - found), wrong
