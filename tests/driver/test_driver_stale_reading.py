"""A reading that left the pen before it started must not be taken for the pen having stopped by itself."""

from __future__ import annotations

import penstroke

TELEMETRY_MS = 50


def test_a_run_starts_wherever_the_last_reading_falls() -> None:
    """ARM and START take some 10 ms each: somewhere within a period of telemetry a reading falls between."""
    for offset_ms in range(0, TELEMETRY_MS, 3):
        with penstroke.connect("sim://pen?clock=virtual") as pen:
            pen.select_zone("forehead")
            pen.set_rate(hz=110)
            pen.set_depth(mm=0.4)
            pen.pump(offset_ms / 1000)
            with pen.needling(longest_s=1) as strokes:
                readings = list(strokes)
        assert strokes.ended == "duration", offset_ms
        assert readings[0].elapsed_s >= 0, offset_ms
