"""A treatment for other programs: JSON with everything, and CSV with readings and acts.

JSON is the record itself: every entry as it stands in the chain, its digest included, in canonical form, so
that whoever has the file can check these entries without this program (docs/reports.md says how).

CSV has a line for each entry. Its columns never change their place, name or unit within a version.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from penstroke.records.entry import Entry, canonical

JSON_FORMAT: Final = "penstroke-treatment"
JSON_VERSION: Final = 1


def json_export(entries: Sequence[Entry]) -> bytes:
    """All of these entries as one canonical JSON object, and a line end."""
    treatment = next((entry.treatment for entry in entries if entry.treatment), None)
    return (
        canonical(
            {
                "format": JSON_FORMAT,
                "version": JSON_VERSION,
                "treatment": treatment,
                "simulated": any(entry.simulated for entry in entries),
                "entries": [entry.to_json() for entry in entries],
            }
        )
        + b"\n"
    )


@dataclass(slots=True)
class _Place:
    """What holds from one entry to the next."""

    zone: str | None = None
    side: str | None = None
    number: int | None = None
    set_depth_mm: float | None = None
    set_rate_hz: float | None = None
    limit_mm: float | None = None
    tolerance_mm: float = 0.0

    def follow(self, entry: Entry) -> None:
        """Take up what this entry says of the place."""
        body: dict[str, Any] = entry.body
        match entry.kind:
            case "zone":
                self.zone, self.side, self.number = body.get("zone"), body.get("side"), None
                self.set_depth_mm = self.set_rate_hz = self.limit_mm = None
            case "held":
                limits = body.get("limits") or {}
                self.zone, self.side = body.get("zone"), body.get("side")
                self.set_depth_mm, self.set_rate_hz = body.get("depth_mm"), body.get("rate_hz")
                self.limit_mm = limits.get("depth_mm")
                self.tolerance_mm = limits.get("depth_tolerance_mm") or 0.0
            case "command" if body.get("command") == "run":
                self.number = body.get("number")
                self.set_depth_mm = body.get("depth_mm", self.set_depth_mm)
                self.set_rate_hz = body.get("rate_hz", self.set_rate_hz)
            case "command" if body.get("command") == "set-depth":
                self.set_depth_mm = body.get("depth_mm")
            case "command" if body.get("command") == "set-rate":
                self.set_rate_hz = body.get("rate_hz")
            case "command" if body.get("command") == "lower-ceiling":
                self._lower(body.get("ceiling_mm"))

    def _lower(self, ceiling_mm: object) -> None:
        """A lower ceiling in the zone; the pen forgets a deeper setting."""
        if isinstance(ceiling_mm, int | float):
            self.limit_mm = ceiling_mm if self.limit_mm is None else min(self.limit_mm, ceiling_mm)
            if self.set_depth_mm is not None:
                self.set_depth_mm = round(min(self.set_depth_mm, ceiling_mm - self.tolerance_mm), 3)


Value = Callable[[Entry, _Place], object]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the CSV."""

    name: str
    unit: str
    meaning: str
    value: Value


def _of_body(key: str) -> Value:
    return lambda entry, _: entry.body.get(key) if entry.kind == "sample" else None


def _what(entry: Entry, _: _Place) -> object:
    """The one word that says most about an act."""
    body = entry.body
    for key in ("command", "step", "answer", "endpoint", "ended", "what", "code", "event", "effect", "key"):
        if isinstance(body.get(key), str):
            return body[key]
    faults = body.get("faults")
    return " ".join(map(str, faults)) if isinstance(faults, list) else None


def _details(entry: Entry, _: _Place) -> object:
    return None if entry.kind == "sample" else canonical(entry.body).decode("utf-8", "replace")


COLUMNS: Final = (
    Column("entry", "", "number of the entry in the record", lambda e, _: e.number),
    Column("utc", "", "label of the clock on the wall", lambda e, _: e.utc),
    Column("port_s", "s", "since the pen was bound, on the clock of its port", lambda e, _: e.port_s),
    Column("device_ms", "ms", "the pen's own clock", lambda e, _: e.device_ms),
    Column("simulated", "", "1 on a simulated pen, 0 on a real one", lambda e, _: e.simulated),
    Column("serial", "", "serial number of the pen", lambda e, _: e.device_serial),
    Column("operator", "", "who was at work", lambda e, _: e.operator),
    Column("kind", "", "kind of the entry; `sample` is a reading while needles move", lambda e, _: e.kind),
    Column("what", "", "of an act: the command, step, answer or code", _what),
    Column("zone", "", "zone in work", lambda _, p: p.zone),
    Column("side", "", "the patient's `left` or `right`", lambda _, p: p.side),
    Column("pass", "", "number of the pass in the zone", lambda _, p: p.number),
    Column("set_depth_mm", "mm", "depth that the pen held", lambda _, p: p.set_depth_mm),
    Column("set_rate_hz", "Hz", "rate that the pen held", lambda _, p: p.set_rate_hz),
    Column("limit_mm", "mm", "limit on depth, the pen's tolerance included", lambda _, p: p.limit_mm),
    Column("elapsed_s", "s", "since the run began", _of_body("elapsed_s")),
    Column("depth_mm", "mm", "measured depth", _of_body("depth_mm")),
    Column("depth_min_mm", "mm", "least since the reading before", _of_body("depth_min_mm")),
    Column("depth_max_mm", "mm", "greatest since the reading before", _of_body("depth_max_mm")),
    Column("rate_hz", "Hz", "measured rate", _of_body("rate_hz")),
    Column("rate_min_hz", "Hz", "least since the reading before", _of_body("rate_min_hz")),
    Column("rate_max_hz", "Hz", "greatest since the reading before", _of_body("rate_max_hz")),
    Column("strokes", "1", "in this run so far", _of_body("strokes")),
    Column("current_ma", "mA", "current of the motor", _of_body("current_ma")),
    Column("current_max_ma", "mA", "greatest since the reading before", _of_body("current_max_ma")),
    Column("temperature_c", "°C", "temperature of the handpiece", _of_body("temperature_c")),
    Column("battery_pct", "%", "charge of the battery", _of_body("battery_pct")),
    Column("needles_out", "", "1 while needles are out", _of_body("needles_out")),
    Column("motor_on", "", "1 while the motor runs", _of_body("motor_on")),
    Column("missed", "1", "frames of telemetry lost since the reading before", _of_body("missed")),
    Column("details", "", "of an act: all that the entry says, as JSON", _details),
)
"""The columns in their order, with their units."""


def csv_export(entries: Iterable[Entry]) -> str:
    """A line of names, and a line for each entry. Empty where there is nothing; lines end with CR LF.

    A text that a spreadsheet would run as a formula gets an apostrophe in front.
    """
    sheet = io.StringIO()
    writer = csv.writer(sheet)
    writer.writerow(column.name for column in COLUMNS)
    place = _Place()
    for entry in entries:
        place.follow(entry)
        writer.writerow(_field(column.value(entry, place)) for column in COLUMNS)
    return sheet.getvalue()


def _field(value: object) -> object:
    match value:
        case None:
            return ""
        case bool():
            return int(value)
        case str():
            safe = value.encode("utf-8", "replace").decode("utf-8")
            return f"'{safe}" if safe.startswith(("=", "+", "-", "@", "\t", "\r")) else safe
    return value
