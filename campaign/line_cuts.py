"""F4: the line cut at every byte of every frame, both ways; then a new session. Nothing moves unasked."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from campaign.hosts import TREATMENT, motor_on, set_up
from campaign.orders import Order, Section
from penstroke.errors import PenError
from penstroke.pen import Pen
from penstroke.ports.opening import adopt
from penstroke_protocol.messages import State
from penstroke_sim.inprocess import VirtualPort
from penstroke_sim.profiles import FINE
from penstroke_sim.world import World

TEXT = """A session with every request in it and two runs; the cable is pulled behind byte N, for every N that
the host sends, or hears. Bytes up to there arrive. The motor must be off within 350 ms; a new session, with
its settings but without an arm, must find the pen idle and leave it so for a second; and a fresh press must
start it."""


class _CutPort(VirtualPort):
    """A port whose cable is pulled behind so many bytes, sent or heard."""

    def __init__(self, world: World, *, sends: int | None = None, hears: int | None = None) -> None:
        super().__init__(world)
        self.sent = self.heard = 0
        self._sends, self._hears = sends, hears

    def write(self, data: bytes) -> None:
        if self._sends is not None and self.sent + len(data) > self._sends:
            super().write(data[: self._sends - self.sent])
            self.world.advance(self.world.now_ns + 20_000_000)
            self.world.unplug()
        else:
            self.sent += len(data)
        super().write(data)

    def read(self, max_bytes: int, timeout_ns: int | None) -> bytes:
        if self._hears is None:
            data = super().read(max_bytes, timeout_ns)
        elif self.heard >= self._hears:
            self.world.unplug()
            data = super().read(max_bytes, timeout_ns)
        else:
            data = super().read(min(max_bytes, self._hears - self.heard), timeout_ns)
        self.heard += len(data)
        return data


def run(order: Order) -> list[Section]:
    """Every offset at full and check size, every 23rd in the smallest."""
    section = Section("F4: the line cut at every byte", TEXT, ("direction", "bytes", "cuts", "wrong"))
    stride = order.count(full=1, check=1, small=23)
    whole = _CutPort(_world(order))
    _session(whole, 1)
    for direction, most in (("sends", whole.sent), ("hears", whole.heard)):
        wrong = cuts = 0
        for at in range(0, most, stride):
            cuts += 1
            problem = _one(order, direction, at)
            if problem:
                wrong += 1
                section.fail(f"{direction} {at} bytes: {problem}")
        section.ran += cuts
        section.rows.append((f"the host {direction}", f"{most:,}", f"{cuts:,}", str(wrong)))
    return [section]


def _world(order: Order) -> World:
    return World(profile=FINE, seed=order.rng("line_cuts").getrandbits(24))


def _session(port: VirtualPort, nonce: int) -> None:
    with Pen(adopt(port), nonce=nonce, treatment=TREATMENT) as pen:
        pen.set_telemetry(rate_hz=20)
        pen.clear_faults()
        set_up(pen)
        pen.lower_ceiling(mm=0.95)
        pen.status()
        with pen.needling(longest_s=5) as strokes:
            for turn, sample in enumerate(strokes):
                if turn == 4:
                    pen.set_depth(mm=0.85)
                if sample.elapsed_s >= 0.5:
                    break
        with pen.needling(longest_s=5) as strokes:
            next(strokes)
            pen.stop()


def _one(order: Order, direction: str, at: int) -> str:
    """What went wrong; empty where nothing did."""
    world = _world(order)
    with suppress(PenError):
        _session(_CutPort(world, **{direction: at}), 1)
    if world.line_up:
        return "the line was not cut"
    world.advance(world.now_ns + 350_000_000)
    if motor_on(world.journal.entries):
        return "the motor was on 350 ms after the cut"
    ons = _ons(world)
    try:
        with Pen(adopt(VirtualPort(world)), nonce=2, treatment=TREATMENT) as pen:
            if order.planted:
                world.firmware.body.drive(110.0, 900.0, "planted", world.now_ns)
            pen.clear_faults()
            set_up(pen)
            pen.pump(1)
            if world.firmware.state is not State.IDLE or _ons(world) != ons:
                return f"after the reconnect the pen is {world.firmware.state.name}, the motor was on"
            with pen.needling(longest_s=5) as strokes:
                next(strokes)
            if _ons(world) != ons + 1:
                return "a fresh press did not start it once"
    except PenError as error:
        return f"the new session failed: {error}"
    return "the motor is on" if motor_on(world.journal.entries) else ""


def _ons(world: World) -> int:
    entries: list[dict[str, Any]] = world.journal.entries
    return sum(entry["event"] == "motor" and entry["on"] for entry in entries)
