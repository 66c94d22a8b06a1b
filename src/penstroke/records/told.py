"""What the summary of a treatment is made of: values for reports, exports and whoever reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from penstroke.records.corrections import Correction


@dataclass(frozen=True, slots=True)
class Step:
    """One answer to a step of the procedure: done, skipped, blocked or redone."""

    entry: int
    utc: str
    started_utc: str | None
    step: str
    state: str
    answers: dict[str, Any]
    reason: str
    by: str
    warnings: tuple[str, ...]
    operator: str | None
    facts: dict[str, Any]
    """What else the entry tells: what was measured, what was worked out."""


@dataclass(frozen=True, slots=True)
class Told:
    """An entry told in plain sight: an override, a refusal, a fault, an error, an event, a follow-up."""

    entry: int
    utc: str
    kind: str
    operator: str | None
    port_s: float | None
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Screened:
    """What screening found. A side of None in `excluded` is both, or a zone without sides."""

    entry: int
    blocked_by: tuple[str, ...]
    excluded: tuple[tuple[str, str | None], ...]
    factor: str
    sign_offs: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...]

    def excludes(self, zone: str, side: str | None) -> bool:
        """Whether this zone and side are excluded."""
        return (zone, None) in self.excluded or (zone, side) in self.excluded


@dataclass(slots=True)
class Reading:
    """What the pen measured while its needles moved, with the extremes of what was left out around it."""

    entry: int
    utc: str
    port_s: float | None
    device_ms: int | None
    elapsed_s: float
    """Since the run began."""
    depth_mm: float
    rate_hz: float
    depth_min_mm: float
    depth_max_mm: float
    rate_min_hz: float
    rate_max_hz: float
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """What was commanded while needles moved, and holds from there on."""

    at_s: float
    """Since the run began."""
    depth_mm: float | None
    limit_mm: float | None


@dataclass(slots=True)
class Run:
    """Needles moving, from start to release. Depth and rate are those the pen held when it began."""

    entry: int
    utc: str
    index: int | None
    """Of the zone in the plan, from 1; None on the bench."""
    zone: str | None
    side: str | None
    number: int | None
    """Of the pass in the zone; None for a run in the air before use, and on the bench."""
    depth_mm: float | None
    rate_hz: float | None
    for_s: float | None
    limits: dict[str, Any]
    """The limits in force, as the pen's status tells them: `depth_mm`, `depth_bound_by`, ..."""
    readings: list[Reading] = field(default_factory=list)
    ended: str | None = None
    elapsed_s: float = 0.0
    changes: list[Change] = field(default_factory=list)
    lost: bool = False
    """Its program died while needles moved: the record goes on with another program."""

    def held(self) -> list[Change]:
        """Depth and limit as they were commanded, from the beginning of the run on."""
        limit = self.limits.get("depth_mm")
        return [Change(0.0, self.depth_mm, limit if isinstance(limit, int | float) else None), *self.changes]


@dataclass(slots=True)
class ZoneSummary:
    """What became of one zone of the plan. Depths are those commanded while needles moved."""

    index: int
    zone: str
    side: str | None
    area_cm2: float | None
    planned_passes: int | None
    entry: int | None = None
    """Of its `zone-done`; None where it was never told done, and the figures come from its runs."""
    answer: str | None = None
    state: str = "not begun"
    passes_done: int = 0
    seconds: float = 0.0
    strokes: int = 0
    density_per_cm2: float | None = None
    endpoint: str | None = None
    endpoints: list[dict[str, Any]] = field(default_factory=list)
    depth_min_mm: float | None = None
    depth_max_mm: float | None = None
    rate_min_hz: float | None = None
    rate_max_hz: float | None = None

    @property
    def label(self) -> str:
        """`cheek left`, `forehead`."""
        return f"{self.zone} {self.side}" if self.side else self.zone


@dataclass(slots=True)
class TreatmentSummary:
    """One treatment. Times are the UTC labels of the entries; they order nothing."""

    treatment: str | None
    first: int = 0
    last: int = 0
    head: str = ""
    """Digest of the last of these entries."""
    entries: int = 0
    begun_utc: str | None = None
    ended_utc: str | None = None
    """Of the `closed` entry; None while it is open."""
    ended: str | None = None
    code: str | None = None
    patient: str | None = None
    operators: list[str] = field(default_factory=list)
    bench: str | None = None
    """Why there was a run without a treatment; None for a treatment."""
    penstroke: str | None = None
    plan: dict[str, Any] = field(default_factory=dict)
    plan_file: str | None = None
    simulated: bool | None = None
    """None while no pen was bound; True when any of it was on a simulated pen."""
    partly_simulated: bool = False
    """Some of it on a simulated pen and some on a real one."""
    device: dict[str, Any] = field(default_factory=dict)
    """Body of the latest `pen` entry: identity, limits, cartridge, clinic."""
    pens: list[Told] = field(default_factory=list)
    cartridges: list[Told] = field(default_factory=list)
    screening: Screened | None = None
    steps: list[Step] = field(default_factory=list)
    checks: list[Told] = field(default_factory=list)
    zones: list[ZoneSummary] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    commands: list[Told] = field(default_factory=list)
    overrides: list[Told] = field(default_factory=list)
    refusals: list[Told] = field(default_factory=list)
    faults: list[Told] = field(default_factory=list)
    """Faults and errors."""
    events: list[Told] = field(default_factory=list)
    """Events of the pen, interruptions and resumptions, rests."""
    follow_ups: list[Told] = field(default_factory=list)
    corrections: list[Correction] = field(default_factory=list)
    reports: list[Told] = field(default_factory=list)
    endpoints: list[Told] = field(default_factory=list)
    offsets: list[tuple[str, int]] = field(default_factory=list)
    """From which UTC label on the clinic's clock was how many minutes ahead of UTC."""
    finished: bool | None = None
    """Every zone was treated or skipped; None while the needling has no summary."""

    def step(self, name: str) -> Step | None:
        """The latest word on a step, or None where there is none yet."""
        return next((one for one in reversed(self.steps) if one.step == name), None)

    def answers(self, name: str) -> dict[str, Any]:
        """All answers to a step since it was last begun anew; of a step in two parts, those of both."""
        found: dict[str, Any] = {}
        for one in self.steps:
            if one.step == name:
                found = {} if one.state == "redone" else {**found, **one.answers}
        return found

    def corrections_of(self, entry: int | None) -> list[Correction]:
        """The corrections of one entry, the oldest first."""
        return [one for one in self.corrections if one.of == entry]

    @property
    def needling_s(self) -> float:
        """Time with needles moving in zones, in all."""
        return sum(run.elapsed_s for run in self.runs if run.number is not None)
