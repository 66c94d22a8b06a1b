"""Who works here: a small file of names and roles. Pure; `load_roster` alone reads a file.

[[person]]
name = "Dr. Ada Example"
role = "clinician"              # may sign off and override

[[person]]
name = "Ben Example"
role = "operator"               # may do every step
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from penstroke.errors import AnswerError, PlanError

CLINICIAN = "clinician"
OPERATOR = "operator"
ROLES = (CLINICIAN, OPERATOR)

LONGEST_NAME = 80
LONGEST_REFERENCE = 40
_LARGEST_BYTES = 64 * 1024
"""Far above any real roster; it keeps a wrong file name from being read whole."""

_REFERENCE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/#:-]*[A-Za-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Person:
    """One who works here; `role` is `clinician` or `operator`."""

    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Roster:
    """All who work here, in the file's order."""

    people: tuple[Person, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Everybody."""
        return tuple(person.name for person in self.people)

    @property
    def clinicians(self) -> tuple[str, ...]:
        """Those who may sign off and override."""
        return tuple(person.name for person in self.people if person.role == CLINICIAN)

    def person(self, name: str, what: str = "operator") -> str:
        """The name as the roster writes it. Raises `AnswerError` (`person-unknown`) for anybody else."""
        return self._one(name, self.names, what, "is not in the roster")

    def clinician(self, name: str, what: str = "clinician") -> str:
        """The same for one who may sign off and override."""
        return self._one(name, self.clinicians, what, "is no clinician of the roster")

    def _one(self, name: str, allowed: tuple[str, ...], what: str, problem: str) -> str:
        meant = next((one for one in allowed if one.casefold() == name.strip().casefold()), None)
        if meant is None:
            hint = f"there are {', '.join(allowed)}" if allowed else "the roster names none"
            raise AnswerError(f"{what}: {name[:40]!r} {problem}", code="person-unknown", hint=hint, key=what)
        return meant


def load_roster(path: Path) -> Roster:
    """The roster in this file. Raises `PlanError` (`roster-invalid`) where it cannot be read or is wrong."""
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise PlanError(
            f"there is no roster {path}",
            code="roster-invalid",
            hint='write one: [[person]], name = "...", role = "clinician" or "operator"',
            file=str(path),
        ) from None
    except OSError as problem:
        raise _wrong(f"{path}: {problem.strerror or 'it cannot be read'}") from problem
    if len(raw) > _LARGEST_BYTES:
        raise _wrong(f"{path} is too large for a roster")
    try:
        return parse_roster(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise _wrong(f"{path} is not text in UTF-8") from None
    except PlanError as wrong:
        raise _wrong(f"{path}: {wrong.message}") from None


def parse_roster(text: str) -> Roster:
    """The roster in a TOML text. Raises `PlanError` (`roster-invalid`) naming what is wrong."""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as problem:
        raise _wrong(f"it is not TOML: {problem}") from problem
    for key in table:
        if key != "person":
            raise _wrong(f"{key} is no key of a roster; a roster has only [[person]]")
    rows = table.get("person", [])
    if not isinstance(rows, list) or not rows:
        raise _wrong("it names nobody; write [[person]] with name and role")
    people = tuple(_person(number, row) for number, row in enumerate(rows, start=1))
    folded = [person.name.casefold() for person in people]
    for name in folded:
        if folded.count(name) > 1:
            raise _wrong(f"{name!r} is there twice")
    return Roster(people)


def patient_reference(text: str) -> str:
    """The clinic's own id of a patient, checked. Raises `AnswerError` (`patient-invalid`).

    Letters, digits and `. _ - / # :` within, so that it reads the same in a file, on paper and aloud. A name
    is not needed, and its spaces and accents do not fit.
    """
    plain = text.strip()
    if not plain:
        problem, hint = "is blank", "give the clinic's own id of the patient"
    elif len(plain) > LONGEST_REFERENCE:
        problem, hint = f"is longer than {LONGEST_REFERENCE} characters", "use the clinic's own short id"
    elif not _REFERENCE.fullmatch(plain):
        problem = f"{plain!r} has characters that are no part of an id"
        hint = "use letters, digits and . _ - / # : within; no name, no spaces"
    else:
        return plain
    raise AnswerError(f"the patient reference {problem}", code="patient-invalid", hint=hint, key="patient")


def _person(number: int, row: object) -> Person:
    if not isinstance(row, dict) or set(row) != {"name", "role"}:
        raise _wrong(f"person {number} needs exactly name and role")
    name, role = row["name"], row["role"]
    if type(name) is not str or not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise _wrong(f"person {number}: name must be a name of up to {LONGEST_NAME} characters")
    if role not in ROLES:
        raise _wrong(f"person {number} ({name.strip()}): role must be {' or '.join(ROLES)}, not {role!r}")
    return Person(name.strip(), role)


def _wrong(problem: str) -> PlanError:
    return PlanError(f"the roster is wrong: {problem}", code="roster-invalid", hint="correct the file")
