"""Whether the memory of a long run stays flat; measured in a process of its own."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

from bench.report import ROOT, Section, Size, wanted
from penstroke import connect
from penstroke.data import figures

WANTED_MB = 5.0
TELEMETRY_HZ = 100
WARM_S = 60.0
"""Before the first look: caches fill once."""
PASS_S = 60.0


def measure(size: Size) -> list[Section]:
    """One long run, at the fastest telemetry."""
    section = Section(
        "Memory",
        f"Needling in virtual time with telemetry at {TELEMETRY_HZ} Hz, in passes of a minute with the rests "
        "that the pen needs; the resident memory of the process that holds driver and simulated pen, at its "
        "end over that after the first minute.",
        ("virtual s", "readings", "MB at first", "MB at the end", "grown, MB", "wanted", "met"),
    )
    done = subprocess.run(
        [sys.executable, "-m", "bench.memory", str(size.memory_s)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    readings, first, last = (float(word) for word in done.stdout.split())
    section.end()
    limit = wanted(last - first, WANTED_MB, unit=" MB")
    section.rows.append(
        (f"{size.memory_s}", f"{readings:.0f}", f"{first:.1f}", f"{last:.1f}", f"{last - first:.2f}", *limit)
    )
    return [section]


def _run(virtual_s: float) -> tuple[int, float, float]:
    """Readings, and resident MB after the warm-up (a tenth of a shorter run) and at the end."""
    table = figures()
    first_mb = 0.0
    readings = 0
    with connect("sim://pen?seed=7&clock=virtual") as pen:
        pen.set_telemetry(rate_hz=TELEMETRY_HZ)
        pen.select_zone("forehead")
        pen.set_rate(hz=110)
        pen.set_depth(mm=0.4)
        begun_s = pen.now_ns() / 1e9
        needled_s = 0.0
        while (gone_s := pen.now_ns() / 1e9 - begun_s) < virtual_s:
            if not first_mb and gone_s >= min(WARM_S, virtual_s / 10):
                first_mb = _resident_mb()
            pass_s = min(PASS_S, virtual_s / 10)
            # A pass takes a little longer than it was asked for, and ten of them too much for the rule.
            if needled_s + pass_s >= table.run_max_s:
                pen.pump(table.rest_s)
                needled_s = 0.0
            needled_s += pass_s
            with pen.needling(longest_s=pass_s) as strokes:
                for _sample in strokes:
                    readings += 1
        return readings, first_mb, _resident_mb()


def _resident_mb() -> float:
    """Resident memory (Linux), with what only waits to be collected thrown away."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    print(*_run(float(sys.argv[1])))
