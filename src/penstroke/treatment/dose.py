"""What needles did in each zone of a treatment: it only grows, and what is not known counts as done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from penstroke.treatment.steps.needling import Endpoint


@dataclass(frozen=True, slots=True)
class ZoneDose:
    """One zone of the plan."""

    passes_begun: int = 0
    """The highest number of a pass that was begun, finished or not."""
    seconds: float = 0.0
    """Time needles moved, whole seconds of a run of which no end is on record included."""
    running_s: float = 0.0
    """The planned length of a run that was begun and whose end is not on record yet."""
    strokes: int = 0
    """As the pen counted them; those of a run of which no end is on record by its rate and planned length."""
    strokes_before: int = 0
    """Before the run that was begun last."""
    deepest_mm: float = 0.0
    """The deepest that needles moved here."""
    lowered_mm: float | None = None
    """The depth that was asked for last while needles moved; None where it was left as set."""
    endpoint: str | None = None
    """What the skin showed when the zone was left."""
    bled: bool = False
    """It bled continuously: nothing deeper is needled here any more."""
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
            running_s = float(body["for_s"])
            return _with(
                dose,
                dose.open_zone,
                passes_begun=begun,
                seconds=zone.total_s,
                running_s=running_s,
                strokes=zone.strokes + ceil(running_s * float(body.get("rate_hz", 0.0))),
                strokes_before=zone.strokes,
                deepest_mm=max(zone.deepest_mm, float(body.get("depth_mm", 0.0))),
            )
        case "command" if body["command"] == "set-depth" and _moving(dose):
            return _with(dose, dose.open_zone, lowered_mm=float(body["depth_mm"]))
        case "endpoint" if body["endpoint"] == Endpoint.CONTINUOUS and dose.open_zone is not None:
            return _with(dose, dose.open_zone, bled=True)
        case "run-ended" if dose.open_zone is not None:
            zone = dose.zone(dose.open_zone)
            seconds = zone.seconds + float(body["elapsed_s"])
            strokes = max(zone.strokes_before, int(body.get("zone_strokes", 0)))
            return _with(dose, dose.open_zone, seconds=seconds, running_s=0.0, strokes=strokes)
        case "zone-done":
            done, endpoint = body["state"] == "done", body.get("endpoint")
            return _ended(_with(dose, body["index"], done=done, endpoint=endpoint))
    return dose


def _moving(dose: Dose) -> bool:
    return dose.open_zone is not None and dose.zone(dose.open_zone).running_s > 0


def _with(dose: Dose, index: int | None, **changes: Any) -> Dose:
    if index is None:
        return dose
    return replace(dose, zones={**dose.zones, index: replace(dose.zone(index), **changes)})


def _ended(dose: Dose) -> Dose:
    """No zone is open; a run whose end is not on record counts in full."""
    if dose.open_zone is None:
        return dose
    zone = dose.zone(dose.open_zone)
    return replace(_with(dose, dose.open_zone, seconds=zone.total_s, running_s=0.0), open_zone=None)
