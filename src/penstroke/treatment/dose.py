"""What needles did in each zone of a treatment: it only grows, and what is not known counts as done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class ZoneDose:
    """One zone of the plan."""

    passes_begun: int = 0
    """The highest number of a pass that was begun, finished or not."""
    seconds: float = 0.0
    """Time needles moved, whole seconds of a run of which no end is on record included."""
    running_s: float = 0.0
    """The planned length of a run that was begun and whose end is not on record yet."""
    done: bool = False
    skipped: bool = False

    @property
    def total_s(self) -> float:
        """Time needles moved or may have moved."""
        return self.seconds + self.running_s


@dataclass(frozen=True, slots=True)
class Dose:
    """By index in the plan, from 1. `open_zone` is the one a person started and that has not ended."""

    zones: Mapping[int, ZoneDose] = field(default_factory=dict)
    open_zone: int | None = None

    @property
    def needled(self) -> frozenset[int]:
        """Zones in which needles moved."""
        return frozenset(index for index, zone in self.zones.items() if zone.passes_begun)

    def zone(self, index: int) -> ZoneDose:
        """What is known of this zone."""
        return self.zones.get(index, ZoneDose())


def dose_after(dose: Dose, kind: str, body: Mapping[str, Any]) -> Dose:
    """The dose after this entry of the record."""
    match kind:
        case "zone" if body["answer"] == "start":
            return replace(_with(dose, body["index"], done=False, skipped=False), open_zone=body["index"])
        case "zone" if body["answer"] == "skip":
            return replace(_with(dose, body["index"], skipped=True), open_zone=None)
        case "zone" | "interrupted" | "resumed" | "closed":
            return _ended(dose)
        case "command" if body["command"] == "run" and dose.open_zone is not None:
            zone = dose.zone(dose.open_zone)
            begun = max(zone.passes_begun, int(body.get("number", zone.passes_begun + 1)))
            return _with(
                dose, dose.open_zone, passes_begun=begun, seconds=zone.total_s, running_s=float(body["for_s"])
            )
        case "run-ended" if dose.open_zone is not None:
            seconds = dose.zone(dose.open_zone).seconds + float(body["elapsed_s"])
            return _with(dose, dose.open_zone, seconds=seconds, running_s=0.0)
        case "zone-done":
            return _ended(_with(dose, body["index"], done=body["state"] == "done"))
    return dose


def _with(dose: Dose, index: int, **changes: Any) -> Dose:
    return replace(dose, zones={**dose.zones, index: replace(dose.zone(index), **changes)})


def _ended(dose: Dose) -> Dose:
    """No zone is open; a run whose end is not on record counts in full."""
    if dose.open_zone is None:
        return dose
    zone = dose.zone(dose.open_zone)
    return replace(_with(dose, dose.open_zone, seconds=zone.total_s, running_s=0.0), open_zone=None)
