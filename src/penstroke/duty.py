"""How long a pen has worked since it last rested, for the rule on runs and rests. Pure; time is passed in.

It is kept for one connection; a program that goes on with a treatment tells it what the record has.
"""

from __future__ import annotations

from penstroke.safety.duty import check_run
from penstroke.safety.figures import Figures
from penstroke.safety.verdict import AllowedRun, Refusal

_S = 1_000_000_000


class Duty:
    """Needling since the last full rest, and when needles last moved."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._busy_ns = 0
        self._last_moved_ns: int | None = None

    def ran(self, moved_ns: int, now_ns: int) -> None:
        """Needles moved for `moved_ns`, until now."""
        self._busy_ns = round(self._busy_s(now_ns - moved_ns) * _S) + moved_ns
        self._last_moved_ns = now_ns

    def carry_over(self, busy_s: float, idle_s: float, now_ns: int) -> None:
        """Needles worked for so long before this connection, and have rested since. Raises `ValueError`."""
        if not (busy_s >= 0 and idle_s >= 0):
            raise ValueError(f"no time: {busy_s} s of work, {idle_s} s of rest")
        self._busy_ns = round(busy_s * _S)
        self._last_moved_ns = now_ns - round(idle_s * _S)

    def check(self, longest_s: float, now_ns: int) -> AllowedRun | Refusal:
        """Whether a run of this length may begin now."""
        idle_s = None if self._last_moved_ns is None else self._idle_s(now_ns)
        return check_run(longest_s, self._figures, busy_s=self._busy_ns / _S, idle_s=idle_s)

    def left_s(self, now_ns: int) -> float:
        """How long needles may still move before the pen must rest."""
        return self._figures.run_max_s - self._busy_s(now_ns)

    def rest_left_s(self, now_ns: int) -> float:
        """How long until the pen has rested fully; 0 when it has."""
        return max(0.0, self._figures.rest_s - self._idle_s(now_ns))

    def _busy_s(self, now_ns: int) -> float:
        return 0.0 if self._idle_s(now_ns) >= self._figures.rest_s else self._busy_ns / _S

    def _idle_s(self, now_ns: int) -> float:
        """Since needles last moved; a pen that has not moved yet is rested."""
        if self._last_moved_ns is None:
            return float(self._figures.rest_s)
        return (now_ns - self._last_moved_ns) / _S
