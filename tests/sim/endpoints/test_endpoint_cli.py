"""`penstroke-sim`: its commands, their JSON, exit codes and errors."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstroke_sim.acts import ACTS
from penstroke_sim.address import parse_address
from penstroke_sim.cli import run
from penstroke_sim.errors import ScenarioError
from penstroke_sim.faults import CATALOGUE

PASSES = "drive: [{do: hello}]\nexpect: [{by: 0.3, state: idle}]"
FAILS = "drive: [{do: hello}]\nexpect: [{by: 0.3, state: armed}]"


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[[str], str]:
    """Writes a scenario file and gives its path."""

    def write(text: str) -> str:
        path = tmp_path / "scenario.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def error_of(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The last line on stderr, as JSON; nothing may be on stdout."""
    said = capsys.readouterr()
    assert said.out == ""
    error: dict[str, Any] = json.loads(said.err.splitlines()[-1])["error"]
    return error


def test_run_reports_and_its_code_tells(
    scenario: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", scenario(PASSES)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ok     0 s hello: done"
    assert lines[1] == "ok     by 0.3 s state: idle: idle since 0.2 s"
    assert lines[2].startswith("passed: ")
    assert run(["run", scenario(FAILS)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "FAILED by 0.3 s state: armed: idle since 0.2 s"
    assert lines[2].startswith("failed: ")


def test_run_as_json(scenario: Callable[[str], str], capsys: pytest.CaptureFixture[str]) -> None:
    path = scenario(FAILS)
    assert run(["run", path, "--json", "--seed", "5", "--profile", "fixed-rate"]) == 1
    said = capsys.readouterr()
    assert said.err == ""
    assert json.loads(said.out) == {
        "scenario": path,
        "profile": "fixed-rate",
        "seed": 5,
        "passed": False,
        "ended": 0.3,
        "drive": [{"at": 0.0, "do": "hello", "outcome": "done", "as_meant": True}],
        "expect": [{"by": 0.3, "state": "armed", "met": False, "found": "idle since 0.2 s"}],
    }


def test_run_writes_the_journal_and_twice_the_same(
    scenario: Callable[[str], str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = scenario(PASSES)
    for name in ("a", "b"):
        assert run(["run", path, "--journal", str(tmp_path / name)]) == 0
    first = (tmp_path / "a").read_bytes()
    assert first == (tmp_path / "b").read_bytes()
    entries = [json.loads(line) for line in first.splitlines()]
    assert entries[0]["event"] == "boot"
    assert all("wall" not in entry for entry in entries)


def test_scenarios_lists_everything_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scenarios", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [fault["name"] for fault in listed["inject"]] == list(CATALOGUE)
    assert [act["name"] for act in listed["do"]] == list(ACTS)
    assert set(listed["profiles"]) == {"fine", "fixed-rate", "coarse-tolerance"}
    assert listed["expect"]["motor"] == ["on", "off"]
    assert all(fault["doc"] and all(p["doc"] for p in fault["params"]) for fault in listed["inject"])
    assert run(["scenarios"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name}: " in text for name in [*CATALOGUE, *ACTS])
    assert "      zone (required): zone, by its name" in text


@pytest.mark.parametrize(
    ("arguments", "code", "name", "says"),
    [
        (["run"], 2, "usage", "SCENARIO"),
        (["fly"], 2, "usage", "fly"),
        (["run", "x", "--seed", "-1"], 2, "usage", "--seed"),
        (["run", "absent.yaml"], 7, "scenario-invalid", "absent.yaml: No such file"),
        (["replay", "absent.jsonl"], 7, "scenario-invalid", "absent.jsonl: No such file"),
        (["serve"], 2, "usage", "choose one of --pty and --tcp"),
        (["serve", "--pty", "--tcp", "127.0.0.1:0"], 2, "usage", "choose one of"),
        (["serve", "--tcp", "127.0.0.1:0", "--link", "x"], 2, "usage", "--link names a pseudo-terminal"),
        (["serve", "--tcp", "8000"], 2, "usage", "HOST:PORT"),
        (["serve", "--tcp", "localhost:http"], 2, "usage", "HOST:PORT"),
        (["serve", "--tcp", "localhost:65536"], 2, "usage", "HOST:PORT"),
        (["serve", "--tcp", "192.0.2.1:7007"], 4, "port-busy", "cannot listen on 192.0.2.1:7007"),
        (["serve", "--pty", "--speed", "0"], 2, "usage", "--speed must be from 0.01 to 100"),
        (["serve", "--pty", "--profile", "golden"], 2, "usage", "--profile 'golden' is unknown; known: fine"),
        (["serve", "--pty", "--scenario", "absent.yaml"], 7, "scenario-invalid", "absent.yaml"),
        (
            ["serve", "--pty", "--journal", "/absent/journal"],
            7,
            "scenario-invalid",
            "cannot write the journal",
        ),
        (["serve", "--pty", "--journal", "/dev/full"], 7, "scenario-invalid", "No space left"),
        (["serve", "--pty", "--link", "/absent/pen"], 4, "port-busy", "cannot make /absent/pen"),
    ],
)
def test_errors(
    arguments: list[str], code: int, name: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*arguments, "--json"]) == code
    error = error_of(capsys)
    assert error["code"] == name
    assert says in error["message"]
    assert run(arguments) == code
    said = capsys.readouterr()
    assert says in said.err
    assert "Traceback" not in said.err


def test_what_a_pen_cannot_do_is_the_scenarios_fault(
    scenario: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = scenario("expect: [{by: 1, state: idle}]\ntimeline: [{at: 0.5, inject: trigger-press}]")
    for command in (["run", path], ["serve", "--pty", "--scenario", path]):
        assert run([*command, "--profile", "fixed-rate", "--json"]) == 7
        assert "has no trigger" in error_of(capsys)["message"]
    with pytest.raises(ScenarioError, match="has no trigger"):
        parse_address(f"sim://pen?profile=fixed-rate&scenario={path}")


def test_a_scenario_that_shows_nothing(
    scenario: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = scenario("seed: 1")
    assert run(["run", path, "--json"]) == 7
    assert error_of(capsys)["message"].startswith(f"{path}: ")


def test_a_port_in_use_and_a_name_in_use(
    capsys: pytest.CaptureFixture[str], serve: Callable[..., Any], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert run(["serve", "--tcp", address, "--json"]) == 4
    assert address in error_of(capsys)["message"]
    link, journal = tmp_path / "pen", tmp_path / "journal"
    serve("--pty", "--link", link, "--journal", journal)
    before = journal.read_bytes()
    assert before
    assert run(["serve", "--pty", "--link", str(link), "--journal", str(journal), "--json"]) == 4
    assert "already" in error_of(capsys)["message"]
    assert journal.read_bytes().startswith(before)
    plain = tmp_path / "plain"
    plain.write_text("mine", encoding="utf-8")
    assert run(["serve", "--pty", "--link", str(plain), "--json"]) == 4
    assert plain.read_text(encoding="utf-8") == "mine"


def test_a_killed_simulators_name_is_taken_over_though_its_terminals_number_is_given_out_again(
    serve: Callable[..., Any], tmp_path: Path
) -> None:
    link = tmp_path / "pen"
    killed = serve("--pty", "--link", link)
    killed.process.kill()
    killed.process.wait()
    assert link.is_symlink()
    server = serve("--pty", "--link", link)
    assert link.exists()
    assert server.end()[0] == 0
    assert not link.is_symlink()


def test_a_name_that_leads_nowhere_is_taken_over(serve: Callable[..., Any], tmp_path: Path) -> None:
    link = tmp_path / "pen"
    link.symlink_to(tmp_path / "gone")
    server = serve("--pty", "--link", link)
    assert link.exists()
    assert server.end()[0] == 0


def test_a_bug_is_one_sentence_unless_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], scenario: Callable[[str], str]
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr("penstroke_sim.play.play", broken)
    path = scenario(PASSES)
    assert run(["run", path, "--json"]) == 1
    assert error_of(capsys)["code"] == "bug"
    with pytest.raises(KeyError):
        run(["--debug", "run", path])


def test_the_installed_command_says_its_version() -> None:
    from importlib.metadata import version

    command = Path(sys.executable).with_name("penstroke-sim")
    said = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=10, check=True)
    assert version("penstroke") in said.stdout
