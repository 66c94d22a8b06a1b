"""What a signal does, by itself; and what the pieces under `treat` do when their caller leaves or hangs."""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from clitools import CHEEK, OPERATOR, PATIENT, ROSTER, Server

from penstroke import Pen, connect, load_plan
from penstroke.errors import DeviceFault, PenError, Stopped
from penstroke.interrupts import Interrupted, Interrupts, printing
from penstroke.records.entry import Entry
from penstroke.records.recorder import Recorder
from penstroke.records.store import open_store
from penstroke.status import Cartridge
from penstroke.treatment.air_run import air_run
from penstroke.treatment.dose import Dose, dose_after
from penstroke.treatment.ledger import RecordLedger
from penstroke.treatment.needling import Answer, PassBegins, Reading, Resting, Wish, ZoneAhead
from penstroke.treatment.roster import load_roster
from penstroke.treatment.run import Needling
from penstroke.treatment.session import Session
from penstroke.treatment.session_values import Background
from penstroke.treatment.steps.needling import Endpoint

RUN = ("run", "--zone", "cheek", "--side", "left", "--depth", "0.9", "--rate", "110", "--for", "60")


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    """The signals of this process, handled for the length of a test."""
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with Interrupts() as installed:
        yield installed
    assert {signum: signal.getsignal(signum) for signum in before} == before


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_without_a_pen_a_signal_ends_at_once(interrupts: Interrupts, signum: signal.Signals) -> None:
    with pytest.raises(Interrupted, match=signum.name):
        signal.raise_signal(signum)


def test_with_a_pen_every_signal_stops_it_and_none_raises(interrupts: Interrupts) -> None:
    stops: list[int] = []
    with interrupts.stopping(lambda: stops.append(1)):
        interrupts.check()
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGINT):
            signal.raise_signal(signum)
        assert len(stops) == 3
        with pytest.raises(Interrupted, match="SIGTERM"):
            interrupts.check()


def test_a_stop_that_fails_in_the_handler_is_left_to_the_way_out(interrupts: Interrupts) -> None:
    def broken() -> None:
        raise DeviceFault("the port has gone")

    with interrupts.stopping(broken):
        signal.raise_signal(signal.SIGINT)
    assert interrupts.why == "SIGINT"


def test_only_printing_that_nobody_reads_is_interrupted_and_after_the_stop(interrupts: Interrupts) -> None:
    stops: list[int] = []
    reader, writer = os.pipe()
    try:
        with interrupts.stopping(lambda: stops.append(1)), os.fdopen(writer, "w") as stream:
            with printing(stream):
                signal.raise_signal(signal.SIGINT)
            assert stops == [1]
            os.set_blocking(writer, False)
            with suppress(BlockingIOError):
                while os.write(writer, bytes(4096)):
                    pass
            with pytest.raises(Interrupted), printing(stream):
                signal.raise_signal(signal.SIGINT)
            assert stops == [1, 1]
    finally:
        os.close(reader)


def test_under_nohup_a_closed_terminal_ends_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts() as installed:
            signal.raise_signal(signal.SIGHUP)
            installed.check()
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.req("S-10")
def test_a_program_whose_output_nobody_reads_still_obeys_a_signal(server: Server) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "penstroke", "--port", server.port, "--json", *RUN],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        if process.stdout is None or process.stderr is None:
            raise AssertionError("no pipes")
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        # The pipe fills, the loop hangs in its printing, and the lease lapses: the dead-man's switch.
        server.wait_for("motor", on=False, reason="lease")
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read()
        assert process.wait(20) in (5, 130)
    assert json.loads(said.splitlines()[-1])["error"]["code"] in ("interrupted", "fault-latched")


# -- the needling of a plan, as a library -------------------------------------------------------


@dataclass
class Account:
    """The record of needling alone, without the visit around it."""

    recorder: Recorder
    dose: Dose = field(default_factory=Dose)

    def may_needle(self, index: int) -> None:
        """Nobody is screened here."""

    def tell(self, kind: str, **body: Any) -> int:
        self.dose = dose_after(self.dose, kind, body)
        return self.recorder.write(kind, **body)

    def make_durable(self) -> None:
        self.recorder.make_durable()

    def error(self, error: PenError) -> None:
        self.recorder.error(error)

    def device_time(self, ms: int) -> None:
        self.recorder.device_time(ms)

    def entries(self) -> list[Entry]:
        """What is on the disk."""
        self.recorder.make_durable()
        return list(self.recorder.store.entries())


@dataclass
class People:
    """They start every zone, having done this before."""

    before: Callable[[], None] = lambda: None

    def confirm(self, _ahead: ZoneAhead) -> Answer:
        self.before()
        return Answer.START

    def wish(self) -> Wish | None:
        return None

    def endpoint(self, _ahead: ZoneAhead) -> Endpoint:
        return Endpoint.NONE

    def other_cartridge(self, _cartridge: Cartridge) -> str:
        raise AssertionError("nobody changes the cartridge here")


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    """A record of its own."""
    with open_store(tmp_path / "records.sqlite") as store, Recorder(store) as recorder:
        yield Account(recorder)


@pytest.fixture
def needling(pen: Pen, plan_file: Callable[..., Path], account: Account) -> Needling:
    """Twenty seconds of a plan on the simulated pen, every zone started."""
    return Needling(pen, load_plan(plan_file(CHEEK | {"area_cm2": 16})), account, People())


def motor(pen_sim: Any) -> list[tuple[bool, str]]:
    """What the motor did, and why."""
    return [(entry["on"], entry["reason"]) for entry in pen_sim.journal.entries if entry["event"] == "motor"]


@pytest.mark.req("S-10")
def test_leaving_the_loop_stops_the_needles(needling: Needling, account: Account, pen_sim: Any) -> None:
    with closing(needling.run()) as steps:
        for step in steps:
            if isinstance(step, Reading) and step.sample.elapsed_s > 1:
                break
    assert motor(pen_sim) == [(True, "command"), (False, "stop")]
    (result,) = needling.results
    assert (result.state, result.passes_done, needling.finished) == ("begun", 0, False)
    last = account.entries()[-1]
    assert (last.kind, last.body["finished"]) == ("summary", False)


@pytest.mark.req("S-10")
def test_a_caller_that_hangs_is_stopped_by_the_lease(needling: Needling, pen_sim: Any) -> None:
    with closing(needling.run()) as steps, pytest.raises(DeviceFault, match="lease"):
        for step in steps:
            if isinstance(step, Reading) and step.sample.elapsed_s > 1:
                pen_sim.advance(2)
    assert motor(pen_sim) == [(True, "command"), (False, "lease")]


@pytest.mark.req("S-11")
def test_a_stop_between_two_passes_is_not_undone_by_the_next_pass(
    pen: Pen, pen_sim: Any, plan_file: Callable[..., Path], account: Account
) -> None:
    needling = Needling(pen, load_plan(plan_file(CHEEK)), account, People())
    with closing(needling.run()) as steps, pytest.raises(Stopped):
        for step in steps:
            if isinstance(step, PassBegins) and step.number == 2:
                pen.demand_stop()
    assert [on for on, _ in motor(pen_sim)] == [True, False]
    assert needling.results[0].passes_done == 1


@pytest.mark.req("S-11")
def test_a_stop_while_the_pen_rests_is_not_undone_by_the_next_pass(
    pen: Pen, pen_sim: Any, plan_file: Callable[..., Path], account: Account
) -> None:
    zone = {"zone": "back", "area_cm2": 640, "depth_mm": 0.5, "rate_hz": 100, "passes": 2}
    needling = Needling(pen, load_plan(plan_file(zone)), account, People())
    with closing(needling.run()) as steps, pytest.raises(Stopped):
        for step in steps:
            if isinstance(step, Resting) and step.left_s < 60:
                pen.demand_stop()
    assert [on for on, _ in motor(pen_sim)] == [True, False]


@pytest.mark.req("S-11")
def test_a_stop_that_comes_with_the_press_wins(
    pen: Pen, pen_sim: Any, plan_file: Callable[..., Path], account: Account
) -> None:
    with pytest.raises(Stopped):
        list(Needling(pen, load_plan(plan_file(CHEEK)), account, People(pen.demand_stop)).run())
    assert motor(pen_sim) == []


@pytest.mark.req("S-11")
def test_a_run_in_the_air_that_was_stopped_is_none(
    pen: Pen, pen_sim: Any, plan_file: Callable[..., Path], account: Account
) -> None:
    background = Background(load_roster(ROSTER))
    session = Session.begin(
        load_plan(plan_file(CHEEK)), patient=PATIENT, operator=OPERATOR, background=background
    )
    with closing(air_run(pen, session, account)) as readings, pytest.raises(Stopped):
        for sample in readings:
            if sample.elapsed_s > 1:
                pen.demand_stop()
    assert motor(pen_sim) == [(True, "command"), (False, "stop")]
    ended = account.entries()[-1]
    assert (ended.kind, ended.body["ended"]) == ("run-ended", "stopped")


def test_progress_only_grows(needling: Needling) -> None:
    readings = [step for step in needling.run() if isinstance(step, Reading)]
    for before, after in pairwise(readings):
        assert after.plan_left_s <= before.plan_left_s
        assert after.zone_strokes >= before.zone_strokes
    assert readings[0].plan_left_s == pytest.approx(20, abs=0.2)
    assert readings[-1].plan_left_s == pytest.approx(0, abs=0.2)
    assert needling.finished


def test_same_seed_same_record(plan_file: Callable[..., Path], tmp_path: Path) -> None:
    """But for the store's own name and what hangs on it: number, time and body of every entry."""
    noon = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
    plan = load_plan(plan_file(CHEEK))

    @contextmanager
    def recorded(name: str) -> Iterator[Account]:
        with open_store(tmp_path / name) as store, Recorder(store, utc_now=lambda: noon) as recorder:
            yield Account(recorder)

    def entries(name: str) -> list[dict[str, Any]]:
        with recorded(name) as account:
            ledger = RecordLedger(account.recorder, account.tell)
            with connect("sim://pen?clock=virtual&seed=4", treatment=7, ledger=ledger) as pen:
                account.recorder.bind(pen.now_ns, simulated=True, serial="S", firmware="F")
                list(Needling(pen, plan, account, People()).run())
            found = [entry.to_json() for entry in account.entries()[1:]]
        return [{key: one[key] for key in one if key not in ("previous", "digest")} for one in found]

    first = entries("a.sqlite")
    assert first == entries("b.sqlite")
    assert first[0]["utc"] == "2026-01-01T12:00:00.000Z"
    assert [one["body"]["command"] for one in first if one["kind"] == "command"].count("run") == 2
