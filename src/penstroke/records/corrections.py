"""Corrections: applied to what was written, and kept beside it. Pure."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from penstroke.records.entry import Entry


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
