"""Every deadline that needs no panel, in virtual time: random instants and phases, on the pen's own clock."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from random import Random

from campaign.hosts import MS, Host, from_tests, motor_on
from campaign.orders import Order, Section
from campaign.timing import HEADER, Trigger, first
from penstroke.errors import PenError
from penstroke.strokes import Strokes
from penstroke_protocol.messages import Release, Stop
from penstroke_sim.body import DEPTH_NOISE_UM, STALL_NS
from penstroke_sim.core import RAMP_NS
from penstroke_sim.trips import DEPTH_MARGIN_UM, RATE_WINDOW_PCT

TITLE = "Deadlines in virtual time"
TEXT = """From the last valid beat (by when its bytes had arrived, or by the pen's own word, whichever was
earlier), from the last byte of STOP, from the host's act, or from the cause. A trip's limit holds from its
detection; the time for which its condition must last (in brackets) is added. Telemetry at 10, 20, 50 or 100
Hz, the instant anywhere, in a turn of the loop or between two."""

Cause = Callable[[Host], float | None]
"""Makes something happen now; gives the instant that counts, in device seconds, or None: look it up after."""


def run(order: Order) -> list[Section]:
    """All rows."""
    section = Section(TITLE, TEXT, HEADER)
    runs = order.count(full=200, check=50, small=10)
    for trigger, once in TRIGGERS:
        row = Trigger(*trigger)
        before = section.failed
        for number in range(runs):
            try:
                cut, home = once(order.rng("deadlines_virtual", row.name, number))
            except LookupError as missing:
                section.ran += 1
                section.fail(f"{row.name}, run {number}: {missing}")
                continue
            row.judge(section, order, number, cut, home)
        row.finish(section, before)
        if order.planted and section.failed == before:
            # One row that sees nothing makes the whole part blind.
            return [Section(f"{TITLE}: {row.name}", TEXT, HEADER, ran=1)]
    return [section]


def _needling(host: Host, cause: Cause) -> float | None:
    """A run into which `cause` falls at a random instant: in a read, or between two turns."""
    rng = host.rng
    found: list[float | None] = []

    def act() -> None:
        host.port.watch_afresh()
        found.append(cause(host))

    with suppress(PenError), host.pen.needling(longest_s=60) as strokes:
        in_a_read = rng.random() < 0.5
        at_ns = host.world.now_ns + rng.randrange(30 * MS, 2500 * MS)
        if in_a_read:
            host.port.ring_at(at_ns, act)
        for _ in strokes:
            if rng.random() < 0.2:
                host.advance_ms(rng.uniform(0, 45))
            if not in_a_read and not found and host.world.now_ns >= at_ns:
                act()
    if not found:
        raise LookupError("the cause never came")
    host.advance_ms(700)
    return found[0]


def _ended(host: Host, from_s: float) -> tuple[float, float]:
    """Milliseconds to drive cut and to needles in. Raises `LookupError` where it did not stop for good."""
    off_s = first(host.entries, "motor", from_s, on=False)
    home_s = first(host.entries, "needles", from_s, extended=False)
    if off_s is None or home_s is None:
        raise LookupError("the pen was not stopped")
    if motor_on(host.entries):
        raise LookupError("the motor is on again")
    return (off_s - from_s) * 1000, (home_s - from_s) * 1000


# -- the lease -----------------------------------------------------------------------------------------------


def _after_last_beat(cause: Cause) -> Callable[[Random], tuple[float, float]]:
    def once(rng: Random) -> tuple[float, float]:
        host = Host(rng)
        _needling(host, cause)
        lapses = [e for e in host.entries if e["event"] == "lease" and e["what"] == "lapsed"]
        if not lapses:
            raise LookupError("the lease did not lapse")
        return _ended(host, min(host.beat_arrived_s(), lapses[0]["renewed_t"]))

    return once


def _hang(host: Host) -> None:
    host.advance_ms(host.rng.uniform(400, 2000))


def _cut_cable(host: Host) -> None:
    host.world.inject("cut")


# -- told to stop --------------------------------------------------------------------------------------------


def _stop(host: Host) -> float:
    """From another thread, as the driver's own first half of `stop`."""
    acted_s = host.now_s
    host.pen.demand_stop()
    return acted_s


def _after_stop_byte(rng: Random) -> tuple[float, float]:
    host = Host(rng)
    _needling(host, _stop)
    arrived_s = host.stop_arrived_s()
    if arrived_s is None:
        raise LookupError("no STOP left the host")
    return _ended(host, arrived_s)


class _Left(Exception):
    """The caller's loop is left by an exception."""


def _after_act(rng: Random) -> tuple[float, float]:
    host = Host(rng)
    acted_s = 0.0
    turns, way = rng.randrange(1, 40), rng.randrange(4)
    with suppress(PenError, _Left), host.pen.needling(longest_s=60) as strokes:
        for turn, _ in enumerate(strokes):
            if rng.random() < 0.2:
                host.advance_ms(rng.uniform(0, 45))
            if turn < turns:
                continue
            if not acted_s:
                acted_s = host.now_s
                _act(host, strokes, way)
            if way == 2:
                break
    host.advance_ms(700)
    return _ended(host, acted_s)


def _act(host: Host, strokes: Strokes, way: int) -> None:
    if way == 0:
        host.pen.stop()
    elif way == 1:
        host.pen.demand_stop()
    elif way == 3:
        raise _Left


def _raw(request: type[Stop] | type[Release]) -> Callable[[Random], tuple[float, float]]:
    """A STOP or RELEASE frame by itself, at any phase of the pen's work, junk before it or not."""

    def once(rng: Random) -> tuple[float, float]:
        bench = from_tests("simbench").Bench(seed=rng.getrandbits(24))
        bench.start(settle=False)
        bench.run(rng.uniform(5, 1500), beating=True)
        world = bench.world
        if request is Stop:
            # Junk that ends in a delimiter: what a receiver must find its feet after.
            world.host_sends(rng.randbytes(rng.randrange(60)) + b"\0")
        bench.send(request())
        arrived_s = world.to_device._pieces[-1][0] / 1e9
        bench.run(200)
        off_s = first(world.journal.entries, "motor", arrived_s, on=False)
        home_s = first(world.journal.entries, "needles", arrived_s, extended=False)
        if off_s is None or home_s is None:
            raise LookupError("the pen was not stopped")
        return (off_s - arrived_s) * 1000, (home_s - arrived_s) * 1000

    return once


# -- by the pen itself ---------------------------------------------------------------------------------------


def _trip(name: str, **params: object) -> Callable[[Random], tuple[float, float]]:
    def cause(host: Host) -> float:
        host.world.inject(name, **params)
        return host.now_s

    return _from_cause(cause)


def _from_cause(cause: Cause) -> Callable[[Random], tuple[float, float]]:
    def once(rng: Random) -> tuple[float, float]:
        host = Host(rng)
        from_s = _needling(host, cause)
        if from_s is None:
            raise LookupError("the cause had no instant")
        return _ended(host, from_s)

    return once


def _drift(host: Host) -> float:
    """The needles creep; what counts is when they are really beyond the window, sensor noise allowed for."""
    um_per_s = host.rng.choice([-1, 1]) * host.rng.uniform(3_000, 20_000)
    host.world.inject("actuator-drift", um_per_s=um_per_s)
    window_um = host.world.profile.tolerance_um + DEPTH_MARGIN_UM + DEPTH_NOISE_UM
    for _ in range(1000):
        depth_um = host.world.body.depth_um(host.world.now_ns)
        if abs(depth_um - 900) > window_um or not motor_on(host.entries):
            return host.now_s
        host.advance_ms(0.1)
    raise LookupError("the needles did not leave their window")


def _stall(host: Host) -> float:
    """The rotor is held; what counts is when it is really too slow, once the run-up is over."""
    host.world.inject("motor-stall")
    starts = [float(entry["t"]) for entry in host.entries if entry["event"] == "start"]
    slow_s = host.now_s + STALL_NS / 1e9 * RATE_WINDOW_PCT / 100
    return max(slow_s, starts[-1] + RAMP_NS / 1e9)


# -- the host distrusts the pen ------------------------------------------------------------------------------


def _silent(host: Host) -> float:
    if host.rng.random() < 0.5:
        host.world.inject("silent")
    else:
        host.world.inject("half-open", direction="to-host")
    return host.now_s


def _hung(host: Host) -> float:
    """It hears and says nothing while its motor runs, until its watchdog resets it."""
    host.world.inject("hang")
    return host.now_s


def _disagrees(name: str, **params: object) -> Callable[[Random], tuple[float, float]]:
    """Told to be shallower and slower, the needles do something else, and the pen does not mind."""

    def once(rng: Random) -> tuple[float, float]:
        host = Host(rng)
        from_s = 0.0
        turns = rng.randrange(1, 40)
        with suppress(PenError), host.pen.needling(longest_s=60) as strokes:
            for turn in itertools.count():
                next(strokes)
                if rng.random() < 0.2:
                    host.advance_ms(rng.uniform(0, 45))
                if turn == turns:
                    host.world.inject(name, **params)
                    from_s = host.now_s
                    host.pen.set_depth(mm=0.85)
                    host.pen.set_rate(hz=105)
                    sets = [e["t"] for e in host.entries if e["event"] == "limit" and e["t"] >= from_s]
                    from_s = sets[0] if sets else from_s
        host.advance_ms(700)
        return _ended(host, from_s)

    return once


def _arm_unused(rng: Random) -> tuple[float, None]:
    host = Host(rng)
    with suppress(PenError), host.pen.needling(longest_s=60, trigger=True) as strokes:
        for _ in strokes:
            if rng.random() < 0.1:
                host.advance_ms(rng.uniform(0, 45))
    armed_s = first(host.entries, "state", 0, to="armed")
    if armed_s is None:
        raise LookupError("it was never armed")
    left_s = first(host.entries, "state", armed_s, **{"from": "armed"})
    if left_s is None or motor_on(host.entries):
        raise LookupError("it stayed armed")
    return (left_s - armed_s) * 1000, None


TRIGGERS: list[tuple[tuple[str, float, float | None], Callable[[Random], tuple[float, float | None]]]] = [
    (("hung loop, from the last beat", 305, 350), _after_last_beat(_hang)),
    (("cable cut, from the last beat", 305, 350), _after_last_beat(_cut_cable)),
    (("STOP of another thread, from its last byte", 10, 60), _after_stop_byte),
    (("STOP of another thread, from its act", 50, 100), _from_cause(_stop)),
    (("STOP frame after junk, from its last byte", 10, 60), _raw(Stop)),
    (("RELEASE frame, from its last byte", 10, 60), _raw(Release)),
    (("stop, or the loop left, from the host's act", 50, 100), _after_act),
    (("stop key", 20, 70), _trip("stop-key")),
    (("over-current (10 ms)", 30, 80), _trip("over-current")),
    (("over-temperature", 20, 70), _trip("over-temperature")),
    (("cartridge off", 20, 70), _trip("cartridge-removed")),
    (("depth outside its window (20 ms)", 40, 90), _from_cause(_drift)),
    (("motor stall (20 ms)", 40, 90), _from_cause(_stall)),
    (("brown-out that is survived", 20, 70), _trip("brown-out", deep=False)),
    (("battery empty", 20, 70), _trip("battery-low", pct=2)),
    (("depth reading that stands still (500 ms)", 520, 570), _trip("sensor-stuck")),
    (("reading that cannot be", 20, 70), _trip("over-temperature", celsius=-40)),
    (("device silent, from the cause", 300, 350), _from_cause(_silent)),
    (("device too deep, from its change", 300, 350), _disagrees("wrong-depth", offset_um=300)),
    (("device too shallow, from its change", 300, 350), _disagrees("wrong-depth", offset_um=-300)),
    (("device at another rate (300 ms), from its change", 600, 650), _disagrees("wrong-rate", factor=0.5)),
    (("device hung, from the cause", 300, 350), _from_cause(_hung)),
    (("arm unused", 10_000, None), _arm_unused),
]
