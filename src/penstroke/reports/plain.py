"""Values of the record as people read them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from html import escape

from penstroke.records.plain import number, text
from penstroke.reports.parts import NONE
from penstroke.reports.words import Words


def plain(value: object, say: Words) -> str:
    """Any value an entry may hold. A text stays as it is; it is for a printer to make it harmless."""
    match value:
        case None | "":
            return NONE
        case bool():
            return say("yes") if value else say("no")
        case float():
            return f"{value:g}"
        case list() | tuple():
            return ", ".join(plain(item, say) for item in value) or say("none")
        case dict():
            return (
                ", ".join(f"{key_words(str(key), say)} {plain(item, say)}" for key, item in value.items())
                or NONE
            )
    return str(value)


def key_words(key: str, say: Words) -> str:
    """`lidocaine_pct` as `lidocaine pct`, `solutions.0.lot` as `solutions · 0 · lot`."""
    return " · ".join(say(part.replace("_", " ")) for part in key.split("."))


def time_of(utc: str, offset_min: int = 0) -> str:
    """`2026-11-23 14:03` from a label of the record, on a clock so many minutes ahead of UTC."""
    return _on_clock(utc, offset_min)[:16].replace("T", " ")


def clock(utc: str, offset_min: int = 0) -> str:
    """`14:03` from a label of the record, on a clock so many minutes ahead of UTC."""
    local = _on_clock(utc, offset_min)
    return local[11:16] if len(local) >= 16 else local


def utc_distance(offset_min: int) -> str:
    """`+01:00`."""
    return f"{'-' if offset_min < 0 else '+'}{abs(offset_min) // 60:02d}:{abs(offset_min) % 60:02d}"


def _on_clock(utc: str, offset_min: int) -> str:
    try:
        return (datetime.datetime.fromisoformat(utc) + datetime.timedelta(minutes=offset_min)).isoformat()
    except (ValueError, OverflowError):
        return utc  # no label; it is shown as it stands


def minutes(seconds: float) -> str:
    """`12:30`, minutes and seconds."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def span(low: float | None, high: float | None, digits: int) -> str:
    """`0.60–0.75`, or `0.60` where both are the same."""
    if high is None:
        return NONE
    if low is None or low == high:
        return f"{high:.{digits}f}"
    return f"{low:.{digits}f}–{high:.{digits}f}"


def strength(numbing: Mapping[str, object]) -> str:
    """How strong a numbing product is, from the answers about it; empty where they do not tell."""
    lidocaine, others = number(numbing.get("lidocaine_pct")), text(numbing.get("concentration"))
    parts = ([] if lidocaine is None else [f"lidocaine {lidocaine:g} %"]) + ([others] if others else [])
    return ", ".join(parts)


def zone_and_side(label: object) -> tuple[str, str | None]:
    """The zone and the side of `cheek left`."""
    zone, _, side = str(label).partition(" ")
    return zone, side or None


def markup(told: str) -> str:
    """A text for HTML and SVG: escaped, and without what no document may hold."""
    return escape(clean(told))


def clean(told: str) -> str:
    """A text without control characters, signs that turn its direction, and half surrogates.

    A white one becomes a space, any other the replacement sign.
    """
    return told if told.isprintable() else "".join(map(_shown, told))


def _shown(sign: str) -> str:
    if sign.isprintable():
        return sign
    return " " if sign.isspace() else "\ufffd"
