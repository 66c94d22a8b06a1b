"""F10: the wall clock leaps by up to ten years, at random instants. No needle may notice.

Each run is made twice from one seed: with the clock as it is, and with every read of it a leap away from the
one before. The pen's journals must be the same to the last byte.
"""

from __future__ import annotations

import time
from contextlib import suppress
from random import Random
from typing import Any
from unittest import mock

from campaign.hosts import MS, Host
from campaign.orders import Order, Section
from penstroke.errors import PenError

TEN_YEARS_S = 10 * 365.25 * 86400
TEXT = """`time.time` and `time.time_ns` leap by up to ± 10 years at random instants while a run is hung,
stopped, cut off, left, or not answered. The pen's journal must be the same, byte for byte, as without."""


def run(order: Order) -> list[Section]:
    """Pairs of runs."""
    section = Section("F10: wall clock steps", TEXT, ("pairs", "leaps", "reads of the clock", "different"))
    pairs = order.count(full=1000, check=150, small=15)
    leaps = reads = different = 0
    for number in range(pairs):
        still = _journal(order.rng("wall_clock", number), None, planted=order.planted)
        clock = _LeapingClock(order.rng("wall_clock", number, "leaps"))
        leapt = _journal(order.rng("wall_clock", number), clock, planted=order.planted)
        leaps += clock.leaps
        reads += clock.reads
        if still != leapt:
            different += 1
            section.fail(f"pair {number}: the journals differ")
    section.ran = pairs
    section.rows.append((f"{pairs:,}", f"{leaps:,}", f"{reads:,}", str(different)))
    return [section]


class _LeapingClock:
    """A wall clock that somebody sets again and again."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._now_s = 1.7e9
        self.leaps = self.reads = 0

    def leap(self) -> None:
        """Set it."""
        self.leaps += 1
        self._now_s = 1.7e9 + self._rng.uniform(-TEN_YEARS_S, TEN_YEARS_S)

    def time(self) -> float:
        """As `time.time`."""
        self.reads += 1
        self._now_s += 0.001
        return self._now_s

    def time_ns(self) -> int:
        """As `time.time_ns`."""
        return int(self.time() * 1e9)


def _journal(rng: Random, clock: _LeapingClock | None, *, planted: bool) -> str:
    """One run and all that happened in it; with a clock, it leaps before each turn with probability 1/3."""
    way = rng.randrange(5)
    turns = rng.randrange(2, 40)
    leap = Random(turns)
    with (
        mock.patch.object(time, "time", clock.time if clock else time.time),
        mock.patch.object(time, "time_ns", clock.time_ns if clock else time.time_ns),
    ):
        host = Host(rng)
        if planted:
            _tell_time_by_the_wall(host)
        with suppress(PenError), host.pen.needling(longest_s=3) as strokes:
            for turn, _ in enumerate(strokes):
                if clock is not None and leap.random() < 0.33:
                    clock.leap()
                if turn == turns:
                    _befall(host, way)
                if way == 1 and turn > turns:
                    break
        world = host.world
        world.advance(world.now_ns + 700 * MS)
        return world.journal.text()


def _tell_time_by_the_wall(host: Host) -> None:
    """Planted: the driver's port takes the wall clock into its time."""
    true_ns = host.port.now_ns
    port: Any = host.pen._line.port
    port.now_ns = lambda: true_ns() + time.time_ns() % (400 * MS)


def _befall(host: Host, way: int) -> None:
    if way == 0:
        host.advance_ms(600)
    elif way == 2:
        host.world.inject("cut")
    elif way == 3:
        host.world.inject("silent")
    elif way == 4:
        host.pen.demand_stop()
