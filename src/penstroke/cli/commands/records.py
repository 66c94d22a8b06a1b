"""`penstroke records`: lists, shows, verifies and corrects what treatments left."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from penstroke.cli.app import App, PenGroup, current, open_pen
from penstroke.cli.commands.acknowledge import acknowledge
from penstroke.cli.commands.correct import correct
from penstroke.cli.commands.report import export_record, report_record
from penstroke.cli.output import emit, say, show, table
from penstroke.cli.store import entry_line, find_treatment, open_records, store_option, witness_file
from penstroke.errors import RecordError

if TYPE_CHECKING:
    from penstroke.records.entry import Entry, Witness
    from penstroke.records.store import Store
    from penstroke.records.verify import Verification


@click.group("records", cls=PenGroup)
def command() -> None:
    """The records of treatments."""


command.add_command(acknowledge)
command.add_command(correct)
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
                row.outcome,
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


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
