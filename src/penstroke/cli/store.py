"""The record store of a command: its option, opening it late, finding a treatment in it, and its witness."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstroke.cli.app import App, current
from penstroke.cli.errors import UsageProblem

if TYPE_CHECKING:
    from penstroke.records.store import Store
    from penstroke.records.witness import WitnessFile


def _keep(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value:
        current(ctx).flags["store"] = value


store_option = click.option(
    "--store",
    metavar="URL",
    expose_value=False,
    callback=_keep,
    help="Record store: a file, or an SQLAlchemy URL (also PENSTROKE_STORE).",
)
"""The option of every command that reads or writes records."""


def open_records(app: App, *, readonly: bool = False) -> Store:
    """The store in force, opened. Raises `RecordError`; see `penstroke.records.store.open_store`."""
    from penstroke.records.store import open_store

    return open_store(str(app.config["store"]), readonly=readonly)


def witness_file(app: App, store: Store) -> WitnessFile:
    """The file that is a witness of this store."""
    from penstroke.records.witness import WitnessFile

    return WitnessFile(Path(app.config["witness"]), store.store_id())


def find_treatment(store: Store, wanted: str) -> str:
    """The treatment of this id, or of the only id that begins so. Raises `UsageProblem`."""
    found = store.treatment_ids(wanted)
    if wanted in found:
        return wanted
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageProblem(
            f"{len(found)} treatments begin with {wanted}: {', '.join(found[:5])}{', …' * (len(found) > 5)}",
            code="record-ambiguous",
            hint="give more of the id",
        )
    raise UsageProblem(
        f"there is no treatment {wanted} in {store.where}",
        code="record-unknown",
        hint="`penstroke records list` lists them",
    )


def entry_line(entry: dict[str, Any]) -> str:
    """An entry on one line, for people."""
    place = "-" if entry["port_s"] is None else f"{entry['port_s']:.2f}"
    kept = {key: value for key, value in entry["body"].items() if value not in (None, [], {}, "")}
    words = "  ".join(f"{key}={value}" for key, value in kept.items() if key != "plan")
    return f"{entry['number']:>6}  {entry['utc']}  {place:>8} s  {entry['kind']}  {words}".rstrip()
