"""Soak: hours of needling. No false trip, and memory flat.

In virtual time; in real time on a pseudo-terminal, on a machine left to itself; and the same with every core
kept busy, where a lease that trips is right, and must be safe.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import exp
from pathlib import Path
from typing import Any
from unittest import mock

from campaign.deadlines_real import read_journal
from campaign.hosts import from_tests
from campaign.orders import Order, Section
from campaign.timing import SLACK_MS, first
from penstroke import connect
from penstroke.data import figures
from penstroke.errors import PenError
from penstroke.pen import BENCH_TREATMENT, Pen
from penstroke.ports import Port
from penstroke.ports.opening import adopt
from penstroke.strokes import BEAT_NS
from penstroke_sim.inprocess import VirtualPort
from penstroke_sim.profiles import FINE
from penstroke_sim.world import World

GROWN_MB = 5.0
PASS_S = 60.0
MOST_IN_VAIN = 20
"""Tries without a run; a pen that cannot be had at all would be tried for ever."""
LEASE_MS = (305.0, 350.0)
"""Drive cut and needles in, from the last valid beat."""
TEXT = """Runs of a minute with the rests that the pen needs, telemetry at 20 Hz. A *trip* is any end of a run
that nobody asked for; it is *safe* when the pen's lease ended it within its deadlines, or the host stopped
it, by the pen's journal, and nothing moved until the next press. With no load every trip is a failure, with
every core busy only one that is not safe. *95 % bound*: the rate of trips, per hour of needling, at which one
campaign in twenty would show so few (Poisson, exact; 3/T for none in T hours). *Grown*: resident memory of
the host's process, and of the pen's where that is another, from a tenth of the time on."""
HEADER = ("where", "hours", "of them needling", "runs", "trips", "not safe", "95 % bound, 1/h", "grown, MB")


@dataclass(slots=True)
class Found:
    """What came of one soak."""

    needled_s: float = 0.0
    presses: int = 0
    trips: Counter[str] = field(default_factory=Counter)
    """Ends that nobody asked for, by their code."""
    grown_mb: list[float] = field(default_factory=list)
    """Of the host's process, and of the pen's own."""
    unsafe: list[str] = field(default_factory=list)


def run(order: Order) -> list[Section]:
    """In virtual time, and in real time: quiet and loaded at full size, else only where no trip is false."""
    section = Section("F15: soak", TEXT, HEADER)
    hours = order.hours or order.count(full=200, check=30, small=3) / 100
    # Planted: a beat every 400 ms, which no lease outlasts.
    with mock.patch("penstroke.strokes.BEAT_NS", 400_000_000 if order.planted else BEAT_NS):
        found = in_virtual_time(order, hours * 3600)
    _row(section, "virtual time", hours, found, quiet=True)
    if order.planted:
        return [section]
    cores = os.cpu_count() or 1
    real_hours = order.real_hours or order.count(full=600, check=15, small=3) / 3600
    loads = {"full": (0, cores), "check": (cores,), "small": (0,)}[order.size]
    for hogs in loads:
        where = "real time, " + ("every core busy" if hogs else "no load")
        found = in_real_time(order, real_hours * 3600, hogs)
        # Whether a machine that tests is quiet, nobody knows.
        _row(section, where, real_hours, found, quiet=not hogs and order.size == "full")
    return [section]


def _row(section: Section, where: str, hours: float, found: Found, *, quiet: bool) -> None:
    section.ran += found.presses
    trips, needled_h = found.trips.total(), found.needled_s / 3600
    bound = f"{poisson_bound(trips) / needled_h:.2f}" if needled_h else "–"
    grown = " and ".join(f"{mb:.1f}" for mb in found.grown_mb)
    told = ", ".join(f"{number} {code}" for code, number in sorted(found.trips.items()))
    cells = (f"{hours:.2f}", f"{needled_h:.2f}", str(found.presses), told or "0", str(len(found.unsafe)))
    section.rows.append((where, *cells, bound, grown))
    if not found.needled_s:
        section.fail(f"{where}: no needle moved")
    if quiet and trips:
        section.fail(f"{where}: false trips: {told}")
    for problem in found.unsafe:
        section.fail(f"{where}: {problem}")
    if max(found.grown_mb) > GROWN_MB:
        section.fail(f"{where}: memory grew by {grown} MB")


def poisson_bound(events: int) -> float:
    """The mean at which so few events, or fewer, come with a probability of 5 %."""
    low, high = 0.0, 3.0 * events + 10
    for _ in range(100):
        mean = (low + high) / 2
        term = total = exp(-mean)
        for number in range(1, events + 1):
            term *= mean / number
            total += term
        low, high = (mean, high) if total > 0.05 else (low, mean)
    return high


def in_virtual_time(order: Order, for_s: float) -> Found:
    """On one simulated pen in this process, whose journal is judged and thrown away: it must not grow."""
    world = World(profile=FINE, seed=order.seed)
    unsafe: list[str] = []

    def judge() -> None:
        entries = world.journal.entries
        unsafe.extend(unsafe_ends(entries, presses=1))
        entries.clear()

    found = _needle(lambda: adopt(VirtualPort(world)), for_s, [_resident_mb], after_each=judge)
    found.unsafe += unsafe
    return found


def _needle(
    port: Callable[[], Port | str],
    for_s: float,
    memory: list[Callable[[], float]],
    after_each: Callable[[], None] = lambda: None,
) -> Found:
    """Runs for so long by the host's clock; after one that ended with an error, a new session."""
    found = Found()
    gone_s, first_mb = 0.0, list[float]()
    while gone_s < for_s:
        try:
            with connect(port(), treatment=BENCH_TREATMENT) as pen:
                # After a trip a new session begins, and would refuse to start while a fault is latched.
                pen.clear_faults()
                pen.select_zone("forehead")
                pen.set_rate(hz=110)
                pen.set_depth(mm=0.4)
                begun_s = pen.now_ns() / 1e9 - gone_s
                tripped = False
                while gone_s < for_s and not tripped:
                    if not first_mb and gone_s >= for_s / 10:
                        first_mb = [each() for each in memory]
                    tripped = _pass(pen, found, min(PASS_S, for_s / 5))
                    after_each()
                    gone_s = pen.now_ns() / 1e9 - begun_s
        except PenError as error:
            # A starved host may fail outside of a run, too.
            found.trips[f"{_cause(error)} outside of a run"] += 1
        if found.trips.total() > found.presses + MOST_IN_VAIN:
            found.unsafe.append("no run can be had any more")
            break
    found.grown_mb = [each() - before for each, before in zip(memory, first_mb, strict=False)] or [0.0]
    return found


def _pass(pen: Pen, found: Found, pass_s: float) -> bool:
    """One run, with the rest it may need before; whether it ended unasked."""
    seen_s = 0.0
    try:
        if pen.duty.left_s(pen.now_ns()) < pass_s:
            pen.pump(figures().rest_s)
        with pen.needling(longest_s=pass_s) as strokes:
            found.presses += 1
            for sample in strokes:
                seen_s = sample.elapsed_s
        if strokes.ended != "duration":
            found.trips[str(strokes.ended)] += 1
    except PenError as error:
        found.trips[_cause(error)] += 1
        return True
    finally:
        found.needled_s += seen_s
    return False


def _cause(error: PenError) -> str:
    """The pen's faults by their names, any other error by its code."""
    faults = error.facts.get("faults")
    return " and ".join(map(str, faults)) if isinstance(faults, list) else error.code


def in_real_time(order: Order, for_s: float, hogs: int) -> Found:
    """On a pseudo-terminal, with so many cores kept busy; every trip judged by the pen's journal."""
    with tempfile.TemporaryDirectory(prefix="pen-") as folder, _busy(hogs):
        served: Any = from_tests("served").Served(Path(folder), "--seed", str(order.seed), "--pty")
        try:
            pid = served.process.pid
            found = _needle(lambda: served.port, for_s, [_resident_mb, lambda: _resident_mb(pid)])
        finally:
            served.close()
        found.unsafe += unsafe_ends(read_journal(served), found.presses)
    return found


@contextmanager
def _busy(hogs: int) -> Iterator[None]:
    spin = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(spin) for _ in range(hogs)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def unsafe_ends(entries: list[dict[str, Any]], presses: int) -> list[str]:
    """What a pen's journal shows that must not be: a deadline of the lease passed, a fault of the pen's own
    for nothing, a motor left on, or needles that moved more often than somebody pressed."""
    found: list[str] = []
    for lapse in (entry for entry in entries if entry["event"] == "lease" and entry["what"] == "lapsed"):
        renewed_s = lapse["renewed_t"]
        for event, fields, limit_ms in (
            ("motor", {"on": False}, LEASE_MS[0]),
            ("needles", {"extended": False}, LEASE_MS[1]),
        ):
            at_s = first(entries, event, renewed_s, **fields)
            if at_s is None or (at_s - renewed_s) * 1000 > limit_ms + SLACK_MS:
                found.append(f"lease lapsed, {event} at {at_s} s, the last beat at {renewed_s} s")
    motor = [entry for entry in entries if entry["event"] == "motor"]
    ons = sum(entry["on"] for entry in motor)
    if ons > presses:
        found.append(f"{presses} presses, and needles began to move {ons} times")
    found += [f"a fault of the pen for nothing, at {e['t']} s" for e in motor if e.get("reason") == "fault"]
    if motor and motor[-1]["on"]:
        found.append("the motor is on at the end")
    return found


def _resident_mb(pid: int | None = None) -> float:
    """Resident memory (Linux), of this process with what only waits to be collected thrown away."""
    if pid is None:
        gc.collect()
    statm = Path(f"/proc/{pid or 'self'}/statm").read_text(encoding="ascii")
    return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
