"""`penstroke records correct`: what a person said wrongly is corrected, and both are kept."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstroke.cli.app import PenCommand, current
from penstroke.cli.errors import UsageProblem
from penstroke.cli.output import emit, show
from penstroke.cli.store import find_treatment, open_records, store_option

if TYPE_CHECKING:
    from penstroke.records.entry import Entry
    from penstroke.records.store import Store


@click.command("correct", cls=PenCommand)
@click.argument("record_id", metavar="ID")
@click.argument("number", metavar="ENTRY", type=click.IntRange(min=1))
@click.argument("key")
@click.argument("value")
@click.option("--by", required=True, metavar="NAME", help="Who corrects, by the name in the roster.")
@click.option("--reason", required=True, metavar="TEXT", help="Why.")
@store_option
@click.pass_context
def correct(
    ctx: click.Context, record_id: str, number: int, key: str, value: str, by: str, reason: str
) -> None:
    """Correct what a person said: KEY of entry ENTRY of treatment ID is VALUE.

    Appends the correction; the old value stays and is shown beside the new one. KEY is a path such as
    `answers.product`. VALUE is what its question would take: text, a number, yes or no, a day; null for
    nothing. What the pen measured and the program did is not corrected.
    """
    from penstroke.cli.records_of import background_of, recorder_of
    from penstroke.treatment.correcting import corrected_value
    from penstroke.treatment.roster import load_roster

    app = current(ctx)
    if not by.strip() or not reason.strip():
        raise UsageProblem("a correction has a name and a reason", hint="--by NAME --reason TEXT")
    with open_records(app) as store:
        treatment = find_treatment(store, record_id)
        entry = _to_correct(store, treatment, number)
        who = load_roster(Path(app.config["roster"])).person(by, "by")
        old = _value_at(store, treatment, entry, key)
        entries = list(store.entries(treatment))
        patient = str(entries[0].body.get("patient") or "")
        today = datetime.datetime.now().astimezone().date()
        new = corrected_value(
            entries, entry, key, value, background_of(app, store, patient, treatment), today
        )
        with recorder_of(app, store, treatment=treatment, operator=who) as recorder:
            place = recorder.write(
                "correction", of=number, key=key, old=old, new=new, by=who, reason=reason.strip()
            )
            recorder.make_durable()
            written = recorder.number(place)
    if app.json:
        emit({"id": treatment, "entry": written, "of": number, "key": key, "old": old, "new": new})
    else:
        show(f"entry {written} corrects entry {number}: {key}: {_text(old)} → {_text(new)}")


def _to_correct(store: Store, treatment: str, number: int) -> Entry:
    entry = store.entry(number)
    if entry is None or entry.treatment != treatment:
        raise UsageProblem(
            f"treatment {treatment} has no entry {number}",
            code="record-unknown",
            hint=f"`penstroke records show {treatment}` shows their numbers",
        )
    return entry


def _value_at(store: Store, treatment: str, entry: Entry, key: str) -> Any:
    """The value in force: as it was written, or as it was last corrected."""
    from penstroke.records.corrections import corrected

    value: Any = corrected([entry, *store.entries(treatment, kinds=["correction"])])[0][entry.number]
    for name in key.split("."):
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isascii() and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            raise UsageProblem(
                f"entry {entry.number} has no {key}", hint=f"it has {', '.join(_paths(entry.body))}"
            )
    return value


def _paths(value: Any, under: str = "") -> list[str]:
    if isinstance(value, dict) and value:
        return [path for name, one in value.items() for path in _paths(one, f"{under}{name}.")]
    return [under.rstrip(".")]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
