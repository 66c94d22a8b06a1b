"""`penstroke followup`: side effects noticed after a treatment, added to its record and listed."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstroke.cli.app import App, PenGroup, current
from penstroke.cli.asking import Asker
from penstroke.cli.errors import UsageProblem
from penstroke.cli.output import emit, say, show, table
from penstroke.cli.prompt import at_terminal
from penstroke.cli.store import find_treatment, open_records, store_option
from penstroke.errors import AnswerError
from penstroke.treatment.questions import Question, parse_answer
from penstroke.treatment.roster import load_roster
from penstroke.treatment.steps.follow_up import EFFECTS, GRADES, effect_problem, effect_questions

if TYPE_CHECKING:
    from penstroke.records.store import Store


@click.group("followup", cls=PenGroup)
def command() -> None:
    """Side effects after a treatment."""


@command.command("add")
@click.argument("record_id", metavar="ID")
@click.option("--effect", metavar="NAME", help=f"One of {', '.join(EFFECTS)}.")
@click.option("--grade", metavar="GRADE", help=f"One of {', '.join(GRADES)}.")
@click.option("--onset", metavar="DAY", help="Since when: YYYY-MM-DD, or today, today-3.")
@click.option("--resolved", metavar="DAY", help="Until when; leave it out while it is still there.")
@click.option("--action", metavar="TEXT", help="What was done about it.")
@click.option("--note", metavar="TEXT", help="Anything to note.")
@click.option(
    "--by", metavar="NAME", help="Who takes this down, by the name in the roster; else the operator."
)
@store_option
@click.pass_context
def add(ctx: click.Context, /, record_id: str, **given: str | None) -> None:
    """Add a side effect to treatment ID. What is not given is asked at the terminal.

    ID is that of `records list`, or as much of its beginning as is unique. An effect that has gone since is
    added once more, with --resolved; what was written wrongly is corrected with `records correct`.
    """
    from penstroke.cli.records_of import recorder_of

    app = current(ctx)
    roster = load_roster(Path(app.config["roster"]))
    given["by"] = given["by"] or str(app.config["operator"]) or None
    today = datetime.datetime.now().astimezone().date()
    with open_records(app) as store:
        treatment = find_treatment(store, record_id)
        body = _answered(app, effect_questions(roster.names), given, today)
        problem = effect_problem(body, _treated(store, treatment))
        if problem:
            raise AnswerError(problem, hint="correct the day", key="onset")
        with recorder_of(app, store, treatment=treatment, operator=body["by"]) as recorder:
            place = recorder.write("follow-up", **body)
            recorder.make_durable()
            number = recorder.number(place)
    if app.json:
        emit({"id": treatment, "entry": number, **body})
    else:
        show(f"entry {number}: {body['effect']}, {body['grade']}, since {body['onset']}")


def _answered(
    app: App, questions: tuple[Question, ...], given: dict[str, str | None], today: datetime.date
) -> dict[str, Any]:
    """Every question answered: by its option, or by the person at the terminal."""
    asker = Asker(app.interrupts.check)
    # With anything given, what may be left out counts as left out.
    some = any(value is not None for key, value in given.items() if key != "by")
    found = {}
    for question in questions:
        value = given[question.key]
        if value is not None or (some and not question.required):
            found[question.key] = parse_answer(question, value, today=today)
        elif at_terminal():
            found[question.key] = asker.person(question, today)
        elif question.required:
            raise UsageProblem(f"--{question.key} is missing", hint=question.text)
        else:
            found[question.key] = None
    return found


def _treated(store: Store, treatment: str) -> datetime.date:
    """The day of the treatment here; a bench run has none."""
    opened = next(iter(store.entries(treatment, kinds=["opened"])))
    if "patient" not in opened.body:
        raise UsageProblem(f"{treatment} is a run at the bench: nobody was treated", code="record-unknown")
    return datetime.datetime.fromisoformat(opened.utc).astimezone().date()


@command.command("list")
@click.argument("record_id", metavar="[ID]", required=False)
@store_option
@click.pass_context
def list_effects(ctx: click.Context, record_id: str | None) -> None:
    """List the side effects on record, of all treatments or of treatment ID, as corrected.

    An effect that was added once more since it went is one row, as it was told last; --json has them all.
    """
    app = current(ctx)
    with open_records(app, readonly=True) as store:
        treatment = None if record_id is None else find_treatment(store, record_id)
        rows = _effects(store, treatment)
    if app.json:
        emit({"follow_ups": rows, "store": store.where})
    elif not rows:
        say("no side effects on record" + (f" for {treatment}" if treatment else ""))
    else:
        keys = ("id", "patient", "effect", "grade", "onset", "resolved", "action", "by")
        cells = [
            [str(row[key]) if row[key] is not None else "-" for key in keys]
            for row in rows
            if row["superseded_by"] is None
        ]
        show(table(keys, cells))


def _effects(store: Store, treatment: str | None) -> list[dict[str, Any]]:
    from penstroke.records.corrections import corrected

    entries = list(store.entries(treatment, kinds=["opened", "follow-up", "correction"]))
    bodies, _ = corrected(entries)
    patients = {one.treatment: bodies[one.number].get("patient") for one in entries if one.kind == "opened"}
    found = [one for one in entries if one.kind == "follow-up"]
    # Told again is the same effect of the same treatment since the same day: the last word on it counts.
    same = {one.number: (one.treatment, *map(bodies[one.number].get, ("effect", "onset"))) for one in found}
    last = {key: number for number, key in same.items()}
    return [
        {
            "id": one.treatment,
            "patient": patients.get(one.treatment),
            "entry": one.number,
            **bodies[one.number],
            "superseded_by": None if last[same[one.number]] == one.number else last[same[one.number]],
        }
        for one in found
    ]
