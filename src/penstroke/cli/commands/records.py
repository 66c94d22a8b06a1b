"""`penstroke records`: lists, shows, verifies and corrects what treatments left."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from penstroke.cli.app import App, PenGroup, current, open_pen
from penstroke.cli.commands.acknowledge import acknowledge
from penstroke.cli.commands.report import export_record, report_record
from penstroke.cli.errors import UsageProblem
from penstroke.cli.output import emit, say, show, table
from penstroke.cli.store import entry_line, find_treatment, open_records, store_option, witness_file
from penstroke.errors import RecordError

if TYPE_CHECKING:
    from penstroke.records.entry import Entry, Witness
    from penstroke.records.store import Store
    from penstroke.records.verify import Verification

NOT_BY_HAND = frozenset(
    {
        *("store", "correction", "report", "witnessed", "seal-broken"),
        *("pen", "command", "held", "sample", "run-ended", "rest"),
        *("fault", "event", "error", "refused"),
    }
)
"""Kinds that no person said: what the pen measured and what the program did is not corrected."""


@click.group("records", cls=PenGroup)
def command() -> None:
    """The records of treatments."""


command.add_command(acknowledge)
command.add_command(report_record)
command.add_command(export_record)


@command.command("list")
@store_option
@click.pass_context
def list_records(ctx: click.Context) -> None:
    """List the treatments on record, the oldest first."""
    app = current(ctx)
    where = str(app.config["store"])
    try:
        with open_records(app, readonly=True) as store:
            where = store.where  # a URL without its password
            rows = store.treatments()
    except RecordError as error:
        if error.code != "record-missing" or not _by_default(app):
            raise
        rows = []
    if app.json:
        emit({"records": [asdict(row) for row in rows], "store": where})
    elif not rows:
        say(f"no treatments in {where}")
    else:
        cells = [
            (
                row.id,
                row.started,
                row.patient or "-",
                row.operator or "-",
                f"bench: {row.bench}" if row.bench else row.plan or "-",
                {True: "simulated", False: "real", None: "-"}[row.simulated],
                f"{row.zones_done}/{row.zones}",
                row.ended,
            )
            for row in rows
        ]
        show(table(("id", "started", "patient", "operator", "plan", "pen", "zones", "ended"), cells))


def _by_default(app: App) -> bool:
    """Whether nobody named a store: then none being there yet is no mistake."""
    return any(one.name == "store" and one.source == "default" for one in app.config.settings)


@command.command("show")
@click.argument("record_id", metavar="ID")
@store_option
@click.pass_context
def show_record(ctx: click.Context, record_id: str) -> None:
    """Show the record of treatment ID, entry by entry, without its single readings.

    ID is that of `records list`, or as much of its beginning as is unique. What was corrected is shown with
    its old and its new value. With --json every entry, as it stands.
    """
    app = current(ctx)
    with open_records(app, readonly=True) as store:
        treatment = find_treatment(store, record_id)
        entries = list(store.entries(treatment))
    if app.json:
        emit({"id": treatment, "store": store.where, "entries": [entry.to_json() for entry in entries]})
        return
    corrections: dict[Any, list[Entry]] = {}
    for entry in entries:
        if entry.kind == "correction":
            corrections.setdefault(entry.body.get("of"), []).append(entry)
    show(f"{treatment} in {store.where}\n")
    for entry in entries:
        if entry.kind == "sample":
            continue
        show(entry_line(entry.to_json()))
        for one in corrections.get(entry.number, ()):
            body = one.body
            change = f"{body['key']}: {_text(body['old'])} → {_text(body['new'])}"
            show(f"        corrected by entry {one.number}: {change} ({body['by']}: {body['reason']})")


# -- verify ------------------------------------------------------------------------------------------------


def _head(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[Witness, ...]:
    from penstroke.records.entry import Witness

    found = []
    for value in values:
        told = re.fullmatch(r"([1-9][0-9]{0,17}):([0-9a-f]{16,64})", value.strip().lower())
        if told is None:
            raise click.BadParameter(f"{value} is not NUMBER:DIGEST, with 16 or more digits of the digest")
        found.append(Witness(f"the head {told[1]}:{told[2][:16]}… that was given", int(told[1]), told[2]))
    return tuple(found)


@command.command("verify")
@click.option(
    "--head",
    "heads",
    multiple=True,
    metavar="NUMBER:DIGEST",
    callback=_head,
    help="A chain head from elsewhere, such as a report's foot; may be given again.",
)
@click.option("--pen", is_flag=True, help="Ask the pen at the port, too, what it remembers of the record.")
@store_option
@click.pass_context
def verify_records(ctx: click.Context, heads: tuple[Witness, ...], pen: bool) -> None:
    """Verify the whole store: its file, its chain of entries, and what its witnesses remember.

    Exit code 8 when anything was changed, removed, put in, moved or cut off, with where. What no witness
    confirms is said to be unwitnessed.
    """
    app = current(ctx)
    with open_records(app, readonly=True) as store:
        witnesses, trouble = _witnesses(app, store)
        if pen:
            heads += _remembered(app, store)
        verification = store.verify((*witnesses, *heads))
    if app.json:
        emit({**verification.to_json(), "witness": str(app.config["witness"]), "witness_problem": trouble})
    else:
        _tell(verification)
    if trouble:
        say(trouble)
    if verification.unwitnessed:
        say(_unwitnessed(verification))
    if not verification.whole:
        count = len(verification.findings) + verification.more
        first = verification.findings[0]
        raise RecordError(
            f"the record {verification.store} failed verification: {first.message}"
            + (f"; and {count - 1} more" if count > 1 else ""),
            code="record-tampered",
            hint="keep the store as it is, with the files beside it; its backup shows what it was",
            what=first.what,
            first=first.first,
            last=first.last,
            count=count,
        )


def _witnesses(app: App, store: Store) -> tuple[tuple[Witness, ...], str | None]:
    """What the witness file remembers of this store, or why it cannot be asked."""
    try:
        return witness_file(app, store).recall(), None
    except RecordError as error:
        return (), error.message


def _remembered(app: App, store: Store) -> tuple[Witness, ...]:
    """What the pen at the port remembers of this store."""
    from penstroke.treatment.pen_witness import recalled

    with open_pen(app, observe=True, sets=False) as pen:
        witness = recalled(pen, store)
        if witness is None:
            say(f"pen {pen.identity.serial} remembers nothing of this record")
        else:
            say(f"{witness.where} remembers entry {witness.number}: {witness.digest}")
    return () if witness is None else (witness,)


def _tell(verification: Verification) -> None:
    one = verification
    show(f"store      {one.store}")
    show(f"entries    {one.entries}, the last is {one.head.number}: {one.head.digest}")
    show(f"seal       {_SEALS[one.seal]}")
    show(f"witnessed  {f'up to entry {one.witnessed}' if one.witnessed else 'by nobody'}")
    for known in one.acknowledged:
        damages = "; ".join(known.damages)
        show(f"known      entry {known.entry}: {damages}; gone on with by {known.by}: {known.reason}")
    for finding in one.findings:
        show(f"{finding.what:<10} {finding.message}")
    if one.more:
        show(f"           and {one.more} more")
    show("whole" if one.whole else "NOT as it was written")


_SEALS = {
    "whole": "whole: every byte of the file is as when it was closed",
    "broken": "BROKEN",
    "unreadable": "UNREADABLE",
    "none": "none: bytes of the file that are in no entry were not looked at",
    "outdated": "none of the newest entries: bytes of the file that are in no entry were not looked at",
    "not a file": "none: this database is no file",
}


def _unwitnessed(one: Verification) -> str:
    if not one.witnessed:
        return (
            f"UNWITNESSED: no witness confirms any of the {one.head.number} entries; a cut end would not show"
        )
    first = one.witnessed + 1
    which = f"entry {first}" if first == one.head.number else f"entries {first} to {one.head.number}"
    return f"UNWITNESSED: {which}, written after the last witness; a cut end would not show there"


# -- correct -----------------------------------------------------------------------------------------------


@command.command("correct")
@click.argument("record_id", metavar="ID")
@click.argument("number", metavar="ENTRY", type=click.IntRange(min=1))
@click.argument("key")
@click.argument("value")
@click.option("--by", required=True, metavar="NAME", help="Who corrects.")
@click.option("--reason", required=True, metavar="TEXT", help="Why.")
@store_option
@click.pass_context
def correct(
    ctx: click.Context, record_id: str, number: int, key: str, value: str, by: str, reason: str
) -> None:
    """Correct what a person said: KEY of entry ENTRY of treatment ID is VALUE.

    Appends the correction; the old value stays and is shown beside the new one. KEY is a path such as
    `answers.product`. VALUE is text where text stood, else JSON: a number, true, null.
    """
    from penstroke.records.recorder import Recorder

    app = current(ctx)
    if not by.strip() or not reason.strip():
        raise UsageProblem("a correction has a name and a reason", hint="--by NAME --reason TEXT")
    app.flags["operator"] = by.strip()
    with open_records(app) as store:
        treatment = find_treatment(store, record_id)
        entry = _to_correct(store, treatment, number)
        old = _value_at(store, treatment, entry, key)
        new = _as_new(value, old, key)
        with Recorder(
            store, treatment=treatment, operator=by.strip(), witnesses=[witness_file(app, store)]
        ) as recorder:
            place = recorder.write(
                "correction", of=number, key=key, old=old, new=new, by=by.strip(), reason=reason.strip()
            )
            recorder.make_durable()
            written = recorder.number(place)
    if recorder.unwitnessed:
        say(recorder.unwitnessed)
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
    if entry.kind in NOT_BY_HAND:
        raise UsageProblem(
            f"entry {number} is a {entry.kind}: what the pen or the program told is not corrected",
            hint="correct what a person said: an answer, a name, an endpoint, a follow-up",
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


def _as_new(value: str, old: Any, key: str) -> Any:
    if isinstance(old, str):
        return value
    try:
        new = json.loads(value, parse_constant=_no_number)
    except ValueError:
        if old is None:
            return value
        raise UsageProblem(
            f"{key} is {_text(old)}, so its correction is JSON, and {value!r} is none",
            hint="a number, true, false, null, or a list",
        ) from None
    return new


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
