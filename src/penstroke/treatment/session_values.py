"""The values that a session is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from penstroke.safety.verdict import Reason
from penstroke.treatment.moment import utc_seconds
from penstroke.treatment.roster import Roster
from penstroke.treatment.screening import EarlierTreatment
from penstroke.treatment.table import State, Step
from penstroke.treatment.templates import Template, packaged_templates

if TYPE_CHECKING:
    from penstroke.treatment.session import Session


class EntryLike(Protocol):
    """What is read of an entry of the record."""

    @property
    def number(self) -> int: ...
    @property
    def utc(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def operator(self) -> str | None: ...
    @property
    def port_s(self) -> float | None: ...
    @property
    def body(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Background:
    """What a session goes by and does not record: who works here, the templates, the patient's past."""

    roster: Roster
    earlier: tuple[EarlierTreatment, ...] = ()
    """Earlier treatments of this patient, from the records."""
    templates: Mapping[str, Template] = field(default_factory=packaged_templates)


@dataclass(frozen=True, slots=True)
class StepRecord:
    """Where one step stands, and its last answers."""

    state: State = State.OPEN
    answers: Mapping[str, Any] = field(default_factory=dict)
    local: str = ""
    """When it came to this, on the clock on the wall, with its distance from UTC."""
    because: str = ""
    """Why it is open again, where a correction opened it."""


@dataclass(frozen=True, slots=True)
class Dwell:
    """How long a numbing product has been on: on the port's clock, and over a restart by labels of UTC."""

    needed_s: float
    counted_s: float
    """Counted before `since`."""
    since_utc: str
    since_port_s: float | None

    def passed_s(self, utc: str, port_s: float | None) -> float:
        """Time on the skin so far."""
        if port_s is not None and self.since_port_s is not None:
            return self.counted_s + max(port_s - self.since_port_s, 0.0)
        return self.counted_s + utc_seconds(self.since_utc, utc)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an act came to. `entries` go to the record, in order, before `session` counts."""

    session: Session
    step: Step | None
    state: State | None
    entries: tuple[tuple[str, dict[str, Any]], ...]
    reasons: tuple[Reason, ...] = ()
    """Why the step is not done; empty where it is."""
    warnings: tuple[str, ...] = ()

    @property
    def body(self) -> dict[str, Any]:
        """Of the last entry: the step's own."""
        return self.entries[-1][1]
