"""Readings made fewer: one entry a second at least, and the extremes of what was left out kept.

Pure: an entry brings the time of its reading along. A pen tells twenty readings a second; a year of them in
full would be many gigabytes that nobody reads. What matters of them, the deepest and the shallowest, the
fastest and the slowest, and the highest current, is kept exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

from penstroke.records.entry import Draft

EVERY_S: Final = 1.0
"""Longest time between two samples that are kept, as far as the pen's own readings allow."""
_CHANGES: Final = ("state", "needles_out", "motor_on")
"""A reading in which one of these differs from the one before begins anew."""
_EXTREMES: Final = (
    ("depth_min_mm", "depth_mm", min),
    ("depth_max_mm", "depth_mm", max),
    ("rate_min_hz", "rate_hz", min),
    ("rate_max_hz", "rate_hz", max),
    ("current_max_ma", "current_ma", max),
)


@dataclass(slots=True)
class Thinning:
    """Of a stream of readings, those to be written."""

    _kept_s: float | None = None
    """When the latest kept reading was taken, on the port's clock."""
    _seen: Draft | None = None
    _held: list[Draft] = field(default_factory=list)

    def add(self, reading: Draft) -> list[Draft]:
        """One more reading; what is to be written now, in its order.

        The first one, and every one without a time, is written as it is.
        """
        before, self._seen = self._seen, reading
        changed = before is None or any(reading.body.get(key) != before.body.get(key) for key in _CHANGES)
        # What came before a change is told before it, and not as one with it.
        ready = self.take() if changed else []
        self._held.append(reading)
        if changed or before is None or self._closes_a_second(before, reading):
            self._kept_s = reading.port_s
            ready += self.take()
        return ready

    def _closes_a_second(self, before: Draft, reading: Draft) -> bool:
        if self._kept_s is None or before.port_s is None or reading.port_s is None:
            return True
        # At this spacing the next reading would come too late.
        spacing_s = reading.port_s - before.port_s
        return reading.port_s - self._kept_s + spacing_s > EVERY_S + 1e-6

    @property
    def holds(self) -> bool:
        """Whether a reading is held back."""
        return bool(self._held)

    def take(self) -> list[Draft]:
        """What is held back, as one entry; nothing where nothing is."""
        held, self._held = self._held, []
        if len(held) < 2:
            return held
        body: dict[str, Any] = dict(held[-1].body)
        for name, of, extreme in _EXTREMES:
            values: list[Any] = [one.body[of] for one in held if one.body.get(of) is not None]
            if values:
                body[name] = extreme(values)
        missed: list[Any] = [one.body.get("missed") or 0 for one in held]
        body |= {"missed": sum(missed), "count": len(held)}
        return [replace(held[-1], body=body)]
