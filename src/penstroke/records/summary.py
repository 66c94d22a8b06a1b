"""A treatment as its entries tell it: all that a report or an export shows. Pure: entries in, values out.

Corrections are applied, and kept: each says the old value and the new one, and every part tells the number
of its entry, so that whoever shows a corrected value can show the old one beside it. What the entries do not
tell is None or empty; an unfinished treatment has a summary too.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstroke.records.corrections import corrected
from penstroke.records.entry import Entry
from penstroke.records.plain import count, mapping, number, sequence, text, texts
from penstroke.records.told import Change, Reading, Run, Screened, Step, Told, TreatmentSummary, ZoneSummary

Body = Mapping[str, Any]


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


# -- entry by entry ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Place:
    """Where in the treatment the entries have come to."""

    index: int | None = None
    held: dict[str, Any] = field(default_factory=dict)
    run: Run | None = None


_NOT_OF_THE_VISIT = frozenset({"correction", "follow-up", "report", "witnessed"})
"""Written about a visit, often long after it."""


def _offset_min(local: object) -> int | None:
    """Minutes ahead of UTC of a time that tells its distance."""
    try:
        offset = datetime.datetime.fromisoformat(str(local)).utcoffset()
    except ValueError:
        return None
    return None if offset is None else round(offset.total_seconds() / 60)


def _common(summary: TreatmentSummary, entry: Entry) -> None:
    if not summary.entries:
        summary.first, summary.begun_utc = entry.number, entry.utc
    summary.entries += 1
    summary.last, summary.head = entry.number, entry.digest
    # Who corrects, or takes down a side effect, did not treat.
    visit = entry.kind not in _NOT_OF_THE_VISIT
    if visit and entry.operator and entry.operator not in summary.operators:
        summary.operators.append(entry.operator)
    offset_min = _offset_min(entry.body.get("local"))
    if offset_min is not None and (not summary.offsets or summary.offsets[-1][1] != offset_min):
        summary.offsets.append((entry.utc, offset_min))
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
            place.index, place.held = count(body.get("index")), {}
            if zone := _zone(summary, body):
                zone.answer = text(body.get("answer"))
                if zone.answer == "skip":
                    zone.state = "skipped"
        case "zone-done":
            _zone_done(summary, entry, body)
        case "endpoint":
            summary.endpoints.append(told)
            if zone := _zone_now(summary, place, body):
                zone.endpoints.append(body)
                zone.endpoint = text(body.get("endpoint")) or zone.endpoint
        case "held":
            place.held = body
        case "command":
            summary.commands.append(told)
            if body.get("command") == "run":
                place.run = _run(entry, body, place)
                summary.runs.append(place.run)
            elif place.run is not None:
                _change(place.run, entry, body)
        case "sample":
            if place.run is not None:
                place.run.readings.append(_reading(entry, body))
                place.run.elapsed_s = max(place.run.elapsed_s, number(body.get("elapsed_s")) or 0.0)
        case "run-ended":
            if place.run is not None:
                place.run.ended = text(body.get("ended"))
                place.run.elapsed_s = number(body.get("elapsed_s")) or 0.0
                if zone := _zone_of_run(summary, place.run):
                    zone.strokes = max(zone.strokes, count(body.get("zone_strokes")) or 0)
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
            if entry.kind == "resumed":  # what was closed is open again
                summary.ended_utc = summary.ended = summary.code = None
                if place.run is not None:
                    place.run.lost, place.run = True, None
        case "summary":
            finished = body.get("finished")
            summary.finished = finished if isinstance(finished, bool) else None
        case "closed":
            summary.ended_utc, summary.ended = entry.utc, text(body.get("ended"))
            summary.code = text(body.get("code"))
        case "follow-up":
            summary.follow_ups.append(told)
        case "report":
            summary.reports.append(told)


def _opened(summary: TreatmentSummary, body: Body) -> None:
    summary.patient = text(body.get("patient"))
    summary.bench = text(body.get("bench"))
    summary.penstroke = text(body.get("penstroke"))
    summary.plan = mapping(body.get("plan"))
    summary.plan_file = text(body.get("plan_file"))
    for index, zone in enumerate(map(mapping, sequence(summary.plan.get("zones"))), start=1):
        passes = zone.get("passes")
        summary.zones.append(
            ZoneSummary(
                index=index,
                zone=text(zone.get("zone")) or "",
                side=text(zone.get("side")),
                area_cm2=number(zone.get("area_cm2")),
                planned_passes=len(passes) if isinstance(passes, list) else count(passes),
            )
        )


def _step(entry: Entry, body: Body) -> Step:
    return Step(
        entry=entry.number,
        utc=entry.utc,
        started_utc=text(body.get("started_utc")),
        step=text(body.get("step")) or "",
        state=text(body.get("state")) or "",
        answers=mapping(body.get("answers")),
        reason=text(body.get("reason")) or "",
        by=text(body.get("by")) or "",
        warnings=texts(body.get("warnings")),
        operator=entry.operator,
        facts={key: value for key, value in body.items() if key not in _STEP_KEYS},
    )


_STEP_KEYS = frozenset(
    {"step", "state", "answers", "reason", "by", "warnings", "started_utc", "local", "port_s"}
)


def _screened(entry: Entry, body: Body) -> Screened:
    return Screened(
        entry=entry.number,
        blocked_by=texts(body.get("blocked_by")),
        excluded=tuple(
            (zone, text(place[1]))
            for place in map(sequence, sequence(body.get("excluded")))
            if len(place) == 2 and (zone := text(place[0]))
        ),
        factor=text(body.get("factor")) or "1",
        sign_offs=tuple(map(mapping, sequence(body.get("sign_offs")))),
        warnings=texts(body.get("warnings")),
    )


def _zone(summary: TreatmentSummary, body: Body) -> ZoneSummary | None:
    index = body.get("index")
    found = next((zone for zone in summary.zones if zone.index == index), None)
    if found is None and type(index) is int:
        found = ZoneSummary(index, text(body.get("zone")) or "", text(body.get("side")), None, None)
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
        zone.state = text(body.get("state")) or ""
        zone.planned_passes = count(body.get("passes")) or zone.planned_passes
        zone.passes_done = count(body.get("passes_done")) or 0
        zone.seconds = number(body.get("seconds")) or 0.0
        zone.strokes = count(body.get("strokes")) or 0
        zone.density_per_cm2 = number(body.get("density_per_cm2"))
        zone.endpoint = text(body.get("endpoint")) or zone.endpoint


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


def _change(run: Run, entry: Entry, body: Body) -> None:
    """A command while needles move: a depth that was set, or a ceiling that was lowered."""
    before = run.held()[-1]
    last = run.readings[-1] if run.readings else None
    at_s = max(before.at_s, last.elapsed_s if last is not None else 0.0)
    if last is not None and entry.port_s is not None and last.port_s is not None:
        # Readings are kept once a second; the clock of the port tells what lies between two of them.
        at_s = max(at_s, last.elapsed_s + entry.port_s - last.port_s)
    if body.get("command") == "set-depth" and (depth_mm := number(body.get("depth_mm"))) is not None:
        run.changes.append(Change(at_s, depth_mm, before.limit_mm))
    elif body.get("command") == "lower-ceiling" and (limit_mm := number(body.get("ceiling_mm"))) is not None:
        # The pen forgets a deeper setting: it holds what the ceiling leaves below its tolerance.
        most_mm = limit_mm - (number(run.limits.get("depth_tolerance_mm")) or 0.0)
        depth = before.depth_mm if before.depth_mm is None else round(min(before.depth_mm, most_mm), 3)
        run.changes.append(Change(at_s, depth, min(limit_mm, before.limit_mm or limit_mm)))


def _reading(entry: Entry, body: dict[str, Any]) -> Reading:
    depth, rate = number(body.get("depth_mm")) or 0.0, number(body.get("rate_hz")) or 0.0
    return Reading(
        entry=entry.number,
        utc=entry.utc,
        port_s=entry.port_s,
        device_ms=entry.device_ms,
        elapsed_s=number(body.get("elapsed_s")) or 0.0,
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
        depths = [held.depth_mm for held in run.held() if held.depth_mm is not None]
        if depths:
            low, high = min(depths), max(depths)
            zone.depth_min_mm = low if zone.depth_min_mm is None else min(zone.depth_min_mm, low)
            zone.depth_max_mm = high if zone.depth_max_mm is None else max(zone.depth_max_mm, high)
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
