"""The far ends of the round trips, each a process of its own: `python -m bench.responders KIND DESCRIPTOR …`.

A *bare* responder knows its answers beforehand and only reads and writes, so that the time measured is the
near end's. The *simulated* pen is the whole one, on a line that takes no time. A *hurting* responder makes
one reply in five bad.
"""

from __future__ import annotations

import os
import select
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Any, Final

from penstroke_protocol.device_link import DeviceLink, HelloReceived, RequestReceived, StopReceived
from penstroke_protocol.frames import Receiver, encode_message
from penstroke_protocol.messages import (
    MOTION_HASH,
    CartridgeInfo,
    Condition,
    Empty,
    Flag,
    GetCartridge,
    GetStatus,
    HelloAnswer,
    Kind,
    SelectZone,
    SetDepth,
    Settings,
    State,
    Status,
)
from penstroke_protocol.zone_table import ZONE_DIGEST
from penstroke_sim.pacing import Pacer
from penstroke_sim.profiles import FINE
from penstroke_sim.wire import Channel
from penstroke_sim.world import World

CHUNK: Final = 4096
HURTS: Final = ("damaged byte", "lost byte", "lost reply", "stray bytes")
EVERY: Final = 5
"""The first reply to each fifth command is bad; which of `HURTS` it is goes round."""
STRAY: Final = Random(5).randbytes(8)


@contextmanager
def responder(fd: int, kind: str, *rest: str) -> Iterator[None]:
    """A process that answers at `fd`, which this process gives away, as long as the block lasts."""
    command = [sys.executable, "-m", "bench.responders", kind, str(fd), *rest]
    process = subprocess.Popen(command, pass_fds=[fd], stdout=subprocess.PIPE)
    os.close(fd)
    try:
        if process.stdout is None or not process.stdout.readline():
            raise RuntimeError(f"the responder {kind} did not start")
        yield
    finally:
        process.kill()
        process.communicate()


def main(kind: str, descriptor: str, *rest: str) -> None:
    """Serve until the near end closes."""
    fd = int(descriptor)
    os.set_blocking(fd, True)
    serve = _KINDS[kind](*rest)
    print("ready", flush=True)
    try:
        serve(fd)
    except OSError:
        # How a pseudo-terminal tells that its other end has closed.
        return


# -- bare ---------------------------------------------------------------------------------------------------


def _bare(reply_to: Callable[[bytes], bytes]) -> Callable[[int], None]:
    def serve(fd: int) -> None:
        while data := os.read(fd, CHUNK):
            os.write(fd, reply_to(data))

    return serve


def _fixed(reply_hex: str) -> Callable[[int], None]:
    reply = bytes.fromhex(reply_hex)
    return _bare(lambda _data: reply)


def _echo() -> Callable[[int], None]:
    return _bare(bytes)


def _pen(depth_um: str, answers: str) -> Callable[[int], None]:
    """SET_DEPTH of one depth is answered from a table made beforehand; all else through the device's link."""
    pen = BarePen()
    depth = SetDepth(int(depth_um))
    settings = replace(pen.settings, depth_um=depth.depth_um)
    table = {
        encode_message(depth, session=1, seq=seq, epoch=0): encode_message(
            settings, session=1, seq=seq, epoch=0, code=SetDepth.spec.code
        )
        for seq in range(1, int(answers) + 1)
    }

    def reply_to(data: bytes) -> bytes:
        reply = table.get(data)
        return pen.reply_to(data) if reply is None else reply

    return _bare(reply_to)


class BarePen:
    """Just enough of a pen to open a session and be set: it moves nothing and refuses nothing."""

    def __init__(self) -> None:
        self.link = DeviceLink(identity=_identity(), first_session=0)
        ceiling_um = 500
        self.settings = Settings(1, 0, ceiling_um, 0, 0, Flag.CARTRIDGE_IN | Flag.ZONE_SET | Flag.DEPTH_SET)
        self.set = 0
        """SET_DEPTH requests carried out."""

    def reply_to(self, data: bytes) -> bytes:
        """What a pen would answer."""
        link = self.link
        link.receive_data(data, 0)
        while (event := link.next_event()) is not None:
            if isinstance(event, HelloReceived):
                link.open_session(event.hello, event.token)
            elif isinstance(event, RequestReceived):
                link.answer(event.token, self._answer(event.request))
            elif isinstance(event, StopReceived):
                link.answer_stop(event, Condition(State.IDLE, self.settings.flags, 0))
        return link.data_to_send()

    def _answer(self, request: Any) -> Any:
        now = self.settings
        if isinstance(request, SetDepth):
            self.set += 1
            self.settings = replace(now, depth_um=request.depth_um)
            return self.settings
        if isinstance(request, SelectZone):
            self.settings = replace(now, zone=request.zone, held_ceiling_um=request.session_ceiling_um)
            return self.settings
        if isinstance(request, GetCartridge):
            return CartridgeInfo(1, 7, "BENCH", 99_991_231, 16, 2500, 0, 0)
        if isinstance(request, GetStatus):
            held = now.held_ceiling_um
            measured = (0, 0, self.set, 0, 220, 100, 0)
            return Status(
                0, 1, State.IDLE, now.flags, 0, now.zone, now.side, held, held, now.depth_um, 0, *measured
            )
        return Empty()


def _identity() -> HelloAnswer:
    return FINE.identity(serial="BENCH", boot_counter=1, motion_hash=MOTION_HASH, zone_digest=ZONE_DIGEST)


# -- simulated ----------------------------------------------------------------------------------------------


def _simulated() -> Callable[[int], None]:
    """As `penstroke-sim serve` does it, on a line without speed or delay: what is measured is software."""
    world = World(profile=FINE, seed=7)
    world.to_device = Channel(0, Random(1), latency_ns=0)
    world.to_host = Channel(0, Random(2), latency_ns=0)
    pacer = Pacer(world)

    def serve(fd: int) -> None:
        while True:
            pacer.catch_up()
            said = world.take_output()
            if said:
                os.write(fd, said)
            world.journal.entries.clear()
            readable, _, _ = select.select([fd], [], [], pacer.wait_s(1.0))
            if readable:
                pacer.catch_up()
                heard = os.read(fd, CHUNK)
                if not heard:
                    return
                world.host_sends(heard)

    return serve


# -- hurting ------------------------------------------------------------------------------------------------


def hurt(how: str, reply: bytes) -> bytes:
    """A reply made bad."""
    middle = len(reply) // 2
    if how == "damaged byte":
        return reply[:middle] + bytes([reply[middle] ^ 0x10]) + reply[middle + 1 :]
    if how == "lost byte":
        return reply[:middle] + reply[middle + 1 :]
    return b"" if how == "lost reply" else STRAY + reply


def _hurting(
    reply_to: Callable[[bytes], bytes], command_in: Callable[[bytes], object]
) -> Callable[[int], None]:
    """`command_in` tells a command from its repeats, and gives None for what is none."""

    def serve(fd: int) -> None:
        commands = 0
        last: object = None
        while data := os.read(fd, CHUNK):
            reply = reply_to(data)
            command = command_in(data)
            if command is not None and command != last:
                last = command
                commands += 1
                if commands % EVERY == 0:
                    reply = hurt(HURTS[(commands // EVERY - 1) % len(HURTS)], reply)
            os.write(fd, reply)

    return serve


def _hurting_pen() -> Callable[[int], None]:
    receiver = Receiver()

    def command_in(data: bytes) -> object:
        seqs = [
            frame.seq
            for frame in receiver.receive(data)
            if frame.kind == Kind.REQUEST and frame.code == SetDepth.spec.code
        ]
        return seqs[-1] if seqs else None

    return _hurting(BarePen().reply_to, command_in)


def _hurting_modbus() -> Callable[[int], None]:
    return _hurting(bytes, bytes)


def _hurting_mavlink() -> Callable[[int], None]:
    """PARAM_SET of MAVLink 2: ten bytes of header, then the value."""
    from pymavlink.dialects.v20 import common

    far = common.MAVLink(None, srcSystem=1, srcComponent=1)

    def reply_to(data: bytes) -> bytes:
        (value,) = struct.unpack_from("<f", data, 10)
        told = common.MAVLink_param_value_message(b"DEPTH", value, common.MAV_PARAM_TYPE_REAL32, 1, 0)
        return bytes(told.pack(far))

    return _hurting(reply_to, lambda data: data[10:14])


_KINDS: Final[dict[str, Callable[..., Callable[[int], None]]]] = {
    "fixed": _fixed,
    "echo": _echo,
    "pen": _pen,
    "simulated": _simulated,
    "hurting-pen": _hurting_pen,
    "hurting-modbus": _hurting_modbus,
    "hurting-mavlink": _hurting_mavlink,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
