"""The host distrusts the device: does the pen do what it was told? Pure; `now_ns` is passed in.

Strategy: too deep is judged on the first reading, since every further stroke is a deeper puncture; too
shallow, too slow and too fast must last for the window's time, since one reading may be a slip. While the
needles travel to a new depth any reading between the old command and the new one is right.
"""

from __future__ import annotations

from penstroke.safety.figures import Figures
from penstroke.safety.units import hz, mm
from penstroke_protocol.messages import Telemetry

_MS = 1_000_000
TRAVEL_NS = 100 * _MS
"""Longest time the needles may take to a new depth: 2.5 mm at 60 mm/s is 42 ms, plus one telemetry period."""
SILENCE_NS = 250 * _MS
"""Without valid telemetry for this long while needles move, the host stops them."""


class Watch:
    """Judges the telemetry of one run against what was commanded."""

    __slots__ = (
        "_before_um",
        "_changed_ns",
        "_depth_um",
        "_last_time_ms",
        "_odd_since_ns",
        "_ramp_ns",
        "_rate_changed_ns",
        "_rate_dhz",
        "_rate_slack_dhz",
        "_rate_window",
        "_window_ns",
        "_window_um",
    )

    def __init__(self, figures: Figures, *, tolerance_um: int) -> None:
        self._window_um = tolerance_um + figures.depth_window_extra_um
        self._window_ns = figures.depth_window_ms * _MS
        self._rate_window = figures.rate_window_percent
        self._ramp_ns = figures.rate_ramp_ms * _MS
        self._depth_um = 0
        self._before_um = 0
        self._changed_ns = 0
        self._rate_dhz = 0
        self._rate_slack_dhz = 0
        self._rate_changed_ns = 0
        self._odd_since_ns: int | None = None
        self._last_time_ms: int | None = None

    def commanded(self, depth_um: int, rate_dhz: int, now_ns: int) -> None:
        """The pen was told to run so from `now_ns` on."""
        if depth_um != self._depth_um:
            self._before_um, self._depth_um, self._changed_ns = self._depth_um, depth_um, now_ns
        if rate_dhz != self._rate_dhz:
            self._rate_dhz, self._rate_changed_ns = rate_dhz, now_ns
            self._rate_slack_dhz = rate_dhz * self._rate_window // 100

    def advanced(self, telemetry: Telemetry) -> bool:
        """Whether the device's clock went on since the last reading: a frozen one proves nothing."""
        last, self._last_time_ms = self._last_time_ms, telemetry.time_ms
        return last is None or 0 < (telemetry.time_ms - last) & 0xFFFF_FFFF < 0x8000_0000

    def judge(self, telemetry: Telemetry, now_ns: int) -> str:
        """What is wrong while needles move, in words for a person; empty while all is right."""
        too_deep = self.judge_depth(telemetry, now_ns)
        if too_deep:
            return too_deep
        problem = ""
        shallowest_um = min(self._depth_um, self._before_um) if self._travelling(now_ns) else self._depth_um
        if telemetry.measured_depth_um < shallowest_um - self._window_um:
            problem = self._depth_words(telemetry.measured_depth_um)
        elif (
            now_ns - self._rate_changed_ns >= self._ramp_ns
            and abs(telemetry.measured_rate_dhz - self._rate_dhz) > self._rate_slack_dhz
        ):
            problem = (
                f"measured rate {hz(telemetry.measured_rate_dhz)} Hz is more than {self._rate_window} % "
                f"from the {hz(self._rate_dhz)} Hz commanded"
            )
        if not problem:
            self._odd_since_ns = None
            return ""
        if self._odd_since_ns is None:
            self._odd_since_ns = now_ns
        return problem if now_ns - self._odd_since_ns >= self._window_ns else ""

    def judge_depth(self, telemetry: Telemetry, now_ns: int) -> str:
        """Whether the needles are deeper than commanded, moving or not; 0 is commanded before a start."""
        deepest_um = max(self._depth_um, self._before_um) if self._travelling(now_ns) else self._depth_um
        if telemetry.measured_depth_um > deepest_um + self._window_um:
            return self._depth_words(telemetry.measured_depth_um)
        return ""

    def _travelling(self, now_ns: int) -> bool:
        return now_ns - self._changed_ns < TRAVEL_NS

    def _depth_words(self, depth_um: int) -> str:
        return (
            f"measured depth {mm(depth_um)} mm is more than {mm(self._window_um)} mm from the "
            f"{mm(self._depth_um)} mm commanded"
        )
