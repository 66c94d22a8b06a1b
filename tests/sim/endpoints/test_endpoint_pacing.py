"""Device time follows the clock it is given, whatever that clock does."""

from __future__ import annotations

import pytest

from penstroke_sim.errors import ScenarioError
from penstroke_sim.pacing import Pacer
from penstroke_sim.profiles import FINE
from penstroke_sim.world import World

S = 1_000_000_000


def test_the_world_is_level_with_the_clock_times_speed() -> None:
    clock = [5 * S]
    world = World(profile=FINE)
    pacer = Pacer(world, speed=4.0, clock_ns=lambda: clock[0])
    pacer.catch_up()
    assert world.now_ns == 0
    clock[0] += S
    pacer.catch_up()
    assert world.now_ns == 4 * S


def test_a_program_that_slept_finds_everything_done_in_order() -> None:
    clock = [0]
    world = World(profile=FINE)
    pacer = Pacer(world, clock_ns=lambda: clock[0])
    clock[0] = 3600 * S
    pacer.catch_up()
    assert world.now_ns == 3600 * S
    assert [(entry["t"], entry["to"]) for entry in world.journal.of("state")] == [
        (0.05, "self-test"),
        (0.2, "idle"),
    ]


def test_a_clock_that_stands_or_goes_back_moves_nothing() -> None:
    clock = [10 * S]
    world = World(profile=FINE)
    pacer = Pacer(world, clock_ns=lambda: clock[0])
    clock[0] = 11 * S
    pacer.catch_up()
    clock[0] = 9 * S
    pacer.catch_up()
    assert world.now_ns == S


def test_the_wait_is_to_the_next_event_and_counts_the_time_already_spent() -> None:
    clock = [0]
    pacer = Pacer(World(profile=FINE), speed=0.5, clock_ns=lambda: clock[0])
    # The boot takes 50 ms of device time, 100 ms at half speed.
    assert pacer.wait_s(1.0) == pytest.approx(0.1)
    assert pacer.wait_s(0.01) == 0.01
    clock[0] = S // 20
    assert pacer.wait_s(1.0) == pytest.approx(0.05)
    clock[0] = S
    assert pacer.wait_s(1.0) == 0


@pytest.mark.parametrize("speed", [0.0, -1.0, 0.001, 101.0, float("nan"), float("inf")])
def test_impossible_speeds(speed: float) -> None:
    with pytest.raises(ScenarioError, match="speed must be from"):
        Pacer(World(profile=FINE), speed=speed)
