"""The command line called in this process on virtual time, and as real processes on a pseudo-terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from clitools import VIRTUAL, Clinic, Process, Result, Server

from penstroke.cli.main import main


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Calls the command line in this process."""

    def call(*args: object) -> Result:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return call


@pytest.fixture
def on_pen(cli: Callable[..., Result]) -> Callable[..., Result]:
    """The same on a simulated pen on virtual time."""
    return lambda *args: cli("--port", VIRTUAL, *args)


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[..., str]:
    """The address of a simulated pen on virtual time to which `(seconds, name, params)` happen."""

    def make(*timeline: tuple[float, str, dict[str, Any]], profile: str = "fine") -> str:
        entries = [{"at": at, "inject": name, **params} for at, name, params in timeline]
        file = tmp_path / "scenario.yaml"
        file.write_text(json.dumps({"seed": 1, "profile": profile, "timeline": entries}))
        return f"sim://pen?clock=virtual&scenario={file}"

    return make


@pytest.fixture
def plan_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a plan of the given zones."""

    def make(*zones: dict[str, Any], **more: Any) -> Path:
        file = tmp_path / "plan.json"
        file.write_text(json.dumps({"version": 1, "title": "Small", "zones": list(zones), **more}))
        return file

    return make


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    """A clinic with people, good answers and an empty store."""
    return Clinic(tmp_path)


@pytest.fixture
def treat(cli: Callable[..., Result], clinic: Clinic) -> Callable[..., Result]:
    """Calls `treat` on a simulated pen on virtual time, answered from a file: well, unless one is given."""

    def call(plan: Path, *more: object, port: str = VIRTUAL, **flags: Any) -> Result:
        if "answers" not in flags:
            flags["answers"] = clinic.answers()
        return cli("--port", port, "treat", plan, *clinic.flags(**flags), *more)

    return call


@pytest.fixture
def pens(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The simulated pens on virtual time that were opened in this process, for a look at their journals."""
    from penstroke_sim import inprocess

    opened: list[Any] = []

    class Seen(inprocess.VirtualPort):
        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **named)
            opened.append(self)

    monkeypatch.setattr(inprocess, "VirtualPort", Seen)
    return opened


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[str]], list[str]]:
    """A person at a terminal who answers the prompts with these words; the questions they were asked."""

    def prepare(given: Sequence[str]) -> list[str]:
        from penstroke.cli import asking, treating

        left, asked = list(given), []

        def ask(question: str, allowed: Sequence[str], *, meanwhile: Callable[[], None], flag: str) -> str:
            answer = ask_text(question, meanwhile=meanwhile, flag=flag)
            assert answer in allowed, f"{answer} is no answer to {question}"
            return answer

        def ask_text(question: str, *, meanwhile: Callable[[], None], flag: str) -> str:
            asked.append(question)
            meanwhile()
            return left.pop(0)

        for module in (asking, treating):
            monkeypatch.setattr(module, "ask", ask)
            monkeypatch.setattr(module, "ask_text", ask_text)
        return asked

    return prepare


@pytest.fixture
def spawn() -> Iterator[Callable[..., Process]]:
    """Starts `penstroke` processes."""
    started: list[Process] = []

    def start(*args: object) -> Process:
        started.append(Process(*args))
        return started[-1]

    yield start
    for process in started:
        process.destroy()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A simulated pen behind a pseudo-terminal, in real time."""
    made = Server(tmp_path)
    yield made
    made.destroy()
