"""The small parts of the FHIR export: concepts, answers, figures, and texts that FHIR permits."""

from __future__ import annotations

import datetime
import re
from typing import Any, Final

from penstroke.data import zone_named
from penstroke.records.told import ZoneSummary
from penstroke.reports.plain import clean, key_words, plain, span
from penstroke.reports.words import words

Resource = dict[str, Any]

SNOMED: Final = "http://snomed.info/sct"
SAY: Final = words("en")
"""An export is in English, whatever the language of a report."""

_LARGEST = 2**31 - 1
"""FHIR's whole numbers have 32 bits."""
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?Z", re.ASCII
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def day(value: object) -> str | None:
    """A day as FHIR takes it; None for anything else, which then stands in a text."""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return None
    try:
        datetime.date.fromisoformat(value)
    except ValueError:
        return None
    return value


def instant(value: object) -> str | None:
    """A label of the record as FHIR takes it; None for anything else."""
    return value if isinstance(value, str) and _INSTANT.fullmatch(value) and day(value[:10]) else None


def cleaned(value: Any) -> Any:
    """The same with every text as FHIR permits it: no control characters."""
    match value:
        case str():
            return clean(value)
        case dict():
            return {key: cleaned(item) for key, item in value.items()}
        case list():
            return [cleaned(item) for item in value]
    return value


def concept(zone: str) -> Resource:
    """The zone as a concept: the verified code where the zone table has one, always the text."""
    row = zone_named(zone)
    found: Resource = {"text": zone.replace("_", " ") or "zone not named"}
    if row is not None and row.body_site_code:
        found["coding"] = [{"system": SNOMED, "code": row.body_site_code, "display": row.body_site_display}]
    return found


def site_of(zone: str, side: str | None) -> Resource:
    """A zone and side as a body site: the code tells no side, so the text does."""
    found = concept(zone)
    if side:
        found["text"] += f", the patient's {side}"
    return found


def property_of(name: str, value: float | None, divisor: int, unit: str) -> list[Resource]:
    """A property of a device, with its unit as text; none where the value is not known."""
    if value is None:
        return []
    return [{"type": {"text": name}, "valueQuantity": [{"value": value / divisor, "unit": unit}]}]


def figures(zone: ZoneSummary) -> str:
    """What was done in a zone, with units: R4 has no element for depth, rate or density."""
    density = "unknown" if zone.density_per_cm2 is None else f"{zone.density_per_cm2:g}"
    return (
        f"depth {span(zone.depth_min_mm, zone.depth_max_mm, 2)} mm (needle protrusion as commanded), "
        f"rate {span(zone.rate_min_hz, zone.rate_max_hz, 1)} Hz, passes {zone.passes_done} of "
        f"{zone.planned_passes}, {zone.seconds:g} s of needling, {zone.strokes} strokes, "
        f"estimated density {density} punctures/cm², endpoint {zone.endpoint or 'not noted'}"
    )


def item(key: str, value: object) -> Resource:
    """One answer. What was asked and not answered has no `answer`."""
    key = key or "no key"
    found: Resource = {"linkId": key, "text": key_words(key, SAY)}
    given = value if isinstance(value, list) else [value]
    answers = [_answer(one) for one in given if one not in (None, "")]
    return {**found, "answer": answers} if answers else found


def _answer(value: object) -> Resource:
    match value:
        case bool():
            return {"valueBoolean": value}
        case int() if abs(value) <= _LARGEST:
            return {"valueInteger": value}
        case float():
            return {"valueDecimal": value}
    return {"valueString": plain(value, SAY)}
