"""What the records tell of the patients: earlier treatments, and one that was left open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from penstroke.records.store import Store
from penstroke.records.summary import summary_of
from penstroke.records.told import TreatmentSummary
from penstroke.records.views import TreatmentRow


@dataclass(frozen=True, slots=True)
class PastTreatment:
    """An earlier treatment of a patient: its UTC start, and where needles moved, with the deepest depth."""

    id: str
    started: str
    zones: tuple[tuple[str, str | None, int], ...]
    """Zone, side, and the deepest depth held in it, in whole micrometres."""


def of_patient(store: Store, patient: str, *, other_than: str | None = None) -> Iterator[PastTreatment]:
    """Earlier treatments of this patient in which needles moved; simulated ones count for nothing."""
    for row in store.treatments():
        if row.patient == patient and row.bench is None and row.id != other_than and not row.simulated:
            zones = _needled(summary_of(store.entries(row.id)))
            if zones:
                yield PastTreatment(row.id, row.started, zones)


def _needled(summary: TreatmentSummary) -> tuple[tuple[str, str | None, int], ...]:
    found: dict[tuple[str, str | None], int] = {}
    for run in summary.runs:
        # The run in the air before use belongs to no zone of the plan.
        if run.zone is not None and run.index is not None:
            key = (run.zone, run.side)
            found[key] = max(found.get(key, 0), round((run.depth_mm or 0.0) * 1000))
    return tuple((zone, side, depth_um) for (zone, side), depth_um in found.items())


def left_open(store: Store, patient: str) -> list[TreatmentRow]:
    """Treatments of this patient that were begun and not finished, the newest first."""
    rows = [row for row in store.treatments() if row.patient == patient and row.bench is None]
    return [row for row in reversed(rows) if row.ended != "finished"]
