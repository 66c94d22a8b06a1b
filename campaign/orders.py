"""What a part is asked to do, and what it has to tell: an `Order` in, a `Section` out.

Every number that a section shows was counted while it ran. A part that cannot fail proves nothing, so each
takes `planted`: it then breaks something on purpose, or sets a deadline that nobody can meet, and must report
failures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

SIZES: Final = ("full", "check", "small")
"""Figures to publish; those of CI, within minutes; those of the tests, within seconds."""
_SHOWN: Final = 10
"""Failures told word for word; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Order:
    """One run of one part."""

    size: str
    seed: int
    planted: bool = False
    hours: float | None = None
    """Of the soak in virtual time; None: as the size has it."""
    real_hours: float | None = None
    """Of each of the soak's runs in real time; None: as the size has it."""

    def count(self, *, full: int, check: int, small: int) -> int:
        """How many, at this size. With a planted defect the small number is enough."""
        if self.planted:
            return small
        return {"full": full, "check": check, "small": small}[self.size]

    def rng(self, *names: object) -> Random:
        """Randomness of one run of its own, so that a run repeats whatever ran before it."""
        return Random("/".join(map(str, (self.seed, *names))))


@dataclass(slots=True)
class Section:
    """One table of the report."""

    title: str
    text: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    ran: int = 0
    """Runs that really happened, all rows together."""
    failed: int = 0
    failures: list[str] = field(default_factory=list)
    """The first failures, each with what is needed to see it again."""

    def fail(self, what: str) -> None:
        """Note a failure."""
        self.failed += 1
        if len(self.failures) < _SHOWN:
            self.failures.append(what)

    def markdown(self) -> str:
        """The section as a page has it."""
        lines = [f"## {self.title}", "", self.text, "", _row(self.header), _row(["---"] * len(self.header))]
        lines += [_row(row) for row in self.rows]
        lines += ["", f"{self.ran:,} run, {self.failed:,} failed."]
        lines += [f"- FAILED: {failure}" for failure in self.failures]
        if self.failed > len(self.failures):
            lines.append(f"- and {self.failed - len(self.failures):,} more")
        return "\n".join(lines)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` % of the (non-empty) values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100).__int__() - 1)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
