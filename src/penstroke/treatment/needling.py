"""The values of needling: what people say, what each turn tells, who is asked, where it is written down."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from penstroke.errors import PenError
from penstroke.status import Cartridge, Sample
from penstroke.treatment.dose import Dose
from penstroke.treatment.plan import PlannedPass, PlanZone
from penstroke.treatment.steps.needling import Endpoint


class Answer(StrEnum):
    """What a person may say before a zone."""

    START = "start"
    SKIP = "skip"
    QUIT = "quit"


class Wish(StrEnum):
    """What a person may want of the needles while they move. To stop them is no wish: it acts at once."""

    SHALLOWER = "shallower"
    """One of the pen's steps shallower, now and for the passes that follow in this zone."""
    DEEPER = "deeper"
    """One step deeper, from the next pass on."""
    BLEEDING = "bleeding"
    """It bleeds continuously: shallower now, as the procedure proposes; written down as the endpoint."""
    END_ZONE = "end-zone"
    """This zone has had enough."""


@dataclass(frozen=True, slots=True)
class ZoneAhead:
    """The zone that comes next, for whoever confirms it. `index` counts from 1; times are seconds."""

    index: int
    of: int
    zone: PlanZone
    passes: tuple[PlannedPass, ...]
    """Those that are left: a pass that was begun before a restart counts as given."""
    pass_s: float
    first_depth_mm: float
    """Of the first of them: the plan's, or what was asked for before a restart where that is shallower."""
    density_per_cm2: float
    """What the passes that are left come to by the proposed figures, were no stroke in the air."""

    @property
    def needling_s(self) -> float:
        """Planned needling in this zone."""
        return self.pass_s * len(self.passes)


@dataclass(frozen=True, slots=True)
class PassBegins:
    """The needles are about to move. Depth and rate are those the pen holds."""

    ahead: ZoneAhead
    number: int
    direction: str
    depth_mm: float
    rate_hz: float


@dataclass(slots=True)
class Reading:
    """A reading while needles move, and where the treatment stands."""

    sample: Sample
    begins: PassBegins
    depth_mm: float
    """The depth that the needles are told now."""
    zone_strokes: int
    density_per_cm2: float
    """Punctures per cm² in this zone so far, were no stroke in the air: an estimate."""
    pass_left_s: float
    plan_left_s: float
    """Planned needling left in the whole plan."""
    plan_done: float
    """Planned needling done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Resting:
    """The pen must rest before it may go on."""

    left_s: float


@dataclass(slots=True)
class ZoneResult:
    """What became of one zone of the plan."""

    index: int
    zone: str
    side: str | None
    state: str = "not begun"
    """`not begun`, `skipped`, `begun` (and not finished) or `done`."""
    passes: int = 0
    passes_done: int = 0
    seconds: float = 0.0
    strokes: int = 0
    density_per_cm2: float = 0.0
    endpoint: str | None = None
    """What the skin showed; None where nobody was asked."""


@dataclass(frozen=True, slots=True)
class Adjusted:
    """What became of a wish: the depth that is or will be in force, or why it stays as it was."""

    wish: Wish
    depth_mm: float
    refused: str = ""


Step = PassBegins | Reading | Resting | Adjusted | ZoneResult


class People(Protocol):
    """Who is asked. All may take their time but `wish`, which is asked at every turn of the needles."""

    def confirm(self, ahead: ZoneAhead) -> Answer:
        """Before a zone: the press that starts it."""

    def wish(self) -> Wish | None:
        """While needles move: what is wanted now, if anything. Never waits."""

    def endpoint(self, ahead: ZoneAhead) -> Endpoint:
        """After a zone: what the skin shows."""

    def other_cartridge(self, cartridge: Cartridge) -> str:
        """A cartridge that was not there before is in the pen: why."""


class Account(Protocol):
    """Where it is written down; `visit.Visit` is one."""

    @property
    def dose(self) -> Dose:
        """What needles did in each zone."""

    def may_needle(self, index: int) -> None:
        """Raises `Refused` where needles may not move in this zone of the plan."""

    def tell(self, kind: str, **body: Any) -> int:
        """Write one entry; never waits. Raises `RecordError` once the record has failed."""

    def make_durable(self) -> None:
        """Wait until all that was told is on the disk."""

    def error(self, error: PenError) -> None:
        """Write down what went wrong."""

    def device_time(self, ms: int) -> None:
        """The pen's own clock, for the entries that follow."""
