"""Writes the parts of docs/procedure.md that follow from the procedure's own tables.

python scripts/procedure_page.py            write what is stale
python scripts/procedure_page.py --check    write nothing; exit 1 if the page is stale

The parts stand between `<!-- NAME -->` and `<!-- end -->`: the rules in words, the screening form, the
questions of every step with the keys of an answers file, and the figures.
"""

from __future__ import annotations

import argparse
import datetime
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from penstroke.treatment import table
from penstroke.treatment.moment import Moment
from penstroke.treatment.plan import TreatmentPlan
from penstroke.treatment.procedure_figures import procedure_figures
from penstroke.treatment.questions import Kind, Question
from penstroke.treatment.roster import Person, Roster
from penstroke.treatment.screening_form import Condition, Effect, Shape, screening_form
from penstroke.treatment.session import Background, Session
from penstroke.treatment.steps import numbing
from penstroke.treatment.table import Step

PAGE = Path(__file__).resolve().parents[1] / "docs" / "procedure.md"

_ANSWER = {
    Kind.YES_NO: "yes or no",
    Kind.TEXT: "text",
    Kind.DATE: "day",
    Kind.GROUP: "list, each entry with the keys below",
}
_EFFECT = {
    Effect.BLOCK: "block",
    Effect.SIGN_OFF: "named sign-off",
    Effect.EXCLUDE: "those zones are left out",
    Effect.FACTOR: "lower ceilings",
    Effect.NUMBING: "no numbing with it",
}


def rules() -> str:
    """The rules at the head of the table, as they stand there."""
    text = (table.__doc__ or "").split("\n\n", 2)[2]
    return text.strip()


def conditions() -> str:
    """The screening form."""
    form = screening_form()
    rows = [("`birthday`", f"under {form.youngest_years}", "block", "labels")]
    rows += [(f"`{one.key}`", one.name, _effect(one), _source(one)) for one in form.conditions]
    return _table(("key", "condition", "effect", "source"), rows)


def _effect(one: Condition) -> str:
    if one.shape is Shape.MEDICINE:
        return f"now: block; stopped under {one.within_months} months ago: named sign-off"
    if one.shape is Shape.PROPHYLAXIS:
        return f"without prophylaxis {', '.join(one.zones)} is left out"
    words = [_EFFECT[effect] for effect in Effect if effect in one.effect]
    text = ", and ".join(words)
    return f"{text} (×{one.factor}, *proposed*)" if Effect.FACTOR in one.effect else text


def _source(one: Condition) -> str:
    return "labels; effect *proposed*" if one.proposed else "labels"


def sources() -> str:
    """Where the form comes from."""
    form = screening_form()
    return "\n".join(f"- {name} ({one.status}): {one.text}" for name, one in form.sources.items())


def questions() -> str:
    """Every step's questions."""
    plan = TreatmentPlan.model_validate(
        {"version": 1, "title": "-", "zones": [{"zone": "chin", "area_cm2": 1, "depth_mm": 1, "rate_hz": 1}]}
    )
    background = Background(Roster((Person("a name of the roster", "clinician"),)))
    session = Session.begin(plan, patient="P-1", operator="a name of the roster", background=background)
    now = Moment(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    parts = []
    for step in Step:
        found: Iterable[Question] = session.questions_of(step, now)
        if step is Step.NUMBING:
            found = (*found, *numbing.REMOVING, *numbing.early_questions(background.roster.names))
        if step is Step.SCREENING:
            found = [one for one in found if one.key == "birthday" or _is_second(one)]
        rows = [row for question in found for row in _rows(question)]
        parts.append(f"`{step}`\n\n" + _table(("key", "question", "answer"), rows))
    return "\n\n".join(parts)


def _is_second(question: Question) -> bool:
    """The questions that hang on another; the others are the rows of the form."""
    return bool(question.only_if)


def _rows(question: Question, before: str = "") -> list[tuple[str, str, str]]:
    optional = "" if question.required else "; may be left out"
    if question.only_if:
        optional += "; if " + " or if ".join(_condition(key, values) for key, values in question.only_if)
    rows = [(f"`{before}{question.key}`", question.text, _answer(question) + optional)]
    return rows + [row for one in question.each for row in _rows(one, f"{question.key}.")]


def _condition(key: str, values: tuple[object, ...]) -> str:
    said = {True: "yes", False: "no"}
    if key.endswith("_by"):
        return f"`{key}` is given"
    return f"`{key}` is {' or '.join(str(said.get(value, value)) for value in values)}"


def _answer(question: Question) -> str:
    match question.kind:
        case Kind.NUMBER:
            return f"number, {question.unit}"
        case Kind.CHOICE:
            return " or ".join(question.choices)
        case Kind.MANY:
            return "none, or any of " + ", ".join(question.choices)
        case Kind.ZONES:
            return "none, or zones"
    return _ANSWER[question.kind]


def figures() -> str:
    """The figures of the procedure."""
    rows = [
        (f"`{one.name}`", f"{one.value} {one.unit}", one.status, one.why)
        for one in procedure_figures().listed
    ]
    form = screening_form()
    rows += [
        ("`interval.days`", f"{form.interval_days} d", "sourced", "days before a zone is needled again"),
        ("`interval.shallow_days`", f"{form.shallow_days} d", "sourced", "the same after shallow work"),
        ("shallow", "-", "proposed", form.shallow_is),
    ]
    return _table(("figure", "value", "standing", "why"), rows)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


PARTS: dict[str, Callable[[], str]] = {
    "rules": rules,
    "conditions": conditions,
    "sources": sources,
    "questions": questions,
    "figures": figures,
}


def page(text: str) -> str:
    """The page with its parts anew. Raises `ValueError` where a part is missing."""
    for name, part in PARTS.items():
        pattern = rf"(<!-- {name} -->\n).*?(\n<!-- end -->)"
        made = part()
        text, count = re.subn(
            pattern, lambda found, made=made: f"{found[1]}{made}{found[2]}", text, flags=re.S
        )
        if count != 1:
            raise ValueError(f"{PAGE.name} has no part {name}, or two")
    return text


def main(arguments: list[str]) -> int:
    """Write, or check."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args(arguments).check
    text = PAGE.read_text(encoding="utf-8")
    fresh = page(text)
    if fresh == text:
        return 0
    if check:
        print("stale: docs/procedure.md; run python scripts/procedure_page.py", file=sys.stderr)
        return 1
    PAGE.write_text(fresh, encoding="utf-8")
    print("wrote docs/procedure.md")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
