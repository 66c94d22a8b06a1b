"""One entry of the record: a value, its canonical JSON, and the digest that chains it to the one before.

The canonical JSON of an entry is everything but its digest: keys sorted, no spaces, UTF-8, finite numbers
only, numbers as Python writes them (the shortest text that reads back as the same number). It is that very
text which is stored and hashed, so nothing has to be written the same way twice to be verified.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any, Final

FORMAT: Final = 1
"""Version of what an entry holds; the first entry of a store carries it."""
NO_DIGEST: Final = "0" * 64
"""What the first entry follows."""

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def canonical(value: Any) -> bytes:
    """The canonical JSON of a value. Raises `TypeError` or `ValueError` for what has none."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    # Half a surrogate pair (bytes of the command line that were no UTF-8) becomes its JSON escape.
    return text.encode("utf-8", "backslashreplace")


_PLAIN = frozenset({type(None), bool, int, str})


def plain(value: Any) -> Any:
    """The value as it will be read back: a copy, tuples as lists, enumerations as their text."""
    return json.loads(canonical(value))


def plain_body(body: dict[str, Any]) -> dict[str, Any]:
    """`plain` of an entry's body, quick for a flat one: readings come twenty times a second and more."""
    for value in body.values():
        kind = type(value)
        if kind not in _PLAIN and (kind is not float or not isfinite(value)):
            found: dict[str, Any] = plain(body)
            return found
    return dict(body)


def digest_of(content: bytes) -> str:
    """SHA-256 of an entry's canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def utc_label(at: datetime.datetime) -> str:
    """`2026-11-23T14:03:05.123Z`: how every entry tells the time of the wall."""
    return at.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def treatment_id(at: datetime.datetime, token: int) -> str:
    """`YYYYMMDD-xxxxxx`: the UTC day and the first six hexadecimal digits of the treatment's 64-bit token."""
    return f"{at.astimezone(datetime.UTC):%Y%m%d}-{token:016x}"[:15]


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before it has its place in the chain."""

    utc: str
    """When it was written, as `utc_label` writes it: a label, never a measure."""
    treatment: str | None
    kind: str
    operator: str | None
    device_serial: str | None
    firmware: str | None
    simulated: bool | None
    port_s: float | None
    """Seconds on the port's clock since the pen was bound."""
    device_ms: int | None
    """The pen's own clock, of its latest telemetry."""
    body: dict[str, Json]

    def placed(self, number: int, previous: str) -> Entry:
        """The entry at its place: its number, and the digest of the entry before."""
        values = {field.name: getattr(self, field.name) for field in fields(Draft)}
        content = canonical({**values, "number": number, "previous": previous})
        return Entry(**values, number=number, previous=previous, digest=digest_of(content))


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, as it stands in the chain. The fields are those of `Draft`, and its place."""

    number: int
    """From 1, without gaps, through the whole store."""
    utc: str
    treatment: str | None
    kind: str
    operator: str | None
    device_serial: str | None
    firmware: str | None
    simulated: bool | None
    port_s: float | None
    device_ms: int | None
    body: dict[str, Json]
    previous: str
    digest: str

    def content(self) -> bytes:
        """Its canonical JSON, which is everything but the digest."""
        return canonical({name: getattr(self, name) for name in _KEYS})

    def to_json(self) -> dict[str, Any]:
        """Everything, the digest included, as an object."""
        return {field.name: getattr(self, field.name) for field in fields(Entry)}

    @classmethod
    def read(cls, content: str, digest: str) -> Entry:
        """The entry that this canonical JSON tells of. Raises `ValueError` for a text that is none."""
        return cls(**parsed(content), digest=digest)


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of a chain; 0 and 64 zeros for one that has none."""

    number: int
    digest: str


@dataclass(frozen=True, slots=True)
class Witness:
    """That entry `number` had this digest, as `where` remembers it."""

    where: str
    """In words for people: a file, `report 20261123-3f0a12`, `pen PS1-0042`."""
    number: int
    digest: str


_KEYS: Final = frozenset(field.name for field in fields(Entry)) - {"digest"}


def parsed(content: str) -> dict[str, Any]:
    """The fields in an entry's canonical JSON. Raises `ValueError` for a text that is no entry."""
    try:
        values = json.loads(content)
    except RecursionError as problem:
        raise ValueError("nested without end") from problem
    if not isinstance(values, dict) or values.keys() != _KEYS:
        raise ValueError("not the fields of an entry")
    if type(values["number"]) is not int or not isinstance(values["body"], dict):
        raise ValueError("a field of the wrong type")
    return values
