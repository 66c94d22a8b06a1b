"""Values to show and to test each message with: extremes, one field at a time, and one ordinary example."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from penstroke_protocol import messages as m
from penstroke_protocol.fields import TEXT_BYTES, Wire
from penstroke_protocol.messages import MOTION_HASH
from penstroke_protocol.zone_table import ZONE_DIGEST

IDENTITY = m.HelloAnswer(
    major=m.MAJOR,
    minor=m.MINOR,
    motion_hash=MOTION_HASH,
    nonce=0x1234ABCD,
    zone_digest=ZONE_DIGEST,
    boot_counter=7,
    role=m.Role.CONTROLLER,
    lease_ms=300,
    model="example",
    serial="EX-0007",
    firmware_major=1,
    firmware_minor=2,
    firmware_patch=3,
    features=m.Feature.TRIGGER | m.Feature.STOP_KEY | m.Feature.BATTERY,
    depth_min_um=50,
    depth_max_um=2500,
    depth_step_um=50,
    tolerance_um=50,
    rate_min_dhz=250,
    rate_max_dhz=1500,
    rate_step_dhz=10,
    needles=16,
)
"""A device of the specification's example."""

DIGEST = (0x7766554433221100, 0xFFEEDDCCBBAA9988, 0x1032547698BADCFE, 0xEFCDAB8967452301)
"""Of the bytes 00 11 22 … of a digest."""
HELD = m.Flag.CARTRIDGE_IN | m.Flag.ZONE_SET | m.Flag.DEPTH_SET | m.Flag.RATE_SET
MOVING = HELD | m.Flag.MOTOR_ON | m.Flag.NEEDLES_OUT

ORDINARY: dict[type[Any], Any] = {
    type(message): message
    for message in (
        m.Empty(),
        IDENTITY,
        m.Status(
            90_500,
            7,
            m.State.RUNNING,
            MOVING,
            0,
            8,
            m.Side.LEFT,
            1000,
            1000,
            900,
            1100,
            903,
            1098,
            5512,
            148,
            312,
            86,
            0,
        ),
        m.CartridgeInfo(1, 0x0123456789ABCDEF, "L2405-7", 20271130, 16, 2500, 0xFEDCBA9876543210, 5512),
        m.Settings(8, m.Side.LEFT, 1000, 900, 1100, HELD),
        m.Condition(m.State.ARMED, HELD, 0),
        m.Witness(0x0123456789ABCDEF, 4711, *DIGEST),
        m.Refusal(m.Reason.ABOVE_CEILING, 1000),
        m.Hello(m.MAJOR, m.MINOR, MOTION_HASH, 0x1234ABCD, ZONE_DIGEST, m.Role.CONTROLLER),
        m.Bye(),
        m.GetStatus(),
        m.GetCartridge(),
        m.SetTelemetry(50),
        m.GetWitness(),
        m.KeepWitness(0x0123456789ABCDEF, 4711, *DIGEST),
        m.SelectZone(8, m.Side.LEFT, 1000),
        m.LowerCeiling(800),
        m.SetDepth(900),
        m.SetRate(1100),
        m.Arm(0xFEDCBA9876543210, 0),
        m.Start(8, m.Side.LEFT, 900, 1100, 20_000),
        m.Release(),
        m.ClearFaults(m.Fault.LEASE | m.Fault.STALL),
        m.Stop(),
        m.Beat(m.State.RUNNING, 0x89ABCDEF),
        m.Telemetry(90_550, 0x89ABCDEF, m.State.RUNNING, MOVING, 0, 897, 1102, 5567, 151, 312, 86),
        m.Event(90_600, m.End.STOP),
        m.EventAck(),
    )
}
"""One ordinary example of every message."""


def samples(cls: type[Any]) -> Iterator[tuple[str, Any]]:
    """(name, message): ordinary, all lowest, all highest, then each field alone at its highest."""
    yield "ordinary", ORDINARY[cls]
    if not cls.layout.names:
        return
    lowest = [extreme(wire, high=False) for wire in cls.layout.wires]
    highest = [extreme(wire, high=True) for wire in cls.layout.wires]
    yield "lowest", cls(*lowest)
    yield "highest", cls(*highest)
    if len(lowest) > 1:
        for index, name in enumerate(cls.layout.names):
            yield f"{name} highest", cls(*lowest[:index], highest[index], *lowest[index + 1 :])


def extreme(wire: Wire, *, high: bool) -> int | str:
    """The lowest or highest legal value of a field."""
    if wire.kind == "text":
        return "~" * TEXT_BYTES if high else ""
    return wire.range[1] if high else wire.range[0]


def code_of(cls: type[Any]) -> int:
    """A code that a frame with this message may carry."""
    if cls.spec.kind is m.Kind.ANSWER:
        return next(code for code, answer in m.ANSWERS.items() if answer is cls)
    if cls.spec.kind is m.Kind.REFUSAL:
        return int(m.SetDepth.spec.code)
    if cls.spec.kind in (m.Kind.EVENT, m.Kind.EVENT_ACK):
        return int(m.EventCode.RUN_ENDED)
    return int(cls.spec.code)
