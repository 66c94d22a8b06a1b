"""Deadlines: rows of times with a limit, judged from the simulated pen's own journal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from campaign.orders import Order, Section, percentile

HEADER = ("trigger", "runs", "over", "drive cut ≤", "p50", "p99", "max", "retracted ≤", "p50", "p99", "max")
SLACK_MS = 0.01
"""The journal writes microseconds: two roundings."""


@dataclass(slots=True)
class Trigger:
    """One row: what stops the pen, and how soon it must have."""

    name: str
    cut_ms: float
    retracted_ms: float | None
    """None where no needles are out."""
    cuts: list[float] = field(default_factory=list)
    retractions: list[float] = field(default_factory=list)

    def note(self, cut: float, home: float | None) -> None:
        """Count one run whose times are shown and not judged."""
        self.cuts.append(cut)
        if home is not None:
            self.retractions.append(home)

    def judge(self, section: Section, order: Order, run: int, cut: float, home: float | None) -> None:
        """Count one run; `cut` and `home` in ms after the trigger."""
        self.note(cut, home)
        limit = -1.0 if order.planted else self.cut_ms + SLACK_MS
        if cut > limit:
            section.fail(f"{self.name}, run {run}: drive cut after {cut:.1f} ms")
        elif home is not None and self.retracted_ms is not None and home > self.retracted_ms + SLACK_MS:
            section.fail(f"{self.name}, run {run}: retracted after {home:.1f} ms")

    def finish(self, section: Section, before: int) -> None:
        """Add the row; `before` is the section's count of failures before this trigger's first run."""
        section.ran += len(self.cuts)
        cells = [self.name, str(len(self.cuts)), str(section.failed - before)]
        for limit, times in ((self.cut_ms, self.cuts), (self.retracted_ms, self.retractions)):
            if limit is None or not times:
                cells += ["–"] * 4
            else:
                figures = (percentile(times, 50), percentile(times, 99), max(times))
                cells += [f"{limit:g} ms", *(f"{figure:.1f}" for figure in figures)]
        section.rows.append(tuple(cells))


def first(entries: Iterable[dict[str, Any]], event: str, from_s: float, **fields: object) -> float | None:
    """Device time of the first entry of a kind, with these fields, at or after `from_s`."""
    for entry in entries:
        if entry["event"] != event or entry["t"] < from_s - 2e-6:
            continue
        if all(entry.get(key) == value for key, value in fields.items()):
            return float(entry["t"])
    return None
