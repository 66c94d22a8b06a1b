"""What is older than the question is no answer: readings from before a start, bytes from before HELLO."""

from __future__ import annotations

from typing import Any

import pytest

import penstroke
from penstroke.ports.opening import adopt

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


@pytest.mark.req("R-17.7")
def test_what_waits_in_the_port_is_thrown_away_before_hello(pen_sim: Any) -> None:
    gone = penstroke.connect(adopt(pen_sim))
    assert gone.status().state == "idle"
    pen_sim.advance(2)  # 40 readings pile up for a program that has gone without a word
    with penstroke.connect(adopt(pen_sim)) as pen:
        # What the pen still says to that program while HELLO is on its way comes, and is told apart.
        assert sum(pen.stats.dropped.values()) <= 2
        assert pen.stats.frames_received < 10
