"""`penstroke-sim serve` as a process of its own: signals, hosts that come and go, floods, second clients."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstroke_protocol import HostLink
from penstroke_protocol.messages import Fault, Feature, Flag, GetCartridge, GetStatus, SetRate, State

Serve = Callable[..., Any]
Connect = Callable[..., Any]


def journal_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_ready_line_tells_all_and_sigterm_ends_cleanly(serve: Serve, tmp_path: Path) -> None:
    link = tmp_path / "pen"
    server = serve("--pty", "--link", link, "--profile", "fixed-rate", "--seed", "3")
    assert server.ready == {
        "port": str(link),
        "pid": server.process.pid,
        "simulated": True,
        "profile": "fixed-rate",
        "seed": 3,
    }
    assert link.is_symlink()
    assert server.end() == (0, "")
    assert not link.is_symlink()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_other_signals_end_it_too(serve: Serve, number: signal.Signals) -> None:
    server = serve("--tcp", "127.0.0.1:0")
    server.send(number)
    server.process.communicate(timeout=10)
    assert server.process.returncode == 0


@pytest.mark.req("S-17b")
def test_a_signal_puts_a_new_cartridge_in(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    server = serve("--pty", "--journal", journal)
    host = connect(server.port)
    host.running()
    host.stop()
    used = host.done(GetCartridge())
    assert used.treatment
    # Twice, with a rest between them: a wake-up that is not taken in would keep the server awake for good.
    for _ in range(2):
        server.send(signal.SIGUSR1)
        new = host.done(GetCartridge())
        deadline_s = time.monotonic() + 10
        while new.cartridge_id == used.cartridge_id and time.monotonic() < deadline_s:
            new = host.done(GetCartridge())
        assert new.cartridge_id != used.cartridge_id
        assert new.treatment == 0
        used = new
    assert [entry["what"] for entry in journal_of(journal) if entry["event"] == "cartridge"][-1] == "in"
    assert server.end()[0] == 0


@pytest.mark.parametrize(("speed", "noted"), [("4", False), ("20", True)])
def test_a_speed_at_which_no_lease_is_kept_is_said(serve: Serve, speed: str, noted: bool) -> None:
    code, said = serve("--tcp", "127.0.0.1:0", "--speed", speed).end()
    assert code == 0
    assert ("does not keep its lease" in said) is noted


@pytest.mark.req("S-10")
def test_a_stopped_server_finds_the_lease_lapsed_when_it_goes_on(
    serve: Serve, connect: Connect, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    server = serve("--pty", "--seed", "1", "--journal", journal)
    host = connect(server.port)
    host.running()
    server.send(signal.SIGSTOP)
    # The host goes on beating all the while; its beats wait in the terminal and are old when they are read.
    host.listen(0.7, beat=State.RUNNING)
    server.send(signal.SIGCONT)
    heard = host.until(lambda heard: heard.state == State.FAULT, beat=State.RUNNING)
    assert heard.faults == Fault.LEASE
    host.until(lambda heard: heard.measured_depth_um == 0, beat=State.RUNNING)
    entries = journal_of(journal)
    lapsed = next(entry for entry in entries if entry["event"] == "lease" and entry["what"] == "lapsed")
    off = next(entry for entry in entries if entry["event"] == "motor" and not entry["on"])
    assert off["reason"] == "lease"
    assert off["t"] - lapsed["renewed_t"] <= 0.305
    walls = [entry["wall"] for entry in entries]
    assert walls == sorted(walls)


def test_what_a_host_says_arrives_when_it_was_said(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    host = connect(serve("--pty", "--journal", journal).port)
    # Without a session nothing is due in the pen, and the server sleeps.
    host.listen(0.5)
    before_s = time.time()
    host.stop()
    after_s = time.time()
    (stop,) = [entry for entry in journal_of(journal) if entry["event"] == "stop"]
    assert before_s - 0.005 <= stop["wall"] <= after_s + 0.005


@pytest.mark.req("S-11", "S-24")
@pytest.mark.parametrize("kind", ["--pty", "--tcp"])
def test_a_host_that_vanishes_leaves_the_port_to_the_next_one(
    serve: Serve, connect: Connect, kind: str
) -> None:
    server = serve(kind, *(["127.0.0.1:0"] if kind == "--tcp" else []), "--seed", "5")
    first = connect(server.port, nonce=1)
    first.running()
    first.line.close()
    second = connect(server.port, nonce=2)
    second.hello()
    # HELLO of another host ends the run at once; the device does not wait for its lease.
    heard = second.until(lambda heard: not heard.flags & Flag.NEEDLES_OUT)
    assert heard.state in (State.IDLE, State.FAULT)
    assert not heard.flags & (Flag.MOTOR_ON | Flag.ZONE_SET)
    assert second.telemetry[0].time_ms > first.telemetry[-1].time_ms
    assert second.link.damage.total() == 0


@pytest.mark.req("S-07", "S-12")
@pytest.mark.parametrize("kind", ["--pty", "--tcp"])
def test_stop_acts_in_a_flood_of_random_bytes(serve: Serve, connect: Connect, kind: str) -> None:
    # Native USB: the flood is over before the lease is.
    server = serve(kind, *(["127.0.0.1:0"] if kind == "--tcp" else []), "--profile", "coarse-tolerance")
    host = connect(server.port)
    host.hello()
    host.until(lambda heard: heard.state == State.IDLE)
    noise = random.Random(2)
    for _ in range(100):
        host.line.write(noise.randbytes(1000))
    assert host.stop().state == State.IDLE
    assert host.done(GetStatus()).state == State.IDLE
    assert server.end()[0] == 0


def test_a_host_faster_than_the_line_has_to_wait(serve: Serve) -> None:
    server = serve("--pty")
    fd = os.open(server.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    taken = 0
    try:
        while taken < 1_000_000:
            taken += os.write(fd, b"\x55" * 4096)
    except BlockingIOError:
        pass
    finally:
        os.close(fd)
    assert taken < 1_000_000
    assert server.end()[0] == 0


def test_a_second_client_is_turned_away_and_disturbs_nothing(serve: Serve, connect: Connect) -> None:
    server = serve("--tcp", "127.0.0.1:0", "--seed", "5")
    host = connect(server.port)
    host.ready()
    _, _, address = server.port.rpartition("//")
    name, _, number = address.rpartition(":")
    with socket.create_connection((name, int(number)), timeout=10) as other:
        other.settimeout(10)
        assert other.recv(100) == b""
    assert host.done(SetRate(1000)).rate_dhz == 1000


def test_a_client_that_comes_again_is_not_turned_away_because_of_itself(serve: Serve) -> None:
    server = serve("--tcp", "127.0.0.1:0")
    name, _, number = server.port.removeprefix("socket://").rpartition(":")
    for _ in range(50):
        with socket.create_connection((name, int(number)), timeout=10) as client:
            client.sendall(b"\0" * 100)
    with socket.create_connection((name, int(number)), timeout=10) as client:
        client.sendall(HostLink(nonce=1, zone_digest=0).stop_frame())
        client.settimeout(10)
        assert client.recv(1) == b"\0"


def test_a_cut_line_vanishes_and_comes_back(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    scenario = tmp_path / "cut.yaml"
    scenario.write_text(
        "timeline: [{at: 1.0, inject: cut}, {at: 1.5, inject: cut, off: true}]", encoding="utf-8"
    )
    link = tmp_path / "pen"
    server = serve("--pty", "--link", link, "--scenario", scenario)
    host = connect(server.port)
    host.hello()
    with pytest.raises(OSError, match=r"disconnected|Input/output|nothing|readiness"):
        host.listen(5)
    host.line.close()
    assert server.next_line()["port"] == str(link)
    again = connect(server.port, nonce=2)
    assert again.hello().features & Feature.SIMULATED


def test_a_scenario_is_judged_at_the_end(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(
        "seed: 4\nprofile: fixed-rate\n"
        "timeline: [{at: 0.4, inject: stop-key}]\n"
        "expect: [{by: 0.3, state: idle}, {by: 0.3, state: armed}, {by: 9999, motor: 'off'}]",
        encoding="utf-8",
    )
    server = serve("--pty", "--scenario", scenario)
    assert (server.ready["seed"], server.ready["profile"]) == (4, "fixed-rate")
    host = connect(server.port)
    host.hello()
    host.until(lambda heard: heard.time_ms > 450)
    code, said = server.end()
    assert code == 1
    met, unmet, unreached = said.splitlines()
    assert met.startswith("ok     by 0.3 s state: idle: idle since")
    assert unmet.startswith("FAILED by 0.3 s state: armed: idle since")
    assert unreached.startswith("FAILED by 9999 s motor: off: the pen was watched for")


def test_a_met_scenario_ends_with_zero(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text("expect: [{by: 0.3, state: idle}]", encoding="utf-8")
    server = serve("--pty", "--scenario", scenario)
    host = connect(server.port)
    host.hello()
    host.until(lambda heard: heard.time_ms > 350)
    assert server.end()[0] == 0
