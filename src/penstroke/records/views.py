"""What a list of treatments shows of each: pure, from the few entries that tell it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from penstroke.records.corrections import corrected
from penstroke.records.entry import Entry
from penstroke.records.plain import text

LISTED: Final = ("opened", "summary", "resumed", "closed", "correction")
"""The kinds of entries that a list is made from: a few of the thousands that a treatment has."""

DO_NOT_TREAT: Final = frozenset({"screening-blocks", "sign-off-missing"})
"""Codes of a treatment that screening ended: it went as it should, and is no error."""


@dataclass(slots=True)
class TreatmentRow:
    """One treatment, or one run at the bench, in a list."""

    id: str
    started: str
    """UTC, as its first entry tells it."""
    operator: str | None
    patient: str | None
    plan: str | None
    """The plan's title."""
    bench: str | None
    """Why, for a run at the bench; None for a treatment."""
    zones: int
    zones_done: int = 0
    simulated: bool | None = None
    """Whether any pen of it was simulated; None while none was there."""
    device_serial: str | None = None
    ended: str = "open"
    """`finished`, `quit`, `interrupted`, `error`; `open` while under way, or since its program was killed."""
    code: str | None = None
    """Of what it ended with, where that was an error or a refusal."""

    @property
    def outcome(self) -> str:
        """How it ended, and with what: `finished`, `error: link-lost`, `refused: screening-blocks`."""
        if self.code is None:
            return self.ended
        return f"{'refused' if self.code in DO_NOT_TREAT else self.ended}: {self.code}"


def listing(entries: Iterable[Entry], zones_done: Iterable[Entry] = ()) -> list[TreatmentRow]:
    """The treatments that these entries tell of, the oldest first, as corrected.

    `zones_done` are the zones of treatments that have no summary, because their program was killed.
    """
    told = [entry for entry in entries if entry.treatment is not None]
    bodies, _ = corrected(told)
    rows: dict[str, TreatmentRow] = {}
    done: dict[str, set[Any]] = {}
    for entry in told:
        treatment, body = str(entry.treatment), bodies[entry.number]
        if entry.kind == "opened":
            rows.setdefault(treatment, _opened(entry, body))
        row = rows.get(treatment)
        if row is None:
            continue
        if entry.simulated is not None:
            row.simulated = bool(row.simulated) or entry.simulated
            row.device_serial = entry.device_serial
        if entry.kind == "resumed":
            row.ended, row.code = "open", None
        elif entry.kind == "closed":
            row.ended, row.code = str(body.get("ended")), text(body.get("code"))
        elif entry.kind == "summary" and isinstance(body.get("zones"), list):
            done.setdefault(treatment, set()).update(_done(body["zones"]))
    for entry in zones_done:
        done.setdefault(str(entry.treatment), set()).update(_done([entry.body]))
        row = rows.get(str(entry.treatment))
        if row is not None and entry.simulated is not None:
            row.simulated, row.device_serial = bool(row.simulated) or entry.simulated, entry.device_serial
    for treatment, indices in done.items():
        if treatment in rows:
            rows[treatment].zones_done = len(indices)
    return list(rows.values())


def unsummed(entries: Iterable[Entry]) -> list[str]:
    """The treatments among these that have no summary of their zones."""
    kinds: dict[str, set[str]] = {}
    for entry in entries:
        if entry.treatment is not None:
            kinds.setdefault(entry.treatment, set()).add(entry.kind)
    return [name for name, those in kinds.items() if "opened" in those and "summary" not in those]


def _done(zones: list[Any]) -> set[Any]:
    return {zone.get("index") for zone in zones if isinstance(zone, dict) and zone.get("state") == "done"}


def _opened(entry: Entry, body: dict[str, Any]) -> TreatmentRow:
    plan = body.get("plan")
    plan = plan if isinstance(plan, dict) else {}
    zones = plan.get("zones")
    return TreatmentRow(
        id=str(entry.treatment),
        started=entry.utc,
        operator=entry.operator,
        patient=body.get("patient"),
        plan=plan.get("title"),
        bench=body.get("bench"),
        zones=len(zones) if isinstance(zones, list) else 0,
    )
