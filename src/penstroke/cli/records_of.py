"""The records of this call: the store in force, its witnesses, and what is written without a treatment."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstroke import __version__
from penstroke.cli.app import App, open_pen
from penstroke.cli.output import say
from penstroke.errors import PenError, RecordError, Refused
from penstroke.records.entry import treatment_id
from penstroke.records.recorder import Recorder
from penstroke.records.store import Store, open_store
from penstroke.records.witness import WitnessFile
from penstroke.treatment.ledger import RecordLedger

if TYPE_CHECKING:
    from penstroke.cli.wish import Wish
    from penstroke.pen import Pen


def store_of(app: App, *, readonly: bool = False) -> Store:
    """The store in force. Raises `RecordError`."""
    return open_store(str(app.config["store"]), readonly=readonly)


def witnesses_of(app: App, store: Store) -> tuple[WitnessFile, ...]:
    """Where the head of this store is kept beside it."""
    first = store.entry(1)
    store_id = "" if first is None else str(first.body.get("store_id", ""))
    return (WitnessFile(Path(app.config["witness"]), store_id),)


@contextmanager
def recorder_of(app: App, store: Store, *, treatment: str | None, operator: str) -> Iterator[Recorder]:
    """A recorder with its witnesses; says aloud where one of those could not be told."""
    with Recorder(
        store, treatment=treatment, operator=operator, witnesses=witnesses_of(app, store)
    ) as recorder:
        yield recorder
    if recorder.unwitnessed is not None:
        say(f"the record is not witnessed: {recorder.unwitnessed}")


def pen_facts(pen: Pen, clinic: str) -> dict[str, Any]:
    """The body of a `pen` entry."""
    cartridge = asdict(pen.cartridge())
    # Numbers of 64 bits are no numbers for every reader of JSON.
    cartridge["id"] = f"{cartridge['id']:016x}"
    cartridge["treatment"] = f"{cartridge['treatment']:016x}"
    cartridge["used"] = pen.cartridge().used
    return {
        "identity": asdict(pen.identity),
        "limits": asdict(pen.limits),
        "cartridge": cartridge,
        "clinic": clinic,
    }


def bind(recorder: Recorder, pen: Pen) -> None:
    """Entries from here on carry the pen's clock and identity."""
    recorder.bind(
        pen.now_ns, simulated=pen.simulated, serial=pen.identity.serial, firmware=pen.identity.firmware
    )


@contextmanager
def pen_on_record(
    app: App, wish: Wish, act: str, *, treatment: int | None = None, bench: str | None = None
) -> Iterator[tuple[Pen, Recorder]]:
    """The pen outside a treatment, with what sets or moves it on record before it leaves.

    A run is listed like a treatment, with its reason, and so is an override, which is written before it acts;
    any other setting only stands in the chain. Raises `RecordError` where nothing can be recorded: then
    nothing is set.
    """
    now = datetime.datetime.now(datetime.UTC)
    token = secrets.randbits(63) + 1
    listed = act == "run" or wish.override_by is not None
    name = treatment_id(now, token) if listed else None
    operator = str(app.config["operator"])
    with (
        store_of(app) as store,
        recorder_of(app, store, treatment=name, operator=operator) as recorder,
        open_pen(app, treatment=treatment, ledger=RecordLedger(recorder)) as pen,
    ):
        bind(recorder, pen)
        if name is not None:
            reason = (bench or "").strip() or ("a simulated pen" if pen.simulated else "")
            if act != "run":
                reason = f"{act} with an override: {wish.zone}"
            if not reason:
                raise Refused(
                    "this pen is not simulated, and `run` is for the bench: say why with --bench REASON",
                    code="bench-reason-needed",
                    hint="never on a patient: a treatment is done with `penstroke treat PLAN`",
                )
            recorder.write("opened", bench=reason, act=act, penstroke=__version__, token=f"{token:016x}")
        recorder.write("pen", **pen_facts(pen, app.clinic().name))
        if wish.override_by is not None:
            recorder.write(
                "override",
                what=f"{act} beyond the ceiling",
                zone=wish.zone,
                side=wish.side,
                by=wish.override_by,
                reason=wish.reason,
                depth_mm=None if wish.depth_mm is None else float(wish.depth_mm),
                rate_hz=None if wish.rate_hz is None else float(wish.rate_hz),
            )
        ended: dict[str, Any] = {"ended": "finished", "code": None}
        try:
            yield pen, recorder
        except BaseException as error:
            ours = not isinstance(error, PenError)
            ended = {"ended": "interrupted" if ours else "error", "code": getattr(error, "code", None)}
            if isinstance(error, PenError) and not isinstance(error, RecordError):
                recorder.error(error)
            raise
        finally:
            if name is not None and recorder.failed is None:
                recorder.write("closed", **ended)
    if wish.override_by is not None:
        say("the override is on record")
