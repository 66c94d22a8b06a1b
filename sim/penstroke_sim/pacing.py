"""Device time that follows the wall clock, for the endpoints that real programs wait at."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from penstroke_sim.errors import ScenarioError
from penstroke_sim.world import World

SPEEDS: Final = (0.01, 100.0)
"""Slowest and fastest pace. Above it the time that the model itself takes would no longer be small."""
FASTEST_HELD: Final = 4.0
"""Above this a lease of 300 ms of device time is too short for a host that beats every 50 ms of its own time,
late ones allowed for: the pen stops, as it must. Looking, setting and scenarios go faster."""


def check_speed(speed: float) -> float:
    """`speed` itself, if it is a possible pace. Raises `ScenarioError`."""
    if not SPEEDS[0] <= speed <= SPEEDS[1]:
        raise ScenarioError(f"speed must be from {SPEEDS[0]:g} to {SPEEDS[1]:g}, not {speed:g}")
    return speed


class Pacer:
    """Keeps a world level with the clock: `speed` seconds of device time pass in one second.

    A program that was stopped and goes on finds that the pen's time went on without it: `catch_up` runs
    the world through everything that was due, in order, before any byte that waited meanwhile goes in. So the
    pen's lease lapses as it would on a pen whose line was dead.
    """

    def __init__(
        self, world: World, *, speed: float = 1.0, clock_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.world = world
        self._speed = check_speed(speed)
        self._clock_ns = clock_ns
        self._zero_ns = clock_ns()
        self._offset_ns = world.now_ns

    def catch_up(self) -> None:
        """Run the world up to now."""
        due_ns = self._offset_ns + int((self._clock_ns() - self._zero_ns) * self._speed)
        if due_ns > self.world.now_ns:
            self.world.advance(due_ns)

    def wait_s(self, longest_s: float) -> float:
        """Seconds until something can next happen in the world, at most `longest_s`, never negative."""
        next_ns = self.world.next_event_ns()
        if next_ns is None:
            return longest_s
        # Counted from the clock and not from where the world stands: the model's own work takes time too.
        due_ns = self._zero_ns + int((next_ns - self._offset_ns) / self._speed)
        return min(max((due_ns - self._clock_ns()) / 1e9, 0.0), longest_s)
