"""Real processes on a real pseudo-terminal: signals, kills, freezes, busy ports, a stop from elsewhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clitools import CHEEK, FOREHEAD, Clinic, Process, Server

RUN = ("run", "--zone", "cheek", "--side", "left", "--depth", "0.9", "--rate", "110", "--for", "60")
Spawn = Callable[..., Process]


def running(spawn: Spawn, server: Server, *more: object) -> Process:
    """A run whose needles move."""
    process = spawn("--port", server.port, *RUN, *more)
    server.wait_for("needles", extended=True)
    process.read_until("running")
    return process


def stopped(server: Server, reason: str) -> tuple[float, float]:
    """The seconds, on the device's clock, of motor off for this reason, and of the needles being in."""
    off = server.wait_for("motor", on=False, reason=reason)
    return off["t"], server.wait_for("needles", extended=False)["t"]


@pytest.mark.req("S-10")
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_needles_first(spawn: Spawn, server: Server, signum: signal.Signals) -> None:
    process = running(spawn, server)
    process.send(signum)
    code, said = process.end()
    assert code == 130
    assert f"error: interrupted ({signum.name}); the needles are stopped and retracted" in said
    off, retracted = stopped(server, "stop")
    assert retracted - off <= 0.06


@pytest.mark.req("S-10")
def test_ctrl_c_at_the_terminal(spawn: Spawn, server: Server) -> None:
    process = running(spawn, server)
    process.send(signal.SIGINT)
    process.send(signal.SIGINT)  # a second one must not skip the stop
    assert process.end()[0] == 130
    stopped(server, "stop")


@pytest.mark.req("S-10")
def test_a_closed_terminal_stops_the_needles_first(spawn: Spawn, server: Server) -> None:
    process = running(spawn, server)
    process.hang_up()
    process.send(signal.SIGHUP)
    assert process.end()[0] == 130
    stopped(server, "stop")


@pytest.mark.req("S-10")
def test_a_reader_that_goes_away_stops_the_needles(server: Server) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "penstroke", "--port", server.port, "--json", *RUN],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        if process.stdout is None or process.stderr is None:
            raise AssertionError("no pipes")
        server.wait_for("needles", extended=True)
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(20) == 130
    assert json.loads(said.splitlines()[-1])["error"]["code"] == "interrupted"
    stopped(server, "stop")


@pytest.mark.req("S-10")
def test_a_killed_program_is_stopped_by_the_pens_own_lease(spawn: Spawn, server: Server) -> None:
    process = running(spawn, server)
    process.send(signal.SIGKILL)
    assert process.end()[0] == -signal.SIGKILL
    off, retracted = stopped(server, "lease")
    assert retracted - off <= 0.05
    status = spawn("--port", server.port, "--json", "faults")
    code, said = status.end()
    assert code == 0
    assert "lease" in said
    cleared = spawn("--port", server.port, "faults", "--clear")
    assert cleared.end()[0] == 0


@pytest.mark.req("S-10")
def test_a_frozen_program_is_stopped_by_the_lease_and_does_not_go_on(spawn: Spawn, server: Server) -> None:
    process = running(spawn, server)
    process.send(signal.SIGSTOP)
    stopped(server, "lease")
    process.send(signal.SIGCONT)
    code, said = process.end()
    assert code == 5
    assert "lease" in said
    assert len([entry for entry in server.journal("motor") if entry["on"]]) == 1


def test_a_pen_that_is_frozen_or_killed_is_a_lost_link(spawn: Spawn, server: Server) -> None:
    process = running(spawn, server)
    server.process.send_signal(signal.SIGSTOP)
    code, said = process.end()
    server.process.send_signal(signal.SIGCONT)
    assert code in (5, 6)
    assert "lift the pen" in said


def test_an_unplugged_pen_is_a_lost_link(spawn: Spawn, server: Server) -> None:
    process = running(spawn, server)
    server.process.kill()
    code, said = process.end()
    assert code == 6
    assert "lift the pen" in said


def test_a_busy_port_names_its_holder(spawn: Spawn, server: Server) -> None:
    process = running(spawn, server)
    for command in ("status", "monitor", "faults"):
        code, said = spawn("--port", server.port, command).end()
        assert code == 4
        assert f"held by process {process.pid}" in said
    # Nobody disturbed the one who holds it.
    assert [entry["on"] for entry in server.journal("motor")] == [True]


def test_stop_reaches_the_program_that_holds_the_port(spawn: Spawn, server: Server) -> None:
    process = running(spawn, server)
    asker = subprocess.run(
        [sys.executable, "-m", "penstroke", "--port", server.port, "--json", "stop"],
        capture_output=True,
        text=True,
    )
    assert asker.returncode == 0
    reply = json.loads(asker.stdout)
    assert (reply["stopped"], reply["pid"]) == (True, process.pid)
    assert "stop key" in asker.stderr
    code, said = process.end()
    assert code == 130
    assert "another program asked for a stop" in said
    stopped(server, "stop")


def test_a_program_that_holds_the_port_and_hangs_does_not_answer_stopped(
    spawn: Spawn, server: Server
) -> None:
    process = running(spawn, server)
    process.send(signal.SIGSTOP)
    code, said = spawn("--port", server.port, "stop").end()
    assert code == 6
    assert "whether the needles stopped is unknown" in said
    process.send(signal.SIGKILL)


# -- a treatment with a person at the terminal ------------------------------------------------------------


def treating(
    spawn: Spawn, server: Server, clinic: Clinic, plan: Path, *more: object, **steps: Any
) -> Process:
    """A treatment at a terminal, with these answers in the place of the good ones in its file."""
    return spawn("--port", server.port, "treat", plan, *clinic.flags(clinic.answers(**steps)), *more)


def test_a_person_treats_zone_by_zone(
    spawn: Spawn, server: Server, plan_file: Callable[..., Path], clinic: Clinic
) -> None:
    plan = plan_file(CHEEK, FOREHEAD)
    unsaid = {"consent": {"patient_confirmed": None}, "needling": {"start": None, "endpoint": None}}
    process = treating(spawn, server, clinic, plan, **unsaid)
    process.read_until("yes or no")
    process.type("perhaps\n")
    process.read_until("yes or no")
    process.type("yes\n")
    process.read_until("zone 1 of 2: cheek left, 2 passes")
    process.read_until("start, skip or quit?")
    # While the person thinks the port is held, the line is served, and a stop gets through.
    asker = spawn("--port", server.port, "stop")
    assert asker.end()[0] == 0
    process.read_until("a stop was asked for")
    process.type("\n")
    process.read_until("type the whole word: start or skip or quit")
    process.type("start\n")
    process.read_until("pass 1 of 2, vertical: 0.90 mm at 110.0 Hz (6600 rpm)")
    process.read_until("What does the skin show?")
    # Typed ahead: it must not start the next zone.
    process.type("erythema\nstart\n")
    process.read_until("cheek left: done")
    process.read_until("start, skip or quit?")
    process.type("skip\n")
    code, said = process.end()
    assert code == 0
    assert "forehead: skipped" in said
    motor = [entry["on"] for entry in server.journal("motor")]
    assert motor == [True, False] * 3  # in the air, and two passes
    assert clinic.bodies("zone-done")[0]["endpoint"] == "erythema"
    clinic.make_sure_it_is_whole()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_a_prompt(
    spawn: Spawn, server: Server, plan_file: Callable[..., Path], clinic: Clinic, signum: signal.Signals
) -> None:
    process = treating(spawn, server, clinic, plan_file(CHEEK), consent=None)
    process.read_until("yes or no")
    process.send(signum)
    code, said = process.end()
    assert code == 130
    assert f"interrupted ({signum.name})" in said
    assert server.journal("motor") == []
    assert clinic.bodies("closed") == [{"ended": "interrupted", "code": signum.name}]


def test_the_end_of_the_input_at_a_prompt_is_an_interrupt(
    spawn: Spawn, server: Server, plan_file: Callable[..., Path], clinic: Clinic
) -> None:
    process = treating(spawn, server, clinic, plan_file(CHEEK), consent=None)
    process.read_until("yes or no")
    process.type("\x04")
    assert process.end()[0] == 130
    assert clinic.bodies("closed")[0]["ended"] == "interrupted"


def test_an_interrupted_treatment_is_summed_up(
    spawn: Spawn, server: Server, plan_file: Callable[..., Path], clinic: Clinic
) -> None:
    process = treating(spawn, server, clinic, plan_file(CHEEK | {"area_cm2": 160}, FOREHEAD))
    process.read_until("pass 1 of 2")
    process.read_until("running")
    process.send(signal.SIGINT)
    code, said = process.end()
    assert code == 130
    assert "begun" in said
    assert "not begun" in said
    (treatment,) = clinic.treatments()
    assert f"treatment {treatment}: --resume goes on with it" in said
    stopped(server, "stop")
    kinds = [entry.kind for entry in clinic.entries()]
    assert kinds[-3:] == ["summary", "interrupted", "closed"]
    assert clinic.bodies("closed") == [{"ended": "interrupted", "code": "SIGINT"}]
    assert kinds.count("run-ended") == 2  # one in the air


def test_a_treatment_whose_terminal_is_closed_still_closes_its_record(
    spawn: Spawn, server: Server, plan_file: Callable[..., Path], clinic: Clinic
) -> None:
    process = treating(spawn, server, clinic, plan_file(CHEEK | {"area_cm2": 160}))
    process.read_until("pass 1 of 2")
    process.read_until("running")
    process.hang_up()  # no signal here: the next line that is printed meets a closed terminal
    assert process.end()[0] == 130
    stopped(server, "stop")
    last = clinic.entries()[-1]
    assert (last.kind, last.body["ended"]) == ("closed", "interrupted")
    clinic.make_sure_it_is_whole()


def test_the_live_line_changes_in_place_on_a_terminal_that_can(
    spawn: Spawn, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    process = spawn("--port", server.port, *RUN[:-1], "1")
    code, said = process.end()
    assert code == 0
    assert said.count("\r") > 8
    assert said.count("\n") <= 4


def test_a_simulated_pen_in_real_time(cli: Callable[..., Any]) -> None:
    result = cli("--port", "sim://pen?seed=1", *RUN[:-1], "0.5", "--json")
    assert result.code == 0
    assert result.lines[-1]["ended"] == "duration"


def test_something_that_is_no_pen(cli: Callable[..., Any]) -> None:
    """A terminal that only says nothing."""
    import pty

    ours, theirs = pty.openpty()
    try:
        result = cli("--port", os.ttyname(theirs), "status", "--json")
    finally:
        os.close(ours)
        os.close(theirs)
    assert (result.code, result.error["code"]) == (6, "link-timeout")
