"""The records of this call: the store in force, its witnesses, and what is written without a treatment."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstroke import __version__
from penstroke.cli.app import App, open_pen
from penstroke.cli.output import say
from penstroke.cli.store import find_treatment, open_records, witness_file
from penstroke.cli.under_way import alone
from penstroke.data import digests, figures
from penstroke.errors import PenError, RecordError, Refused
from penstroke.records.entry import treatment_id
from penstroke.records.recorder import Recorder
from penstroke.records.store import Store
from penstroke.treatment.ledger import RecordLedger

if TYPE_CHECKING:
    from penstroke.cli.wish import Wish
    from penstroke.pen import Pen
    from penstroke.treatment.plan import PlanZone
    from penstroke.treatment.session_values import Background
    from penstroke.treatment.visit import Visit


@contextmanager
def recorder_of(app: App, store: Store, *, treatment: str | None, operator: str) -> Iterator[Recorder]:
    """A recorder with its witnesses; says aloud where one of those could not be told."""
    with Recorder(
        store, treatment=treatment, operator=operator, witnesses=(witness_file(app, store),)
    ) as recorder:
        yield recorder
    if recorder.unwitnessed is not None:
        say(f"the record is not witnessed: {recorder.unwitnessed}")


def background_of(app: App, store: Store, patient: str, own: str | None) -> Background:
    """What a session goes by: the roster, this clinic's templates, the patient's earlier treatments."""
    from penstroke.records.past import of_patient
    from penstroke.treatment.roster import load_roster
    from penstroke.treatment.screening import EarlierTreatment, NeedledZone
    from penstroke.treatment.session_values import Background
    from penstroke.treatment.templates import load_templates

    earlier = tuple(
        EarlierTreatment(
            datetime.datetime.fromisoformat(past.started).astimezone().date(),
            tuple(NeedledZone(zone, side, depth_um) for zone, side, depth_um in past.zones),
        )
        for past in of_patient(store, patient, other_than=own)
    )
    templates = load_templates(app.config.aftercare_folder)
    return Background(load_roster(Path(app.config["roster"])), earlier, templates)


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
        "tables": digests(),
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
        open_records(app) as store,
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
            # What went wrong must not be hidden by a record that fails as well.
            with suppress(RecordError):
                if isinstance(error, PenError) and not isinstance(error, RecordError):
                    recorder.error(error)
            raise
        finally:
            # One that has failed says so when it is closed.
            with suppress(RecordError):
                if name is not None:
                    recorder.write("closed", **ended)
    if wish.override_by is not None:
        say(f"the override is on record: {name}")


@contextmanager
def pen_in_treatment(app: App, wish: Wish, name: str, longest_s: float) -> Iterator[tuple[Pen, Recorder]]:
    """The pen for one run in an open treatment: within its plan's zones, its screening and its zone's time.

    What is done counts in the treatment, whose `--resume` goes on behind it. Raises `Refused` where the
    treatment does not stand at needling, or the zone is none of its plan's or has had its time.
    """
    from penstroke.treatment import pen_witness
    from penstroke.treatment.run import within_zone_time
    from penstroke.treatment.session import Session
    from penstroke.treatment.visit import Visit
    from penstroke.treatment.work import work_in

    with open_records(app) as store, alone(treatment := find_treatment(store, name)):
        entries = list(store.entries(treatment))
        opened = next(entry.body for entry in entries if entry.kind == "opened")
        if opened.get("bench") is not None:
            raise Refused(
                f"{treatment} was a run at the bench and is no treatment",
                code="record-unknown",
                hint="`penstroke records list` lists the treatments",
            )
        background = background_of(app, store, str(opened["patient"]), treatment)
        session = Session.replay(entries, background)
        operator = background.roster.person(str(app.config["operator"]) or session.operator)
        with recorder_of(app, store, treatment=treatment, operator=operator) as recorder:
            visit = Visit(session, recorder)
            visit.session.may_answer_zone()
            index, zone = _planned(visit, wish)
            with open_pen(
                app, treatment=int(str(opened["token"]), 16), unscreened=True, ledger=visit.ledger
            ) as pen:
                pen_witness.confirm(pen, store)
                visit.settle(visit.session.resume(visit.now()))
                bind(recorder, pen)
                visit.tell("pen", **pen_facts(pen, app.clinic().name))
                work_in(entries, figures().rest_s).carry_over(pen.duty, visit.now().utc, pen.now_ns())
                limits = visit.session.limits
                if limits is not None:
                    pen.screened(limits)
                visit.tell("zone", index=index, zone=zone.zone, side=zone.side, answer="start")
                visit.may_needle(index)
                within_zone_time(visit, zone, index, longest_s)
                try:
                    yield pen, recorder
                except PenError as error:
                    if not isinstance(error, RecordError):
                        visit.error(error)
                    raise


def _planned(visit: Visit, wish: Wish) -> tuple[int, PlanZone]:
    """The zone of the plan that is wished for, and its index from 1. Raises `Refused`."""
    for index, zone in enumerate(visit.session.plan.zones, start=1):
        if (zone.zone, zone.side) == (wish.zone, wish.side):
            return index, zone
    planned = ", ".join(zone.label() for zone in visit.session.plan.zones)
    raise Refused(
        f"{f'{wish.zone} {wish.side or str()}'.strip()} is no zone of this treatment's plan",
        code="zone-not-planned",
        hint=f"it has {planned}",
        zone=wish.zone,
        side=wish.side,
    )
