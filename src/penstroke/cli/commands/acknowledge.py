"""`penstroke records acknowledge`: somebody by name goes on with a store whose seal is broken."""

from __future__ import annotations

from pathlib import Path

import click

from penstroke.cli.app import PenCommand, current
from penstroke.cli.errors import UsageProblem
from penstroke.cli.output import emit, say, show
from penstroke.cli.store import store_option, witness_file


@click.command("acknowledge", cls=PenCommand)
@click.option("--by", required=True, metavar="NAME", help="Who goes on with it, by the name in the roster.")
@click.option("--reason", required=True, metavar="TEXT", help="Why, and where its copy is kept.")
@store_option
@click.pass_context
def acknowledge(ctx: click.Context, by: str, reason: str) -> None:
    """Go on with a store whose seal is broken.

    Nothing is written to a file that was changed after it was sealed, since the next seal would hide it. What
    was found goes on record with this name and reason, and every `records verify` tells it from then on.
    """
    from penstroke.records.entry import Witness
    from penstroke.records.plain import texts
    from penstroke.records.seal import Acknowledgement
    from penstroke.records.store import open_store
    from penstroke.treatment.roster import load_roster

    app = current(ctx)
    if not reason.strip():
        raise UsageProblem("an acknowledgement has a reason", hint="--reason TEXT")
    name = load_roster(Path(app.config["roster"])).person(by, "by")
    where = str(app.config["store"])
    with open_store(where, readonly=True):
        pass  # one that is not there is not made
    with open_store(where, acknowledge=Acknowledgement(name, reason.strip())) as store:
        entry = store.acknowledged
        if entry is None:
            raise UsageProblem(f"the seal of {store.where} is not broken: there is nothing to acknowledge")
        witness = witness_file(app, store)
        witness.keep(Witness(witness.where, entry.number, entry.digest))
    if app.json:
        emit({"store": store.where, "entry": entry.number, **entry.body})
    else:
        say("the store can be written to again; its damage stays on record")
        for damage in texts(entry.body["damages"]):
            show(f"entry {entry.number}: {damage}")
