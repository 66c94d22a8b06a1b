"""Exact edges of the line between port and link: what it is at first, and what it takes note of."""

from __future__ import annotations

from typing import Any

from penstroke.line import Line
from penstroke.pen import Pen
from penstroke_protocol import HostLink


class NoPort:
    """A line is made before anything is read or written."""

    name = "nowhere"


def fresh_line() -> Line:
    port: Any = NoPort()
    return Line(port, HostLink(nonce=1, zone_digest=2), gate=lambda request: None)


def test_at_first_nothing_is_unknown_and_nobody_asked_for_a_stop() -> None:
    line = fresh_line()
    assert (line.unknown, line.stop_demanded, line.stop_key) == (False, False, False)
    assert (line.cartridge_changed, line.in_turn, line.stop_repeated) == (False, False, False)
    assert (line.telemetry, line.telemetry_missed, line.stop_answer) == (None, 0, None)
    line.heed_stops()


def test_what_a_sleeping_loop_leaves_is_bounded() -> None:
    line = fresh_line()
    assert (line.fresh.maxlen, line.events.maxlen) == (256, 64)


def test_a_connection_without_trouble_counts_none(pen: Pen) -> None:
    pen.select_zone("chin")
    stats = pen.stats
    assert (stats.telemetry_missed, stats.retries, stats.damaged, stats.dropped) == (0, 0, {}, {})
    assert stats.frames_received > 0
