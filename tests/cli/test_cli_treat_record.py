"""`treat` and its store: nothing leaves before it is on the disk; a store that fails stops the needles."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from clitools import CHEEK, FOREHEAD, VIRTUAL, Clinic, Process, Result, Server

from penstroke.errors import RecordError
from penstroke.records import schema
from penstroke.records.entry import Draft, Entry
from penstroke.records.store import Store, open_store

Call = Callable[..., Result]
PlanFile = Callable[..., Path]
Spawn = Callable[..., Process]


def motor(pen: Any) -> list[tuple[bool, str]]:
    """What the motor of a pen did, and why."""
    return [(entry["on"], entry["reason"]) for entry in pen.journal.of("motor")]


def in_the_end(pen: Any) -> tuple[bool, bool]:
    """Whether its motor is on and its needles are out, as its journal ends."""
    needles = pen.journal.of("needles")
    return motor(pen)[-1][0], needles[-1]["extended"]


# -- S-14: on the disk before it leaves ------------------------------------------------------------------


@pytest.mark.req("S-14")
def test_every_command_is_on_the_disk_before_its_bytes_leave(
    treat: Call, plan_file: PlanFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen from both ends: what was committed when the port was written to."""
    from penstroke.ledger import RECORDED, command_facts
    from penstroke.pen import Pen

    committed: list[dict[str, Any]] = []
    append = Store.append

    def seen(self: Store, drafts: list[Draft]) -> list[Entry]:
        entries = append(self, drafts)
        committed.extend(entry.body for entry in entries if entry.kind == "command")
        return entries

    left: list[str] = []
    ask = Pen._ask_in

    def leaving(self: Pen, epoch: Any, request: Any) -> Any:
        if isinstance(request, RECORDED):
            facts = command_facts(request)
            assert any(facts.items() <= body.items() for body in committed), f"{facts} left unrecorded"
            left.append(str(facts["command"]))
        return ask(self, epoch, request)

    monkeypatch.setattr(Store, "append", seen)
    monkeypatch.setattr(Pen, "_ask_in", leaving)
    assert treat(plan_file(CHEEK, FOREHEAD)).code == 0
    assert left.count("run") == 4
    assert left.count("arm") == 4


class Failing:
    """Makes the store fail from the entry on for which `at` is true."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, code: str = "record-unwritable") -> None:
        self.code = code
        self.at: Callable[[Draft], bool] = lambda _draft: False
        self.failed = False
        append = Store.append

        def until_full(store: Store, drafts: list[Draft]) -> list[Entry]:
            if self.failed or any(self.at(draft) for draft in drafts):
                self.failed = True
                raise RecordError("the record store cannot be written: disk full", code=self.code)
            return append(store, drafts)

        monkeypatch.setattr(Store, "append", until_full)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failing:
    """A disk that fills up when it is told to."""
    return Failing(monkeypatch)


@pytest.mark.req("S-14")
@pytest.mark.parametrize("kind", ["opened", "pen", "step", "screened", "zone"])
def test_a_disk_that_is_full_before_needles_move(
    treat: Call, plan_file: PlanFile, clinic: Clinic, pens: list[Any], failing: Failing, kind: str
) -> None:
    failing.at = lambda draft: draft.kind == kind
    result = treat(plan_file(CHEEK), "--json")
    assert (result.code, result.error["code"]) == (8, "record-unwritable")
    moved = motor(pens[-1]) if pens else []
    assert len(moved) == (2 if kind == "zone" else 0)  # the run in the air is before the first zone
    failing.at, failing.failed = (lambda _draft: False), False
    clinic.make_sure_it_is_whole()


@pytest.mark.req("S-14")
@pytest.mark.parametrize("command", ["select-zone", "set-rate", "set-depth", "arm", "run"])
def test_what_cannot_be_recorded_does_not_leave(
    treat: Call, plan_file: PlanFile, pens: list[Any], failing: Failing, command: str
) -> None:
    failing.at = lambda draft: draft.kind == "command" and draft.body["command"] == command
    result = treat(plan_file(CHEEK), "--json")
    assert (result.code, result.error["code"]) == (8, "record-unwritable")
    assert motor(pens[-1]) == []
    limits = pens[-1].journal.of("limit")
    assert len(limits) == (0 if command == "select-zone" else 1)


@pytest.mark.req("S-14", "S-10")
def test_a_disk_that_fills_up_while_needles_move_stops_them(
    treat: Call, plan_file: PlanFile, clinic: Clinic, pens: list[Any], failing: Failing
) -> None:
    """Told at the terminal with its own code, and what was written stays."""
    zones: list[str] = []

    def in_the_zone(draft: Draft) -> bool:
        if draft.kind == "zone":
            zones.append(draft.body["zone"])
        return bool(zones) and draft.kind == "sample" and draft.body["elapsed_s"] > 2

    failing.at = in_the_zone
    result = treat(plan_file(CHEEK | {"area_cm2": 160}), "--json")
    assert (result.code, result.error["code"]) == (8, "record-unwritable")
    assert motor(pens[-1])[-1] == (False, "stop")
    assert in_the_end(pens[-1]) == (False, False)
    summary = result.lines[-1]
    assert (summary["event"], summary["zones"][0]["state"]) == ("summary", "begun")
    assert summary["zones"][0]["passes_done"] == 0
    runs = [body for body in clinic.bodies("command") if body["command"] == "run"]
    assert len(runs) == 2
    clinic.make_sure_it_is_whole()
    # Once there is room again it goes on: the pass that was begun counts as given.
    failing.at, failing.failed = (lambda _draft: False), False
    again = treat(plan_file(CHEEK | {"area_cm2": 160}), "--json", "--resume")
    assert again.code == 0, again.err
    assert [line["pass"] for line in again.lines if line["event"] == "pass"] == [2]


RUN = ("run", "--zone", "cheek", "--side", "left", "--depth", "0.9", "--rate", "110", "--for", "60")


@pytest.mark.req("S-14", "S-10")
def test_a_disk_that_fills_up_stops_a_run_on_the_bench(
    cli: Call, clinic: Clinic, pens: list[Any], failing: Failing
) -> None:
    failing.at = lambda draft: draft.kind == "sample" and draft.body["elapsed_s"] > 3
    result = cli("--port", VIRTUAL, *RUN, "--store", clinic.store, "--json")
    assert (result.code, result.error["code"]) == (8, "record-unwritable")
    assert (result.lines[-1]["event"], result.lines[-1]["ended"]) == ("end", "failed")
    assert motor(pens[-1]) == [(True, "command"), (False, "stop")]
    assert in_the_end(pens[-1]) == (False, False)
    clinic.make_sure_it_is_whole()


@pytest.mark.req("S-10", "S-14")
def test_needles_that_may_be_out_outrank_a_record_that_fails(
    cli: Call, clinic: Clinic, failing: Failing, scenario: Callable[..., str]
) -> None:
    failing.at = lambda draft: draft.kind in ("run-ended", "error", "closed")
    stuck = scenario((2.0, "actuator-jam", {}), (2.1, "stop-key", {}))
    result = cli("--port", stuck, *RUN, "--store", clinic.store, "--json")
    assert result.code == 5
    assert "lift the pen" in result.error["message"] + result.error["hint"]


@pytest.mark.req("S-14")
def test_a_slow_disk_loses_nothing_and_costs_no_lease(
    treat: Call, plan_file: PlanFile, clinic: Clinic, pens: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The campaign does this on a real clock, with 300 ms a commit."""
    append, never = Store.append, threading.Event()

    def slow(store: Store, drafts: list[Draft]) -> list[Entry]:
        never.wait(0.02)
        return append(store, drafts)

    monkeypatch.setattr(Store, "append", slow)
    assert treat(plan_file(CHEEK)).code == 0
    assert [reason for on, reason in motor(pens[-1]) if not on] == ["duration"] * 3
    clinic.make_sure_it_is_whole()


@pytest.mark.req("S-14", "S-10")
def test_a_file_that_may_really_grow_no_more(
    treat: Call, plan_file: PlanFile, clinic: Clinic, pens: list[Any]
) -> None:
    """The system itself refuses to write, at whatever call that is, while needles move."""
    with open_store(clinic.store):
        pass
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))
    try:
        result = treat(plan_file(CHEEK | {"area_cm2": 640, "passes": 4}), "--json")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (result.code, result.error["code"]) == (8, "record-unwritable")
    assert len(motor(pens[-1])) >= 4  # in the air, and in the zone
    assert motor(pens[-1])[-1] == (False, "stop")
    assert in_the_end(pens[-1]) == (False, False)
    clinic.make_sure_it_is_whole()
    assert clinic.bodies("command")[-1]["command"] == "run"


# -- stores that will not do -----------------------------------------------------------------------------


def of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE patients (name TEXT)")
        connection.commit()


def of_a_newer_program(path: Path) -> None:
    with open_store(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")


def damaged(path: Path) -> None:
    with open_store(path):
        pass
    content = bytearray(path.read_bytes())
    content[100:3000] = b"\x55" * 2900  # the page with the schema
    path.write_bytes(content)


@pytest.mark.req("S-14")
@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda path: path.write_text("this is no database"), "record-not-a-store"),
        (lambda path: path.mkdir(), "record-not-a-store"),
        (of_another_program, "record-not-a-store"),
        (of_a_newer_program, "record-newer"),
        (damaged, "record-damaged"),
    ],
    ids=["text", "folder", "another program's", "newer", "damaged"],
)
def test_a_store_that_will_not_do_is_told_and_left_as_it_is(
    treat: Call,
    plan_file: PlanFile,
    clinic: Clinic,
    pens: list[Any],
    spoil: Callable[[Path], object],
    code: str,
) -> None:
    spoil(clinic.store)
    before = clinic.store.read_bytes() if clinic.store.is_file() else b""
    for more in ((), ("--resume",)):
        result = treat(plan_file(CHEEK), "--json", *more)
        assert (result.code, result.error["code"]) == (8, code)
        assert result.error["hint"]
        assert str(clinic.store) in result.error["message"]
    assert pens == []
    assert (clinic.store.read_bytes() if clinic.store.is_file() else b"") == before


@pytest.mark.req("S-14")
def test_a_store_that_can_only_be_read(
    treat: Call, plan_file: PlanFile, clinic: Clinic, pens: list[Any]
) -> None:
    assert treat(plan_file(CHEEK)).code == 0
    made = len(pens)
    before = clinic.store.read_bytes()
    clinic.store.chmod(0o400)
    if os.geteuid() == 0:
        done = subprocess.run(["chattr", "+i", str(clinic.store)], capture_output=True, check=False)
        if done.returncode:
            pytest.skip("as root a file cannot be made read-only here")
    try:
        result = treat(plan_file(CHEEK), "--json")
    finally:
        if os.geteuid() == 0:
            subprocess.run(["chattr", "-i", str(clinic.store)], check=True)
    assert result.code == 8
    assert result.error["code"] in ("record-read-only", "record-unreadable")
    assert len(pens) == made
    assert clinic.store.read_bytes() == before


def test_a_tampered_treatment_is_not_resumed(
    treat: Call, plan_file: PlanFile, clinic: Clinic, pens: list[Any]
) -> None:
    assert treat(plan_file(CHEEK), answers=clinic.answers(cleaning=None)).code == 7
    (screened,) = clinic.entries("screened")
    made = len(pens)
    with closing(sqlite3.connect(clinic.store, isolation_level=None)) as connection:
        for act in ("update", "delete"):
            connection.execute(f"DROP TRIGGER entries_no_{act}")
        changed = screened.content().decode().replace('"factor":"1"', '"factor":"2"')
        connection.execute("UPDATE entries SET content = ? WHERE number = ?", (changed, screened.number))
    result = treat(plan_file(CHEEK), "--json", "--resume")
    assert (result.code, result.error["code"]) == (8, "record-tampered")
    assert len(pens) == made


# -- two programs on one store ---------------------------------------------------------------------------


def test_two_programs_write_one_chain(
    spawn: Spawn, server: Server, cli: Call, treat: Call, plan_file: PlanFile, clinic: Clinic
) -> None:
    """One waits at a prompt with its treatment open, while another one treats, and both go into one chain."""
    plan = plan_file(CHEEK)
    waiting = spawn("--port", server.port, "treat", plan, *clinic.flags(clinic.answers(follow_up=None)))
    waiting.read_until("do it or skip it?")
    assert treat(plan, patient="P-18").code == 0
    waiting.type("do\n")
    waiting.read_until("YYYY-MM-DD")
    waiting.type("2999-01-01\n")
    waiting.read_until("yes or no")
    waiting.type("yes\n")
    code, said = waiting.end()
    assert (code, said[-300:]) == (0, said[-300:])
    rows = cli("records", "list", "--store", clinic.store, "--json").json["records"]
    assert [(row["patient"], row["ended"]) for row in rows] == [("P-17", "finished"), ("P-18", "finished")]
    numbers = [entry.number for entry in clinic.entries()]
    assert numbers == list(range(1, len(numbers) + 1))
    clinic.make_sure_it_is_whole()


def test_a_store_that_another_program_keeps_locked(
    treat: Call, plan_file: PlanFile, clinic: Clinic, pens: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(open_store.__kwdefaults__, "busy_s", 0.2)
    with open_store(clinic.store):
        pass
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDS, str(clinic.store)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        if holder.stdin is None or holder.stdout is None:
            raise AssertionError("no pipes")
        assert holder.stdout.readline() == "locked\n"
        result = treat(plan_file(CHEEK), "--json")
        holder.stdin.close()
    assert (result.code, result.error["code"]) == (8, "record-in-use")
    assert pens == []
    assert treat(plan_file(CHEEK)).code == 0


_HOLDS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""
