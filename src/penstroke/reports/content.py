"""What a report says, section by section. Every printer prints the same.

Nothing here knows HTML or Typst; no printer knows a treatment. Times are the record's labels on the clinic's
own clock, where the record tells its distance from UTC. A value that was corrected carries its old value with
it, wherever it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from penstroke.data import zone_table
from penstroke.records.corrections import Correction
from penstroke.records.plain import count, mapping, number, sequence
from penstroke.records.told import Step, TreatmentSummary, ZoneSummary
from penstroke.reports.drawing import ZoneMark, map_words, zone_map
from penstroke.reports.faces import PICTURES, picture
from penstroke.reports.incidents import incidents
from penstroke.reports.parts import NONE, Block, Cell, Facts, Figure, Listing, Notice, Report, Section, Table
from penstroke.reports.plain import (
    clock,
    key_words,
    minutes,
    plain,
    span,
    strength,
    time_of,
    utc_distance,
    zone_and_side,
)
from penstroke.reports.plot import depth_rate_plot, plot_words
from penstroke.reports.words import Words, words, zone_words


def report_of(
    summary: TreatmentSummary,
    *,
    lang: str = "en",
    head: tuple[int, str] | None = None,
    font: str = "sans-serif",
) -> Report:
    """The report of a treatment. `head` is the number and digest of the store's last entry; without it the
    foot shows those of the treatment's own last entry. Raises `ValueError` for an unknown language."""
    return _Teller(summary, words(lang), lang, font).report(head or (summary.last, summary.head))


@dataclass(slots=True)
class _Teller:
    """One report being told."""

    summary: TreatmentSummary
    say: Words
    lang: str
    font: str
    _fixes: dict[int, list[Correction]] = field(init=False)

    def __post_init__(self) -> None:
        self._fixes = {}
        for one in self.summary.corrections:
            self._fixes.setdefault(one.of, []).append(one)

    def report(self, head: tuple[int, str]) -> Report:
        s, say = self.summary, self.say
        mark = say("PARTLY SIMULATED") if s.partly_simulated else say("SIMULATED") if s.simulated else ""
        mark_text = ""
        if s.partly_simulated:
            mark_text = say("Part of this was done on a simulated pen.")
        elif s.simulated:
            mark_text = say("Done on a simulated pen: nobody was treated.")
        sections = [
            Section(say("Treatment"), self._who()),
            Section(say("Faults, overrides and incidents"), self._plain_sight()),
            Section(say("Map and zones"), self._map()),
            Section(say("Screening"), self._screening()),
            Section(say("Steps"), self._steps()),
            Section(say("Depth and rate"), self._plot()),
            Section(say("Numbing and solutions"), self._substances()),
            Section(say("Aftercare"), self._aftercare()),
            Section(say("Follow-up"), self._follow_up()),
            Section(say("Corrections"), self._corrections()),
        ]
        return Report(
            lang=self.lang,
            title=say("Microneedling bench run") if s.bench else say("Microneedling treatment report"),
            subtitle=f"{say('Treatment')} {s.treatment or NONE} · {say('patient')} {self._plain(s.patient)}",
            mark=mark,
            mark_text=mark_text,
            begun_utc=s.begun_utc or "",
            sections=tuple(section for section in sections if section.blocks),
            foot=(
                f"{say('Chain head')} {head[0]}:{head[1]}",
                f"{say('Made from entries')} {s.first}–{s.last} ({s.entries}) {say('of the record')} · "
                f"penstroke {s.penstroke or NONE} · {self._zone()}",
                say("Densities are estimates: strokes in the air count too. Depth is needle protrusion."),
                *((say("This translation is to be reviewed."),) if self.lang != "en" else ()),
            ),
            head=head[1],
        )

    # -- sections --------------------------------------------------------------------------------------

    def _who(self) -> tuple[Block, ...]:
        s, say = self.summary, self.say
        identity, cartridge = s.device.get("identity") or {}, s.device.get("cartridge") or {}
        pen = " · ".join(
            str(part)
            for part in (
                identity.get("model"),
                identity.get("serial") and f"{say('serial')} {identity['serial']}",
                identity.get("firmware") and f"{say('firmware')} {identity['firmware']}",
            )
            if part
        )
        known = [one.body for one in s.cartridges] or ([cartridge] if cartridge else [])
        fitted = "; ".join(self._cartridge(body) for body in known)
        rows: list[tuple[str, Cell]] = [
            (say("Patient"), self._told_in("opened", "patient", s.patient)),
            (say("Begun"), Cell(self._time(s.begun_utc))),
            (
                say("Ended"),
                Cell(f"{self._time(s.ended_utc)} ({self._outcome()})" if s.ended else say("not closed")),
            ),
            (say("Operator"), Cell(", ".join(s.operators) or NONE)),
            (say("Plan"), Cell(self._plain(s.plan.get("title")))),
            (say("Pen"), Cell(pen or NONE)),
            (say("Cartridge"), Cell(fitted or NONE)),
            (say("Clinic's profile"), Cell(self._plain(s.device.get("clinic")))),
        ]
        if s.bench:
            rows.insert(0, (say("Bench run"), Cell(s.bench)))
        return (Facts(tuple(rows)),)

    def _outcome(self) -> str:
        ended = self.say(self.summary.ended or "")
        return f"{ended}: {self.summary.code}" if self.summary.code else ended

    def _cartridge(self, body: dict[str, Any]) -> str:
        say = self.say
        parts = [
            f"{say('lot')} {self._plain(body.get('lot'))}",
            f"{say('expires')} {self._plain(body.get('expiry'))}",
        ]
        if needles := count(body.get("needle_count")):
            parts.append(f"{needles} {say('needles')}")
        if length_um := number(body.get("needle_length_um")):
            parts.append(f"{length_um / 1000:g} mm")
        return ", ".join(parts)

    def _plain_sight(self) -> tuple[Block, ...]:
        """Faults, overrides, refusals, interruptions: all that was not as planned, in its order."""
        s, say = self.summary, self.say
        lines = incidents(s, say, self._time, self._cartridge)
        if s.ended is None and s.zones and not s.bench:
            lines.append(say("The record of this treatment was not closed."))
        if not lines:
            return (Listing((Cell(say("No faults, no overrides, no refusals.")),)),)
        return (Notice(tuple(lines)),)

    def _map(self) -> tuple[Block, ...]:
        s, say = self.summary, self.say
        marks = self._marks()
        blocks: list[Block] = []
        for name in PICTURES:
            drawn = picture(name)
            if any(drawn.shape(mark.zone, mark.side) for mark in marks):
                svg = zone_map(drawn, marks, say=say, font=self.font, simulated=bool(s.simulated))
                share = 0.84 if name == "face" else 0.78
                blocks.append(Figure(name, svg, map_words(drawn, marks, say), share))
        if s.zones:
            blocks.append(
                Table(
                    say("Zones"),
                    (
                        "",
                        say("zone"),
                        say("state"),
                        say("passes"),
                        say("depth mm"),
                        say("rate Hz"),
                        say("time"),
                        say("strokes"),
                        say("per cm² (est.)"),
                        say("endpoint"),
                    ),
                    tuple(self._zone_row(zone) for zone in s.zones),
                    right=frozenset({3, 4, 5, 6, 7, 8}),
                    widths=(3, 16, 11, 8, 11, 8, 8, 10, 10, 15),
                )
            )
        return tuple(blocks)

    def _zone_row(self, zone: ZoneSummary) -> tuple[Cell, ...]:
        say = self.say

        def cell(key: str, text: str) -> Cell:
            return self._cell(zone.entry, key, text)

        return (
            Cell(str(zone.index)),
            Cell(zone_words(zone.zone, zone.side, say)),
            cell("state", say(zone.state)),
            cell("passes_done", f"{zone.passes_done}/{self._plain(zone.planned_passes)}"),
            Cell(span(zone.depth_min_mm, zone.depth_max_mm, 2)),
            Cell(span(zone.rate_min_hz, zone.rate_max_hz, 0)),
            cell("seconds", minutes(zone.seconds) if zone.seconds else NONE),
            cell("strokes", str(zone.strokes) if zone.strokes else NONE),
            cell("density_per_cm2", NONE if zone.density_per_cm2 is None else f"{zone.density_per_cm2:.0f}"),
            cell("endpoint", say(zone.endpoint) if zone.endpoint else NONE),
        )

    def _marks(self) -> list[ZoneMark]:
        """One mark for each zone and side: treated, excluded or both."""
        screening = self.summary.screening
        marks: dict[tuple[str, str | None], ZoneMark] = {}
        sided = {zone.name for zone in zone_table() if zone.sided}
        for name, side in screening.excluded if screening else ():
            for one in ("left", "right") if side is None and name in sided else (side,):
                marks[name, one] = ZoneMark(name, one, excluded=True)
        by_place: dict[tuple[str, str | None], list[ZoneSummary]] = {}
        for zone in self.summary.zones:
            if zone.depth_max_mm is not None:
                by_place.setdefault((zone.zone, zone.side), []).append(zone)
        for place, found in by_place.items():
            densities = [zone.density_per_cm2 for zone in found if zone.density_per_cm2 is not None]
            marks[place] = ZoneMark(
                *place,
                depth_min_mm=min(zone.depth_min_mm or 0.0 for zone in found),
                depth_max_mm=max(zone.depth_max_mm or 0.0 for zone in found),
                density_per_cm2=sum(densities) if densities else None,
                excluded=place in marks,
                finished=all(zone.state == "done" for zone in found),
            )
        return list(marks.values())

    def _screening(self) -> tuple[Block, ...]:
        s, say = self.summary, self.say
        found = s.screening
        blocks: list[Block] = []
        if found is not None:
            excluded = ", ".join(zone_words(zone, side, say) for zone, side in found.excluded)
            rows = [
                (
                    say("Blocked by"),
                    self._cell(found.entry, "blocked_by", ", ".join(found.blocked_by) or say("nothing")),
                ),
                (say("Zones excluded"), self._cell(found.entry, "excluded", excluded or say("none"))),
                (say("Ceiling factor"), self._cell(found.entry, "factor", found.factor)),
            ]
            rows += [
                (
                    say("Signed off"),
                    Cell(
                        f"{self._plain(one.get('condition'))}: {self._plain(one.get('by'))}, "
                        f"{self._plain(one.get('reason'))}"
                    ),
                )
                for one in found.sign_offs
            ]
            rows += [(say("Warning"), Cell(text)) for text in found.warnings]
            blocks.append(Facts(tuple(rows)))
        return tuple(blocks)

    def _steps(self) -> tuple[Block, ...]:
        say = self.say
        rows = tuple(
            (
                Cell(say(step.step)),
                Cell(say(step.state)),
                Cell(self._clock(step.started_utc) if step.started_utc else NONE),
                Cell(self._clock(step.utc)),
                self._answers(step),
            )
            for step in self.summary.steps
        )
        if not rows:
            return ()
        headers = (say("step"), say("state"), say("begun"), say("noted"), say("what was noted"))
        return (Table(say("Steps and times"), headers, rows, widths=(14, 9, 8, 8, 61)),)

    def _answers(self, step: Step) -> Cell:
        """All that a step tells in one cell; what was corrected is named with old and new in `note`."""
        say = self.say
        told = {**step.answers, **_kept(step.facts)}
        parts = [
            f"{self._key(key)}: {self._plain(value)}"
            for key, value in told.items()
            if not _long(value) and value is not False and value not in (None, [])
        ]
        parts += [
            f"{self._key(key)}: {len(value)} {say('below')}" for key, value in told.items() if _long(value)
        ]
        for word, same in (("no", False), ("none", [])):
            keys = ", ".join(
                self._key(key) for key, value in told.items() if value is same or value == same == []
            )
            if keys:
                parts.append(f"{say(word)}: {keys}")
        if step.reason or step.by:
            parts.append(f"{say('by')} {step.by or NONE}: {step.reason or NONE}")
        parts += [f"{say('Warning')}: {text}" for text in step.warnings]
        return Cell("; ".join(parts) or NONE, note=self._notes(step.entry, "answers"))

    def _plot(self) -> tuple[Block, ...]:
        s = self.summary
        svg = depth_rate_plot(s.runs, say=self.say, font=self.font, simulated=bool(s.simulated))
        return () if svg is None else (Figure("plot", svg, plot_words(s.runs, self.say)),)

    def _substances(self) -> tuple[Block, ...]:
        s, say = self.summary, self.say
        blocks: list[Block] = []
        numbing = s.answers("numbing")
        applied = next((one for one in s.steps if one.step == "numbing" and "product" in one.answers), None)
        removed = s.step("numbing")
        if numbing.get("product") and applied is not None and removed is not None:
            entry = applied.entry
            off = self._clock(removed.utc) if removed is not applied and removed.state == "done" else NONE
            rows = [
                (say("Numbing"), self._answer(entry, "product", numbing)),
                (say("Strength"), Cell(strength(numbing) or NONE)),
                (say("Amount"), self._answer(entry, "grams", numbing, " g")),
                (say("Area"), self._answer(entry, "area_cm2", numbing, " cm²")),
                (say("On, off"), Cell(f"{self._clock(applied.started_utc or applied.utc)}, {off}")),
            ]
            blocks.append(Facts(tuple(rows)))
        step = s.step("mesotherapy")
        solutions = [mapping(one) for one in sequence(s.answers("mesotherapy").get("solutions"))]
        if step is not None and solutions:
            headers = ("solution", "ingredients", "lot", "expires", "sterile", "mL", "zones")
            blocks.append(
                Table(
                    say("Solutions applied to the skin after needling"),
                    tuple(say(text) for text in headers),
                    tuple(self._solution(step.entry, place, one) for place, one in enumerate(solutions)),
                    right=frozenset({5}),
                    widths=(18, 26, 10, 11, 7, 6, 22),
                )
            )
        return tuple(blocks)

    def _solution(self, entry: int, place: int, one: dict[str, Any]) -> tuple[Cell, ...]:
        def cell(key: str, text: str | None = None) -> Cell:
            shown = self._plain(one.get(key)) if text is None else text
            return self._cell(entry, f"answers.solutions.{place}.{key}", shown)

        zones = "; ".join(zone_words(*zone_and_side(label), self.say) for label in sequence(one.get("zones")))
        named = one.get("ingredients_text") or one.get("ingredients")
        return (
            cell("product"),
            cell("ingredients_text", self._plain(named)),
            cell("lot"),
            cell("expiry"),
            cell("sterile"),
            cell("volume_ml"),
            cell("zones", zones or NONE),
        )

    def _aftercare(self) -> tuple[Block, ...]:
        step = self.summary.step("aftercare")
        if step is None:
            return ()
        told = sequence(step.answers.get("directions")) or sequence(step.facts.get("directions"))
        items = [Cell(self._plain(one)) for one in told]
        note = self._notes(step.entry, "answers.directions")
        return (Listing((*items, *((Cell(note),) if note else ()))),) if items else ()

    def _follow_up(self) -> tuple[Block, ...]:
        s, say = self.summary, self.say
        headers = ("effect", "grade", "onset", "resolved", "action", "note", "by")
        rows = tuple(
            (
                self._cell(one.entry, "effect", say(str(one.body.get("effect")))),
                self._cell(one.entry, "grade", say(str(one.body.get("grade")))),
                self._cell(one.entry, "onset", self._plain(one.body.get("onset"))),
                self._cell(one.entry, "resolved", self._plain(one.body.get("resolved"))),
                self._cell(one.entry, "action", self._plain(one.body.get("action"))),
                self._cell(one.entry, "note", self._plain(one.body.get("note"))),
                self._cell(one.entry, "by", self._plain(one.body.get("by"))),
            )
            for one in s.follow_ups
        )
        if not rows:
            return ()
        return (
            Table(
                say("Side effects"),
                tuple(say(text) for text in headers),
                rows,
                widths=(13, 10, 12, 12, 23, 15, 15),
            ),
        )

    def _corrections(self) -> tuple[Block, ...]:
        say = self.say
        rows = tuple(
            (
                Cell(self._time(one.utc)),
                Cell(f"{say(self._kind_of(one))} ({say('entry')} {one.of})"),
                Cell(self._key(one.key.removeprefix("answers."))),
                Cell(self._plain(one.old)),
                Cell(self._plain(one.new)),
                Cell(one.by),
                Cell(one.reason),
            )
            for one in self.summary.corrections
        )
        if not rows:
            return ()
        headers = ("when", "in", "value", "old", "new", "by", "reason")
        return (
            Table(
                say("Corrections"),
                tuple(say(text) for text in headers),
                rows,
                widths=(16, 16, 14, 12, 12, 14, 16),
            ),
        )

    def _kind_of(self, one: Correction) -> str:
        """What a corrected entry is, in a word: of a step its name."""
        step = next((step.step for step in self.summary.steps if step.entry == one.of), None)
        return step or one.of_kind

    # -- cells -----------------------------------------------------------------------------------------

    def _told_in(self, kind: str, key: str, value: object) -> Cell:
        """A value of an entry of which there is one."""
        of = next(
            (one.of for one in self.summary.corrections if one.of_kind == kind and one.key == key), None
        )
        return self._cell(of, key, self._plain(value))

    def _answer(self, entry: int, key: str, answers: dict[str, Any], unit: str = "") -> Cell:
        value = answers.get(key)
        return self._cell(entry, f"answers.{key}", NONE if value is None else self._plain(value) + unit)

    def _cell(self, entry: int | None, key: str, text: str) -> Cell:
        """The text, with what stood there first where it was corrected."""
        fixes = [one for one in self._fixes.get(entry or 0, []) if one.key == key and one.applied]
        if not fixes:
            return Cell(text)
        return Cell(text, old=self._plain(fixes[0].old), note=self._by(fixes[-1]))

    def _notes(self, entry: int, prefix: str) -> str:
        fixes = [one for one in self._fixes.get(entry, []) if f"{one.key}.".startswith(f"{prefix}.")]
        return "; ".join(
            f"{self._key(one.key.removeprefix('answers.'))} {self.say('was')} {self._plain(one.old)}, "
            f"{self._by(one)}"
            for one in fixes
        )

    def _by(self, one: Correction) -> str:
        return f"{self.say('corrected by')} {one.by}: {one.reason}"

    def _time(self, utc: str | None) -> str:
        """A label on the clinic's clock: where that was set otherwise on the way, with its distance."""
        if utc is None:
            return NONE
        return time_of(utc, self._offset(utc)) + self._distance(utc)

    def _clock(self, utc: str) -> str:
        return clock(utc, self._offset(utc)) + self._distance(utc)

    def _offset(self, utc: str) -> int:
        """Minutes that the clinic's clock was ahead of UTC then: as it was last told, or told first."""
        offsets = self.summary.offsets
        before = [minutes for since, minutes in offsets if since <= utc]
        return before[-1] if before else offsets[0][1] if offsets else 0

    def _distance(self, utc: str) -> str:
        several = len({minutes for _, minutes in self.summary.offsets}) > 1
        return f" {utc_distance(self._offset(utc))}" if several else ""

    def _zone(self) -> str:
        """Which clock the times are of."""
        found = {minutes for _, minutes in self.summary.offsets}
        if len(found) > 1:
            return self.say("all times are the clinic's, with their distance from UTC")
        if found:
            return self.say("all times are the clinic's") + f": UTC{utc_distance(found.pop())}"
        return self.say("all times are UTC")

    def _key(self, key: str) -> str:
        return key_words(key, self.say)

    def _plain(self, value: object) -> str:
        return plain(value, self.say)


def _kept(facts: dict[str, Any]) -> dict[str, Any]:
    """What was measured, without what the report tells elsewhere."""
    measured = facts.get("measured")
    if not isinstance(measured, dict):
        return facts
    return {**facts, "measured": {k: v for k, v in measured.items() if k not in ("cartridge", "treatment")}}


def _long(value: object) -> bool:
    """What has a table or a list of its own."""
    return isinstance(value, list) and any(isinstance(item, dict) or len(str(item)) > 40 for item in value)
