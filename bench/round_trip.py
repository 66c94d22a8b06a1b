"""How long a command takes, there and back, beside two bare processes and beside other libraries."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

from bench import references
from bench.lines import port_on, pty, socket_pair
from bench.pairs import Subject, on_one_processor, ratio, take_turns
from bench.report import Section, Size, wanted
from penstroke import connect
from penstroke.line import Line
from penstroke_protocol import HostLink
from penstroke_protocol.frames import encode_message
from penstroke_protocol.messages import Flag, SetDepth, Settings
from penstroke_protocol.zone_table import ZONE_DIGEST

FLOOR = "two bare processes, write and read"
LINE = "`Line.ask(SetDepth)`, bare responder"
PEN_BARE = "`Pen.set_depth`, bare responder"
PEN = "`Pen.set_depth`, simulated pen"
VERDICT = "`check_depth` alone, no line"
MAVLINK = "pymavlink, PARAM_SET → PARAM_VALUE, bare responder"
MODBUS_ASYNC = "pymodbus, asynchronous, write register, bare responder"
MODBUS_BLOCKING = "pymodbus, blocking, write register, bare responder"
LIMITS = {LINE: 3.0, PEN: 8.0}
DEPTH_UM = 300
TABLE = "8192"
"""Answers that the bare pen knows beforehand; more trips than that go the slower way and are right, too."""

AnyLine = socket.socket | Path
Opener = Callable[..., Any]


def measure(size: Size) -> list[Section]:
    """Over a socket pair, which is what the limits are for, and over a pseudo-terminal."""
    return [
        _section(
            size,
            socket_pair,
            "Round trip of a command, socket pair",
            "A Unix socket pair, both ends on one processor: nothing is measured but software. The "
            "references have bare far ends that answer with bytes made beforehand, as has the floor. They "
            "only pass a value on; `Pen.set_depth` also takes a fresh look at the line, has the verdict of "
            "the safety layer (`check_depth`, told alone, too), decodes its own bytes for the gate, and "
            "compares what the pen read back. The less a system needs to hand over between two processes, "
            "the larger a multiple of that the same software is: read the microseconds as well.",
            LIMITS,
        ),
        _section(
            size,
            pty,
            "Round trip of a command, pseudo-terminal",
            "The same over a pseudo-terminal, whose bytes go through a worker of the kernel's: closer to "
            "what a program meets, and far less steady. No limits are set for it.",
            {},
        ),
    ]


def _section(size: Size, opener: Opener, title: str, text: str, limits: dict[str, float]) -> Section:
    section = Section(title, text, ("command", "µs", "× the floor", "wanted", "met"))
    with ExitStack() as stack:
        stack.enter_context(on_one_processor())
        subjects: dict[str, Subject] = {
            FLOOR: stack.enter_context(_floor(opener)),
            LINE: stack.enter_context(_line(opener)),
            PEN_BARE: stack.enter_context(_pen(opener, "pen", str(DEPTH_UM), TABLE)),
            PEN: stack.enter_context(_pen(opener, "simulated")),
            VERDICT: stack.enter_context(_verdict()),
        }
        for name, package, make, far_end in (
            (MAVLINK, "pymavlink", references.pymavlink, lambda: ("fixed", references.mavlink_reply().hex())),
            (MODBUS_ASYNC, "pymodbus", references.pymodbus_async, lambda: ("echo",)),
            (MODBUS_BLOCKING, "pymodbus", references.pymodbus_blocking, lambda: ("echo",)),
        ):
            reason = references.missing(package)
            if reason:
                section.skipped.append(reason)
            else:
                line = stack.enter_context(opener(*far_end()))
                set_value = stack.enter_context(make(line))
                # pymavlink's far end always tells the same value; a register is written anew each time.
                values = (DEPTH_UM,) if name == MAVLINK else (DEPTH_UM, DEPTH_UM + 50)
                subjects[name] = _confirmed(set_value, values)
        figures = take_turns(subjects, turns=size.turns, times=size.trips)
    section.end()
    for name, taken in figures.items():
        cells = ("", "")
        against = ratio(taken, figures[FLOOR])
        if name in limits:
            cells = wanted(against.median, limits[name], unit=" ×")
        section.rows.append((name, f"{median(taken) * 1e6:.0f}", str(against), *cells))
    return section


def _confirmed(set_value: references.SetValue, values: tuple[int, ...]) -> Subject:
    """Fails loudly where a reference does not do its work: a quick error is no quick command."""
    turn = cycle(values)

    def once() -> None:
        if not set_value(next(turn)):
            raise RuntimeError("a reference did not confirm what it set")

    return once


@contextmanager
def _floor(opener: Opener) -> Iterator[Subject]:
    """Exactly the bytes that `Pen.set_depth` and its answer have."""
    flags = Flag.CARTRIDGE_IN | Flag.ZONE_SET | Flag.DEPTH_SET
    reply = encode_message(
        Settings(1, 0, 500, DEPTH_UM, 0, flags), session=1, seq=9, epoch=0, code=SetDepth.spec.code
    )
    request = encode_message(SetDepth(DEPTH_UM), session=1, seq=9, epoch=0)
    with opener("fixed", reply.hex()) as line, ExitStack() as stack:
        if isinstance(line, Path):
            fd = os.open(line, os.O_RDWR | os.O_NOCTTY)
            stack.callback(os.close, fd)
        else:
            fd = line.fileno()

        def once() -> None:
            os.write(fd, request)
            os.read(fd, 4096)

        yield once


@contextmanager
def _line(opener: Opener) -> Iterator[Subject]:
    with opener("pen", str(DEPTH_UM), TABLE) as far:
        port = port_on(far)
        try:
            line = Line(port, HostLink(nonce=1, zone_digest=ZONE_DIGEST), gate=lambda _request: None)
            line.open()
            request = SetDepth(DEPTH_UM)
            yield lambda: line.ask(request)
        finally:
            port.close()


@contextmanager
def _verdict() -> Iterator[Subject]:
    with connect("sim://pen?seed=7&clock=virtual") as pen:
        pen.select_zone("forehead")
        yield lambda: pen.check_depth(mm=DEPTH_UM / 1000)


@contextmanager
def _pen(opener: Opener, *far_end: str) -> Iterator[Subject]:
    with opener(*far_end) as far, connect(port_on(far)) as pen:
        pen.select_zone("forehead")
        yield lambda: pen.set_depth(mm=DEPTH_UM / 1000)
