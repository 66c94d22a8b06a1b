"""Hosts for the parts: the driver on a simulated pen in virtual time, and the machinery of the tests."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any, Final

from penstroke.pen import Pen
from penstroke.ports.opening import adopt
from penstroke_protocol import Receiver
from penstroke_protocol.frames import message_class
from penstroke_protocol.messages import Beat, Stop
from penstroke_sim.inprocess import VirtualPort
from penstroke_sim.profiles import FINE, LINE_LATENCY_NS
from penstroke_sim.world import World

ROOT: Final = Path(__file__).resolve().parents[1]
TREATMENT: Final = 9
MS: Final = 1_000_000
_ROOMS: Final = ("tests", "tests/sim", "tests/driver", "tests/protocol")


def from_tests(name: str) -> Any:
    """A module of the tests, by its unique name: what exists there is not written again here."""
    for room in _ROOMS:
        folder = str(ROOT / room)
        if folder not in sys.path:
            sys.path.append(folder)
    return import_module(name)


class WatchedPort(VirtualPort):
    """A virtual port that knows when beats and stops reached the pen, and can be rung at an instant.

    Arrivals are worked out from the bytes written and the line's pace, not asked of the pen.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.arrived_ns: dict[type[Any], int] = {}
        """When the last frame of a class had arrived."""
        self.first_ns: dict[type[Any], int] = {}
        """When the first one since `watch_afresh` had."""
        self._receiver = Receiver()
        self._free_ns = 0
        self._alarm: tuple[int, Callable[[], None]] | None = None

    def watch_afresh(self) -> None:
        """Forget which frames have been seen."""
        self.first_ns.clear()

    def ring_at(self, at_ns: int, act: Callable[[], None]) -> None:
        """Call `act` at that instant, while the host waits in a read."""
        self._alarm = (at_ns, act)

    def write(self, data: bytes) -> None:
        super().write(data)
        self._free_ns = max(self._free_ns, self.now_ns()) + len(data) * self.world.profile.byte_ns
        for frame in self._receiver.receive(data):
            cls = message_class(frame)
            if cls is not None:
                self.arrived_ns[cls] = self._free_ns + LINE_LATENCY_NS
                self.first_ns.setdefault(cls, self._free_ns + LINE_LATENCY_NS)

    def read(self, max_bytes: int, timeout_ns: int | None) -> bytes:
        if self._alarm is None:
            return super().read(max_bytes, timeout_ns)
        at_ns, act = self._alarm
        until_ns = None if timeout_ns is None else self.now_ns() + timeout_ns
        if until_ns is not None and until_ns < at_ns:
            return super().read(max_bytes, timeout_ns)
        if self.now_ns() < at_ns:
            heard = super().read(max_bytes, at_ns - self.now_ns())
            if heard or self.now_ns() < at_ns:
                return heard
        self._alarm = None
        act()
        return super().read(max_bytes, None if until_ns is None else max(0, until_ns - self.now_ns()))


class Host:
    """One driver on one simulated pen, made ready to needle the left cheek at 0.90 mm."""

    def __init__(self, rng: Random, *, telemetry_hz: tuple[int, ...] = (10, 20, 50, 100)) -> None:
        self.rng = rng
        self.world = World(profile=FINE, seed=rng.getrandbits(24))
        self.port = WatchedPort(self.world)
        self.pen = self.connect()
        self.pen.set_telemetry(rate_hz=rng.choice(telemetry_hz))
        set_up(self.pen)

    def connect(self) -> Pen:
        """A new session on the port."""
        return Pen(adopt(self.port), nonce=self.rng.getrandbits(32), treatment=TREATMENT)

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The pen's journal."""
        return self.world.journal.entries

    @property
    def now_s(self) -> float:
        """Device time."""
        return self.world.now_ns / 1e9

    def advance_ms(self, ms: float) -> None:
        """The host does nothing for so long."""
        self.world.advance(self.world.now_ns + round(ms * MS))

    def beat_arrived_s(self) -> float:
        """When the host's last beat had reached the pen."""
        return self.port.arrived_ns[Beat] / 1e9

    def stop_arrived_s(self) -> float | None:
        """When the first STOP since `watch_afresh` had reached the pen."""
        at_ns = self.port.first_ns.get(Stop)
        return None if at_ns is None else at_ns / 1e9


def set_up(pen: Pen) -> None:
    """Zone, rate and depth."""
    pen.select_zone("cheek", side="left")
    pen.set_rate(hz=110)
    pen.set_depth(mm=0.9)


def motor_on(entries: list[dict[str, Any]]) -> bool:
    """Whether the motor has current, by the journal."""
    motor = [entry["on"] for entry in entries if entry["event"] == "motor"]
    return bool(motor) and bool(motor[-1])
