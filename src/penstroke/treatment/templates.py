"""Templates of aftercare directions: the packaged ones, and those of a clinic, read strictly."""

from __future__ import annotations

import string
import tomllib
from dataclasses import dataclass
from pathlib import Path

from penstroke import data
from penstroke.errors import PlanError

STANDARD = "standard"
_LARGEST_BYTES = 64 * 1024
_ROW_KEYS = {"text", "hours", "days", "start_hours"}
_LONGEST_HOURS = 24 * 366


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence. `{until}`, `{start}` and `{next}` in it are dates."""

    text: str
    hours: int | None = None
    days: int | None = None
    start_hours: int | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """The directions of a clinic, or the packaged ones."""

    title: str
    intro: str
    directions: tuple[Line, ...]
    expected: tuple[Line, ...]
    call: tuple[Line, ...]


def packaged_templates() -> dict[str, Template]:
    """The templates that come with the program, by name."""
    text = data.packaged_text("aftercare/standard.toml")
    return {STANDARD: parse_template(text, "aftercare/standard.toml")}


def load_templates(folder: Path) -> dict[str, Template]:
    """The packaged templates, and those of the clinic's folder, which replace others of the same name.

    Raises `PlanError` (`template-invalid`) for a file that is wrong: it must not fall back unseen.
    """
    found = packaged_templates()
    for file in sorted(folder.glob("*.toml")):
        try:
            with file.open("rb") as opened:
                raw = opened.read(_LARGEST_BYTES + 1)
            if len(raw) > _LARGEST_BYTES:
                raise _wrong(str(file), "it is too large")
            found[file.stem] = parse_template(raw.decode("utf-8-sig"), str(file))
        except OSError as problem:
            raise _wrong(str(file), problem.strerror or "it cannot be read") from problem
        except UnicodeDecodeError:
            raise _wrong(str(file), "it is not text in UTF-8") from None
    return found


def parse_template(text: str, name: str) -> Template:
    """The template in a TOML text. Raises `PlanError` (`template-invalid`) naming what is wrong."""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as problem:
        raise _wrong(name, f"it is not TOML: {problem}") from problem
    if table.get("format") != 1:
        raise _wrong(name, "format must be 1")
    unknown = set(table) - {"format", "title", "intro", "direction", "expected", "call"}
    if unknown:
        raise _wrong(name, f"{', '.join(sorted(unknown))}: no key of a template")
    rows = {key: _lines(table.get(key, []), key, name) for key in ("direction", "expected", "call")}
    if not rows["direction"]:
        raise _wrong(name, "it has no [[direction]]")
    return Template(
        title=_plain(table.get("title"), "title", name),
        intro=_plain(table.get("intro"), "intro", name),
        directions=rows["direction"],
        expected=rows["expected"],
        call=rows["call"],
    )


def _lines(rows: object, key: str, name: str) -> tuple[Line, ...]:
    if not isinstance(rows, list):
        raise _wrong(name, f"{key} must be written as [[{key}]]")
    return tuple(_line(row, f"{key} {number}", name) for number, row in enumerate(rows, start=1))


def _line(row: object, place: str, name: str) -> Line:
    if not isinstance(row, dict) or not {"text"} <= set(row) <= _ROW_KEYS:
        raise _wrong(name, f"{place} needs text, and may have hours or days and start_hours")
    text = _plain(row["text"], place, name)
    try:
        used = {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}
    except ValueError as problem:
        raise _wrong(name, f"{place}: {problem}") from None
    times = {key: row.get(key) for key in ("hours", "days", "start_hours")}
    for key, value in times.items():
        longest = _LONGEST_HOURS // 24 if key == "days" else _LONGEST_HOURS
        if value is not None and (type(value) is not int or not 0 < value <= longest):
            raise _wrong(name, f"{place}: {key} must be a whole number above zero, up to {longest}")
    if row.get("hours") is not None and row.get("days") is not None:
        raise _wrong(name, f"{place}: hours or days, not both")
    has = {"next"}
    has |= {"until"} if row.get("hours") or row.get("days") else set()
    has |= {"start"} if row.get("start_hours") else set()
    if not used <= has:
        raise _wrong(name, f"{place}: no date for {', '.join('{' + one + '}' for one in sorted(used - has))}")
    if has - used - {"next"}:
        raise _wrong(name, f"{place}: {', '.join(sorted(has - used - {'next'}))} is not in its text")
    return Line(text, times["hours"], times["days"], times["start_hours"])


def _plain(value: object, place: str, name: str) -> str:
    if type(value) is not str or not value.strip() or not value.isprintable():
        raise _wrong(name, f"{place} must be text on one line")
    return value


def _wrong(name: str, problem: str) -> PlanError:
    return PlanError(
        f"the aftercare template {name} is wrong: {problem}", code="template-invalid", hint="correct the file"
    )
