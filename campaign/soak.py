"""Soak: hours of needling. No false trip, and memory flat.

In virtual time one pen after the other; at full size also ten minutes in real time on a pseudo-terminal, with
all cores kept busy, where a trip of the lease is safe and only counted.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from campaign.hosts import from_tests
from campaign.orders import Order, Section
from penstroke import connect
from penstroke.data import figures
from penstroke.errors import PenError
from penstroke.strokes import BEAT_NS

GROWN_MB = 5.0
PASS_S = 60.0
TEXT = """Runs of a minute with the rests that the pen needs, telemetry at 20 Hz. A false trip is any end that
nobody asked for. None in T hours of needling bounds the rate at 3/T an hour with 95 % confidence."""


def run(order: Order) -> list[Section]:
    """Virtual; and real, at full size."""
    section = Section(
        "Soak", TEXT, ("where", "hours", "of them needling", "false trips", "95 % bound, 1/h", "grown, MB")
    )
    hours = order.count(full=200, check=30, small=3) / 100
    # Planted: a beat every 400 ms, which no lease outlasts.
    with mock.patch("penstroke.strokes.BEAT_NS", 400_000_000 if order.planted else BEAT_NS):
        needled_s, trips, grown_mb = _needle(f"sim://pen?seed={order.seed}&clock=virtual", hours * 3600)
    _row(section, "virtual time", hours, needled_s, trips, grown_mb)
    if order.size == "full" and not order.planted:
        _real(section)
    return [section]


def _row(section: Section, where: str, hours: float, needled_s: float, trips: int, grown_mb: float) -> None:
    section.ran += 1
    bound = f"{3 / (needled_s / 3600):.2f}" if not trips and needled_s else "–"
    section.rows.append(
        (where, f"{hours:.2f}", f"{needled_s / 3600:.2f}", str(trips), bound, f"{grown_mb:.1f}")
    )
    if trips and "busy" not in where:
        section.fail(f"{where}: {trips} false trips")
    if grown_mb > GROWN_MB:
        section.fail(f"{where}: the process grew by {grown_mb:.1f} MB")


def _needle(port: str, for_s: float) -> tuple[float, int, float]:
    """Seconds of needling, false trips, and MB grown after the first tenth."""
    table = figures()
    needled_s, seen_s, trips = 0.0, 0.0, 0
    first_mb: float | None = None
    with connect(port) as pen:
        pen.select_zone("forehead")
        pen.set_rate(hz=110)
        pen.set_depth(mm=0.4)
        begun_ns = pen.now_ns()
        while (gone_s := (pen.now_ns() - begun_ns) / 1e9) < for_s:
            if first_mb is None and gone_s >= for_s / 10:
                first_mb = _resident_mb()
            pass_s = min(PASS_S, for_s / 5)
            if pen.duty.left_s(pen.now_ns()) < pass_s:
                pen.pump(table.rest_s)
            try:
                with pen.needling(longest_s=pass_s) as strokes:
                    for sample in strokes:
                        seen_s = sample.elapsed_s
                    needled_s += seen_s
                trips += strokes.ended != "duration"
            except PenError:
                trips += 1
                pen.clear_faults()
    return needled_s, trips, _resident_mb() - (first_mb or _resident_mb())


def _real(section: Section) -> None:
    """Ten minutes, with every core busy."""
    spin = [sys.executable, "-c", "while True: pass"]
    hogs = [subprocess.Popen(spin) for _ in range(os.cpu_count() or 1)]
    try:
        with tempfile.TemporaryDirectory(prefix="pen-") as folder:
            served: Any = from_tests("served").Served(Path(folder), "--pty")
            try:
                figures_found = _needle(served.port, 600.0)
            finally:
                served.close()
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    _row(section, "real time, pseudo-terminal, all cores busy", 600 / 3600, *figures_found)


def _resident_mb() -> float:
    """Resident memory (Linux), with what only waits to be collected thrown away."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
