"""The screening form: `data/screening.toml` as values, each condition with its source and its effect."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from functools import cache
from types import MappingProxyType
from typing import Any

from penstroke import data
from penstroke.errors import LimitsError

ANAESTHETICS = ("lidocaine", "prilocaine", "tetracaine", "benzocaine", "other")
"""What an allergy and a numbing product are named by, so that the two can be compared without doubt."""

_CAINE = re.compile(r"\w{2,}[ck]a[ií]n[ea]?")
_OTHER_NAMES = {
    "lidocaine": ("lidoca", "lidoka", "lignoc", "xyloca", "emla"),
    "prilocaine": ("priloca", "priloka", "emla"),
    "tetracaine": ("tetraca", "tetraka", "amethoc"),
    "benzocaine": ("benzoca", "benzoka"),
}
"""How the words begin by which an anaesthetic is known in a free text: its name elsewhere, or a brand's."""


def anaesthetics_in(text: str) -> tuple[str, ...]:
    """The anaesthetics, of `ANAESTHETICS`, that a free text names; a denial beside the name is not read."""
    words = re.findall(r"\w+", text.lower())
    named = {name for name, stems in _OTHER_NAMES.items() if any(word.startswith(stems) for word in words)}
    known = tuple(stem for stems in _OTHER_NAMES.values() for stem in stems)
    if any(_CAINE.fullmatch(word) and not word.startswith(known) for word in words):
        named.add("other")
    return tuple(name for name in ANAESTHETICS if name in named)


NEVER, NOW, STOPPED = "never", "now", "stopped"
"""How a question for a medicine is answered."""


class Effect(StrEnum):
    """What a condition does."""

    BLOCK = "block"
    SIGN_OFF = "sign-off"
    EXCLUDE = "exclude"
    FACTOR = "factor"
    NUMBING = "numbing"


class Shape(StrEnum):
    """How a condition is asked about."""

    YES_NO = "yes-no"
    MEDICINE = "medicine"
    """Never, now or stopped: blocks now, needs a sign-off for `within_months` after."""
    ZONES = "zones"
    PROPHYLAXIS = "prophylaxis"
    """Yes or no, and if yes whether the prophylaxis was taken; without it `zones` are excluded."""
    INGREDIENTS = "ingredients"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact comes from; `status` is `sourced` or `proposed`."""

    text: str
    status: str


@dataclass(frozen=True, slots=True)
class Condition:
    """One row of the form."""

    key: str
    name: str
    """As it is said in an outcome."""
    ask: str
    effect: frozenset[Effect]
    source: Source
    shape: Shape = Shape.YES_NO
    help: str = ""
    ask_more: str = ""
    """The second question of a medicine or a prophylaxis."""
    within_months: int = 0
    zones: tuple[str, ...] = ()
    factor: Fraction = field(default_factory=lambda: Fraction(1))
    effect_source: Source | None = None
    """Where the figure or the exclusion comes from, where that is not `source`."""
    warning: str = ""

    @property
    def proposed(self) -> bool:
        """Whether anything in it is this project's own choice."""
        return any(one is not None and one.status == "proposed" for one in (self.source, self.effect_source))


@dataclass(frozen=True, slots=True)
class Form:
    """The whole form."""

    youngest_years: int
    interval_days: int
    shallow_days: int
    shallow_is: str
    conditions: tuple[Condition, ...]
    sources: Mapping[str, Source]

    def named(self, key: str) -> Condition:
        """The condition of this key."""
        return next(one for one in self.conditions if one.key == key)


@cache
def screening_form() -> Form:
    """The packaged form. Raises `LimitsError` where it is damaged."""
    return parse_form(data.packaged_text("screening.toml"))


_KEY = re.compile(r"[a-z]+(_[a-z]+)*", re.ASCII)
_COMMON = {"key", "name", "ask", "effect", "source"}
_MORE: Mapping[Shape, frozenset[str]] = MappingProxyType(
    {
        Shape.YES_NO: frozenset(),
        Shape.MEDICINE: frozenset({"kind", "ask_stopped", "now", "within_months", "within"}),
        Shape.ZONES: frozenset({"kind"}),
        Shape.PROPHYLAXIS: frozenset({"kind", "ask_prophylaxis", "zones", "exclude_source"}),
        Shape.INGREDIENTS: frozenset({"kind"}),
    }
)
"""Keys that a row of each shape must have beside the common ones."""
_MAY_HAVE = {"help", "warning"}
_FACTOR_KEYS = {"factor", "factor_source"}


def parse_form(text: str) -> Form:
    """The form in a TOML text. Raises `LimitsError` (`limits-invalid`) where anything in it is wrong."""
    try:
        table = tomllib.loads(text)
        sources = {name: _source(name, row) for name, row in table["source"].items()}
        conditions = tuple(_condition(row, sources) for row in table["condition"])
        age, interval = table["age"], table["interval"]
        for name in (age["source"], interval["source"], interval["shallow_source"]):
            sources[name]  # each must be there
        form = Form(
            youngest_years=_whole(age["youngest_years"], "age.youngest_years"),
            interval_days=_whole(interval["days"], "interval.days"),
            shallow_days=_whole(interval["shallow_days"], "interval.shallow_days"),
            shallow_is=str(interval["shallow_is"]),
            conditions=conditions,
            sources=MappingProxyType(sources),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError, ValueError) as problem:
        raise _wrong(f"{type(problem).__name__}: {problem}") from problem
    keys = [one.key for one in conditions]
    if len(set(keys)) != len(keys) or not keys:
        raise _wrong("a condition is there twice, or none is there")
    if form.shallow_days > form.interval_days:
        raise _wrong("interval.shallow_days is above interval.days")
    return form


def _source(name: str, row: Any) -> Source:
    if set(row) != {"text", "status"} or row["status"] not in ("sourced", "proposed"):
        raise _wrong(f"source {name} needs exactly text and status")
    return Source(row["text"], row["status"])


def _condition(row: dict[str, Any], sources: Mapping[str, Source]) -> Condition:
    key = row["key"]
    if not _KEY.fullmatch(key):
        raise _wrong(f"{key!r} is no key")
    shape = Shape(row.get("kind", Shape.YES_NO))
    effect = frozenset(Effect(one) for one in row["effect"])
    needed = _COMMON | _MORE[shape] | (_FACTOR_KEYS if Effect.FACTOR in effect else set())
    if not effect or not needed <= set(row) <= needed | _MAY_HAVE:
        raise _wrong(f"{key} has not exactly the keys of its kind")
    factor = Fraction(row.get("factor", "1"))
    if not 0 < factor <= 1 or (Effect.FACTOR in effect and factor == 1):
        raise _wrong(f"{key}: factor must be above 0 and below 1")
    if shape is Shape.MEDICINE and (row["now"], row["within"]) != (Effect.BLOCK, Effect.SIGN_OFF):
        raise _wrong(f"{key}: a medicine blocks now and needs a sign-off after")
    zones = tuple(row.get("zones", ()))
    if any(data.zone_named(zone) is None for zone in zones):
        raise _wrong(f"{key} names a zone that is not in the table")
    other = row.get("factor_source", row.get("exclude_source"))
    return Condition(
        key=key,
        name=row["name"],
        ask=row["ask"],
        effect=effect,
        source=sources[row["source"]],
        shape=shape,
        help=row.get("help", ""),
        ask_more=row.get("ask_stopped", row.get("ask_prophylaxis", "")),
        within_months=_whole(row.get("within_months", 1), f"{key}.within_months"),
        zones=zones,
        factor=factor,
        effect_source=None if other is None else sources[other],
        warning=row.get("warning", ""),
    )


def _whole(value: object, name: str) -> int:
    if type(value) is not int or value <= 0:
        raise _wrong(f"{name} must be a whole number above zero, not {value!r}")
    return value


def _wrong(problem: str) -> LimitsError:
    return LimitsError(
        f"the screening form is wrong: {problem}", hint="restore it; nobody is treated without it"
    )
