"""Answers from a file: for each step a mapping of its questions' keys, or `skip` with a reason and a name.

version: 1
consent: {informed_consent: true, consent_by: Dr. Ada Example, ...}
numbing:
  skip: {reason: shallow and short, by: Dr. Ada Example}
needling:
  start: true                       # of every zone; on a simulated pen only
  endpoint: erythema
  zones:                            # where a zone differs
    cheek left: {answer: skip}

The answers themselves are parsed by `questions.py` when their step is put, exactly as from a terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstroke.errors import AnswerError, PlanError
from penstroke.treatment.document import Document, read_document
from penstroke.treatment.table import Step

VERSION = 1
SKIP = "skip"
ZONE_ANSWERS = ("start", "skip", "quit")
_ZONE_KEYS = {"answer", "endpoint"}
_NEEDLING_KEYS = {"start", "endpoint", "zones"}


@dataclass(frozen=True, slots=True)
class Answers:
    """What a file answers, and where it stands in it."""

    path: Path
    steps: Mapping[str, Mapping[str, Any]]
    _document: Document = field(repr=False)

    def of(self, step: Step) -> Mapping[str, Any] | None:
        """The answers to a step's questions; None where the file has none of this step."""
        given = self.steps.get(step.value)
        if given is None or SKIP in given:
            return None
        return {key: value for key, value in given.items() if not _of_zones(step, key)}

    def skipped(self, step: Step) -> tuple[str, str] | None:
        """Reason and name, where the file skips this step."""
        skip = self.steps.get(step.value, {}).get(SKIP)
        return None if skip is None else (skip["reason"], skip["by"])

    def zone(self, label: str) -> str | None:
        """`start`, `skip` or `quit` for the zone of this label; None where the file does not say."""
        needling = self.steps.get(Step.NEEDLING.value, {})
        answer: str | None = needling.get("zones", {}).get(label, {}).get("answer")
        if answer is None and needling.get("start") is True:
            return "start"
        return answer

    def endpoint(self, label: str) -> object:
        """What the skin of this zone shows; None where the file does not say."""
        needling = self.steps.get(Step.NEEDLING.value, {})
        return needling.get("zones", {}).get(label, {}).get("endpoint", needling.get("endpoint"))

    def wrong(self, step: Step, error: AnswerError) -> PlanError:
        """The error of a step's answer, with the file and the line it stands in."""
        key = str(error.facts.get("key", ""))
        return _wrong(self.path, self._document, _place(step, key), f"{step}: {error.message}", error.hint)

    def missing(self, step: Step, key: str, hint: str) -> PlanError:
        """The error of a question that the file leaves open, with nobody there to ask."""
        problem = f"{step}.{key} is not answered, and the input is no terminal to ask at"
        place = (step.value,) if step.value in self.steps else None
        return _wrong(self.path, self._document, place, problem, hint)


def read_answers(path: Path) -> Answers:
    """The answers in a YAML or (by its ending) JSON file. Raises `PlanError` (`answers-invalid`)."""
    try:
        document = read_document(path)
    except PlanError as wrong:
        hint = wrong.hint.replace("write a plan; `penstroke plan schema` describes one", "write answers")
        raise PlanError(wrong.message, code="answers-invalid", hint=hint, **wrong.facts) from None
    content = document.content
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise _wrong(path, document, (), f"it is no file of answers of version {VERSION}", _HINT)
    known = {step.value for step in Step}
    for name, given in content.items():
        if name == "version":
            continue
        if name not in known:
            raise _wrong(path, document, (name,), f"{name} is no step", f"there are {', '.join(Step)}")
        if not isinstance(given, dict):
            raise _wrong(path, document, (name,), f"{name} must be a mapping of answers", _HINT)
        _check(path, document, Step(name), given)
    steps = {name: given for name, given in content.items() if name != "version"}
    return Answers(path, steps, document)


_HINT = "docs/procedure.md describes one, and examples/answers.yaml is one"


def _check(path: Path, document: Document, step: Step, given: Mapping[str, Any]) -> None:
    """The keys that are no questions: `skip`, and those of zones."""
    place = step.value
    if SKIP in given:
        skip = given[SKIP]
        whole = isinstance(skip, dict) and set(skip) == {"reason", "by"}
        if not whole or not all(isinstance(one, str) for one in skip.values()) or len(given) > 1:
            problem = f"{place}.skip needs exactly reason and by, as text, and nothing beside it"
            raise _wrong(path, document, (place, SKIP), problem, _HINT)
    if step is not Step.NEEDLING:
        return
    if type(given.get("start", True)) is not bool:
        raise _wrong(path, document, (place, "start"), "needling.start must be true or false", _HINT)
    zones = given.get("zones", {})
    if not isinstance(zones, dict):
        raise _wrong(path, document, (place, "zones"), "needling.zones must be a mapping of zones", _HINT)
    for label, zone in zones.items():
        where = (place, "zones", label)
        if not isinstance(zone, dict) or not set(zone) <= _ZONE_KEYS:
            raise _wrong(path, document, where, f"{label} may have only answer and endpoint", _HINT)
        if zone.get("answer", "start") not in ZONE_ANSWERS:
            raise _wrong(path, document, where, f"{label}: answer must be {', '.join(ZONE_ANSWERS)}", _HINT)


def _of_zones(step: Step, key: str) -> bool:
    return step is Step.NEEDLING and key in _NEEDLING_KEYS


def _place(step: Step, key: str) -> tuple[int | str, ...]:
    """`solutions[2].lot` of a step as a place in the document."""
    parts: list[int | str] = [step.value]
    for part in key.split("."):
        name, bracket, number = part.partition("[")
        parts.append(name)
        if bracket:
            parts.append(int(number.rstrip("]")) - 1)
    return tuple(parts)


def _wrong(
    path: Path, document: Document, place: tuple[int | str, ...] | None, problem: str, hint: str
) -> PlanError:
    line = None if place is None else document.line_of(place)
    where = f"{path}, line {line}" if line is not None else f"{path}"
    return PlanError(f"{where}: {problem}", code="answers-invalid", hint=hint, file=str(path), line=line)
