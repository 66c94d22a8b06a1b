"""F7: stops in random states, on a line under load. None is lost."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from random import Random
from typing import Any

from campaign.hosts import MS, from_tests, motor_on, set_up
from campaign.orders import Order, Section, percentile
from penstroke.errors import PenError
from penstroke.pen import Pen
from penstroke.ports.opening import adopt
from penstroke_protocol import messages as m
from penstroke_protocol.messages import State

TEXT = """In virtual time, telemetry at 100 Hz, noise, delays and up to 5 % of the bytes lost. The stop falls
while idle, armed for the trigger, at any point of a run, right behind a request that has left, or in a fault;
it comes from the owner, from another thread, or by leaving the loop. Judged: the pen not armed or running
350 ms later at the latest (its lease), at once where STOP was answered, and nothing starting afterwards."""
PLACES = ("idle", "armed", "running", "fault", "behind a request")
CALL_MS = 20.0
"""For the path of a stop in the host, on a loaded machine; smaller sizes run where anything may be busy."""
REQUESTS = (m.GetStatus, m.GetCartridge, m.Arm, m.Start, m.SetDepth)


def run(order: Order) -> list[Section]:
    """The stops, and how long the call itself takes."""
    section = Section(
        "F7: stops in random states", TEXT, ("state", "stops", "answered", "lost", "p99", "max")
    )
    times: dict[str, list[float]] = {place: [] for place in PLACES}
    answered = dict.fromkeys(PLACES, 0)
    lost = dict.fromkeys(PLACES, 0)
    for number in range(order.count(full=2000, check=400, small=60)):
        rng = order.rng("stops", number)
        place = rng.choice(PLACES)
        problem, heard, off_ms = _one(rng, place, deaf=order.planted)
        section.ran += 1
        answered[place] += heard
        times[place].append(off_ms)
        if problem:
            lost[place] += 1
            section.fail(f"stop {number} ({place}): {problem}")
    for place, taken in times.items():
        if taken:
            figures = (f"{percentile(taken, 99):.1f} ms", f"{max(taken):.1f} ms")
            section.rows.append((place, str(len(taken)), str(answered[place]), str(lost[place]), *figures))
    return [section] if order.planted or order.size == "small" else [section, _calls(order)]


def _one(rng: Random, place: str, *, deaf: bool) -> tuple[str, bool, float]:
    """What went wrong, whether STOP was answered, and ms from the stop to the motor being off."""
    port = from_tests("test_driver_stops").Hooked(seed=rng.getrandbits(24))
    world = port.world
    asked: list[int] = []
    with Pen(adopt(port), nonce=rng.getrandbits(32), treatment=9) as pen, suppress(PenError):
        pen.set_telemetry(rate_hz=100)
        set_up(pen)
        if deaf:
            # Planted: STOP frames act as if they had not come, and beats go on for nobody.
            world.firmware.link._frame = lambda frame, now_ns: None
            world.firmware._lease_ns = 10**12
            world.firmware.arm(9, 0, world.now_ns)

        def load() -> None:
            world.inject("drop", probability=rng.choice((0, 0.01, 0.05)))
            world.inject("delay", probability=0.2, ms=rng.uniform(1, 60))
            if rng.random() < 0.5:
                world.inject("junk", bytes=rng.randint(1, 200))

        def stop() -> None:
            asked.append(world.now_ns)
            pen.demand_stop()

        if place == "idle":
            load()
            stop()
        elif place == "fault":
            world.inject("cartridge-removed")
            world.inject("over-temperature")
            load()
            stop()
        elif place == "behind a request":
            port.after[rng.choice(REQUESTS)] = stop
            _press(pen, rng, world, load, None)
        else:
            _press(pen, rng, world, load, stop, trigger=place == "armed")
        with suppress(PenError):
            pen.pump(rng.uniform(0, 0.1))
        if not asked:
            stop()
        heard = False
        try:
            asked_ns = asked[0]
            pen.stop()
            heard = True
        except PenError:
            world.advance(max(world.now_ns, asked_ns + 350 * MS))
        if world.firmware.state in (State.ARMED, State.RUNNING) or motor_on(world.journal.entries):
            return f"the pen is {world.firmware.state.name}", heard, 0.0
        starts = len(world.journal.of("start"))
        world.advance(world.now_ns + 700 * MS)
        if len(world.journal.of("start")) != starts:
            return "needles started after the stop", heard, 0.0
        offs = [e["t"] for e in world.journal.of("motor") if not e["on"] and e["t"] * 1e9 > asked_ns - 1000]
        return "", heard, (offs[0] * 1e9 - asked_ns) / MS if offs else 0.0
    return "no stop was made", False, 0.0


def _press(pen: Pen, rng: Random, world: Any, load: Any, stop: Any, *, trigger: bool = False) -> None:
    turns = rng.randrange(1, 60)
    with suppress(PenError), pen.needling(longest_s=20, trigger=trigger) as strokes:
        load()
        for turn, _ in enumerate(strokes):
            if turn == turns and stop is not None:
                stop()
            if turn > turns + 5 and rng.random() < 0.5:
                break
    with suppress(PenError):
        pen.set_depth(mm=0.5)


def _calls(order: Order) -> Section:
    """How long `demand_stop` takes its caller while other threads hog the interpreter; not judged."""
    text = (
        "From another thread, on a pen on virtual time, two threads hogging the interpreter. At full size it"
        f" must return within {CALL_MS:g} ms in all but one of a thousand calls."
    )
    section = Section("F7: the call itself", text, ("calls", "p50", "p99", "p99.9", "max"))
    port = from_tests("test_driver_stops").Hooked()
    over, taken = threading.Event(), list[float]()

    def hog() -> None:
        while not over.is_set():
            sum(range(1000))

    hogs = [threading.Thread(target=hog) for _ in range(2)]
    with Pen(adopt(port), nonce=1, treatment=9) as pen:
        for thread in hogs:
            thread.start()
        try:
            for _ in range(order.count(full=2000, check=300, small=1)):
                begun_ns = time.perf_counter_ns()
                pen.demand_stop()
                taken.append((time.perf_counter_ns() - begun_ns) / MS)
                with suppress(PenError):
                    pen.pump(0.02)
        finally:
            over.set()
            for thread in hogs:
                thread.join()
    section.ran = len(taken)
    slow_ms = percentile(taken, 99.9)
    if order.size == "full" and slow_ms > CALL_MS:
        section.fail(f"one call of a thousand took {slow_ms:.1f} ms")
    figures = (f"{percentile(taken, percent):.2f} ms" for percent in (50, 99, 99.9, 100))
    section.rows.append((f"{len(taken):,}", *figures))
    section.text += f" The interpreter switches threads every {sys.getswitchinterval() * 1000:g} ms."
    return section
