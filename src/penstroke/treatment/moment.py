"""When something happened: on the clock on the wall, for people, and on the port's clock, for waiting."""

from __future__ import annotations

import datetime
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant. Handed in by whoever has the clocks; nothing in the procedure reads one."""

    local: datetime.datetime
    """The clock on the wall, with its distance from UTC. A label: nothing that must be safe hangs on it."""
    port_s: float | None = None
    """Seconds on the port's clock since the pen was bound, as in the record; None without a pen."""

    def __post_init__(self) -> None:
        if self.local.tzinfo is None:
            raise ValueError("a moment needs its distance from UTC")

    @property
    def today(self) -> datetime.date:
        """The day where the patient is."""
        return self.local.date()

    @property
    def utc(self) -> str:
        """As in the record: `2026-11-23T14:03:05.123Z`."""
        utc = self.local.astimezone(datetime.UTC)
        return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_seconds(earlier: str, later: str) -> float:
    """Seconds from one label of UTC to another, never below zero: a clock set back counts nothing."""
    difference = datetime.datetime.fromisoformat(later) - datetime.datetime.fromisoformat(earlier)
    return max(difference.total_seconds(), 0.0)
