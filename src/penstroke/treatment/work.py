"""How needles had worked, and rested, when a program goes on with a treatment: the rest outlives it.

The record has only labels of the wall's clock between two programs. A clock that was set back counts no rest;
a run whose end is not on record counts in full.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from penstroke.duty import Duty
from penstroke.treatment.moment import utc_seconds
from penstroke.treatment.session_values import EntryLike


@dataclass(frozen=True, slots=True)
class Work:
    """Needling since the last full rest, and since when the needles have rested."""

    busy_s: float = 0.0
    ended_utc: str = ""
    """Label of the end of the last run; empty where there was none."""

    def idle_s(self, utc: str) -> float:
        """Seconds of rest by this label."""
        return utc_seconds(self.ended_utc, utc) if self.ended_utc else 0.0

    def carry_over(self, duty: Duty, utc: str, now_ns: int) -> None:
        """Tell it to the account of a connection that goes on with this treatment now."""
        if self.ended_utc:
            duty.carry_over(self.busy_s, self.idle_s(utc), now_ns)


def work_in(entries: Iterable[EntryLike], rest_s: float) -> Work:
    """What these entries of one treatment tell; a rest of `rest_s` begins anew."""
    work, open_s = Work(), 0.0
    for entry in entries:
        if entry.kind == "command" and entry.body.get("command") == "run":
            rested = work.idle_s(entry.utc) >= rest_s
            busy_s = 0.0 if rested else work.busy_s + open_s
            work, open_s = Work(busy_s, entry.utc), float(entry.body["for_s"])
        elif entry.kind == "run-ended":
            work, open_s = Work(work.busy_s + float(entry.body["elapsed_s"]), entry.utc), 0.0
    return Work(work.busy_s + open_s, work.ended_utc)
