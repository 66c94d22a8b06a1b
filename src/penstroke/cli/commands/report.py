"""`penstroke records report` and `penstroke records export`: a treatment to hand over, or for programs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstroke.cli.app import App, PenCommand, current
from penstroke.cli.errors import UsageProblem
from penstroke.cli.output import emit, say, show
from penstroke.cli.store import find_treatment, open_records, store_option, witness_file
from penstroke.errors import PenError, RecordError

if TYPE_CHECKING:
    from penstroke.records.entry import Entry, Head
    from penstroke.records.store import Store

_OUT = click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path), help="Write to FILE, which must not exist yet."
)


@click.command("report", cls=PenCommand)
@click.argument("record_id", metavar="ID")
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "pdf"]),
    default="html",
    show_default=True,
    help="A page, or a PDF (needs the extra `report`).",
)
@click.option(
    "--lang", type=click.Choice(["en", "de"]), default="en", show_default=True, help="Language of the report."
)
@_OUT
@store_option
@click.pass_context
def report_record(ctx: click.Context, record_id: str, form: str, lang: str, out: Path | None) -> None:
    """Report treatment ID, on paper or on a page, to hand over.

    The head of the chain stands at its foot, for `records verify --head`; that it was made goes on record.
    Without --out the page goes to stdout; a PDF goes to a file.
    """
    from penstroke.records.summary import summary_of
    from penstroke.reports.content import report_of
    from penstroke.reports.html import html_report
    from penstroke.reports.pdf import FONT, pdf_report

    app = current(ctx)
    if out is None and (form == "pdf" or app.json):
        raise UsageProblem("this report goes to a file, and none is named", hint="--out FILE")
    with open_records(app, readonly=True) as store:
        treatment, head, entries = _of_one_moment(store, record_id)
    summary = summary_of(entries)
    report = report_of(
        summary,
        lang=lang,
        head=(head.number, head.digest),
        font=FONT if form == "pdf" else "sans-serif",
    )
    try:
        made = pdf_report(report) if form == "pdf" else html_report(report).encode("utf-8")
    except PenError as problem:  # of what is installed, not of the record
        raise UsageProblem(problem.message, code=problem.code, hint=problem.hint) from problem
    if out is None:
        show(made.decode("utf-8").rstrip("\n"))
    else:
        _write(out, made)
    noted = _note(app, treatment, form, head)
    if app.json:
        facts = {"id": treatment, "format": form, "lang": lang, "file": str(out), "entry": noted}
        emit({**facts, "head": f"{head.number}:{head.digest}", "simulated": summary.simulated})
    elif out is not None:
        say(f"wrote {out}; its foot has the chain head {head.number}:{head.digest}")


@click.command("export", cls=PenCommand)
@click.argument("record_id", metavar="ID")
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "csv", "fhir"]),
    required=True,
    help="Every entry, readings and acts as a table, or a FHIR R4 bundle.",
)
@_OUT
@store_option
@click.pass_context
def export_record(ctx: click.Context, record_id: str, form: str, out: Path | None) -> None:
    """Export treatment ID for other programs, to stdout or to a file."""
    app = current(ctx)
    if out is None and app.json and form == "csv":
        raise UsageProblem("a table is no JSON", hint="--out FILE, or --format json")
    with open_records(app, readonly=True) as store:
        treatment, _, entries = _of_one_moment(store, record_id)
    made = _EXPORTS[form](entries)
    if out is None:
        show(made.decode("utf-8").rstrip("\r\n"))
        return
    _write(out, made)
    if app.json:
        emit({"id": treatment, "format": form, "file": str(out), "bytes": len(made)})
    else:
        say(f"wrote {out}")


def _json(entries: list[Entry]) -> bytes:
    from penstroke.reports.exports import json_export

    return json_export(entries)


def _csv(entries: list[Entry]) -> bytes:
    from penstroke.reports.exports import csv_export

    return csv_export(entries).encode("utf-8")


def _fhir(entries: list[Entry]) -> bytes:
    from penstroke.records.summary import summary_of
    from penstroke.reports.fhir import fhir_export

    try:
        return fhir_export(summary_of(entries))
    except ValueError as nobody:
        raise UsageProblem(str(nobody), hint="--format json or csv") from None


_EXPORTS: dict[str, Callable[[list[Entry]], bytes]] = {"json": _json, "csv": _csv, "fhir": _fhir}


def _of_one_moment(store: Store, record_id: str) -> tuple[str, Head, list[Entry]]:
    """The treatment, and its entries up to the head of the chain as it is now."""
    treatment = find_treatment(store, record_id)
    head = store.head()
    entries = [entry for entry in store.entries(treatment) if entry.number <= head.number]
    return treatment, head, entries


def _note(app: App, treatment: str, form: str, head: Head) -> int | None:
    """Put it on record that a report was made, and the head at its foot; the number of the entry.

    None, and said aloud, where the record can only be read: a report may be made from an archive as well.
    """
    from penstroke.records.recorder import Recorder

    try:
        store = open_records(app)
    except RecordError as error:
        if error.code != "record-read-only":
            raise
        say("the record can only be read: that this report was made is not on record")
        return None
    operator = str(app.config["operator"] or "")
    with store:
        witness = witness_file(app, store)
        with Recorder(store, treatment=treatment, operator=operator, witnesses=[witness]) as recorder:
            place = recorder.write("report", format=form, number=head.number, head=head.digest)
            recorder.make_durable()
            number = recorder.number(place)
    if recorder.unwitnessed:
        say(recorder.unwitnessed)
    return number


def _write(out: Path, made: bytes) -> None:
    """A new file, readable by its owner alone; one that is there is never written over."""
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise UsageProblem(
            f"{out} is there already", code="output-exists", hint="name another file"
        ) from None
    except OSError as problem:
        raise _unwritable(out, problem) from problem
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(made)
    except OSError as problem:
        out.unlink(missing_ok=True)
        raise _unwritable(out, problem) from problem


def _unwritable(out: Path, problem: OSError) -> UsageProblem:
    why = problem.strerror or str(problem)
    return UsageProblem(f"{out} cannot be written: {why}", code="output-unwritable", hint="name another file")
