"""A treatment as its entries tell it: all that a report or an export shows. Pure: entries in, values out.

Corrections are applied, and kept: each says the old value and the new one, and every part tells the number
of its entry, so that whoever shows a corrected value can show the old one beside it. What the entries do not
tell is None or empty; an unfinished treatment has a summary too.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstroke.records.entry import Entry

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Correction:
    """A value that was corrected after it was written."""

    entry: int
    """The number of the correction itself."""
    of: int
    """The number of the entry it corrects."""
    of_kind: str
    key: str
    """Where in that entry's body: keys and places joined by dots."""
    old: Any
    new: Any
    by: str
    reason: str
    utc: str
    applied: bool
    """False where there is no such place: then it is only told."""


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


@dataclass(slots=True)
class Run:
    """Needles moving, from start to release. Depth and rate are those the pen held."""

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


def summary_of(entries: Iterable[Entry]) -> TreatmentSummary:
    """The treatment that these entries tell of: those of one treatment, in the order of the chain."""
    ordered = list(entries)
    bodies, corrections = corrected(ordered)
    summary = TreatmentSummary(
        treatment=next((entry.treatment for entry in ordered if entry.treatment), None),
        corrections=corrections,
    )
    place = _Place()
    for entry in ordered:
        _common(summary, entry)
        _take(summary, place, entry, bodies[entry.number])
    _close(summary)
    return summary


# -- corrections ---------------------------------------------------------------------------------------


def corrected(entries: list[Entry]) -> tuple[dict[int, dict[str, Any]], list[Correction]]:
    """The bodies as corrected, by the number of the entry; and the corrections."""
    bodies: dict[int, dict[str, Any]] = {entry.number: entry.body for entry in entries}
    kinds = {entry.number: entry.kind for entry in entries}
    own: set[int] = set()
    found = []
    for entry in entries:
        if entry.kind != "correction":
            continue
        body = entry.body
        of, key = body.get("of"), str(body.get("key", ""))
        number = of if type(of) is int else 0
        applied = False
        if number in bodies and number != entry.number:
            if number not in own:  # the entry itself stays as it was written
                bodies[number] = copy.deepcopy(bodies[number])
                own.add(number)
            applied = _put(bodies[number], key.split("."), body.get("new"))
        found.append(
            Correction(
                entry=entry.number,
                of=number,
                of_kind=kinds.get(number, ""),
                key=key,
                old=body.get("old"),
                new=body.get("new"),
                by=str(body.get("by") or ""),
                reason=str(body.get("reason") or ""),
                utc=entry.utc,
                applied=applied,
            )
        )
    return bodies, found


def _put(body: Any, path: list[str], new: Any) -> bool:
    """Set the value at this path; False where the path leads nowhere."""
    *way, last = path
    for key in way:
        body = _at(body, key)
    if isinstance(body, dict) and last:
        body[last] = new
        return True
    if isinstance(body, list) and last.isascii() and last.isdigit() and int(last) < len(body):
        body[int(last)] = new
        return True
    return False


def _at(body: Any, key: str) -> Any:
    if isinstance(body, dict):
        return body.get(key)
    if isinstance(body, list) and key.isascii() and key.isdigit() and int(key) < len(body):
        return body[int(key)]
    return None


# -- entry by entry ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Place:
    """Where in the treatment the entries have come to."""

    index: int | None = None
    held: dict[str, Any] = field(default_factory=dict)
    run: Run | None = None


def _common(summary: TreatmentSummary, entry: Entry) -> None:
    if not summary.entries:
        summary.first, summary.begun_utc = entry.number, entry.utc
    summary.entries += 1
    summary.last, summary.head = entry.number, entry.digest
    if entry.operator and entry.operator not in summary.operators:
        summary.operators.append(entry.operator)
    if entry.simulated is not None:
        if summary.simulated is not None and entry.simulated != summary.simulated:
            summary.partly_simulated = True
        summary.simulated = bool(summary.simulated) or entry.simulated


def _take(summary: TreatmentSummary, place: _Place, entry: Entry, body: dict[str, Any]) -> None:
    told = Told(entry.number, entry.utc, entry.kind, entry.operator, entry.port_s, body)
    match entry.kind:
        case "opened":
            _opened(summary, body)
        case "pen":
            summary.device = body
            summary.pens.append(told)
        case "step":
            summary.steps.append(_step(entry, body))
        case "screened":
            summary.screening = _screened(entry, body)
        case "check":
            summary.checks.append(told)
        case "zone":
            place.index, place.held = body.get("index"), {}
            if zone := _zone(summary, body):
                zone.answer = body.get("answer")
                if zone.answer == "skip":
                    zone.state = "skipped"
        case "zone-done":
            _zone_done(summary, entry, body)
        case "endpoint":
            if zone := _zone_now(summary, place, body):
                zone.endpoints.append(body)
                zone.endpoint = body.get("endpoint") or zone.endpoint
        case "held":
            place.held = body
        case "command":
            summary.commands.append(told)
            if body.get("command") == "run":
                place.run = _run(entry, body, place)
                summary.runs.append(place.run)
        case "sample":
            if place.run is not None:
                place.run.readings.append(_reading(entry, body))
                place.run.elapsed_s = max(place.run.elapsed_s, float(body.get("elapsed_s") or 0.0))
        case "run-ended":
            if place.run is not None:
                place.run.ended = body.get("ended")
                place.run.elapsed_s = float(body.get("elapsed_s") or 0.0)
                if zone := _zone_of_run(summary, place.run):
                    zone.strokes = max(zone.strokes, int(body.get("zone_strokes") or 0))
                place.run = None
        case "cartridge":
            summary.cartridges.append(told)
        case "override":
            summary.overrides.append(told)
        case "refused":
            summary.refusals.append(told)
        case "fault" | "error":
            summary.faults.append(told)
        case "event" | "rest" | "interrupted" | "resumed":
            summary.events.append(told)
        case "summary":
            summary.finished = body.get("finished")
        case "closed":
            summary.ended_utc, summary.ended, summary.code = entry.utc, body.get("ended"), body.get("code")
        case "follow-up":
            summary.follow_ups.append(told)
        case "report":
            summary.reports.append(told)


def _opened(summary: TreatmentSummary, body: Body) -> None:
    summary.patient = body.get("patient")
    summary.bench = body.get("bench")
    summary.penstroke = body.get("penstroke")
    summary.plan = body.get("plan") or {}
    summary.plan_file = body.get("plan_file")
    for index, zone in enumerate(summary.plan.get("zones") or [], start=1):
        passes = zone.get("passes")
        summary.zones.append(
            ZoneSummary(
                index=index,
                zone=str(zone.get("zone")),
                side=zone.get("side"),
                area_cm2=zone.get("area_cm2"),
                planned_passes=len(passes) if isinstance(passes, list) else passes,
            )
        )


def _step(entry: Entry, body: Body) -> Step:
    return Step(
        entry=entry.number,
        utc=entry.utc,
        started_utc=body.get("started_utc"),
        step=str(body.get("step")),
        state=str(body.get("state")),
        answers=dict(body.get("answers") or {}),
        reason=str(body.get("reason") or ""),
        by=str(body.get("by") or ""),
        warnings=tuple(body.get("warnings") or ()),
        operator=entry.operator,
        facts={key: value for key, value in body.items() if key not in _STEP_KEYS},
    )


_STEP_KEYS = frozenset(
    {"step", "state", "answers", "reason", "by", "warnings", "started_utc", "local", "port_s"}
)


def _screened(entry: Entry, body: Body) -> Screened:
    return Screened(
        entry=entry.number,
        blocked_by=tuple(body.get("blocked_by") or ()),
        excluded=tuple((zone, side) for zone, side in body.get("excluded") or ()),
        factor=str(body.get("factor") or "1"),
        sign_offs=tuple(body.get("sign_offs") or ()),
        warnings=tuple(body.get("warnings") or ()),
    )


def _zone(summary: TreatmentSummary, body: Body) -> ZoneSummary | None:
    index = body.get("index")
    found = next((zone for zone in summary.zones if zone.index == index), None)
    if found is None and type(index) is int:
        found = ZoneSummary(index, str(body.get("zone")), body.get("side"), None, None)
        summary.zones.append(found)
    return found


def _zone_now(summary: TreatmentSummary, place: _Place, body: Body) -> ZoneSummary | None:
    asked = body.get("zone"), body.get("side")
    here = [zone for zone in summary.zones if (zone.zone, zone.side) == asked]
    return next((zone for zone in here if zone.index == place.index), here[0] if here else None)


def _zone_of_run(summary: TreatmentSummary, run: Run) -> ZoneSummary | None:
    return next((zone for zone in summary.zones if run.index is not None and zone.index == run.index), None)


def _zone_done(summary: TreatmentSummary, entry: Entry, body: Body) -> None:
    if zone := _zone(summary, body):
        zone.entry = entry.number
        zone.state = str(body.get("state"))
        zone.planned_passes = body.get("passes", zone.planned_passes)
        zone.passes_done = int(body.get("passes_done") or 0)
        zone.seconds = float(body.get("seconds") or 0.0)
        zone.strokes = int(body.get("strokes") or 0)
        zone.density_per_cm2 = body.get("density_per_cm2")
        zone.endpoint = body.get("endpoint") or zone.endpoint


def _run(entry: Entry, body: Body, place: _Place) -> Run:
    held = place.held
    return Run(
        entry=entry.number,
        utc=entry.utc,
        # Only a pass of the plan has a number; a run in the air before use is of no zone's treatment.
        index=place.index if body.get("number") is not None else None,
        zone=held.get("zone", body.get("zone")),
        side=held.get("side", body.get("side")),
        number=body.get("number"),
        depth_mm=body.get("depth_mm", held.get("depth_mm")),
        rate_hz=body.get("rate_hz", held.get("rate_hz")),
        for_s=body.get("for_s"),
        limits=held.get("limits") or {},
    )


def _reading(entry: Entry, body: dict[str, Any]) -> Reading:
    depth, rate = float(body.get("depth_mm") or 0.0), float(body.get("rate_hz") or 0.0)
    return Reading(
        entry=entry.number,
        utc=entry.utc,
        port_s=entry.port_s,
        device_ms=entry.device_ms,
        elapsed_s=float(body.get("elapsed_s") or 0.0),
        depth_mm=depth,
        rate_hz=rate,
        depth_min_mm=float(body.get("depth_min_mm", depth)),
        depth_max_mm=float(body.get("depth_max_mm", depth)),
        rate_min_hz=float(body.get("rate_min_hz", rate)),
        rate_max_hz=float(body.get("rate_max_hz", rate)),
        body=body,
    )


def _close(summary: TreatmentSummary) -> None:
    """What only all entries together tell: depths and rates of each zone, and zones that were cut off."""
    for run in summary.runs:
        zone = _zone_of_run(summary, run)
        if zone is None:
            continue
        if run.depth_mm is not None:
            zone.depth_min_mm = (
                run.depth_mm if zone.depth_min_mm is None else min(zone.depth_min_mm, run.depth_mm)
            )
            zone.depth_max_mm = (
                run.depth_mm if zone.depth_max_mm is None else max(zone.depth_max_mm, run.depth_mm)
            )
        if run.rate_hz is not None:
            zone.rate_min_hz = run.rate_hz if zone.rate_min_hz is None else min(zone.rate_min_hz, run.rate_hz)
            zone.rate_max_hz = run.rate_hz if zone.rate_max_hz is None else max(zone.rate_max_hz, run.rate_hz)
        if zone.entry is None:
            zone.state = "begun"
            zone.seconds += run.elapsed_s
            zone.passes_done += run.ended == "duration"
            last = run.readings[-1].body.get("strokes") if run.readings else None
            if run.ended is None and type(last) is int:
                zone.strokes += last
